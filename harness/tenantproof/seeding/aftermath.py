"""What came of the rows: whether the scenario's own expressions find them for the tenants that they were made for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from tenantproof.catalog.at_once import ask
from tenantproof.core.catalog import Catalog
from tenantproof.core.world import Unseeded
from tenantproof.seeding.cast import Cast
from tenantproof.seeding.paths import locate, table_name
from tenantproof.seeding.plan import Plan, TablePlan
from tenantproof.seeding.store import Store


def strayed(
    connection: psycopg.Connection[Any], plan: Plan, store: Store, catalog: Catalog, cast: Cast
) -> list[Unseeded]:
    """
    Tenants for whom rows were made, none of which an `sql` locator finds: a check of such a table would prove nothing.

    Columns and paths are followed by foreign keys, so only tables with an expression are asked, in one pipeline.
    """
    tables = [table for table in plan.tables if table.tenancy.tenant is not None and table.tenancy.tenant.sql]
    try:
        answers = ask(connection, [_query(table, catalog) for table in tables]) if tables else []
    except psycopg.Error:
        # An expression that fails on a row fails again when the world is read, which says so.
        return []
    found: list[Unseeded] = []
    for table, answer in zip(tables, answers, strict=True):
        found += _missed(table, dict(answer), store, cast)
    return found


def _missed(table: TablePlan, found: dict[str | None, int], store: Store, cast: Cast) -> Iterator[Unseeded]:
    made = Counter(row.tenant for row in store.of(table.name) if row.tenant is not None and not row.existing)
    others = ", ".join(cast.name_of(known) or str(known or "NULL") for known in sorted(found, key=str))
    for tenant, count in made.items():
        if not found.get(cast.tenant_ids.get(tenant or "")):
            message = (
                f"the expression of its tenant ({table.tenancy.tenant}) finds none of the {count} rows that were made "
                f"for it, but yields {others}: give the columns that it reads under values, or make rows under fill"
            )
            yield Unseeded(relation=table.name, tenant=tenant, sqlstate="", message=message)


def _query(table: TablePlan, catalog: Catalog) -> sql.Composed:
    return sql.SQL("SELECT ({})::text, count(*) FROM {} GROUP BY 1").format(
        locate(table.relation, table.tenancy.tenant, catalog), table_name(table.name)
    )
