"""Rows that are in the database before seeding: reference data of migrations, and what sign-up triggers made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

from tenantproof.catalog.at_once import ask
from tenantproof.core.catalog import Catalog
from tenantproof.core.errors import UsageError
from tenantproof.core.model import Locator, QName, Tenancy
from tenantproof.core.world import Key
from tenantproof.seeding.cast import Cast
from tenantproof.seeding.paths import locate, table_name
from tenantproof.seeding.plan import Plan, TablePlan
from tenantproof.seeding.rowquery import key_expression, text_array
from tenantproof.seeding.store import SeedRow, Store

_MOST = 2_000
"""Rows read per table: enough for unique keys of reference data to be known."""


def read_existing(connection: psycopg.Connection[Any], plan: Plan, catalog: Catalog, cast: Cast) -> Store:
    """
    All rows of the plan's tables, with tenant name and owner, in one pipeline.

    Raises UsageError where a table's tenancy is not valid SQL for it.
    """
    queries = [_query(table, catalog) for table in plan.tables]
    try:
        answers = ask(connection, queries)
    except psycopg.Error:
        _blame(connection, plan, queries)
        raise
    store = Store()
    for table, found in zip(plan.tables, answers, strict=True):
        names = table.relation.column_names
        for values, tenant, owner in found:
            row = SeedRow(values=dict(zip(names, values, strict=True)), tenant=cast.name_of(tenant), owner=owner)
            row.existing = True
            store.add(table.name, row)
    return store


def _blame(connection: psycopg.Connection[Any], plan: Plan, queries: Sequence[sql.Composed]) -> None:
    """Raise UsageError for the first table whose tenancy cannot be evaluated."""
    for table, query in zip(plan.tables, queries, strict=True):
        try:
            ask(connection, [query])
        except psycopg.Error as error:
            raise invalid_tenancy(table.name, table.tenancy, error) from None


def invalid_tenancy(name: QName, tenancy: Tenancy, error: psycopg.Error) -> UsageError:
    """The user's mistake in words: which table's locators, where they stand, what the database said."""
    at = f"{tenancy.place}: " if tenancy.place else ""
    locators = " and ".join(f"'{locator}'" for locator in (tenancy.tenant, tenancy.owner) if locator)
    said = error.diag.message_primary or str(error)
    return UsageError(f"{at}the tenancy of {name} ({locators}) is not valid there: {said}")


def read_keys(connection: psycopg.Connection[Any], plan: Plan) -> Mapping[QName, frozenset[Key]]:
    """The keys of all rows of the plan's tables, in one pipeline."""
    answers = ask(connection, [_keys(table) for table in plan.tables])
    return {
        table.name: frozenset(tuple(key) for (key,) in found) for table, found in zip(plan.tables, answers, strict=True)
    }


def ask_for_tenants(connection: psycopg.Connection[Any], plan: Plan) -> psycopg.Cursor[tuple[Any, ...]] | None:
    """Ask for the keys of the tenants, where there is a table of them."""
    table = plan.table(plan.tenants) if plan.tenants else None
    return connection.execute(_keys(table)) if table is not None else None


def _keys(table: TablePlan) -> sql.Composed:
    return sql.SQL("SELECT {} FROM {}").format(key_expression(table.relation), table_name(table.name))


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
