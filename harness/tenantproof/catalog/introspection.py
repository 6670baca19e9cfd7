"""
One introspection pass: a dozen queries in one pipeline, whatever the number of relations.

The queries run with search_path = pg_catalog, so every expression PostgreSQL prints (policies, defaults, view
queries, types) names its objects with their schema and means the same in any session.  The pass leaves no trace:
it is a transaction, or a savepoint of the caller's transaction, that is rolled back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

import psycopg
from psycopg.rows import namedtuple_row

from tenantproof.catalog import decoding
from tenantproof.catalog.at_once import taken_back
from tenantproof.catalog.queries import query
from tenantproof.core.catalog import Catalog, Relation
from tenantproof.core.model import QName

Record: TypeAlias = Any
"""One answer row as a named tuple; its fields are the column names of the query."""

PARTS = ("columns", "constraints", "indexes", "policies", "grants", "triggers")
"""Queries whose rows hang on a relation, by its oid."""

WHOLES = ("functions", "roles", "publications", "schemas", "extensions")


def introspect(connection: psycopg.Connection[Any], *, extension_schemas: Collection[str] = ()) -> Catalog:
    """Everything the harness knows of a database, read once.

    Objects that belong to an extension are left out, except relations in *extension_schemas*.  Works on
    PostgreSQL 15 and later, for any role: pg_catalog is readable by all.  Raises psycopg.Error where the
    connection is broken or in a failed transaction.
    """
    answers = _ask(connection, sorted(extension_schemas))
    relations = _relations(answers)
    return Catalog(
        server_version=connection.info.server_version,
        relations=relations,
        functions=tuple(map(decoding.function, answers["functions"])),
        roles={record.name: decoding.role(record) for record in answers["roles"]},
        publications=tuple(map(decoding.publication, answers["publications"])),
        schema_usage={record.name: frozenset(record.usable_by) for record in answers["schemas"]},
        extensions={record.name: record.version for record in answers["extensions"]},
    )


def _ask(connection: psycopg.Connection[Any], kept: Sequence[str]) -> Mapping[str, list[Record]]:
    with taken_back(connection):
        connection.execute("SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)")
        cursors = {name: _send(connection, name, None) for name in (*PARTS, *WHOLES)}
        cursors["relations"] = _send(connection, "relations", {"kept": list(kept)})
    return {name: cursor.fetchall() for name, cursor in cursors.items()}


def _send(
    connection: psycopg.Connection[Any], name: str, parameters: Mapping[str, object] | None
) -> psycopg.Cursor[Record]:
    cursor = psycopg.Cursor(connection, row_factory=namedtuple_row)
    return cursor.execute(query(name), parameters)


def _relations(answers: Mapping[str, list[Record]]) -> dict[QName, Relation]:
    names = {record.oid: QName(record.schema, record.name) for record in answers["relations"]}
    parts = {part: _by_relation(answers[part]) for part in PARTS}
    return {
        names[record.oid]: decoding.relation(record, names, {part: rows[record.oid] for part, rows in parts.items()})
        for record in answers["relations"]
    }


def _by_relation(records: Sequence[Record]) -> defaultdict[int, list[Record]]:
    grouped: defaultdict[int, list[Record]] = defaultdict(list)
    for record in records:
        grouped[record.relation].append(record)
    return grouped
