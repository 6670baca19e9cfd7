"""Locators as SQL: a column, a path along foreign keys as nested scalar sub-selects, or an expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import sql

from tenantproof.core.catalog import Catalog, Constraint, Relation
from tenantproof.core.errors import UsageError, did_you_mean
from tenantproof.core.model import Locator, QName


def fragment(text: str) -> sql.SQL:
    """SQL that the user wrote in the scenario, or that pg_catalog printed, taken as it stands."""
    return sql.SQL(text)


def table_name(name: QName) -> sql.Identifier:
    return sql.Identifier(name.schema, name.name)


def insertion(name: QName, columns: Sequence[str]) -> sql.Composed:
    """INSERT INTO name (columns), without values."""
    listed = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("INSERT INTO {} ({})").format(table_name(name), listed)


def locate(relation: Relation, locator: Locator | None, catalog: Catalog) -> sql.Composable:
    """
    The expression that finds a tenant or an owner for a row of *relation*, which stands in FROM under its own name.

    Raises UsageError naming the step where a path has no such column or no foreign key to follow.
    """
    if locator is None:
        return sql.SQL("NULL")
    if locator.sql:
        return sql.SQL("({})").format(fragment(locator.sql))
    return _step(relation, relation.name.name, locator.path, locator, catalog)


def _step(relation: Relation, alias: str, path: tuple[str, ...], locator: Locator, catalog: Catalog) -> sql.Composable:
    if path[0] not in relation.column_names:
        raise UsageError(
            f"the path '{locator}' has a step '{path[0]}', but {relation.name} has no such column: "
            f"{did_you_mean(path[0], relation.column_names)}"
        )
    if len(path) == 1:
        return sql.Identifier(alias, path[0])
    key = foreign_key_for(relation, path[0], path[1], catalog.relations)
    if key is None or key.references is None:
        raise UsageError(
            f"the path '{locator}' cannot be followed: {relation.name}.{path[0]} has no foreign key to a table "
            f"with a column '{path[1]}'; add the foreign key, or give an expression: {{sql: \"…\"}}"
        )
    below = f"step_{len(path)}"
    joined = sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(below, ref), sql.Identifier(alias, column))
        for column, ref in zip(key.columns, key.ref_columns, strict=True)
    )
    return sql.SQL("(SELECT {} FROM {} AS {} WHERE {})").format(
        _step(catalog.relations[key.references], below, path[1:], locator, catalog),
        table_name(key.references),
        sql.Identifier(below),
        joined,
    )


def foreign_key_for(
    relation: Relation, column: str, onward: str, relations: Mapping[QName, Relation]
) -> Constraint | None:
    """The foreign key that a path follows from *column* to a table with a column *onward*: the narrowest."""
    fitting = [
        key
        for key in relation.foreign_keys
        if column in key.columns and onward in _columns_of(key.references, relations)
    ]
    return min(fitting, key=lambda key: (len(key.columns), key.name), default=None)


def _columns_of(name: QName | None, relations: Mapping[QName, Relation]) -> tuple[str, ...]:
    return relations[name].column_names if name in relations and name is not None else ()
