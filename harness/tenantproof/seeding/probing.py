"""Drafts before the database has spoken, and the question put to it: would this row go in?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql

from tenantproof.catalog.at_once import Query, taken_back
from tenantproof.core.model import QName, Scenario
from tenantproof.core.world import Draft
from tenantproof.identity.legacy import CLAIMS, LegacyClaims
from tenantproof.seeding.answers import Answer
from tenantproof.seeding.cast import Cast
from tenantproof.seeding.paths import insertion
from tenantproof.seeding.plan import Plan, TablePlan
from tenantproof.seeding.replacing import removals
from tenantproof.seeding.statements import statement


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A draft before the database has spoken; `tenant` is the tenant's name, for messages and settings."""

    draft: Draft
    table: TablePlan
    tenant: str | None
    actor: str | None
    ways: tuple[Mapping[str, str | None], ...] = ()
    """The values to try, best first."""

    def going(self, way: int) -> Candidate:
        """The candidate with the values of one of its ways."""
        return replace(self, draft=replace(self.draft, values=self.ways[way]))


def probe(
    connection: psycopg.Connection[Any],
    candidates: Sequence[Candidate],
    scenario: Scenario,
    cast: Cast,
    plan: Plan,
    legacy: LegacyClaims,
    *,
    keeping: bool = False,
    first: Sequence[Query] = (),
) -> list[Answer]:
    """
    What the database says to each candidate's row, all taken back.

    One by one; *keeping* leaves each accepted row (and what only a foreign key refused) in place for those after it.
    What comes *first* is done before, and taken back too.
    """
    if not candidates:
        return []
    heads: dict[tuple[QName, tuple[str, ...]], str] = {}
    drafts = []
    for candidate in candidates:
        columns = tuple(candidate.draft.values)
        key = (candidate.draft.relation, columns)
        if key not in heads:
            heads[key] = insertion(candidate.table.name, columns).as_string(connection)
        drafts.append(
            {
                "head": heads[key],
                "values": list(candidate.draft.values.values()),
                "settings": _settings(candidate, scenario, cast, legacy),
                "removals": _removals(connection, candidate, plan),
                "keep": keeping,
            }
        )
    deferred = [] if keeping else _deferred({candidate.table.name: candidate.table for candidate in candidates})
    with taken_back(connection):
        for query in first:
            connection.execute(query)
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for waiting in deferred:
            connection.execute(sql.SQL("SET CONSTRAINTS {} DEFERRED").format(waiting))
        connection.execute(statement("probe_inserts"))
        cursor = psycopg.RawCursor(connection).execute(
            "SELECT code, message, which, part, kind FROM pg_temp.tenantproof_probe($1::jsonb) ORDER BY number",
            (json.dumps(drafts),),
        )
    return [
        Answer(sqlstate=state, message=message, constraint=which, column=part, datatype=kind)
        for state, message, which, part, kind in cursor.fetchall()
    ]


def _deferred(tables: Mapping[QName, TablePlan]) -> list[sql.Identifier]:
    """Keys of a cycle whose row may come later in the transaction: a new row is refused for want of it by no INSERT."""
    late = ((table, key) for table in tables.values() for key in table.late)
    return [
        sql.Identifier(table.name.schema, key.name)
        for table, key in late
        if key.deferrable and "INITIALLY DEFERRED" in key.definition
    ]


def _removals(connection: psycopg.Connection[Any], candidate: Candidate, plan: Plan) -> list[str]:
    key = candidate.draft.replaces
    return [] if key is None else [query.as_string(connection) for query in removals(candidate.table, key, plan)]


def _settings(candidate: Candidate, scenario: Scenario, cast: Cast, legacy: LegacyClaims) -> list[list[str]]:
    """What the session of the draft's user would set, for triggers and defaults that ask who is there."""
    persona = next((p for p in cast.users if p.user_id == candidate.actor), None)
    role = scenario.session.role
    claims = {"sub": candidate.actor, "role": role, "email": persona.email if persona else None, "aal": "aal2"}
    words = {
        "{tenant.id}": cast.tenant_ids.get(candidate.tenant or "", ""),
        "{tenant.name}": candidate.tenant or "",
        "{user.id}": candidate.actor or "",
    }
    found = [] if not candidate.actor else [[CLAIMS, json.dumps(claims)], *map(list, legacy.settings(claims))]
    for name, template in sorted(scenario.session.settings.items()):
        for mark, word in words.items():
            template = template.replace(mark, word)
        found.append([name, template])
    return found
