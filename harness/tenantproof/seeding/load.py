"""Rows into the database: COPY per table with triggers off; row by row with repairs where a COPY is refused.

With session_replication_role = replica neither triggers nor foreign keys fire, so tables of a cycle load in any
order; NOT NULL, CHECK, UNIQUE and EXCLUDE are still enforced (PostgreSQL, "Client Connection Defaults").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from tenantproof.core.catalog import Catalog, Column, RelationKind
from tenantproof.core.model import QName
from tenantproof.core.world import Unseeded
from tenantproof.seeding.paths import fragment, table_name
from tenantproof.seeding.plan import Plan, TablePlan
from tenantproof.seeding.repair import Repairs
from tenantproof.seeding.rows import Builder, is_serial
from tenantproof.seeding.store import SeedRow, Store
from tenantproof.seeding.variety import like, variants


def load(
    connection: psycopg.Connection[Any], plan: Plan, store: Store, builders: Mapping[QName, Builder]
) -> list[Unseeded]:
    """
    Write every row that is not there yet; a row that the database refuses is dropped, with those that need it.

    The table's builder is told what its refused rows needed to be accepted.
    """
    refused: list[Unseeded] = []
    dropped: dict[QName, list[SeedRow]] = {}
    connection.execute("SET LOCAL session_replication_role = replica")
    for table in plan.tables:
        orphans = [row for row in store.of(table.name) if not row.existing and _needs_dropped(table, row, dropped)]
        for row in orphans:
            store.rows[table.name].remove(row)
        dropped[table.name] = list(orphans)
        fresh = [row for row in store.of(table.name) if not row.existing]
        if fresh and not _copy(connection, table, fresh):
            repairs = Repairs(table)
            for row, error in _insert_each(connection, table, fresh, repairs, builders[table.name]):
                store.rows[table.name].remove(row)
                dropped[table.name].append(row)
                refused.append(_unseeded(table, row, error))
            builders[table.name].learn(repairs.learned)
    _set_sequences(connection, plan)
    connection.execute("SET LOCAL session_replication_role = origin")
    return _once(refused)


def refresh_views(connection: psycopg.Connection[Any], catalog: Catalog, schemas: Sequence[str]) -> list[Unseeded]:
    """Refresh the materialized views in scope, each after those it reads."""
    views = [r for r in catalog.in_schemas(schemas) if r.kind is RelationKind.MATVIEW]
    names = {view.name for view in views}
    failed: list[Unseeded] = []
    for view in sorted(views, key=lambda view: (len(names & set(view.base_relations)), view.name)):
        try:
            with connection.transaction():
                connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(table_name(view.name)))
        except psycopg.Error as error:
            failed.append(
                Unseeded(relation=view.name, tenant=None, sqlstate=error.sqlstate or "", message=_said(error))
            )
    return failed


def insertion(table: TablePlan, columns: Sequence[str]) -> sql.Composed:
    """INSERT INTO table (columns), without values."""
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("INSERT INTO {} ({})").format(table_name(table.name), listed)


def _copy(connection: psycopg.Connection[Any], table: TablePlan, rows: Sequence[SeedRow]) -> bool:
    names = {name for row in rows for name in row.values}
    columns = [name for name in table.relation.column_names if name in names]
    if any(len(row.values) != len(columns) for row in rows):
        return False
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(table_name(table.name), listed)
    try:
        with connection.transaction(), connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row([row.values[name] for name in columns])
    except psycopg.Error:
        return False
    return True


def _insert_each(
    connection: psycopg.Connection[Any],
    table: TablePlan,
    rows: Iterable[SeedRow],
    repairs: Repairs,
    builder: Builder,
) -> list[tuple[SeedRow, psycopg.Error]]:
    failed = []
    mended: dict[int, SeedRow] = {}
    for row in rows:
        if row.mix in mended:
            row.values |= like(mended[row.mix], row)
        error = _insert(connection, table, row)
        if error is not None and _settle(connection, table, row, repairs, error):
            mended[row.mix] = row
            builder.adopt(row)
            error = None
        if error is not None:
            error = repairs.mend(row, error, lambda changed: _insert(connection, table, changed))
        if error is not None:
            failed.append((row, error))
    return failed


def _settle(
    connection: psycopg.Connection[Any], table: TablePlan, row: SeedRow, repairs: Repairs, error: psycopg.Error
) -> bool:
    """Change a refused row to its first variant that goes in; whether there is one."""
    for change in variants(row, repairs.concerned(error)):
        changed = replace(row, values=row.values | change)
        if _insert(connection, table, changed) is None:
            row.values |= change
            return True
    return False


def _insert(connection: psycopg.Connection[Any], table: TablePlan, row: SeedRow) -> psycopg.Error | None:
    values = sql.SQL(", ").join(map(sql.Literal, row.values.values()))
    head = insertion(table, list(row.values))
    try:
        with connection.transaction():
            connection.execute(sql.SQL("{} OVERRIDING SYSTEM VALUE VALUES ({})").format(head, values))
    except psycopg.Error as error:
        return error
    return None


def _needs_dropped(table: TablePlan, row: SeedRow, dropped: dict[QName, list[SeedRow]]) -> bool:
    for key in table.foreign_keys:
        gone = dropped.get(key.references, []) if key.references else []
        mine = [row.values.get(column) for column in key.columns]
        if None not in mine and any([parent.values.get(ref) for ref in key.ref_columns] == mine for parent in gone):
            return True
    return False


def _unseeded(table: TablePlan, row: SeedRow, error: psycopg.Error) -> Unseeded:
    return Unseeded(relation=table.name, tenant=row.tenant, sqlstate=error.sqlstate or "", message=_said(error))


def _said(error: psycopg.Error) -> str:
    """The primary message alone: its detail would quote values."""
    return error.diag.message_primary or str(error).splitlines()[0]


def _once(found: Iterable[Unseeded]) -> list[Unseeded]:
    return list(dict.fromkeys(found))


def _set_sequences(connection: psycopg.Connection[Any], plan: Plan) -> None:
    queries = [
        _setval(table, column) for table in plan.tables for column in table.relation.columns if is_serial(column)
    ]
    with connection.pipeline():
        for query in queries:
            connection.execute(query)


def _setval(table: TablePlan, column: Column) -> sql.Composed:
    """Move a sequence behind the keys that were written explicitly."""
    match = re.match(r"nextval\(('(?:[^']|'')*')", column.default or "")
    owned = sql.SQL("pg_get_serial_sequence({}, {})").format(_literal_name(table), sql.Literal(column.name))
    sequence = fragment(match.group(1)) if match else owned
    highest = sql.SQL("SELECT max({}) FROM {}").format(sql.Identifier(column.name), table_name(table.name))
    return sql.SQL("SELECT setval({}::regclass, top) FROM ({}) AS t (top) WHERE top IS NOT NULL").format(
        sequence, highest
    )


def _literal_name(table: TablePlan) -> sql.Composable:
    return sql.Literal(table_name(table.name).as_string(None))
