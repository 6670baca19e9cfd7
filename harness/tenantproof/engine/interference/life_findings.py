"""From what was caught in membership life to findings, in words for people and as psql scripts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psycopg import sql

from tenantproof.core.attempt import Form
from tenantproof.core.catalog import Policy
from tenantproof.core.finding import Evidence, Finding, Property, Reach, Severity
from tenantproof.core.model import Command, Platform, QName
from tenantproof.core.world import Row
from tenantproof.engine.findings import Locate, owner_in_words, policy_text
from tenantproof.engine.interference.life_moves import Step
from tenantproof.engine.interference.life_stage import SET_UP, Sighting
from tenantproof.engine.plan import Plan
from tenantproof.engine.replay import as_text, becoming, counted_over, ended, seen_among, watched
from tenantproof.engine.scripts import RUN_IT

CHANNEL = "MEMBER-LIFE"
_CWE = 863
_SHOWN = 5
_HEAD = f"{RUN_IT}\nbegin;\n{SET_UP};"

_AFTER = {
    "join": "After somebody joins",
    "join another": "After somebody joins a second tenant",
    "invite": "After somebody is invited",
    "come": "After somebody accepts an invitation",
    "accept": "After somebody accepts an invitation",
    "remove": "After a member is removed",
    "leave": "After a member leaves",
    "promote": "After a member is promoted",
    "demote": "After a member is demoted",
    "transfer": "After ownership changes hands",
    "remove owners": "After the last owner is removed",
    "relocate": "After a user moves to another tenant",
    "hide": "After a row is marked as deleted",
    "restore": "After a row is restored",
    "hang": "After a row moves to another parent",
}

_EXPLANATION = (
    "Rights were right before these steps, and are wrong after them: something that policies read was not changed with "
    "the membership. Typical are a copy of the tenant or the role in another table, in a column or in an array; "
    "rows of groups, shares or invitations that outlive the membership; and a tenant column that does not follow when "
    "a row moves."
)
_FIX = (
    "Let the policies look the membership (and the role in it) up where it is kept, or let everything that grants "
    "access go with it: a foreign key to the membership row with ON DELETE CASCADE, or a trigger that updates the copy."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catch:
    """Something reached against the scenario after these steps, and everybody who was seen to reach it."""

    steps: tuple[Step, ...]
    sighting: Sighting
    witnesses: tuple[str, ...]

    @classmethod
    def of(cls, steps: Sequence[Step], sighting: Sighting) -> Catch:
        return cls(steps=tuple(steps), sighting=sighting, witnesses=(sighting.standing.persona.name,))


def findings_of(plan: Plan, catches: Iterable[Catch], locate: Locate) -> list[Finding]:
    """One finding per relation and property, worst first; what a view shows of a table that leaks is the table's."""
    caught = list(catches)
    keys = {catch.sighting.key for catch in caught}
    found = [_finding(plan, catch, locate) for catch in caught if not _of_its_table(plan, catch, keys)]
    return sorted(found, key=lambda finding: (-finding.severity.rank, finding.object, finding.fingerprint))


def _of_its_table(plan: Plan, catch: Catch, keys: set[tuple[QName, Property]]) -> bool:
    name, kind = catch.sighting.key
    below = plan.below(plan.catalog.relations[name])
    return any(table != name and (table, kind) in keys for table in below)


def _finding(plan: Plan, catch: Catch, locate: Locate) -> Finding:
    sighting = catch.sighting
    attempt, standing = sighting.attempt, sighting.standing
    relation, kind = sighting.key
    reach = _reach(plan, sighting)
    policy = _the_policy(plan, sighting)
    place = locate(relation, policy.name if policy else None)
    return Finding(
        property=kind,
        channel=CHANNEL,
        severity=_severity(sighting, reach),
        reach=reach,
        object=str(relation),
        objects=(str(relation),),
        command=attempt.command,
        commands=(attempt.command,),
        title=_title(catch),
        cause="membership-life",
        explanation=_EXPLANATION,
        fix=_FIX,
        cwe=_CWE,
        personas=tuple(name for name in plan.identities if name in catch.witnesses),
        evidence=(_evidence(plan, catch),),
        replay=script(plan, catch),
        policy=policy.name if policy else None,
        policy_text=policy_text(policy) if policy else "",
        file=place[0] if place else None,
        line=place[1] if place else None,
        place=standing.oracle.place(standing.persona, relation, attempt.command),
    )


def _the_policy(plan: Plan, sighting: Sighting) -> Policy | None:
    """The policy that let it pass, where there is only one."""
    held = plan.catalog.privileges_of(plan.identities[sighting.standing.persona.name].role)
    relation = plan.catalog.relations[sighting.attempt.relation]
    asked = [p for p in relation.policies if p.permissive and p.applies_to(sighting.attempt.command, held)]
    return asked[0] if len(asked) == 1 else None


def _reach(plan: Plan, sighting: Sighting) -> Reach:
    """Over the API, unless the statement reads no column, which hosted Supabase refuses (safeupdate)."""
    hosted = plan.scenario.database.platform is Platform.SUPABASE
    return Reach.API if hosted and sighting.attempt.form is not Form.BLIND else Reach.SQL


def _severity(sighting: Sighting, reach: Reach) -> Severity:
    if any(sighting.standing.crosses(sighting.attempt.relation, row) for row in sighting.rows):
        return Severity.CRITICAL if reach is Reach.API else Severity.HIGH
    return Severity.MEDIUM


def _title(catch: Catch) -> str:
    relation, kind = catch.sighting.key
    done = "shows rows to" if kind is Property.VISIBILITY else "can be changed by"
    after = _AFTER[catch.steps[-1].kind]
    crosses = any(catch.sighting.standing.crosses(relation, row) for row in catch.sighting.rows)
    whom = "people who do not belong to their tenant" if crosses else "people whose role does not allow it"
    if kind is Property.INTEGRITY and crosses:
        whom = "people who do not belong to the tenant"
    return f"{after}, {relation} {done} {whom}."


def _evidence(plan: Plan, catch: Catch) -> Evidence:
    sighting = catch.sighting
    persona, attempt = sighting.standing.persona, sighting.attempt
    lines = [line for step in catch.steps for line in (f"-- {step.words}", *ended(step.shown))]
    done = {Command.SELECT: "read", Command.UPDATE: "changed", Command.DELETE: "deleted"}[attempt.command]
    count = len(sighting.rows)
    return Evidence(
        persona=persona.name,
        statement="\n".join([*lines, f"-- {persona.name}", f"{attempt.sql};"]),
        expected=sighting.standing.oracle.promise(persona, attempt.relation, attempt.command),
        observed=f"{done} {count} row{' that is' if count == 1 else 's that are'} not theirs any more",
        rows=tuple(dict.fromkeys(owner_in_words(plan, row) for row in sighting.rows))[:_SHOWN],
        behind="; ".join(step.words for step in catch.steps),
    )


def script(plan: Plan, catch: Catch) -> str:
    """The steps, then what the persona does.  Prints LEAK for each row that is still reached."""
    sighting = catch.sighting
    name = sighting.standing.persona.name
    acting = [f"-- {name}", *becoming(plan, name)]
    steps = [line for step in catch.steps for line in (f"-- {step.words}", *ended(step.statements))]
    if sighting.attempt.command is Command.SELECT:
        counted = sighting.attempt.form is Form.COUNTED
        shown = counted_over(sighting.attempt.sql, sighting.present) if counted else _reading(sighting)
        body = [*acting, "-- rows that are not theirs any more", shown]
    else:
        watch = plan.watches[sighting.attempt.relation].query
        body = watched(watch, [*acting, f"{sighting.attempt.sql};"], [row.key for row in _steady(sighting.rows)])
    head = f"-- {name}: {sighting.attempt.command} on {sighting.attempt.relation} after {len(catch.steps)} step(s)"
    return "\n".join([head, _HEAD, *steps, *body, "rollback;", ""])


def _reading(sighting: Sighting) -> str:
    belonging = sighting.attempt.form is Form.BELONGING
    if belonging:
        query = "select 'LEAK' as verdict, seen.* from ({}) as seen (tenant, owner{}) where seen.tenant in ({})"
        query += " or (seen.tenant is null and seen.owner in ({}));"
        width = len(sighting.observation.rows[0]) - 2
        flags = sql.SQL("").join(sql.SQL(", {}").format(sql.Identifier(f"flag_{i + 1}")) for i in range(width))
        tenants = _listed({row.tenant for row in sighting.rows})
        owners = _listed({row.owner for row in sighting.rows})
        return sql.SQL(query).format(sql.SQL(sighting.attempt.sql), flags, tenants, owners).as_string(None)
    keys = [row.key for row in _steady(sighting.rows)][:_SHOWN]
    return seen_among(sighting.attempt.sql, [f"key_{i + 1}" for i in range(len(keys[0]))], keys)


def _steady(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows that the seeder wrote, whose keys are the same in every run; all of them where there is none."""
    return [row for row in rows if row.seeded] or rows


def _listed(values: Iterable[str | None]) -> sql.Composable:
    known: list[str | None] = [*sorted(value for value in values if value is not None)]
    return sql.SQL(", ").join(map(as_text, known or [None]))
