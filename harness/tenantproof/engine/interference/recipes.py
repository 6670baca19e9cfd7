"""
How the rows of each table can be changed, learned once per run by trying.

A recipe is an expression per column that gives any row another value and that the table's constraints accept.  It is
tried over all rows of the table at once, first the natural way (triggers on, as the service role would), then with
triggers and foreign keys off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from psycopg import sql

from tenantproof.core.catalog import Column, Relation
from tenantproof.core.model import QName, Tenancy
from tenantproof.engine.interference.facts import Facts
from tenantproof.engine.scripts import TRIGGERS_OFF, TRIGGERS_ON
from tenantproof.engine.wire import Wire
from tenantproof.generation.phrases import Cell
from tenantproof.generation.writes import assignments

_STRINGS = frozenset({"text", "varchar", "bpchar", "citext", "name"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One column and the expression that changes it; `quietly` with triggers and foreign keys off."""

    column: str
    expression: sql.Composable
    quietly: bool


Recipes = Mapping[QName, tuple[Recipe, ...]]


def quiet(statement: str) -> tuple[str, ...]:
    """The statement with triggers and foreign keys off."""
    return (TRIGGERS_OFF, statement, TRIGGERS_ON)


def learn_recipes(wire: Wire, facts: Facts, tenancy: Mapping[QName, Tenancy]) -> Recipes:
    """Try what changes each column of each relation that has rows.  The wire's session must be the observer."""
    wanted = [
        (name, column, list(_expressions(column, _known_values(facts, name, column))))
        for name, relation in facts.relations.items()
        if facts.rows[name]
        for column in _changeable(relation, tenancy.get(name, Tenancy()))
    ]
    found: dict[tuple[QName, str], Recipe] = {}
    # What comes first nearly always does, and over a slow line a round for each of the others would be long.
    for quietly, turns in product((False, True), (slice(1), slice(1, None))):
        asked = [
            (name, column.name, expression)
            for name, column, expressions in wanted
            for expression in expressions[turns]
            if (name, column.name) not in found
        ]
        scripts = [_trial(name, column, expression, quietly=quietly) for name, column, expression in asked]
        for (name, column_name, expression), said in zip(asked, wire.run(scripts), strict=True):
            if not said[-1].refused:
                recipe = Recipe(column=column_name, expression=expression, quietly=quietly)
                found.setdefault((name, column_name), recipe)
    return {
        name: tuple(found[name, column.name] for column in relation.columns if (name, column.name) in found)
        for name, relation in facts.relations.items()
    }


def _trial(name: QName, column: str, expression: sql.Composable, *, quietly: bool) -> tuple[str, ...]:
    statement = update_rows(name, [(column, expression)], sql.SQL("true"))
    return quiet(statement) if quietly else (statement,)


def update_rows(name: QName, changes: Iterable[tuple[str, sql.Composable]], where: sql.Composable) -> str:
    """UPDATE the rows for which the condition holds."""
    changed = assignments([Cell(column, expression) for column, expression in changes])
    return sql.SQL("UPDATE {} SET {} WHERE {}").format(sql.Identifier(*name), changed, where).as_string(None)


def delete_rows(name: QName, where: sql.Composable) -> str:
    """DELETE the rows for which the condition holds."""
    return sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(*name), where).as_string(None)


def literals(values: Mapping[str, str | None]) -> Iterator[tuple[str, sql.Composable]]:
    """Values as changes for `update_rows`."""
    return ((column, sql.Literal(value)) for column, value in values.items())


def _changeable(relation: Relation, tenancy: Tenancy) -> Iterator[Column]:
    """Columns that are content: neither key nor foreign key, nor what says whose the row is."""
    fixed = set(relation.primary_key)
    fixed |= {name for key in relation.foreign_keys for name in key.columns}
    locators = (locator for locator in (tenancy.tenant, tenancy.owner) if locator is not None)
    fixed |= {locator.path[0] for locator in locators if locator.path}
    partitioned = relation.partition_bound or relation.partition_key
    for column in relation.columns:
        by_expression = any(locator and column.name in locator.sql for locator in (tenancy.tenant, tenancy.owner))
        timed = bool(partitioned) and column.category == "D"
        if column.name not in fixed and not column.generated and not by_expression and not timed:
            yield column


def _known_values(facts: Facts, name: QName, column: Column) -> list[str]:
    place = facts.relations[name].column_names.index(column.name)
    return sorted({value for fact in facts.rows[name] if (value := fact.values[place]) is not None})


def _expressions(column: Column, known: Sequence[str]) -> Iterator[sql.Composable]:
    """Ways to change a value, the one that keeps most rows apart first; the last are those for columns with few
    values: each value becomes the next one of the list, and NULL."""
    name = sql.Identifier(column.name)
    yield from _by_type(column, name)
    listed = list(column.enum_values) or (known if 1 < len(known) <= 12 else [])
    if len(listed) > 1:
        yield _next_of(column, name, listed)
    if not column.not_null:
        yield sql.SQL("NULL")


def _by_type(column: Column, name: sql.Identifier) -> Iterator[sql.Composable]:
    base, kind = column.base_type.rpartition(".")[2], sql.SQL(column.type)
    if column.category == "B":
        yield sql.SQL("NOT {}").format(name)
    elif column.category == "N":
        yield from (sql.SQL("{} " + step).format(name) for step in ("+ 1", "- 1", "* 2"))
    elif column.category == "D" and base in ("timestamptz", "timestamp", "date"):
        yield from (sql.SQL("{} - interval '1 day'").format(name), sql.SQL("{} + interval '1 day'").format(name))
    elif base in _STRINGS and not column.enum_values:
        yield from (sql.SQL("'x' || {}").format(name), sql.SQL("{} || 'x'").format(name))
        yield sql.SQL("overlay({} placing 'q' from 1 for 1)").format(name)
        yield sql.SQL("overlay({0} placing '7' from greatest(length({0}), 1) for 1)").format(name)
    elif base == "jsonb":
        yield sql.SQL(
            """{0} || CASE jsonb_typeof({0}) WHEN 'object' THEN '{{"x": 1}}' ELSE '["x"]' END::jsonb"""
        ).format(name)
    elif base == "json":
        yield sql.SQL("""({0}::jsonb || '{{"x": 1}}')::json""").format(name)
    elif base == "uuid":
        yield sql.SQL("md5({}::text)::uuid").format(name)
    elif base == "bytea":
        yield sql.SQL("{} || '\\x01'::bytea").format(name)
    elif base == "interval":
        yield sql.SQL("{} + interval '1 hour'").format(name)
    elif column.category == "A":
        yield sql.SQL("({0} || {0})::{1}").format(name, kind)
        yield sql.SQL("'{{}}'::{}").format(kind)


def _next_of(column: Column, name: sql.Identifier, listed: Sequence[str]) -> sql.Composable:
    whens = sql.SQL(" ").join(
        sql.SQL("WHEN {} THEN {}").format(sql.Literal(value), sql.Literal(listed[(i + 1) % len(listed)]))
        for i, value in enumerate(listed)
    )
    return sql.SQL("(CASE {}::text {} ELSE {}::text END)::{}").format(name, whens, name, sql.SQL(column.type))
