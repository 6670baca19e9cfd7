"""Drafts: rows that are valid and absent, for attempts to INSERT.  Each is tried by the observer first."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from tenantproof.core.catalog import Catalog
from tenantproof.core.model import QName, Scenario
from tenantproof.core.world import Draft, Unseeded
from tenantproof.seeding.cast import Cast
from tenantproof.seeding.load import insertion
from tenantproof.seeding.plan import Plan, TablePlan
from tenantproof.seeding.rows import Builder, Impossible
from tenantproof.seeding.statements import statement
from tenantproof.seeding.store import SeedRow, Store
from tenantproof.seeding.wants import Tenanted, drafts_wanted

_INSERTED = "TP000"
"""The probe's own SQLSTATE: the row went in, and was taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A draft before the database has spoken; `tenant` is the tenant's name, for messages and settings."""

    draft: Draft
    table: TablePlan
    tenant: str | None
    actor: str | None


def make_drafts(
    connection: psycopg.Connection[Any],
    *,
    catalog: Catalog,
    scenario: Scenario,
    plan: Plan,
    cast: Cast,
    store: Store,
    builders: Mapping[QName, Builder],
    tenanted: Tenanted,
) -> tuple[dict[QName, tuple[Draft, ...]], list[Unseeded]]:
    """
    Drafts by relation, and what could not be drafted.

    Runs in a transaction that is rolled back: the observer tries to insert every candidate, with triggers and
    foreign keys on and the session settings of the user who would insert it.
    """
    candidates: list[Candidate] = []
    problems: dict[tuple[QName, str | None], tuple[str, str]] = {}
    for table in _in_scope(plan, scenario):
        builder = builders[table.name]
        for want in drafts_wanted(table, cast, store, tenanted):
            built = builder.build(want, table.foreign_keys)
            if isinstance(built, Impossible):
                problems.setdefault((table.name, want.tenant), (built.sqlstate, built.message))
            else:
                candidates.append(_candidate(table, built, want.actor, cast))
    candidates += _for_partitions(candidates, catalog, scenario)
    answers = _probe(connection, candidates, scenario, cast)
    return _judge(candidates, answers, problems)


def _in_scope(plan: Plan, scenario: Scenario) -> list[TablePlan]:
    return [table for table in plan.tables if table.name.schema in scenario.database.schemas]


def _candidate(table: TablePlan, row: SeedRow, actor: str | None, cast: Cast) -> Candidate:
    """The tenant of a new row of the tenant table is its own fresh id."""
    if table.is_tenants and not table.memberships and row.tenant is None:
        tenant_id = row.values.get(table.tenant_column or "")
    else:
        tenant_id = cast.tenant_ids.get(row.tenant or "")
    left_out = {column.name for column in table.relation.columns if column.identity == "a" or column.generated}
    values = {name: value for name, value in row.values.items() if name not in left_out}
    draft = Draft(relation=table.name, tenant=tenant_id, owner=row.owner, values=values)
    return Candidate(draft=draft, table=table, tenant=row.tenant, actor=actor or row.owner)


def _for_partitions(candidates: Sequence[Candidate], catalog: Catalog, scenario: Scenario) -> list[Candidate]:
    """The parent's drafts offered to each of its partitions in scope; the bounds decide which fit."""
    found = []
    for relation in catalog.in_schemas(scenario.database.schemas):
        if not relation.partition_bound or not relation.is_table:
            continue
        root = relation
        while root.partition_bound and root.parent is not None:
            root = catalog.relations[root.parent]
        for candidate in candidates:
            if candidate.draft.relation == root.name:
                draft = replace(candidate.draft, relation=relation.name)
                table = replace(candidate.table, relation=relation)
                found.append(replace(candidate, draft=draft, table=table))
    return found


def _probe(
    connection: psycopg.Connection[Any], candidates: Sequence[Candidate], scenario: Scenario, cast: Cast
) -> list[tuple[str, str]]:
    if not candidates:
        return []
    heads: dict[tuple[QName, tuple[str, ...]], str] = {}
    drafts = []
    for candidate in candidates:
        columns = tuple(candidate.draft.values)
        key = (candidate.draft.relation, columns)
        if key not in heads:
            heads[key] = insertion(candidate.table, columns).as_string(connection)
        settings = _settings(candidate, scenario, cast)
        drafts.append({"head": heads[key], "values": list(candidate.draft.values.values()), "settings": settings})
    with connection.transaction(force_rollback=True), psycopg.RawCursor(connection) as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement("probe_inserts"))
        cursor.execute(
            "SELECT code, message FROM pg_temp.tenantproof_probe($1::jsonb) ORDER BY number", (json.dumps(drafts),)
        )
        return [(state, message) for state, message in cursor.fetchall()]


def _settings(candidate: Candidate, scenario: Scenario, cast: Cast) -> list[list[str]]:
    """What the session of the draft's user would set, for triggers and defaults that ask who is there."""
    persona = next((p for p in cast.users if p.user_id == candidate.actor), None)
    role = scenario.session.role
    claims = {"sub": candidate.actor, "role": role, "email": persona.email if persona else None, "aal": "aal2"}
    words = {
        "{tenant.id}": cast.tenant_ids.get(candidate.tenant or "", ""),
        "{tenant.name}": candidate.tenant or "",
        "{user.id}": candidate.actor or "",
    }
    found = [["request.jwt.claims", json.dumps(claims) if candidate.actor else ""]]
    for name, template in sorted(scenario.session.settings.items()):
        for mark, word in words.items():
            template = template.replace(mark, word)
        found.append([name, template])
    return found


def _judge(
    candidates: Sequence[Candidate],
    answers: Sequence[tuple[str, str]],
    problems: dict[tuple[QName, str | None], tuple[str, str]],
) -> tuple[dict[QName, tuple[Draft, ...]], list[Unseeded]]:
    accepted: dict[QName, list[Draft]] = defaultdict(list)
    served: set[tuple[QName, str | None]] = set()
    for candidate, (sqlstate, message) in zip(candidates, answers, strict=True):
        place = (candidate.draft.relation, candidate.tenant)
        if sqlstate == _INSERTED:
            accepted[candidate.draft.relation].append(candidate.draft)
            served.add(place)
        elif not candidate.table.relation.partition_bound:
            problems.setdefault(place, (sqlstate, message))
    unseeded = [
        Unseeded(relation=relation, tenant=tenant, sqlstate=sqlstate, message=f"insert: {message}")
        for (relation, tenant), (sqlstate, message) in sorted(problems.items(), key=str)
        if (relation, tenant) not in served
    ]
    return {relation: tuple(drafts) for relation, drafts in sorted(accepted.items())}, unseeded
