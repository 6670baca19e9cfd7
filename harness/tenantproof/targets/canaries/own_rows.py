"""
Which rows did the transaction make?  Asked inside of it, just before it is committed.

The transaction is REPEATABLE READ and drew its number before it wrote anything.  A row that it sees and whose xmin is
not older than that number is therefore its own: rows that others wrote since then are not visible to it.  Rows of
triggers are found as well as rows that were inserted.  (PostgreSQL, "System Columns"; savepoints draw later numbers.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import namedtuple_row

from tenantproof.core.model import QName
from tenantproof.targets.canaries.manifest import CanaryRows
from tenantproof.targets.queries import query

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A table that holds rows, and the columns that tell them apart."""

    name: QName
    key: tuple[str, ...]


def plain_tables(connection: Connection) -> list[Plain]:
    """All that our login may read."""
    cursor = psycopg.Cursor[Any](connection, row_factory=namedtuple_row)
    return [
        Plain(name=QName(row.schema, row.name), key=tuple(row.key or ()))
        for row in cursor.execute(query("plain_tables")).fetchall()
    ]


def key_text(columns: Sequence[str], alias: str) -> sql.Composed:
    """A row's key as one text."""
    parts = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(alias, column)) for column in columns)
    return sql.SQL("ARRAY[{}]::text[]::text").format(parts)


def own_rows(connection: Connection) -> list[CanaryRows]:
    """The rows of the transaction that is open, by table.  It must have drawn its number with its first statement."""
    tables = [table for table in plain_tables(connection) if table.key]
    asked = sql.SQL("SELECT {key} FROM ONLY {table} AS t WHERE age(t.xmin) <= age(pg_current_xact_id()::xid)")
    with connection.pipeline():
        cursors = [
            connection.execute(asked.format(key=key_text(table.key, "t"), table=sql.Identifier(*table.name)))
            for table in tables
        ]
    found = zip(tables, [cursor.fetchall() for cursor in cursors], strict=True)
    return [
        CanaryRows(schema=table.name.schema, table=table.name.name, key=table.key, keys=tuple(key for (key,) in rows))
        for table, rows in found
        if rows
    ]


def known_before(connection: Connection, rows: Sequence[CanaryRows]) -> list[frozenset[str]]:
    """Which of these keys another session sees: rows that were there, and were only changed."""
    asked = sql.SQL("SELECT {key} FROM ONLY {table} AS t WHERE {key} = ANY (%s)")
    with connection.pipeline():
        cursors = [
            connection.execute(
                asked.format(key=key_text(one.key, "t"), table=sql.Identifier(*one.name)), (list(one.keys),)
            )
            for one in rows
        ]
    return [frozenset(key for (key,) in cursor.fetchall()) for cursor in cursors]
