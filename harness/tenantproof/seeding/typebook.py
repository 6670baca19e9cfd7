"""Types by name, as columns of a table would have them: for elements of arrays and fields of composite types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg

from tenantproof.core.catalog import Column
from tenantproof.seeding.plan import TablePlan
from tenantproof.seeding.statements import statement

_MODIFIER = re.compile(r"\(([\d,\s-]+)\)")
_SHORT = re.compile(r"\b(?:character varying|character|varchar|char|bpchar)\((\d+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    """One type: `base` is what a domain stands on, `fields` (name, type) of a composite."""

    full_name: str
    category: str
    base: str | None = None
    labels: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class TypeBook:
    """The types of a database by the name that format_type gives them."""

    types: Mapping[str, Type] = field(default_factory=dict)

    def column(self, type_name: str, name: str) -> Column | None:
        """A column of that type, or None where there is no such type."""
        if type_name.endswith("[]"):
            element = type_name.removesuffix("[]")
            return Column(name=name, position=1, type=type_name, base_type="pg_catalog.anyarray", category="A",
                          not_null=True, element_type=element)  # fmt: skip
        known = self.types.get(_MODIFIER.sub("", type_name).strip())
        if known is None:
            return None
        if known.base is not None:
            below = self.column(known.base, name)
            checks = (*(below.domain_checks if below else ()), *known.checks)
            return below and replace(below, type=type_name, domain_checks=checks, is_domain=True)
        length = _SHORT.search(type_name)
        return Column(
            name=name,
            position=1,
            type=type_name,
            base_type=known.full_name,
            category=known.category,
            not_null=True,
            enum_values=known.labels,
            length=int(length.group(1)) if length else None,
        )

    def fields(self, base_type: str) -> tuple[tuple[str, str], ...]:
        """Names and types of a composite's fields; empty for any other type."""
        return next((known.fields for known in self.types.values() if known.full_name == base_type), ())


def ask_for_types(
    connection: psycopg.Connection[Any], tables: Iterable[TablePlan]
) -> psycopg.Cursor[tuple[Any, ...]] | None:
    """Ask for the types, where a table has a column that is made of others; in a transaction, best in a pipeline."""
    if not any(_is_made_of_others(table.relation.columns) for table in tables):
        return None
    connection.execute("SAVEPOINT types")
    # As the catalog's names were read, so that these are spelled the same.
    connection.execute("SELECT set_config('search_path', '', true)")
    answer = connection.execute(statement("types"))
    connection.execute("ROLLBACK TO SAVEPOINT types")
    connection.execute("RELEASE SAVEPOINT types")
    return answer


def type_book(rows: Iterable[tuple[Any, ...]]) -> TypeBook:
    """The types in the answer to `ask_for_types`."""
    return TypeBook(
        {
            name: Type(
                full_name=full_name,
                category=category,
                base=base,
                labels=tuple(labels),
                checks=tuple(checks),
                fields=tuple((key, kind) for key, kind in fields),
            )
            for name, full_name, category, base, labels, checks, fields in rows
        }
    )


def _is_made_of_others(columns: Sequence[Column]) -> bool:
    return any(column.category in "AC" for column in columns)
