"""The query that reads a relation as ground truth: key, tenant, owner, predicates and version of each row."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from tenantproof.core.catalog import Catalog, Column, Relation, RelationKind
from tenantproof.core.model import Tenancy
from tenantproof.seeding.paths import fragment, locate, table_name


def row_query(relation: Relation, tenancy: Tenancy, predicates: Sequence[str], catalog: Catalog) -> sql.Composed:
    """
    SELECT key text[], tenant text, owner text, flags boolean[], version text of every row of *relation*.

    `key` is the primary key (all columns where there is none), `flags` are in the order of *predicates*, NULL
    read as false; `version` changes with every UPDATE.  A view has neither: its key is empty, its version NULL,
    and equal answers are told once.
    """
    view = relation.kind is RelationKind.VIEW
    return sql.SQL("SELECT {} {} AS key, {} AS tenant, {} AS owner, {} AS flags, {} AS version FROM {}").format(
        sql.SQL("DISTINCT" if view else ""),
        key_expression(relation),
        _as_text(locate(relation, tenancy.tenant, catalog)),
        _as_text(locate(relation, tenancy.owner, catalog)),
        _flags(predicates),
        _version(relation),
        table_name(relation.name),
    )


def key_expression(relation: Relation) -> sql.Composable:
    """The key as text[]."""
    if relation.kind is RelationKind.VIEW:
        return sql.SQL("ARRAY[]::text[]")
    return text_array(relation, relation.primary_key or relation.column_names)


def text_array(relation: Relation, columns: Sequence[str]) -> sql.Composable:
    """These columns as text[], in an output that does not depend on the session's TimeZone."""
    return sql.SQL("ARRAY[{}]::text[]").format(
        sql.SQL(", ").join(_printed(relation, relation.column(c)) for c in columns)
    )


def _printed(relation: Relation, column: Column) -> sql.Composable:
    name = sql.Identifier(relation.name.name, column.name)
    if column.base_type.endswith("timestamptz") and column.category == "D":
        return sql.SQL("(timezone('UTC', {}))::text || '+00'").format(name)
    return _as_text(name)


def _as_text(expression: sql.Composable) -> sql.Composable:
    return sql.SQL("({})::text").format(expression)


def _flags(predicates: Sequence[str]) -> sql.Composable:
    listed = sql.SQL(", ").join(sql.SQL("({}) IS TRUE").format(fragment(text)) for text in predicates)
    return sql.SQL("ARRAY[{}]::boolean[]").format(listed)


def _version(relation: Relation) -> sql.Composable:
    if relation.kind in (RelationKind.VIEW, RelationKind.FOREIGN):
        return sql.SQL("NULL::text")
    tableoid, ctid = (sql.Identifier(relation.name.name, name) for name in ("tableoid", "ctid"))
    return sql.SQL("{}::text || {}::text").format(tableoid, ctid)
