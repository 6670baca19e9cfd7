"""
Seeded rows put to the triggers of their table: they are loaded with triggers off, so refusals are found here.

The rows of a table are taken out and inserted again one by one, with triggers on, in a savepoint that is rolled back.
A refused row is repaired; where that fails and other rows of its tenant were accepted, a limit is reached, and the row
is taken away.  A tenant all of whose rows are refused keeps them: such rows come in by another way, and there is as
much to read there as in any table; the report says what the trigger said.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from tenantproof.catalog.at_once import Query, at_once
from tenantproof.core.model import Scenario
from tenantproof.core.world import Draft, Key, Unseeded
from tenantproof.identity.legacy import LegacyClaims
from tenantproof.seeding.answers import Answer
from tenantproof.seeding.cast import Cast
from tenantproof.seeding.inlining import Body
from tenantproof.seeding.paths import table_name
from tenantproof.seeding.plan import Plan, TablePlan
from tenantproof.seeding.probing import Candidate, probe
from tenantproof.seeding.repair import Repairs
from tenantproof.seeding.store import SeedRow, Values

TRIGGERS_OFF, TRIGGERS_ON = (
    sql.SQL("SET LOCAL session_replication_role = replica"),
    sql.SQL("SET LOCAL session_replication_role = origin"),
)

_BUDGET = 120
_NO_PARENT = "23503"
_REFUSES = re.compile(r"\b(raise|assert|strict)\b", re.IGNORECASE)
_LEAVES_OUT = re.compile(r"\breturn\s+(null|old)\b", re.IGNORECASE)
_MOST_REPAIRED = 3
"""Rows of a table whose repair may fail before no more are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Court:
    """Before whom rows are tried."""

    connection: psycopg.Connection[Any]
    scenario: Scenario
    cast: Cast
    plan: Plan
    bodies: Mapping[str, Body]
    """Functions by name."""
    legacy: LegacyClaims
    """Settings for single claims that the database depends on."""

    def ask(self, candidates: Sequence[Candidate], *, keeping: bool, first: Sequence[Query] = ()) -> list[Answer]:
        return probe(
            self.connection,
            candidates,
            self.scenario,
            self.cast,
            self.plan,
            self.legacy,
            keeping=keeping,
            first=first,
        )


def can_be_tried(table: TablePlan, bodies: Mapping[str, Body]) -> bool:
    """Whether triggers have a say: not on users, tenants and memberships, which must be there in any case."""
    if table.is_tenants or table.memberships or table.user_column is not None or not table.relation.primary_key:
        return False
    called = (t for t in table.relation.triggers if t.enabled and "INSERT" in t.events)
    return any(_may_refuse(bodies.get(t.function.name), bodies, before=t.timing == "BEFORE") for t in called)


def _may_refuse(body: Body | None, bodies: Mapping[str, Body], *, before: bool) -> bool:
    """Whether a function's text has a way to refuse a row, itself or in a function that it names."""
    if body is None:
        return False
    named = set(re.findall(r"\w+", body.source)) & bodies.keys()
    if any(_REFUSES.search(text) for text in (body.source, *(bodies[name].source for name in named))):
        return True
    return before and _LEAVES_OUT.search(body.source) is not None


def try_rows(court: Court, table: TablePlan, rows: Sequence[SeedRow]) -> tuple[list[SeedRow], list[Unseeded]]:
    """
    The rows that had to be taken away again, and what is to be said.

    Rows are changed in place, and in the table, where that makes the triggers accept them.
    """
    answers = _try_all(court, table, rows)
    refused = _refused(court, table, rows, answers)
    if not refused:
        return [], []
    if _repair(court, table, rows, answers, refused):
        answers = _try_all(court, table, rows)
        refused = _refused(court, table, rows, answers)
    accepted = Counter(row.tenant for number, row in enumerate(rows) if number not in refused)
    surplus = [rows[number] for number in refused if accepted[rows[number].tenant]]
    if surplus:
        with at_once(court.connection):
            _send(court, _quietly(_deletion(table, surplus)))
    said: dict[str | None, Unseeded] = {}
    for number in refused:
        row, answer = rows[number], answers[number]
        wanted = sum(other.tenant == row.tenant for other in rows)
        said.setdefault(row.tenant, _said(table, row.tenant, answer, accepted[row.tenant], wanted))
    return surplus, list(said.values())


def _said(table: TablePlan, tenant: str | None, answer: Answer, kept: int, wanted: int) -> Unseeded:
    how = f"kept {kept} of {wanted} rows" if kept else "filled with triggers off, with triggers on no row goes in"
    # The table has rows to read; what is in doubt is INSERT alone, which the prefix tells the readers of messages.
    message = f"insert: {how}: {answer.message}"
    return Unseeded(relation=table.name, tenant=tenant, sqlstate=answer.sqlstate, message=message)


def _is_refused(answer: Answer) -> bool:
    """Whether a trigger refuses; a constraint broken on the way comes of what the seeder has written already."""
    return not answer.accepted and answer.by_code


def _refused(court: Court, table: TablePlan, rows: Sequence[SeedRow], answers: Sequence[Answer]) -> list[int]:
    """Rows that triggers refuse in any state; that a row may not begin as it is says nothing of what it becomes."""
    found = [number for number, answer in enumerate(answers) if _is_refused(answer)]
    states = [number for number in found if rows[number].values | rows[number].plain != rows[number].values]
    plain = [
        _candidate(court, table, row, row.values | row.plain, _key(table, row))
        for row in (rows[number] for number in states)
    ]
    fine = {n for n, answer in zip(states, court.ask(plain, keeping=False), strict=True) if not _is_refused(answer)}
    return [number for number in found if number not in fine]


def _try_all(court: Court, table: TablePlan, rows: Sequence[SeedRow]) -> list[Answer]:
    candidates = [_candidate(court, table, row, row.values, None) for row in rows]
    return court.ask(candidates, keeping=True, first=_quietly(_deletion(table, rows)))


def _repair(
    court: Court, table: TablePlan, rows: Sequence[SeedRow], answers: Sequence[Answer], refused: Sequence[int]
) -> bool:
    """Change refused rows until they are accepted, in the table too; whether any was."""
    repairs, failures, mended = Repairs(table, court.bodies), 0, False
    for number in refused:
        row = rows[number]
        change = _change_for(court, table, row, answers[number], repairs)
        if change is None:
            failures += 1
            if failures == _MOST_REPAIRED:
                break
            continue
        if _update(court, table, row, change):
            repairs.learn(change)
            row.values |= change
            mended = True
    return mended


def _change_for(court: Court, table: TablePlan, row: SeedRow, answer: Answer, repairs: Repairs) -> Values | None:
    """The first change with which the row goes in, tried in two steps where one does not do."""
    base: Values = {}
    for _ in range(2):
        changes = [
            base | change for _, change in zip(range(_BUDGET), repairs.changes(answer, row.number), strict=False)
        ]
        tried = [_candidate(court, table, row, row.values | change, _key(table, row)) for change in changes]
        answers = court.ask(tried, keeping=False)
        for change, found in zip(changes, answers, strict=True):
            if found.accepted or found.sqlstate == _NO_PARENT:
                return change
        others = [(c, a) for c, a in zip(changes, answers, strict=True) if a.by_code and a.message != answer.message]
        if not others:
            return None
        base, answer = others[0]
    return None


def _candidate(
    court: Court, table: TablePlan, row: SeedRow, values: Mapping[str, str | None], replaces: Key | None
) -> Candidate:
    written = {c.name for c in table.relation.columns if not c.generated}
    draft = Draft(
        relation=table.name,
        tenant=court.cast.tenant_ids.get(row.tenant or ""),
        owner=row.owner,
        values={name: value for name, value in values.items() if name in written},
        replaces=replaces,
    )
    member = next(iter(court.cast.members(row.tenant)), None) if row.tenant else None
    actor = row.owner or (member.user_id if member else None)
    return Candidate(draft=draft, table=table, tenant=row.tenant, actor=actor)


def _key(table: TablePlan, row: SeedRow) -> Key:
    return tuple(row.values.get(column) for column in table.relation.primary_key)


def _where(table: TablePlan, rows: Sequence[SeedRow]) -> sql.Composed:
    """The rows with these keys; literals of unknown type take the columns'."""
    one = [
        sql.SQL("({})").format(
            sql.SQL(" AND ").join(
                sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(value))
                for column, value in zip(table.relation.primary_key, _key(table, row), strict=True)
            )
        )
        for row in rows
    ]
    return sql.SQL(" OR ").join(one)


def _deletion(table: TablePlan, rows: Sequence[SeedRow]) -> sql.Composed:
    return sql.SQL("DELETE FROM {} WHERE {}").format(table_name(table.name), _where(table, rows))


def _update(court: Court, table: TablePlan, row: SeedRow, change: Values) -> bool:
    """Change the row in the table; whether its constraints let that happen."""
    pairs = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Literal(value)) for name, value in change.items()
    )
    query = sql.SQL("UPDATE {} SET {} WHERE {}").format(table_name(table.name), pairs, _where(table, [row]))
    try:
        with at_once(court.connection):
            _send(court, _quietly(query))
    except psycopg.Error:
        return False
    return True


def _quietly(query: sql.Composed) -> tuple[Query, ...]:
    """A statement with triggers off, which are on afterwards."""
    return TRIGGERS_OFF, query, TRIGGERS_ON


def _send(court: Court, queries: Sequence[Query]) -> None:
    for query in queries:
        court.connection.execute(query)
