"""What the migrations themselves left in the tables: which have rows, and what small lookup tables hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import sql

from tenantproof.catalog.inference.proposal import Evidence
from tenantproof.core.catalog import Catalog, Relation
from tenantproof.core.model import QName

_BATCH = 200
"""Tables asked in one statement."""

_FEW = 30
"""Rows of a lookup table that are read at most."""

Item = TypeVar("Item")


def read_evidence(connection: psycopg.Connection[Any], catalog: Catalog, schemas: Sequence[str]) -> Evidence:
    """The evidence of the tables in *schemas*, and of tables that these refer to.

    *connection* is the observer's.  Reads only; raises psycopg.Error where the connection is broken.
    """
    tables = [relation for relation in _tables(catalog, schemas) if relation.is_table]
    filled = {name for batch in _batches(tables) for name in _filled(connection, batch)}
    lookups = {r.name: _values(connection, r) for r in tables if r.name in filled and len(r.primary_key) == 1}
    return Evidence(filled=frozenset(filled), lookups={name: found for name, found in lookups.items() if found})


def _tables(catalog: Catalog, schemas: Sequence[str]) -> Iterator[Relation]:
    found = {relation.name: relation for relation in catalog.in_schemas(schemas)}
    for relation in tuple(found.values()):
        for key in relation.foreign_keys:
            target = catalog.relations.get(key.references) if key.references is not None else None
            if target is not None and target.name.schema not in ("auth", "storage"):
                found.setdefault(target.name, target)
    yield from found.values()


def _batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]


def _filled(connection: psycopg.Connection[Any], tables: Sequence[Relation]) -> Iterator[QName]:
    asked = [sql.SQL("EXISTS (SELECT FROM {})").format(sql.Identifier(*table.name)) for table in tables]
    row = connection.execute(sql.SQL("SELECT ARRAY[{}]").format(sql.SQL(", ").join(asked))).fetchone()
    for table, there in zip(tables, row[0] if row else (), strict=True):
        if there:
            yield table.name


def _values(connection: psycopg.Connection[Any], table: Relation) -> dict[str, tuple[str, ...]]:
    """The values of keys that others may refer to, of small tables."""
    columns = [column.name for column in table.columns if column.category in ("S", "E", "N", "U")]
    query = sql.SQL("SELECT {} FROM {} ORDER BY {} LIMIT {}").format(
        sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in columns),
        sql.Identifier(*table.name),
        sql.Identifier(table.primary_key[0]),
        sql.Literal(_FEW + 1),
    )
    rows = connection.execute(query).fetchall() if columns else []
    if not rows or len(rows) > _FEW:
        return {}
    return {column: tuple(str(row[place]) for row in rows) for place, column in enumerate(columns)}
