"""From judged cells to findings: one root cause, one finding, with all its witnesses."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import psycopg

from tenantproof.channels.registry import CHANNELS
from tenantproof.core.attempt import Form
from tenantproof.core.catalog import Policy
from tenantproof.core.finding import Evidence, Finding, Property, Reach, Severity, Verdict
from tenantproof.core.model import Command, Persona, Platform, QName
from tenantproof.core.ports import Source
from tenantproof.core.quoting import quoted
from tenantproof.core.world import Row
from tenantproof.engine.causes import ROLE_BYPASSES, Cause, cause_of, cause_unasked
from tenantproof.engine.matrix import Judged
from tenantproof.engine.plan import Plan
from tenantproof.engine.replay import plain, script
from tenantproof.engine.wire import Wire
from tenantproof.oracle.entitlement import Stance
from tenantproof.properties.visibility import Violation
from tenantproof.targets.locate import find_function, find_policy, find_relation

Locate = Callable[[QName, str | None], tuple[str, int] | None]
"""Where a policy of a relation (None: the relation itself) stands in the migrations."""

FUNCTION = "()"
"""Asked of a Locate instead of a policy's name: the place of the function of that name."""

PRECEDENCE = (
    "MEMBER-PROMOTE",
    "MEMBER-JOIN",
    "READ",
    "INSERT",
    "UPDATE",
    "UPDATE-MOVE",
    "UPDATE-STEAL",
    "UPSERT-OVERWRITE",
    "DELETE",
)
"""Which channel gives a finding its name, where one cause opens several."""

_SEVERAL = 5
_A_PATTERN = 3
"""From so many relations on, the function that their policies share is the root cause, not the policies."""
_API_FORMS = frozenset({Form.READ, Form.BELONGING, Form.COUNTED, Form.FILTERED, Form.VALUES, Form.UPSERT})


@dataclass(frozen=True, slots=True)
class Witness:
    """One cell that leaks, and why."""

    judged: Judged
    cause: Cause


def find(wire: Wire, plan: Plan, cells: Sequence[Judged], locate: Locate) -> list[Finding]:
    """All findings, worst first, in an order that does not depend on the run."""
    groups: dict[tuple[QName, str], list[Witness]] = defaultdict(list)
    blocked: dict[tuple[QName, Command], list[Judged]] = defaultdict(list)
    for judged in cells:
        if judged.judgement.verdict is Verdict.LEAK:
            cause = _cause(wire, plan, judged)
            groups[judged.object.name, cause.key].append(Witness(judged, cause))
        elif judged.judgement.verdict is Verdict.OVERBLOCKED:
            blocked[judged.object.name, judged.command].append(judged)
    _under_their_tables(plan, groups)
    _under_their_helpers(groups)
    _under_their_role(groups)
    leaks = [_leak(plan, witnesses, locate) for witnesses in groups.values()]
    return sorted(
        [*leaks, *(_blocked(plan, group, locate) for group in blocked.values())],
        key=lambda finding: (-finding.severity.rank, finding.object, finding.command, finding.fingerprint),
    )


def _cause(wire: Wire, plan: Plan, judged: Judged) -> Cause:
    if not wire.lost:
        try:
            return cause_of(wire, plan, judged, _telling(judged))
        except psycopg.OperationalError:
            if not wire.lost:
                raise
    return cause_unasked(plan, judged)


def _under_their_tables(plan: Plan, groups: dict[tuple[QName, str], list[Witness]]) -> None:
    """An invoker's view is read because a table below it can be read: that is one root cause, the table's."""
    read = {name for (name, cause), found in groups.items() if cause != "view" and any(map(_is_read, found))}
    for name, cause in [key for key in groups if key[1] == "view"]:
        if read.intersection(plan.below(plan.catalog.relations[name])):
            del groups[name, cause]


def _is_read(witness: Witness) -> bool:
    return witness.judged.command is Command.SELECT


def _under_their_helpers(groups: dict[tuple[QName, str], list[Witness]]) -> None:
    """Where one function vouches for strangers in the policies of several relations, the function is the cause."""
    opened: dict[QName, list[tuple[QName, str]]] = defaultdict(list)
    for key, witnesses in groups.items():
        for function in {function for witness in witnesses for function in witness.cause.suspects}:
            opened[function].append(key)
    for function, keys in sorted(opened.items(), key=lambda item: (-len(item[1]), item[0])):
        remaining = [key for key in keys if key in groups]
        if len({name for name, _ in remaining}) >= _A_PATTERN:
            blamed = _blamed(function)
            groups[function, blamed.key] = [
                replace(witness, cause=blamed) for key in sorted(remaining) for witness in groups.pop(key)
            ]


def _under_their_role(groups: dict[tuple[QName, str], list[Witness]]) -> None:
    """A role that bypasses row level security opens every table: one root cause, told of the first of them."""
    keys = sorted(key for key in groups if key[1] == ROLE_BYPASSES)
    for key in keys[1:]:
        groups[keys[0]].extend(groups.pop(key))


def _blamed(function: QName) -> Cause:
    return Cause(
        key=f"function {function}",
        function=function,
        words=f"the function {function} tells people that they belong where they do not, and every policy that calls "
        "it lets them through",
        fix=f"Correct {function}: call it as the persona of the evidence and compare what it returns with the "
        "memberships (AND binds stronger than OR; sub-queries capture columns; NULL is not false).",
    )


def _telling(judged: Judged) -> Violation:
    """The violation that shows most: in the relation itself, not refused, with a key that is the same in every run."""
    return min(
        judged.judgement.violations,
        key=lambda v: (
            _order(v),
            v.change is not None and v.change.relation != judged.stand.name,
            v.outcome.observation.refused,
            not v.row.seeded,
            tuple(map(str, v.row.key)),
        ),
    )


def _order(violation: Violation) -> int:
    return PRECEDENCE.index(violation.outcome.attempt.channel)


def _leak(plan: Plan, witnesses: Sequence[Witness], locate: Locate) -> Finding:
    commands = tuple(command for command in Command if any(w.judged.command is command for w in witnesses))
    telling = min(witnesses, key=lambda w: (_order(_telling(w.judged)), plan_order(plan, w.judged)))
    judged, cause = telling.judged, telling.cause
    first = _telling(judged)
    channel = CHANNELS[first.outcome.attempt.channel]
    violations = [v for w in witnesses for v in w.judged.judgement.violations]
    reach = _reach(plan, violations)
    objects = tuple(sorted({str(w.judged.object.name) for w in witnesses}))
    place = _where(judged, cause, locate)
    same_attempt = [first, *(v for v in judged.judgement.violations if v is not first)]
    return Finding(
        property=Property.VISIBILITY,
        channel=channel.id,
        severity=_severity(witnesses, reach),
        reach=reach,
        object=str(cause.function) if cause.function is not None else objects[0],
        objects=objects,
        command=judged.command,
        commands=commands,
        title=channel.title.format(object=judged.object.name),
        cause=cause.key,
        explanation=f"{cause.words[:1].upper()}{cause.words[1:]}. {channel.explanation}",
        fix=cause.fix or channel.fix,
        cwe=channel.cwe,
        personas=_personas(plan, (w.judged.stand.persona for w in witnesses)),
        evidence=tuple(_evidence(plan, w.judged) for w in _one_per_persona(plan, witnesses)),
        replay=script(plan, judged, same_attempt),
        policy=cause.policies[0].name if cause.policies else None,
        policy_text="\n".join(policy_text(policy) for policy in cause.policies),
        file=place[0] if place else None,
        line=place[1] if place else None,
        place=plan.oracle.place(judged.stand.persona, judged.object.name, judged.command),
    )


def _where(judged: Judged, cause: Cause, locate: Locate) -> tuple[str, int] | None:
    """Where the cause stands: the function, the policy, or the relation itself."""
    if cause.function is not None:
        return locate(cause.function, FUNCTION)
    return locate(judged.object.name, cause.policies[0].name if cause.policies else None)


def plan_order(plan: Plan, judged: Judged) -> int:
    """The persona's place in the matrix."""
    return list(plan.identities).index(judged.stand.persona.name)


def _personas(plan: Plan, personas: Iterable[Persona]) -> tuple[str, ...]:
    names = {persona.name for persona in personas}
    return tuple(name for name in plan.identities if name in names)


def _one_per_persona(plan: Plan, witnesses: Sequence[Witness]) -> list[Witness]:
    chosen: dict[str, Witness] = {}
    for witness in sorted(witnesses, key=lambda w: (plan_order(plan, w.judged), _order(_telling(w.judged)))):
        chosen.setdefault(witness.judged.stand.persona.name, witness)
    return list(chosen.values())


def _reach(plan: Plan, violations: Iterable[Violation]) -> Reach:
    """Over the API unless it takes a statement that reads nothing, which hosted Supabase refuses (safeupdate)."""
    if plan.scenario.database.platform is not Platform.SUPABASE:
        return Reach.SQL
    for violation in violations:
        attempt = violation.outcome.attempt
        if attempt.form in _API_FORMS or attempt.channel == "MEMBER-PROMOTE":
            return Reach.API
    return Reach.SQL


def _severity(witnesses: Sequence[Witness], reach: Reach) -> Severity:
    everything = [(w.judged, v) for w in witnesses for v in w.judged.judgement.violations]
    if any(v.outcome.attempt.channel in ("MEMBER-PROMOTE", "MEMBER-JOIN") for _, v in everything):
        return Severity.CRITICAL
    if any(_gains_membership(judged, violation) for judged, violation in everything):
        return Severity.CRITICAL
    if any(_crosses(judged, row) for judged, violation in everything for row in _touched(violation)):
        return Severity.CRITICAL if reach is Reach.API else Severity.HIGH
    return Severity.MEDIUM


def _touched(violation: Violation) -> tuple[Row, ...]:
    """The row in question, as it was and as it became."""
    change = violation.change
    states = (violation.row, change.before, change.after) if change is not None else (violation.row,)
    return tuple(row for row in states if row is not None)


def _gains_membership(judged: Judged, violation: Violation) -> bool:
    """Whether the persona now stands in a membership table for a tenant that is not theirs."""
    stand, change = judged.stand, violation.change
    after = change.after if change is not None else None
    if after is None or stand.persona.user_id is None or after.owner != stand.persona.user_id:
        return False
    return stand.membership is not None and after.tenant not in stand.own_tenants


def _crosses(judged: Judged, row: Row) -> bool:
    """Whether the row belongs to somebody in another tenant; without a tenant, to another user."""
    tenancy = judged.stand.tenancy
    if tenancy.tenant is not None:
        return row.tenant not in judged.stand.own_tenants
    return True


def _evidence(plan: Plan, judged: Judged) -> Evidence:
    violations = judged.judgement.violations
    first = _telling(judged)
    attempt = first.outcome.attempt
    rows = tuple(dict.fromkeys(_whose(plan, violation) for violation in violations))
    return Evidence(
        persona=judged.stand.persona.name,
        statement=attempt.sql,
        expected=plan.oracle.promise(judged.stand.persona, judged.object.name, judged.command),
        observed=_observed(judged, first),
        rows=rows[:_SEVERAL],
    )


def _observed(judged: Judged, first: Violation) -> str:
    count = len({violation.row.key for violation in judged.judgement.violations})
    if first.outcome.observation.refused:
        return f"the policies let it pass; only a constraint refused: {first.outcome.observation.in_words()}"
    done = {Command.SELECT: "read", Command.INSERT: "planted", Command.UPDATE: "changed", Command.DELETE: "deleted"}
    return f"{done[judged.command]} {count} row{' that is' if count == 1 else 's that are'} not theirs"


def _whose(plan: Plan, violation: Violation) -> str:
    row, change = violation.row, violation.change
    words = owner_in_words(plan, row)
    if change is not None and change.before is not None and change.after is not None and row is change.after:
        return f"{owner_in_words(plan, change.before)} became {words}"
    return words


def owner_in_words(plan: Plan, row: Row) -> str:
    """Whose the row is: "a row of acme, owned by acme.member"; of what the run found there, that it is not its own."""
    owner = next((p.name for p in plan.manifest.personas if p.user_id == row.owner and row.owner is not None), None)
    whose = f"a row of {_holder_in_words(plan, row, known_owner=owner is not None)}"
    return f"{whose}, owned by {owner}" if owner else whose


def _holder_in_words(plan: Plan, row: Row, *, known_owner: bool) -> str:
    tenant = plan.world.tenant_name(row.tenant)
    if tenant is not None:
        return tenant
    if row.tenant is not None:
        return "a tenant that is not of this run"
    return "no tenant" if row.owner is None or known_owner else "a user who is not of this run"


def _blocked(plan: Plan, group: Sequence[Judged], locate: Locate) -> Finding:
    judged = group[0]
    relation, command = judged.object.name, judged.command
    policies = [p for p in judged.object.policies if p.command in (None, command)]
    place = locate(relation, policies[0].name if policies else None)
    return Finding(
        property=Property.VISIBILITY,
        channel="OVER-BLOCKED",
        severity=Severity.MEDIUM if any(_wholly(j) for j in group) else Severity.LOW,
        reach=Reach.API,
        object=str(relation),
        command=command,
        commands=(command,),
        title=f"People cannot {command} rows of {relation} that the scenario promises them.",
        cause="over-blocked",
        explanation="The scenario declares more than the database allows. Either the policy (or a grant) is too "
        "strict, or the scenario promises too much; until they agree, nothing here proves that the right people "
        "are let in and the wrong ones kept out.",
        fix="Widen the policy or grant, or correct the expect line.",
        cwe=863,
        personas=_personas(plan, (j.stand.persona for j in group)),
        evidence=tuple(
            Evidence(
                persona=j.stand.persona.name,
                statement=j.outcomes[0].attempt.sql if j.outcomes else "",
                expected=plan.oracle.promise(j.stand.persona, relation, command),
                observed=_not_reached(j),
                rows=tuple(dict.fromkeys(owner_in_words(plan, row) for row in j.judgement.missing))[:_SEVERAL],
            )
            for j in group
        ),
        replay=plain(plan, judged),
        policy=policies[0].name if policies else None,
        policy_text="\n".join(policy_text(policy) for policy in policies),
        file=place[0] if place else None,
        line=place[1] if place else None,
        place=plan.oracle.place(judged.stand.persona, relation, command),
    )


def _not_reached(judged: Judged) -> str:
    count, reason = len(judged.judgement.missing), judged.judgement.reason
    return f"{count} promised row{'' if count == 1 else 's'} not reached" + (f": {reason}" if reason else "")


def _wholly(judged: Judged) -> bool:
    """Whether the persona reaches nothing, or none of several promised rows of a kind (tenant, one's own or not).

    Where others of the kind are reached, what keeps the missing ones back is their content (a state, a mark of
    deletion): the scenario may simply have said less than the policy.  That is told, and does not fail a run.
    """
    stand, missing = judged.stand, judged.judgement.missing
    lost = {row.key for row in missing}
    promised = list(stand.rows_with(judged.command, Stance.REQUIRED))
    reached = {_row_kind(judged, row) for row in promised if row.key not in lost}
    kinds = Counter(_row_kind(judged, row) for row in missing)
    return not reached or any(count > 1 for kind, count in kinds.items() if kind not in reached)


def _row_kind(judged: Judged, row: Row) -> tuple[str | None, bool]:
    return (row.tenant, row.owner is not None and row.owner == judged.stand.persona.user_id)


def policy_text(policy: Policy) -> str:
    """The policy as PostgreSQL holds it, as a statement that makes it again."""
    kind = "" if policy.permissive else " as restrictive"
    command = policy.command.value if policy.command else "all"
    name, table, roles = quoted(policy.name), quoted(*policy.table), ", ".join(map(quoted, policy.roles))
    text = f"create policy {name} on {table}{kind} for {command} to {roles}"
    text += f"\n  using ({policy.using})" if policy.using else ""
    return text + (f"\n  with check ({policy.check})" if policy.check else "") + ";"


def locator(sources: Sequence[Source]) -> Locate:
    """Where policies and relations stand in the applied SQL."""

    def locate(relation: QName, policy: str | None) -> tuple[str, int] | None:
        if policy == FUNCTION:
            return find_function(sources, relation)
        found = find_policy(sources, relation, policy) if policy else None
        return found or find_relation(sources, relation)

    return locate
