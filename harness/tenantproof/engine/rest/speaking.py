"""
An attempt as an HTTP request to PostgREST
(https://docs.postgrest.org/en/v12/references/api/tables_views.html).

Keys are asked for as text (`select=c0:id::text`), so that they compare with what SQL says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tenantproof.core.attempt import Attempt, Deed
from tenantproof.core.catalog import Column, Relation
from tenantproof.core.model import Command, QName
from tenantproof.targets.rest.client import Request

PARAMETERS = frozenset({"select", "order", "limit", "offset", "on_conflict", "columns", "and", "or"})
"""What PostgREST reads as its own parameter, so that a column of that name is filtered in parentheses only."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_JSON = frozenset({"pg_catalog.json", "pg_catalog.jsonb"})


@dataclass(frozen=True, slots=True)
class Tongue:
    """How one API is spoken to: the schemas it exposes, the first of which is its default."""

    schemas: tuple[str, ...]

    def reading(self, name: QName, columns: Sequence[str], *prefer: str) -> Request:
        """GET these columns of every row."""
        return Request(
            method="GET",
            path=f"/{name.name}",
            query=(("select", select_of(columns)),),
            headers=(*self.profile(name, reads=True), *_preferring(prefer)),
        )

    def request(self, attempt: Attempt, relation: Relation, *prefer: str) -> Request | None:
        """The attempt on *relation*, which its deed goes through; None where HTTP cannot say it."""
        deed = attempt.deed
        if deed is None:
            return None
        if attempt.command is Command.SELECT:
            return self.reading(deed.through, deed.columns, "count=exact", *prefer)
        wanted = (*prefer, "return=minimal", "count=exact")
        if deed.conflict:
            wanted = (*wanted, "resolution=merge-duplicates")
        method, body = _saying(attempt, deed, relation)
        return Request(
            method=method,
            path=f"/{deed.through.name}",
            query=tuple(_query(attempt, deed)),
            headers=(*self.profile(deed.through, reads=False), *_preferring(wanted)),
            body=body,
        )

    def profile(self, name: QName, *, reads: bool) -> tuple[tuple[str, str], ...]:
        """The header that names a schema which is not the default."""
        if name.schema == self.schemas[0]:
            return ()
        return (("accept-profile" if reads else "content-profile", name.schema),)


def _saying(attempt: Attempt, deed: Deed, relation: Relation) -> tuple[str, object]:
    if attempt.command is Command.DELETE:
        return "DELETE", None
    row = as_json(relation, deed.values)
    if attempt.command is Command.INSERT or deed.conflict:
        return "POST", [row] if row else {}
    return "PATCH", row


def _query(attempt: Attempt, deed: Deed) -> Iterable[tuple[str, str]]:
    if deed.filter_column is not None:
        yield where(deed.filter_column, "not.is.null")
    if deed.values and (attempt.command is Command.INSERT or deed.conflict):
        yield "columns", ",".join(quoted(column) for column, _ in deed.values)
    if deed.conflict:
        yield "on_conflict", ",".join(map(quoted, deed.conflict))


def where(column: str, condition: str) -> tuple[str, str]:
    """The parameter that filters by a column."""
    if column in PARAMETERS:
        return "and", f"({quoted(column)}.{condition})"
    return quoted(column), condition


def as_json(relation: Relation, values: Iterable[tuple[str, str | None]]) -> dict[str, object]:
    """A row for the body of a request: text, which PostgreSQL reads as the column's type, but for JSON columns."""
    return {column: value_of(relation.column(column), literal) for column, literal in values}


def value_of(column: Column, literal: str | None) -> object:
    """One literal as JSON."""
    if literal is None or column.base_type not in _JSON:
        return literal
    try:
        value: object = json.loads(literal)
    except ValueError:
        return literal
    return value


def select_of(columns: Iterable[str]) -> str:
    """The parameter `select`: each column as text, called c0, c1 and so on."""
    return ",".join(f"c{number}:{quoted(column)}::text" for number, column in enumerate(columns))


def quoted(name: str) -> str:
    """A name in PostgREST's grammar: in double quotes unless it is a plain word."""
    if _PLAIN.fullmatch(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _preferring(preferences: Iterable[str]) -> tuple[tuple[str, str], ...]:
    told = ", ".join(preferences)
    return (("prefer", told),) if told else ()
