"""
Take away what a run committed: the rows of its manifest, and what others made about them since.

Triggers and foreign keys are off meanwhile, or the deletion would itself write rows (an audit, a counter) and fail on
the order.  So rows that refer to rows of the run are looked for first, and go with them: they are about tenants and
users that never were.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import namedtuple_row

from tenantproof.core.model import QName
from tenantproof.targets.canaries.manifest import Manifest
from tenantproof.targets.canaries.own_rows import Connection, Plain, key_text, plain_tables
from tenantproof.targets.queries import query

_ROUNDS = 20
"""Steps along foreign keys; a chain of tables is hardly longer."""

_BOUNDS = (
    "SELECT set_config('search_path', 'pg_catalog', true), set_config('statement_timeout', '60s', true),"
    " set_config('lock_timeout', '5s', true), set_config('session_replication_role', 'replica', true)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """What was done: rows deleted by table, how many of them others had made, and what could not be taken away."""

    deleted: Mapping[QName, int]
    further: int
    marked: tuple[str, ...]
    """Rows that bear a mark of the run and would not go."""
    changed: tuple[str, ...]
    """Rows of others that triggers changed when ours were made: what they held before, nobody knows."""

    @property
    def left(self) -> tuple[str, ...]:
        return (*self.marked, *self.changed)

    @property
    def count(self) -> int:
        return sum(self.deleted.values())


@dataclass(frozen=True, slots=True)
class _Reference:
    child: QName
    parent: QName
    columns: tuple[str, ...]
    refers_to: tuple[str, ...]


def clean(connection: Connection, manifest: Manifest) -> Cleaned:
    """Take it all away in one transaction; *connection* is in autocommit.  Rows that are gone already are no error.

    Raises psycopg.Error, and then nothing was done.
    """
    with connection.transaction():
        connection.execute(_BOUNDS)
        tables = {table.name: table for table in plain_tables(connection)}
        doomed: defaultdict[QName, set[str]] = defaultdict(set)
        for rows in manifest.rows:
            if rows.name in tables and tables[rows.name].key == rows.key:
                doomed[rows.name] |= set(rows.keys)
        listed = sum(map(len, doomed.values()))
        _add_marked(connection, tables.values(), manifest.marks, doomed)
        _add_referring(connection, tables, doomed)
        deleted = {name: _delete(connection, tables[name], keys) for name, keys in sorted(doomed.items())}
        left = _marked(connection, list(tables.values()), manifest.marks)
    further = max(0, sum(map(len, doomed.values())) - listed)
    return Cleaned(
        deleted={name: count for name, count in deleted.items() if count},
        further=further,
        marked=tuple(f"{len(keys)} rows of {name} that bear a mark of the run" for name, keys in left.items()),
        changed=tuple(f"{count} rows of {name} that triggers changed" for name, count in manifest.changed.items()),
    )


def _add_marked(
    connection: Connection, tables: Iterable[Plain], marks: Sequence[str], doomed: defaultdict[QName, set[str]]
) -> None:
    for name, keys in _marked(connection, list(tables), marks).items():
        doomed[name] |= keys


def _marked(connection: Connection, tables: Sequence[Plain], marks: Sequence[str]) -> dict[QName, set[str]]:
    """Rows in which a mark stands.  Marks without a letter are left out: numbers stand in many rows by chance."""
    telling = [re.escape(mark) for mark in marks if any(char.isalpha() for char in mark)]
    known = [table for table in tables if table.key]
    if not telling:
        return {}
    asked = sql.SQL("SELECT {key} FROM ONLY {table} AS t WHERE t::text ~ %s")
    with connection.pipeline():
        cursors = [
            connection.execute(
                asked.format(key=key_text(table.key, "t"), table=sql.Identifier(*table.name)), ("|".join(telling),)
            )
            for table in known
        ]
    found = {table.name: {key for (key,) in cursor.fetchall()} for table, cursor in zip(known, cursors, strict=True)}
    return {name: keys for name, keys in found.items() if keys}


def _add_referring(connection: Connection, tables: Mapping[QName, Plain], doomed: defaultdict[QName, set[str]]) -> None:
    """Rows that refer to rows that go, and rows that refer to those."""
    references = [one for one in _references(connection) if one.child in tables and one.parent in tables]
    for _ in range(_ROUNDS):
        before = sum(map(len, doomed.values()))
        for one in references:
            if doomed.get(one.parent) and tables[one.child].key:
                doomed[one.child] |= _referring(connection, tables, one, doomed[one.parent])
        if sum(map(len, doomed.values())) == before:
            return


def _references(connection: Connection) -> list[_Reference]:
    cursor = psycopg.Cursor[Any](connection, row_factory=namedtuple_row)
    return [
        _Reference(
            QName(row.child_schema, row.child),
            QName(row.parent_schema, row.parent),
            tuple(row.columns),
            tuple(row.refers_to),
        )
        for row in cursor.execute(query("references")).fetchall()
    ]


def _referring(connection: Connection, tables: Mapping[QName, Plain], one: _Reference, keys: set[str]) -> set[str]:
    pairs = zip(one.columns, one.refers_to, strict=True)
    joined = sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier("c", column), sql.Identifier("p", ref)) for column, ref in pairs
    )
    asked = sql.SQL(
        "SELECT {child_key} FROM ONLY {child} AS c JOIN ONLY {parent} AS p ON {joined} WHERE {parent_key} = ANY (%s)"
    ).format(
        child_key=key_text(tables[one.child].key, "c"),
        child=sql.Identifier(*one.child),
        parent=sql.Identifier(*one.parent),
        joined=joined,
        parent_key=key_text(tables[one.parent].key, "p"),
    )
    return {key for (key,) in connection.execute(asked, (sorted(keys),)).fetchall()}


def _delete(connection: Connection, table: Plain, keys: set[str]) -> int:
    gone = sql.SQL("DELETE FROM ONLY {table} AS t WHERE {key} = ANY (%s)").format(
        table=sql.Identifier(*table.name), key=key_text(table.key, "t")
    )
    return connection.execute(gone, (sorted(keys),)).rowcount
