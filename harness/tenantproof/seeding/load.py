"""Rows into the database: all of a table at once with triggers off; row by row with repairs where that is refused.

With session_replication_role = replica neither triggers nor foreign keys fire, so tables of a cycle load in any
order; NOT NULL, CHECK, UNIQUE and EXCLUDE are still enforced (PostgreSQL, "Client Connection Defaults").
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from tenantproof.catalog.at_once import ask, at_once, until_refused
from tenantproof.core.catalog import Catalog, Column, RelationKind
from tenantproof.core.model import QName
from tenantproof.core.world import Unseeded
from tenantproof.seeding.answers import Answer, refusal
from tenantproof.seeding.cast import Cast
from tenantproof.seeding.inlining import Body
from tenantproof.seeding.paths import fragment, insertion, table_name
from tenantproof.seeding.plan import Plan, TablePlan
from tenantproof.seeding.repair import Repairs
from tenantproof.seeding.rows import Builder, is_serial
from tenantproof.seeding.solving import Solver
from tenantproof.seeding.store import SeedRow, Store
from tenantproof.seeding.trials import TRIGGERS_OFF, TRIGGERS_ON, Court, can_be_tried, try_rows
from tenantproof.seeding.variety import like, variants

_STALE = "not refreshed, since others would have to wait for it: rows of this run are not in it"

Solvers = Callable[[TablePlan], Solver]
"""Makes the solver of a table whose rows were refused."""


def load(plan: Plan, store: Store, builders: Mapping[QName, Builder], solvers: Solvers, court: Court) -> list[Unseeded]:
    """
    Write every row that is not there yet; a row that the database refuses is dropped, with those that need it.

    The table's builder is told what its refused rows needed to be accepted.
    """
    connection = court.connection
    refused: list[Unseeded] = []
    dropped: dict[QName, list[SeedRow]] = defaultdict(list)
    numbered: list[TablePlan] = []
    went_in: dict[QName, bool] = {}
    for number, table in enumerate(plan.tables):
        orphans = _orphans(table, store, dropped)
        for row in orphans:
            store.rows[table.name].remove(row)
        dropped[table.name] = list(orphans)
        fresh = [row for row in store.of(table.name) if not row.existing]
        if fresh and table.name not in went_in:
            went_in |= _insert_ahead(connection, plan.tables[number:], store, dropped, court.bodies)
        if fresh and not (
            went_in[table.name] or _load_solved(connection, table, fresh, store, plan, builders[table.name], solvers)
        ):
            repairs = Repairs(table, court.bodies)
            for row, answer in _insert_each(connection, table, fresh, repairs, builders[table.name]):
                store.rows[table.name].remove(row)
                dropped[table.name].append(row)
                refused.append(_unseeded(table, row, answer))
            builders[table.name].learn(repairs.learned)
        fresh = [row for row in store.of(table.name) if not row.existing]
        numbered.append(table)
        if fresh and can_be_tried(table, court.bodies):
            _set_sequences(connection, numbered, court.cast)
            numbered.clear()
            surplus, said = try_rows(court, table, fresh)
            for row in surplus:
                store.rows[table.name].remove(row)
            dropped[table.name] += surplus
            refused += said
    _set_sequences(connection, numbered, court.cast)
    if not all(went_in.values()):
        connection.execute(TRIGGERS_ON)
    return _once([*_lost(plan, store, dropped, refused), *_worth_saying(refused, plan, store)])


def refresh_views(
    connection: psycopg.Connection[Any], catalog: Catalog, schemas: Sequence[str], *, alone: bool = True
) -> list[Unseeded]:
    """Refresh all materialized views, each after those it reads; tells what became of those in scope.

    Unless we are *alone*: REFRESH locks out who reads the view until the transaction ends.
    """
    views = {name: one for name, one in catalog.relations.items() if one.kind is RelationKind.MATVIEW}
    ordered = sorted(views.values(), key=lambda view: (len(views.keys() & set(view.base_relations)), view.name))
    names = [view.name for view in ordered]
    if alone:
        return [said for said in _refresh(connection, names) if said.relation.schema in schemas]
    return _left_stale(connection, [name for name in names if name.schema in schemas])


def _refresh(connection: psycopg.Connection[Any], views: Sequence[QName]) -> Iterator[Unseeded]:
    """Those that could not be refreshed."""
    while views:
        count, error = until_refused(
            connection, [sql.SQL("REFRESH MATERIALIZED VIEW {}").format(table_name(view)) for view in views]
        )
        if error is not None:
            said = refusal(error)
            yield Unseeded(relation=views[count], tenant=None, sqlstate=said.sqlstate, message=said.message)
        views = views[count + 1 :]


def _left_stale(connection: psycopg.Connection[Any], views: Sequence[QName]) -> list[Unseeded]:
    if not views:
        return []
    found = ask(connection, [sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table_name(view)) for view in views])
    return [
        Unseeded(
            relation=view,
            tenant=None,
            sqlstate="",
            message=f"read: {_STALE}" if has_rows else f"{_STALE}, and it has none",
        )
        for view, [(has_rows,)] in zip(views, found, strict=True)
    ]


def _load_solved(
    connection: psycopg.Connection[Any],
    table: TablePlan,
    rows: Sequence[SeedRow],
    store: Store,
    plan: Plan,
    builder: Builder,
    solvers: Solvers,
) -> bool:
    """Write all rows at once after the table's CHECKs were solved for each; whether that went well."""
    solver = solvers(table)
    if not solver.has_checks:
        return False
    builder.judge_by(solver)
    for row in rows:
        before = row.values
        builder.solve(row)
        _tell_children(table, before, row.values, plan, store)
    insertion_of_all = _whole(table, rows)
    return insertion_of_all is not None and until_refused(connection, [insertion_of_all]) == (1, None)


def _tell_children(
    table: TablePlan, before: Mapping[str, str | None], after: Mapping[str, str | None], plan: Plan, store: Store
) -> None:
    """Rows that refer to a row whose key was changed go with it."""
    if all(before.get(column) == after.get(column) for column in table.referenced):
        return
    for child in plan.tables:
        for key in child.foreign_keys:
            if key.references != table.name:
                continue
            old = {column: before.get(ref) for column, ref in zip(key.columns, key.ref_columns, strict=True)}
            new = {column: after.get(ref) for column, ref in zip(key.columns, key.ref_columns, strict=True)}
            for row in store.matching(child.name, old) if old != new else ():
                row.values |= {} if row.existing else new


def _insert_ahead(
    connection: psycopg.Connection[Any],
    tables: Sequence[TablePlan],
    store: Store,
    dropped: Mapping[QName, Sequence[SeedRow]],
    bodies: Mapping[str, Body],
) -> dict[QName, bool]:
    """
    Write the rows of table after table in one go, with triggers off: of each that it came to, whether its rows went in.

    It ends with one whose rows are to be tried, and with the first whose rows are refused: none of them is there then,
    and triggers are still off.
    """
    names: list[QName] = []
    inserts: list[sql.Composed] = []
    gone = dict(dropped)
    for table in tables:
        gone[table.name] = _orphans(table, store, gone)
        left_out = set(map(id, gone[table.name]))
        fresh = [row for row in store.of(table.name) if not row.existing and id(row) not in left_out]
        if not fresh:
            continue
        names.append(table.name)
        whole = _whole(table, fresh)
        if whole is None:
            break
        inserts.append(whole)
        if can_be_tried(table, bodies):
            break
    ending = [TRIGGERS_ON] if len(inserts) == len(names) else []
    accepted, _ = until_refused(connection, [*inserts, *ending], first=[TRIGGERS_OFF])
    return {name: number < accepted for number, name in enumerate(names[: accepted + 1])}


def _whole(table: TablePlan, rows: Sequence[SeedRow]) -> sql.Composed | None:
    """The INSERT of all rows, unless they have different columns."""
    names = {name for row in rows for name in row.values}
    columns = [name for name in table.relation.column_names if name in names]
    if any(len(row.values) != len(columns) for row in rows):
        return None
    values = sql.SQL(", ").join(
        sql.SQL("({})").format(sql.SQL(", ").join(sql.Literal(row.values[name]) for name in columns)) for row in rows
    )
    return sql.SQL("{} OVERRIDING SYSTEM VALUE VALUES {}").format(insertion(table.name, columns), values)


def _insert_each(
    connection: psycopg.Connection[Any],
    table: TablePlan,
    rows: Iterable[SeedRow],
    repairs: Repairs,
    builder: Builder,
) -> list[tuple[SeedRow, Answer]]:
    failed = []
    mended: dict[int, SeedRow] = {}
    for row in rows:
        if row.mix in mended:
            row.values |= like(mended[row.mix], row)
        first = error = _insert(connection, table, row)
        if error is not None and _settle(connection, table, row, repairs, error):
            mended[row.mix] = row
            builder.adopt(row)
            error = None
        if error is not None:
            error = repairs.mend(row, error, lambda changed: _insert(connection, table, changed))
        if error is not None and first is not None:
            failed.append((row, first))
    return failed


def _settle(
    connection: psycopg.Connection[Any], table: TablePlan, row: SeedRow, repairs: Repairs, error: Answer
) -> bool:
    """Change a refused row to its first variant that goes in; whether there is one."""
    for change in variants(row, repairs.concerned(error)):
        changed = replace(row, values=row.values | change)
        if _insert(connection, table, changed) is None:
            row.values |= change
            return True
    return False


def _insert(connection: psycopg.Connection[Any], table: TablePlan, row: SeedRow) -> Answer | None:
    values = sql.SQL(", ").join(map(sql.Literal, row.values.values()))
    head = insertion(table.name, list(row.values))
    try:
        with at_once(connection):
            connection.execute(sql.SQL("{} OVERRIDING SYSTEM VALUE VALUES ({})").format(head, values))
    except psycopg.Error as error:
        return refusal(error)
    return None


def _orphans(table: TablePlan, store: Store, dropped: Mapping[QName, Sequence[SeedRow]]) -> list[SeedRow]:
    """Rows of ours that refer to what was dropped."""
    return [row for row in store.of(table.name) if not row.existing and _needs_dropped(table, row, dropped)]


def _needs_dropped(table: TablePlan, row: SeedRow, dropped: Mapping[QName, Sequence[SeedRow]]) -> bool:
    for key in table.foreign_keys:
        gone = dropped.get(key.references, []) if key.references else []
        mine = [row.values.get(column) for column in key.columns]
        if None not in mine and any([parent.values.get(ref) for ref in key.ref_columns] == mine for parent in gone):
            return True
    return False


def _unseeded(table: TablePlan, row: SeedRow, answer: Answer) -> Unseeded:
    return Unseeded(relation=table.name, tenant=row.tenant, sqlstate=answer.sqlstate, message=answer.message)


def _worth_saying(refused: Iterable[Unseeded], plan: Plan, store: Store) -> Iterator[Unseeded]:
    """All but that one row more broke a constraint where others of the tenant are there; each membership counts."""
    for item in refused:
        table = plan.table(item.relation)
        each = table is not None and (table.memberships or table.is_tenants or table.user_column is not None)
        broken = item.sqlstate.startswith("23") and not item.message.startswith("insert: ")
        if each or not broken or item.tenant not in {row.tenant for row in store.of(item.relation)}:
            yield item


def _lost(
    plan: Plan, store: Store, dropped: Mapping[QName, Sequence[SeedRow]], refused: Sequence[Unseeded]
) -> Iterator[Unseeded]:
    """Tables left without rows of a tenant because the rows these referred to were refused."""
    known = {(item.relation, item.tenant) for item in refused}
    for table in plan.tables:
        served = {row.tenant for row in store.of(table.name)}
        for tenant in dict.fromkeys(row.tenant for row in dropped[table.name]):
            if tenant not in served and (table.name, tenant) not in known:
                parents = sorted(
                    {str(k.references) for k in table.foreign_keys if k.references and dropped[k.references]}
                )
                message = f"the rows it would refer to were refused: {', '.join(parents)}"
                yield Unseeded(relation=table.name, tenant=tenant, sqlstate="23503", message=message)


def _once(found: Iterable[Unseeded]) -> list[Unseeded]:
    return list(dict.fromkeys(found))


def _set_sequences(connection: psycopg.Connection[Any], tables: Sequence[TablePlan], cast: Cast) -> None:
    """Not beside rows of others: our numbers are far from theirs, and setval would take their sequence back."""
    if cast.beside:
        return
    queries = [_setval(table, column) for table in tables for column in table.relation.columns if is_serial(column)]
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
