"""One side of a comparison: the catalog of a database and what else a comparison needs, read in one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from tenantproof.catalog.introspection import introspect
from tenantproof.core.catalog import Catalog
from tenantproof.core.model import QName
from tenantproof.drift.queries import query

Held = frozenset[tuple[str, str]]
"""Pairs of grantee and privilege."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """A sequence and who holds what on it."""

    owner: str
    held: Held


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A database as it is compared.

    `defaults` maps (role, schema or '' for all, object type as in pg_default_acl) to what new objects will carry.
    """

    catalog: Catalog
    sequences: Mapping[QName, Sequence] = field(default_factory=dict)
    schema_owners: Mapping[str, str] = field(default_factory=dict)
    creators: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """schema -> grantees of CREATE."""
    defaults: Mapping[tuple[str, str, str], Held] = field(default_factory=dict)


def read_side(connection: psycopg.Connection[Any]) -> Side:
    """Read a database: pg_catalog alone, in the transaction that is open, or one that is rolled back.

    Works on PostgreSQL 15 and later, for any role.  Raises psycopg.Error.
    """
    with connection.transaction(force_rollback=True):
        connection.execute("SELECT pg_catalog.set_config('search_path', 'pg_catalog', true)")
        schemas = _ask(connection, "schemas")
        return Side(
            catalog=introspect(connection),
            sequences=_sequences(_ask(connection, "sequences")),
            schema_owners={record.name: record.owner for record in schemas},
            creators={record.name: frozenset(record.creators) for record in schemas},
            defaults=_defaults(_ask(connection, "default_privileges")),
        )


def _ask(connection: psycopg.Connection[Any], name: str) -> list[Any]:
    cursor = psycopg.Cursor(connection, row_factory=namedtuple_row)
    return list(cursor.execute(query(name)).fetchall())


def _sequences(records: list[Any]) -> dict[QName, Sequence]:
    owners: dict[QName, str] = {}
    held: defaultdict[QName, set[tuple[str, str]]] = defaultdict(set)
    for record in records:
        name = QName(record.schema, record.name)
        owners[name] = record.owner
        held[name].add((record.grantee, record.privilege))
    return {name: Sequence(owner=owner, held=frozenset(held[name])) for name, owner in owners.items()}


def _defaults(records: list[Any]) -> dict[tuple[str, str, str], Held]:
    held: defaultdict[tuple[str, str, str], set[tuple[str, str]]] = defaultdict(set)
    for record in records:
        of = held[record.role, record.schema, record.kind]
        if record.grantee is not None:
            of.add((record.grantee, record.privilege))
    return {key: frozenset(pairs) for key, pairs in held.items()}
