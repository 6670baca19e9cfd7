"""Foreign keys as a graph of columns: which columns hold the same ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tenantproof.catalog.inference.vocabulary import vocabulary
from tenantproof.core.catalog import Catalog, Constraint, ConstraintKind, Relation
from tenantproof.core.model import QName

Key = tuple[QName, str]
"""A column of a relation."""

PLATFORM_SCHEMAS = vocabulary("""
    auth storage realtime extensions graphql graphql_public vault net cron pgmq pgsodium supabase_functions
    supabase_migrations pgbouncer _realtime _analytics information_schema pg_catalog
    """)
"""Schemas of the platform's own services, and PostgreSQL's."""


def links(catalog: Catalog) -> Iterator[tuple[Key, Key]]:
    """Every pair of columns that a foreign key holds equal: the referring one, the one referred to."""
    for relation in catalog.relations.values():
        for key in relation.foreign_keys:
            if key.references is not None:
                for column, target in zip(key.columns, key.ref_columns, strict=True):
                    yield (relation.name, column), (key.references, target)


def carriers(catalog: Catalog, origins: Iterable[Key]) -> dict[QName, frozenset[str]]:
    """The origins and all columns that reference them, directly or by other such columns."""
    referring: dict[Key, list[Key]] = {}
    for source, target in links(catalog):
        referring.setdefault(target, []).append(source)
    seen, todo = set(origins), list(origins)
    while todo:
        fresh = [key for key in referring.get(todo.pop(), ()) if key not in seen]
        seen.update(fresh)
        todo.extend(fresh)
    by_relation: dict[QName, set[str]] = {}
    for name, column in seen:
        by_relation.setdefault(name, set()).add(column)
    return {name: frozenset(columns) for name, columns in by_relation.items()}


def firm_keys(table: Relation) -> Iterator[Constraint]:
    """Foreign keys to another table, all of whose columns are NOT NULL."""
    for key in table.foreign_keys:
        if key.references != table.name and all(table.column(column).not_null for column in key.columns):
            yield key


def unique_keys(table: Relation) -> Iterator[frozenset[str]]:
    """The column sets of which no two rows have the same values, partial unique indexes included."""
    for constraint in table.constraints:
        if constraint.kind in (ConstraintKind.PRIMARY, ConstraintKind.UNIQUE):
            yield frozenset(constraint.columns)
    for index in table.indexes:
        if index.unique and "" not in index.columns:
            yield frozenset(index.columns)


def single_targets(table: Relation, column: str) -> tuple[Key, ...]:
    """What a column refers to by foreign keys of its own or as part of composite ones, the single ones first."""
    keys = sorted((k for k in table.foreign_keys if column in k.columns), key=lambda k: (len(k.columns), k.name))
    return tuple(
        (key.references, key.ref_columns[key.columns.index(column)]) for key in keys if key.references is not None
    )


def above(catalog: Catalog) -> dict[QName, frozenset[QName]]:
    """Table -> the tables that its NOT NULL foreign keys lead to, by however many steps."""
    parents = {
        name: {key.references for key in firm_keys(relation) if key.references is not None}
        for name, relation in catalog.relations.items()
    }
    found: dict[QName, frozenset[QName]] = {}
    for name in parents:
        seen: set[QName] = set()
        todo = list(parents[name])
        while todo:
            table = todo.pop()
            if table not in seen:
                seen.add(table)
                todo.extend(parents.get(table, ()))
        found[name] = frozenset(seen)
    return found
