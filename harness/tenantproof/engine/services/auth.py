"""
What Supabase Auth puts into tokens: a second factor, and that somebody signed in anonymously.

The tokens are minted here, with the claims that Auth's internal/tokens/service.go gives; no Auth server is asked.  Each
question is asked only where the database reads the claim in question.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from tenantproof.channels.services.catalogue import SERVICE_CHANNELS
from tenantproof.core.attempt import Outcome
from tenantproof.core.catalog import Catalog, Relation
from tenantproof.core.finding import Evidence, Finding, Property, Reach, Severity, Verdict
from tenantproof.core.model import Command, Persona, PersonaKind
from tenantproof.engine.findings import find
from tenantproof.engine.matrix import Judged, sweep
from tenantproof.engine.plan import PLATFORM_SCHEMAS, Plan
from tenantproof.engine.replay import script
from tenantproof.engine.services.cast import members
from tenantproof.engine.services.findings import Author, Haul
from tenantproof.engine.services.removed import of_removed_members
from tenantproof.engine.services.sessions import with_claims
from tenantproof.engine.ways import Standing
from tenantproof.identity.claims import Claims, of_an_anonymous_user, with_second_factor
from tenantproof.properties.visibility import Violation

_SEVERAL = 5
_CALL = re.compile(r"(\w+)\(")


def in_tokens(standing: Standing, author: Author) -> Haul:
    """Ask again with other tokens.  The wire's session must be the observer, and is so afterwards."""
    haul = Haul()
    if standing.cells:
        haul.add(_second_factor(standing, author))
        haul.add(_guests(standing, author))
        haul.add(of_removed_members(standing))
        standing.wire.restart(())
    return haul


def read_by(catalog: Catalog, relation: Relation, claim: str) -> bool:
    """Whether the relation's policies read the claim, by themselves or through a function that they call."""
    texts = [text for policy in relation.policies for text in (policy.using, policy.check) if text]
    called = {name for text in texts for name in re.findall(r"(\w+)\(", text)}
    texts += [
        function.source
        for function in catalog.functions
        if function.name.name in called and function.name.schema not in PLATFORM_SCHEMAS
    ]
    return any(re.search(rf"\b{claim}\b", text) for text in texts)


# The second factor


def _second_factor(standing: Standing, author: Author) -> Haul:
    plan, haul = standing.plan, Haul()
    asked = [relation for relation in plan.relations if read_by(plan.catalog, relation, "aal")]
    first = next(iter(plan.manifest.tenant_ids))
    people = [*members(plan, first), *(who for who in plan.manifest.personas if who.kind is PersonaKind.OUTSIDER)]
    if asked:
        stronger, cells = _swept(standing, asked, people, with_second_factor)
        opened = list(_opened(standing, cells))
        found = find(standing.wire, stronger, opened, author.locate)
        haul.findings += _told("AUTH-AAL", "aal", _news(standing, found))
        haul.findings += [one for relation in asked for one in _only_for_reading(standing, relation, cells)]
        haul.asked.append(f"with a second factor {len(cells)} cells")
    return haul


def _swept(
    standing: Standing,
    relations: Sequence[Relation],
    people: Sequence[Persona],
    change: Callable[[Claims], dict[str, object]],
) -> tuple[Plan, tuple[Judged, ...]]:
    """The matrix of these people with other tokens, before these relations and the views over them."""
    plan, identities = standing.plan, dict(standing.plan.identities)
    for who in people:
        identity = identities[who.name]
        identities[who.name] = with_claims(identity, change(identity.claims))
    named = {relation.name for relation in relations}
    only = frozenset(relation.name for relation in plan.relations if named & {relation.name, *plan.below(relation)})
    other = replace(plan, identities=identities, only=only)
    return other, sweep(standing.wire, other, standing.ground, people).cells


def _opened(standing: Standing, cells: Sequence[Judged]) -> Iterator[Judged]:
    """Cells that leak across the border with the other token, and did not with the usual one."""
    leaking = {_of(cell) for cell in standing.cells if cell.judgement.verdict is Verdict.LEAK}
    for cell in cells:
        if cell.judgement.verdict is Verdict.LEAK and _of(cell) not in leaking:
            across = tuple(one for one in cell.judgement.violations if _crosses(cell, one))
            if across:
                yield replace(cell, judgement=replace(cell.judgement, violations=across))


def _of(cell: Judged) -> tuple[object, str, Command]:
    return cell.object.name, cell.stand.persona.name, cell.command


def _crosses(cell: Judged, violation: Violation) -> bool:
    """Whether the row is of another tenant, or without tenants of another user."""
    row = violation.row
    if cell.stand.tenancy.tenant is not None:
        return row.tenant is not None and row.tenant not in cell.stand.own_tenants
    return row.owner is not None and row.owner != cell.stand.persona.user_id


def _news(standing: Standing, findings: Sequence[Finding]) -> Iterator[Finding]:
    """Findings whose policies call no function that lets people in elsewhere, too: that one the matrix has told."""
    catalog = standing.plan.catalog
    ours = {one.name.name for one in catalog.functions if one.name.schema not in PLATFORM_SCHEMAS}
    leaking = {cell.stand.relation.name for cell in standing.cells if cell.judgement.verdict is Verdict.LEAK}
    elsewhere = {name for relation in leaking for name in _called_by(catalog.relations[relation])}
    for finding in findings:
        if not (ours & elsewhere & set(_CALL.findall(finding.policy_text))):
            yield finding


def _called_by(relation: Relation) -> Iterator[str]:
    for policy in relation.policies:
        yield from _CALL.findall(f"{policy.using} {policy.check}")


def _told(channel: str, claim: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings under this channel, where it is the claim that opens; under their own where it only helps to see."""
    kind = SERVICE_CHANNELS[channel]
    for finding in findings:
        if not re.search(rf"\b{claim}\b", finding.policy_text):
            seen = f"Seen with another token alone, whose {claim} the policies ask for."
            yield replace(finding, explanation=f"{seen} {finding.explanation}")
            continue
        yield replace(
            finding,
            channel=channel,
            title=kind.title.format(object=finding.object),
            explanation=f"{kind.explanation} {finding.explanation}",
            fix=kind.fix,
            cwe=kind.cwe,
        )


def _only_for_reading(standing: Standing, relation: Relation, stronger: Sequence[Judged]) -> Iterator[Finding]:
    """Rows that only show themselves after a second factor, and are changed without one.

    Where the scenario says who may change them, the matrix has judged it.
    """
    by_cell = {_of(cell): cell for cell in standing.cells if cell.object.name == relation.name}
    found: list[tuple[Judged, Outcome]] = []
    for cell in stronger:
        reads = by_cell.get(_of(cell)) if cell.command is Command.SELECT else None
        if reads is None or cell.object.name != relation.name:
            continue
        if cell.judgement.reached and not reads.judgement.reached:
            persona = cell.stand.persona
            for command in (Command.UPDATE, Command.DELETE):
                written = by_cell.get((relation.name, persona.name, command))
                if written is not None and not standing.plan.oracle.declared(persona, relation.name, command):
                    found += [(written, outcome) for outcome in written.outcomes if outcome.changes][:1]
    if found:
        yield _reading_only(standing.plan, relation, found)


def _reading_only(plan: Plan, relation: Relation, found: Sequence[tuple[Judged, Outcome]]) -> Finding:
    kind = SERVICE_CHANNELS["AUTH-AAL"]
    cell, outcome = found[0]
    change = outcome.changes[0]
    row = change.before or change.after
    assert row is not None
    named = {judged.stand.persona.name for judged, _ in found}
    return Finding(
        property=Property.INTEGRITY,
        channel="AUTH-AAL",
        severity=Severity.MEDIUM,
        reach=Reach.SQL,
        object=str(relation.name),
        objects=(str(relation.name),),
        command=cell.command,
        commands=tuple(command for command in Command if any(judged.command is command for judged, _ in found)),
        title=f"Rows of {relation.name} are changed without the second factor that reading them asks for.",
        cause="second factor for reading only",
        explanation=kind.explanation,
        fix=kind.fix,
        cwe=kind.cwe,
        personas=tuple(name for name in plan.identities if name in named),
        evidence=tuple(
            Evidence(
                persona=judged.stand.persona.name,
                statement=outcome.attempt.sql,
                expected="what cannot be read with aal1 cannot be changed with it",
                observed=f"aal1 changed {len(outcome.changes)} rows of which it reads none; aal2 reads them",
            )
            for judged, outcome in found[:_SEVERAL]
        ),
        replay=script(plan, cell, [Violation(outcome=outcome, row=row, change=change)]),
    )


# Anonymous sign-ins


def _guests(standing: Standing, author: Author) -> Haul:
    plan, haul = standing.plan, Haul()
    asked = [relation for relation in plan.relations if read_by(plan.catalog, relation, "is_anonymous")]
    people = [who for who in plan.manifest.personas if who.kind is PersonaKind.OUTSIDER]
    if not asked or not people:
        return haul
    guests, cells = _swept(standing, asked, people, of_an_anonymous_user)
    found = find(standing.wire, guests, list(_opened(standing, cells)), author.locate)
    haul.findings += _told("AUTH-GUEST", "is_anonymous", _news(standing, found))
    haul.asked.append(f"as an anonymous sign-in {len(cells)} cells")
    return haul
