"""A row that the database refused, changed until it is accepted: small steps on the columns the refusal is about."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator

import psycopg

from tenantproof.core.catalog import Column
from tenantproof.seeding.checks import identifiers_in, literals_of
from tenantproof.seeding.plan import TablePlan
from tenantproof.seeding.samples import constant_default
from tenantproof.seeding.store import SeedRow, Values

_MOST_TRIES = 300
_ROUNDS = 4
_REPAIRABLE = ("22", "23", "P0")


class Repairs:
    """Mends rows of one table; what helped one row is tried first on the next."""

    def __init__(self, table: TablePlan) -> None:
        self._table = table
        self._protected = _protected(table)
        self._learned: list[Values] = []

    @property
    def learned(self) -> Values:
        """What the last mended row needed."""
        return self._learned[-1] if self._learned else {}

    def concerned(self, error: psycopg.Error) -> frozenset[str]:
        """The columns that a refusal is about."""
        return self._concerned(error)[1]

    def mend(
        self, row: SeedRow, error: psycopg.Error, insert: Callable[[SeedRow], psycopg.Error | None]
    ) -> psycopg.Error | None:
        """Change *row* in place until *insert* gives no error; returns the last error where nothing helps."""
        changed: Values = {}
        for _ in range(_ROUNDS):
            if not (error.sqlstate or "").startswith(_REPAIRABLE):
                break
            better = self._next(row, changed, error, insert)
            if better is None:
                break
            changed, outcome = better
            if outcome is None:
                self._learned.append(changed)
                row.values |= changed
                return None
            error = outcome
        return error

    def _next(
        self,
        row: SeedRow,
        changed: Values,
        error: psycopg.Error,
        insert: Callable[[SeedRow], psycopg.Error | None],
    ) -> tuple[Values, psycopg.Error | None] | None:
        """A change that is accepted, or that at least meets another refusal than before."""
        progress = None
        for change in itertools.islice(self._changes(error), _MOST_TRIES):
            merged = changed | change
            attempt = SeedRow(values=row.values | merged, tenant=row.tenant, owner=row.owner)
            outcome = insert(attempt)
            if outcome is None:
                return merged, None
            if progress is None and _refusal(outcome) != _refusal(error):
                progress = merged, outcome
        return progress

    def _changes(self, error: psycopg.Error) -> Iterator[Values]:
        yield from self._learned
        definition, names = self._concerned(error)
        free = [c for c in self._table.relation.columns if not c.generated and c.name not in self._protected]
        columns = [column for column in free if column.name in names]
        options = [list(self._options(column, definition)) for column in columns]
        for column, values in zip(columns, options, strict=True):
            yield from ({column.name: value} for value in values)
        if 1 < len(columns) <= 4:
            for chosen in itertools.product(*options):
                yield dict(zip((c.name for c in columns), chosen, strict=True))

    def _concerned(self, error: psycopg.Error) -> tuple[str, frozenset[str]]:
        diagnosis, relation = error.diag, self._table.relation
        for constraint in relation.constraints:
            if constraint.name == diagnosis.constraint_name:
                return constraint.definition, frozenset(constraint.columns) | identifiers_in(constraint.definition)
        for index in relation.indexes:
            if index.name == diagnosis.constraint_name:
                text = f"{index.predicate} {index.expressions}"
                return text, frozenset(index.columns) | identifiers_in(text)
        if diagnosis.datatype_name:
            typed = [c for c in relation.columns if c.type.split(".")[-1].strip('"') == diagnosis.datatype_name]
            return " ".join(text for c in typed for text in c.domain_checks), frozenset(c.name for c in typed)
        if diagnosis.column_name:
            return "", frozenset({diagnosis.column_name})
        strange = {c.name for c in relation.columns if c.category in "UX" or not c.base_type.startswith("pg_catalog.")}
        return "", frozenset(strange)

    def _options(self, column: Column, definition: str) -> Iterator[str | None]:
        if not column.not_null:
            yield None
        default = constant_default(column)
        if default is not None:
            yield default
        yield from column.enum_values
        yield from (text for text in literals_of(definition) if _suits(column, text))
        if column.category == "B":
            yield from ("true", "false")
        elif column.category == "N":
            yield from ("0", "1", "10", "100")
        elif column.category == "A":
            yield from ("{}",)
        elif column.category == "S":
            yield from ("a", "A1", "abc", "1")


def _protected(table: TablePlan) -> frozenset[str]:
    """Columns that say whose a row is, or that other rows may refer to."""
    keys = {column for key in table.foreign_keys for column in key.columns}
    whose = {table.tenant_column or "", table.owner_column or ""}
    return frozenset(keys | whose | set(table.relation.primary_key))


def _suits(column: Column, text: str) -> bool:
    """Whether a literal has the shape of the column's type, so that trying it makes sense."""
    match column.category:
        case "N":
            return re.fullmatch(r"-?\d+(\.\d+)?", text) is not None
        case "B":
            return text in ("true", "false")
        case "D":
            return re.match(r"\d{4}-", text) is not None
        case _:
            return True


def _refusal(error: psycopg.Error) -> tuple[str | None, str | None, str | None]:
    return error.sqlstate, error.diag.constraint_name, error.diag.column_name
