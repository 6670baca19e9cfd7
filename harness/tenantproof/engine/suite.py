"""
From a seeded database to a suite that others can run: rows read back, people, and what nobody may reach.

Contract: the suite holds what the matrix tries, of tables with a primary key and of views, for one person of each kind
(roles of the first tenant, and all who are no plain members): tenants differ in their rows, not in the policies that
are asked.  Relations that it leaves out are named in `left_out`; so are, in one line, the channels that it leaves out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace

import psycopg
from psycopg import sql

from tenantproof.channels import matrix as _filled  # noqa: F401  (importing it fills the catalogue)
from tenantproof.channels.registry import CHANNELS
from tenantproof.channels.stand import Stand
from tenantproof.core.attempt import Attempt, Form
from tenantproof.core.catalog import Relation, RelationKind
from tenantproof.core.errors import UsageError
from tenantproof.core.finding import Finding
from tenantproof.core.model import Command, Persona, PersonaKind, QName
from tenantproof.core.ports import Handle, Writes
from tenantproof.core.suite import Actor, Look, Planting, Probe, Suite
from tenantproof.core.version import VERSION
from tenantproof.core.world import Key, Row
from tenantproof.engine.plan import Plan
from tenantproof.engine.replay import seen_among, timeless
from tenantproof.engine.scripts import set_stage
from tenantproof.oracle.entitlement import Stance

CellKey = tuple[str, str, Command]
"""Relation, persona, command."""

Read = Callable[[str], Sequence[Sequence[str | None]]]
"""Runs a query as the observer and gives its rows as text."""

_TRIED = (RelationKind.TABLE, RelationKind.PARTITIONED, RelationKind.VIEW)
_NEVER = sql.SQL("false")
_NOT_TRIED = (
    "what the search finds, functions, upserts, writes through views, "
    "and whether people join tenants or raise their role"
)
_PLATFORM_ROWS = frozenset({"auth", "storage"})
"""Schemas of the platform in which the seeder writes."""


def kept_suite(handle: Handle, plan: Plan, findings: Iterable[Finding]) -> Suite:
    """The suite of a database whose rows are committed.  Raises UsageError for one whose rows are not."""
    if handle.writes is Writes.ROLLBACK:
        raise UsageError("--report pgtap: the suite holds rows as they were seeded; make it with the embedded target")
    accepted = {
        (object_, persona, command)
        for finding in findings
        if finding.accepted
        for object_ in (finding.object, *finding.objects)
        for command in (finding.command, *finding.commands)
        for persona in finding.personas
    }
    with psycopg.connect(handle.conninfo) as connection:
        return suite_of(plan, lambda query: connection.execute(query.encode()).fetchall(), accepted)


def suite_of(plan: Plan, read: Read, accepted: Collection[CellKey] = ()) -> Suite:
    """The suite of a seeded database, without the cells whose leaks somebody accepted."""
    people = tuple(_representatives(plan))
    probes: list[Probe] = []
    left_out = [_NOT_TRIED]
    for relation in plan.relations:
        reason = _cannot(plan, relation)
        if reason:
            left_out.append(f"{relation.name}: {reason}")
            continue
        for persona in people:
            probes += _probes(plan, plan.before(persona, relation, _rows(plan, relation)))
    return Suite(
        scenario=plan.scenario.name,
        tool_version=VERSION,
        actors=tuple(_actor(plan, persona) for persona in people),
        plantings=tuple(_plantings(plan, read)),
        probes=tuple(probe for probe in probes if _key(probe) not in accepted),
        left_out=(*left_out, *(f"{name} · {command} · {who}: accepted" for name, who, command in sorted(accepted))),
    )


def _key(probe: Probe) -> CellKey:
    return (probe.object, probe.persona, probe.command)


def _representatives(plan: Plan) -> Iterator[Persona]:
    """One member of each role, of the first tenant, and everybody who is no plain member."""
    first = plan.scenario.tenants[0].name
    for persona in plan.manifest.personas:
        if persona.kind is not PersonaKind.MEMBER or persona.tenants == (first,):
            yield persona


def _actor(plan: Plan, persona: Persona) -> Actor:
    identity = timeless(plan.identities[persona.name])
    return Actor(
        name=persona.name,
        role=identity.role,
        login=identity.login,
        settings=tuple(identity.settings),
        pre_request=identity.pre_request,
    )


def _cannot(plan: Plan, relation: Relation) -> str:
    if relation.kind not in _TRIED:
        return f"a {relation.kind}: only tables and views are in the suite"
    if relation.kind is not RelationKind.VIEW and not relation.primary_key:
        return "no primary key by which its rows could be told apart"
    if not plan.tenancy_of(relation.name).decided:
        return "nobody knows whose its rows are"
    return "" if _rows(plan, relation) else "no rows"


def _rows(plan: Plan, relation: Relation) -> tuple[Row, ...]:
    """The rows that the seeder wrote: others have other keys wherever the suite runs.  What a view shows has no key."""
    known = plan.world.rows.get(relation.name, ())
    return known if relation.kind is RelationKind.VIEW else tuple(row for row in known if row.seeded)


def _plantings(plan: Plan, read: Read) -> Iterator[Planting]:
    schemas = {*plan.scenario.database.schemas, *_PLATFORM_ROWS}
    for name, relation in sorted(plan.catalog.relations.items()):
        if relation.kind is not RelationKind.TABLE or name.schema not in schemas:
            continue
        columns = tuple(column.name for column in relation.columns if not column.generated)
        rows = _rows_of(read, name)
        if rows and columns:
            yield Planting(relation=name, columns=columns, rows=rows)


def _rows_of(read: Read, name: QName) -> str:
    query = sql.SQL("SELECT pg_catalog.jsonb_agg(t)::text FROM ONLY {} AS t").format(sql.Identifier(*name))
    ((rows,),) = read(query.as_string(None))
    return rows or ""


def _probes(plan: Plan, stand: Stand) -> Iterator[Probe]:
    yield from _reads(stand)
    if stand.relation.kind is RelationKind.VIEW:
        return
    for command in (Command.UPDATE, Command.DELETE):
        yield from _writes(plan, stand, command)
    yield from _moves(plan, stand)
    yield from _inserts(plan, stand)


def _reads(stand: Stand) -> Iterator[Probe]:
    attempt = next(_attempts(stand, Command.SELECT), None)
    if attempt is None or attempt.form is Form.COUNTED:
        return
    lawful = {_answer(stand, attempt, row) for row in stand.rows_with(Command.SELECT, Stance.ALLOWED, Stance.REQUIRED)}
    needed = {_answer(stand, attempt, row) for row in stand.one_of_each_tenant(Command.SELECT, Stance.REQUIRED)}
    hidden = {_answer(stand, attempt, row) for row in stand.one_of_each_tenant(Command.SELECT, Stance.FORBIDDEN)}
    yield from _read(stand, attempt, Look.PERSONA, hidden - lawful, "others' rows stay hidden")
    yield from _read(stand, attempt, Look.NEEDED, needed, "their own rows are there")


def _answer(stand: Stand, attempt: Attempt, row: Row) -> Key:
    """The row as the persona's own SELECT shows it."""
    if attempt.form is Form.BELONGING:
        return (row.tenant, row.owner, *(str(predicate in row.flags).lower() for predicate in stand.predicates))
    return row.key


def _read(stand: Stand, attempt: Attempt, kind: Look, answers: Iterable[Key], aim: str) -> Iterator[Probe]:
    known = sorted(answers, key=str)
    if not known:
        return
    names = stand.key_columns if attempt.form is Form.READ else [f"c{i + 1}" for i in range(len(known[0]))]
    yield Probe(
        object=str(stand.name),
        persona=stand.persona.name,
        command=Command.SELECT,
        aim=aim,
        kind=kind,
        look=seen_among(attempt.sql, names, known).rstrip(";"),
    )


def _writes(plan: Plan, stand: Stand, command: Command) -> Iterator[Probe]:
    """Every way to change or delete rows of others."""
    keys = [row.key for row in stand.one_of_each_tenant(command, Stance.FORBIDDEN)]
    if not keys or stand.name not in plan.watches:
        return
    for attempt in _attempts(stand, command):
        if attempt.channel == command.name:
            yield _observed(plan, stand, attempt, _changed(keys), planted=False)


def _moves(plan: Plan, stand: Stand) -> Iterator[Probe]:
    """Own rows handed to others, and rows of others taken over: each alone on its stage."""
    if stand.name not in plan.watches:
        return
    rows = {row.key: row for row in stand.rows}
    for attempt in _attempts(stand, Command.UPDATE):
        whose = attempt.row
        if whose is None or whose.key not in rows:
            continue
        if attempt.channel == "UPDATE-MOVE":
            yield _observed(plan, stand, attempt, _moved(stand, rows[whose.key], whose), planted=True)
        elif attempt.channel == "UPDATE-STEAL":
            yield _observed(plan, stand, attempt, _changed([whose.key]), planted=True)


def _inserts(plan: Plan, stand: Stand) -> Iterator[Probe]:
    for attempt in _attempts(stand, Command.INSERT):
        whose = attempt.row
        if whose is None or stand.name not in plan.watches:
            continue
        if stand.stance(Command.INSERT, whose) is Stance.FORBIDDEN:
            yield _observed(plan, stand, attempt, _CAME, planted=True)


def _attempts(stand: Stand, command: Command) -> Iterator[Attempt]:
    tried = set()
    for channel in CHANNELS.values():
        if channel.command is not command:
            continue
        for attempt in channel.attempts(stand):
            if (attempt.sql, attempt.stage) not in tried:
                tried.add((attempt.sql, attempt.stage))
                yield attempt


def _observed(plan: Plan, stand: Stand, attempt: Attempt, look: str, *, planted: bool) -> Probe:
    return Probe(
        object=str(stand.name),
        persona=stand.persona.name,
        command=attempt.command,
        aim=f"cannot {attempt.aim}" if planted else f"cannot reach others' rows: {attempt.aim}",
        kind=Look.OBSERVER,
        look=look,
        act=attempt.sql,
        watch=plan.watches[stand.name].query,
        stage=set_stage(attempt.stage) if attempt.stage is not None else (),
        planted=planted,
    )


def _changed(keys: Iterable[Key]) -> str:
    """The observer's query for which of the rows with these keys are gone or another version."""
    listed = sql.SQL(", ").join(sql.Literal(json.dumps(key)) for key in keys)
    return (
        sql.SQL(
            "SELECT b.key FROM tenantproof_before AS b LEFT JOIN tenantproof_after AS a ON a.key = b.key "
            "WHERE a.version IS DISTINCT FROM b.version AND b.key::jsonb IN (SELECT unnest(ARRAY[{}])::jsonb)"
        )
        .format(listed)
        .as_string(None)
    )


def _moved(stand: Stand, before: Row, after: Row) -> str:
    """The observer's query for rows that were written, and are now whose they must not be.

    The statement may not reach the owner's column, or a trigger may put somebody in it, so that the row as it becomes
    is one of two; only those count that the scenario forbids.
    """
    whose = {(after.tenant, after.owner), (after.tenant, before.owner)}
    forbidden: list[sql.Composable] = [
        sql.SQL("a.tenant IS NOT DISTINCT FROM {} AND a.owner IS NOT DISTINCT FROM {}").format(
            sql.Literal(tenant), sql.Literal(owner)
        )
        for tenant, owner in sorted(whose, key=str)
        if stand.stance(Command.UPDATE, replace(before, tenant=tenant, owner=owner)) is Stance.FORBIDDEN
    ]
    return (
        sql.SQL(
            "SELECT a.key FROM tenantproof_after AS a "
            "WHERE a.version NOT IN (SELECT version FROM tenantproof_before) AND ({})"
        )
        .format(sql.SQL(" OR ").join(forbidden or [_NEVER]))
        .as_string(None)
    )


_CAME = "SELECT a.key FROM tenantproof_after AS a WHERE a.key NOT IN (SELECT key FROM tenantproof_before)"
"""The observer's query for rows that were not there before."""
