"""
Every table's content in memory, to be put back after a write that PostgREST committed.

For databases that are ours.  What is not put back: sequences, which no rollback winds back either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import psycopg
from psycopg import sql

from tenantproof.core.attempt import Observation
from tenantproof.core.model import QName

Connection = psycopg.Connection[tuple[Any, ...]]

_TABLES = """
SELECT c.oid::int8, n.nspname, c.relname,
       coalesce(array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attname IS NOT NULL), '{}') AS columns
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_attribute a
    ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
 WHERE c.relkind = 'r' AND c.relpersistence <> 't'
   AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
 GROUP BY 1, 2, 3 ORDER BY 2, 3
"""

_VERSIONS = (
    "SELECT {number}::int8, pg_catalog.md5(pg_catalog.string_agg(t.ctid::text || t.xmin::text, ',')) FROM {table} AS t"
)


class Keeper:
    """The observer's connection beside an API, and the content of all tables when it was made."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._tables = {row[0]: (QName(row[1], row[2]), tuple(row[3])) for row in connection.execute(_TABLES) if row[3]}
        self._content = {number: self._copied(*table) for number, table in self._tables.items()}
        self._versions = self._look(self._tables)

    def run(self, statements: Iterable[str]) -> None:
        """Statements in one transaction, committed."""
        with self._connection.transaction():
            for statement in statements:
                self._connection.execute(statement.encode())

    def read(self, query: str) -> Observation:
        """The observer's answer to a query of ours."""
        rows = tuple(self._connection.execute(query.encode()).fetchall())
        return Observation(rows=rows, count=len(rows))

    def analyze(self, names: Iterable[QName]) -> None:
        """Let the planner count the rows of these tables."""
        for name in names:
            self._connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(*name)))

    def restore(self, among: Collection[QName] | None = None) -> frozenset[QName]:
        """Put back what was written since, in the tables *among* which to look (None: all); returns those that were."""
        written = self._written(among)
        if not written:
            return frozenset()
        with self._connection.transaction():
            self._connection.execute("SET LOCAL session_replication_role = replica")
            for number in written:
                self._put_back(*self._tables[number], self._content[number])
        self._versions.update(self._look(written))
        return frozenset(self._tables[number][0] for number in written)

    def written(self) -> frozenset[QName]:
        """The tables that were written since they were last put back."""
        return frozenset(self._tables[number][0] for number in self._written(None))

    def _written(self, among: Collection[QName] | None) -> list[int]:
        looked_at = [number for number, (name, _) in self._tables.items() if among is None or name in among]
        now = self._look(looked_at)
        return [number for number in looked_at if now[number] != self._versions[number]]

    def _look(self, numbers: Iterable[int]) -> dict[int, str]:
        parts = [
            sql.SQL(_VERSIONS).format(number=sql.Literal(number), table=sql.Identifier(*self._tables[number][0]))
            for number in numbers
        ]
        return {row[0]: row[1] for row in self._connection.execute(sql.SQL(" UNION ALL ").join(parts))} if parts else {}

    def _copied(self, name: QName, columns: tuple[str, ...]) -> bytes:
        with self._connection.cursor() as cursor, cursor.copy(_copy("COPY {} ({}) TO STDOUT", name, columns)) as copy:
            return b"".join(bytes(block) for block in copy)

    def _put_back(self, name: QName, columns: tuple[str, ...], content: bytes) -> None:
        self._connection.execute(sql.SQL("DELETE FROM ONLY {}").format(sql.Identifier(*name)))
        with self._connection.cursor() as cursor, cursor.copy(_copy("COPY {} ({}) FROM STDIN", name, columns)) as copy:
            copy.write(content)


def _copy(text: str, name: QName, columns: tuple[str, ...]) -> sql.Composed:
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL(text).format(sql.Identifier(*name), listed)
