"""
The part of a scenario that a database has: what it names and an early prefix lacks is left out.

A prefix without membership table, roles or schemas cannot be checked at all; that is an answer, not an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import psycopg

from tenantproof.catalog.inference import infer_tenancy
from tenantproof.core.catalog import Catalog
from tenantproof.core.model import Expectation, QName, Scenario, Scope, ScopeKind, Tenancy
from tenantproof.engine.run import unanswerable
from tenantproof.scenario.against_catalog import check_against_catalog
from tenantproof.seeding.rowquery import row_query

Connection = psycopg.Connection[tuple[object, ...]]


def fitted(scenario: Scenario, catalog: Catalog, connection: Connection) -> Scenario | str:
    """The scenario without what the database lacks, or in words why nothing can be checked yet."""
    schemas = tuple(name for name in scenario.database.schemas if name in catalog.schema_usage)
    if not any(relation.is_table for relation in catalog.in_schemas(schemas)):
        return "there is no table yet"
    bare = replace(
        scenario,
        database=replace(scenario.database, schemas=schemas),
        memberships=(),
        tables={},
        expectations=(),
    )
    if problems := check_against_catalog(bare, catalog):
        return problems[0].message
    memberships = [
        membership
        for membership in scenario.memberships
        if not check_against_catalog(replace(bare, memberships=(membership,)), catalog)
    ]
    if scenario.memberships and scenario.memberships[0] not in memberships:
        return _no_membership(scenario.memberships[0].table, catalog)
    whole = replace(bare, memberships=tuple(memberships), tables=dict(_tables(scenario, bare, catalog, connection)))
    tenancy = infer_tenancy(catalog, whole)
    return replace(whole, expectations=tuple(_expectations(scenario.expectations, whole, tenancy, catalog, connection)))


def _no_membership(table: QName, catalog: Catalog) -> str:
    if table not in catalog.relations:
        return f"there is no membership table {table} yet"
    return f"the membership table {table} lacks columns that the scenario names"


def _tables(
    scenario: Scenario, bare: Scenario, catalog: Catalog, connection: Connection
) -> Iterator[tuple[QName, Tenancy]]:
    """The declarations that hold, those with a detail too many without it."""
    for name, tenancy in scenario.tables.items():
        relation = catalog.relations.get(name)
        if relation is None:
            continue
        known = {column.name for column in relation.columns if not column.generated}
        seedable = replace(tenancy, values={key: value for key, value in tenancy.values.items() if key in known})
        for simpler in (seedable, replace(seedable, owner=None), replace(seedable, tenant=None)):
            problems = check_against_catalog(replace(bare, tables={name: simpler}), catalog)
            if not problems and _runs(connection, name, simpler, (), catalog):
                yield name, simpler
                break


def _expectations(
    lines: Iterable[Expectation],
    whole: Scenario,
    tenancy: dict[QName, Tenancy],
    catalog: Catalog,
    connection: Connection,
) -> Iterator[Expectation]:
    for line in lines:
        if line.table is None:
            yield line
            continue
        if line.table not in catalog.relations:
            continue
        known = tenancy.get(line.table, Tenancy())
        scopes = tuple(scope for scope in line.scopes if _holds(scope, line.table, known, catalog, connection))
        shorter = replace(line, scopes=scopes)
        if scopes and not unanswerable(replace(whole, expectations=(shorter,)), tenancy):
            yield shorter


def _holds(scope: Scope, table: QName, tenancy: Tenancy, catalog: Catalog, connection: Connection) -> bool:
    """Whether a row predicate names only what the table has."""
    return scope.kind is not ScopeKind.WHERE or _runs(connection, table, tenancy, (scope.predicate,), catalog)


def _runs(
    connection: Connection, table: QName, tenancy: Tenancy, predicates: tuple[str, ...], catalog: Catalog
) -> bool:
    """Whether the scenario's own SQL is valid here.  The database is not seeded yet, so it costs nothing."""
    query = row_query(catalog.relations[table], tenancy, predicates, catalog)
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(query)
    except psycopg.Error:
        return False
    return True
