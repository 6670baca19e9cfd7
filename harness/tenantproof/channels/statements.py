"""SQL text of attempts, composed with psycopg.sql and kept: the same few statements serve many personas."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from psycopg import sql

from tenantproof.core.model import QName

Values = tuple[tuple[str, str | None], ...]
"""Column and literal (None: NULL), in a fixed order so that it can be a cache key."""


def values_of(values: Mapping[str, str | None]) -> Values:
    """A mapping as sorted pairs."""
    return tuple(sorted(values.items()))


def table(name: QName) -> sql.Identifier:
    return sql.Identifier(name.schema, name.name)


def literal(value: str | None) -> sql.Composable:
    """An untyped literal, which PostgreSQL reads as the type of the column it meets."""
    return sql.SQL("NULL") if value is None else sql.Literal(value)


def text_of(expression: sql.Composable) -> str:
    return expression.as_string(None)


@cache
def read(name: QName, columns: tuple[str, ...]) -> str:
    """SELECT the columns of every row, as text."""
    fields = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in columns)
    return text_of(sql.SQL("SELECT {} FROM {}").format(fields, table(name)))


@cache
def update(name: QName, changes: Values, filter_column: str | None = None) -> str:
    """UPDATE every row, blind or, with a filter column, through a WHERE that reads it."""
    assignments = sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(column), literal(value)) for column, value in changes
    )
    return text_of(sql.SQL("UPDATE {} SET {}").format(table(name), assignments) + _where(filter_column))


@cache
def update_default(name: QName, column: str) -> str:
    """UPDATE one column of every row to its default."""
    return text_of(sql.SQL("UPDATE {} SET {} = DEFAULT").format(table(name), sql.Identifier(column)))


@cache
def delete(name: QName, filter_column: str | None = None) -> str:
    """DELETE every row, blind or through a WHERE that reads a column."""
    return text_of(sql.SQL("DELETE FROM {}").format(table(name)) + _where(filter_column))


@cache
def insert(name: QName, values: Values) -> str:
    """INSERT one row, without RETURNING: that would ask the SELECT policies too."""
    columns = sql.SQL(", ").join(sql.Identifier(column) for column, _ in values)
    literals = sql.SQL(", ").join(literal(value) for _, value in values)
    return text_of(sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(table(name), columns, literals))


@cache
def insert_defaults(name: QName) -> str:
    """INSERT one row of defaults."""
    return text_of(sql.SQL("INSERT INTO {} DEFAULT VALUES").format(table(name)))


@cache
def read_belonging(name: QName, tenant: str | None, owner: str | None, predicates: tuple[str, ...] = ()) -> str:
    """SELECT whose rows there are, each answer once: the two columns as text, NULL where there is no such column, and
    whether each predicate holds."""
    fields = [
        sql.SQL("{}::text").format(sql.Identifier(column)) if column else sql.SQL("NULL::text")
        for column in (tenant, owner)
    ]
    fields += [sql.SQL("coalesce(({}), false)::text").format(sql.SQL(predicate)) for predicate in predicates]
    return text_of(sql.SQL("SELECT DISTINCT {} FROM {}").format(sql.SQL(", ").join(fields), table(name)))


@cache
def upsert(name: QName, values: Values, key: tuple[str, ...], changed: tuple[str, ...]) -> str:
    """INSERT one row, or overwrite the row that has its key."""
    target = sql.SQL(", ").join(map(sql.Identifier, key))
    assignments = sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(column)) for column in changed)
    clause = sql.SQL(" ON CONFLICT ({}) DO UPDATE SET {}").format(target, assignments)
    return insert(name, values) + text_of(clause)


def _where(filter_column: str | None) -> sql.Composable:
    if filter_column is None:
        return sql.SQL("")
    return sql.SQL(" WHERE {} IS NOT NULL").format(sql.Identifier(filter_column))
