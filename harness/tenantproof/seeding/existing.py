"""Rows that are in the database before seeding: reference data of migrations, and what sign-up triggers made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

from tenantproof.core.catalog import Catalog
from tenantproof.core.model import Locator, QName
from tenantproof.core.world import Key
from tenantproof.seeding.cast import Cast
from tenantproof.seeding.paths import locate, table_name
from tenantproof.seeding.plan import Plan, TablePlan
from tenantproof.seeding.rowquery import key_expression, text_array
from tenantproof.seeding.store import SeedRow, Store

_MOST = 2_000
"""Rows read per table: enough for unique keys of reference data to be known."""


def read_existing(connection: psycopg.Connection[Any], plan: Plan, catalog: Catalog, cast: Cast) -> Store:
    """All rows of the plan's tables, with tenant name and owner, in one pipeline."""
    queries = [_query(table, catalog) for table in plan.tables]
    store = Store()
    for table, found in zip(plan.tables, ask(connection, queries), strict=True):
        names = table.relation.column_names
        for values, tenant, owner in found:
            row = SeedRow(values=dict(zip(names, values, strict=True)), tenant=cast.name_of(tenant), owner=owner)
            row.existing = True
            store.add(table.name, row)
    return store


def read_keys(connection: psycopg.Connection[Any], plan: Plan) -> Mapping[QName, frozenset[Key]]:
    """The keys of all rows of the plan's tables, in one pipeline."""
    queries = [
        sql.SQL("SELECT {} FROM {}").format(key_expression(table.relation), table_name(table.name))
        for table in plan.tables
    ]
    answers = ask(connection, queries)
    return {
        table.name: frozenset(tuple(key) for (key,) in found) for table, found in zip(plan.tables, answers, strict=True)
    }


def ask(connection: psycopg.Connection[Any], queries: Sequence[sql.Composed]) -> list[list[tuple[Any, ...]]]:
    """The answers to several queries, sent at once."""
    cursors = []
    with connection.pipeline():
        for query in queries:
            cursor = connection.cursor()
            cursor.execute(query)
            cursors.append(cursor)
        return [cursor.fetchall() for cursor in cursors]


def _query(table: TablePlan, catalog: Catalog) -> sql.Composed:
    owner = table.tenancy.owner
    if owner is None and table.owner_column is not None:
        owner = Locator(path=(table.owner_column,))
    tenant = table.tenancy.tenant
    return sql.SQL("SELECT {}, ({})::text, ({})::text FROM {} ORDER BY 1 LIMIT {}").format(
        text_array(table.relation, table.relation.column_names),
        locate(table.relation, tenant, catalog),
        locate(table.relation, owner, catalog),
        table_name(table.name),
        sql.Literal(_MOST),
    )
