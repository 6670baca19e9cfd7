"""A row that the database refused, changed until it is accepted: small steps on the columns the refusal is about."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterator, Mapping

from tenantproof.core.catalog import Column
from tenantproof.seeding.answers import Answer
from tenantproof.seeding.checks import identifiers_in, literals_of
from tenantproof.seeding.inlining import Body
from tenantproof.seeding.patterns import accepts, matching
from tenantproof.seeding.plan import TablePlan
from tenantproof.seeding.samples import constant_default
from tenantproof.seeding.store import SeedRow, Values

MOST_TRIES = 300
_ROUNDS = 4
_MOST_FITTING = 8
_REPAIRABLE = ("22", "23", "P0")
_NEW = re.compile(r"\bnew\.\"?(\w+)\"?", re.IGNORECASE)
_CODES = tuple(a + b for a in "abcdefghijklmnopqrstuvwxyz" for b in "0123456789")
_UNKNOWN = ("0", "1", "a", "{}", "()", "empty", "(0,0)", "[]")
"""What a type that nobody knows may take."""


class Repairs:
    """Mends rows of one table; what helped one row is tried first on the next."""

    def __init__(self, table: TablePlan, bodies: Mapping[str, Body]) -> None:
        self._table, self._bodies = table, bodies
        self._protected = _protected(table)
        self._learned: list[Values] = []

    @property
    def learned(self) -> Values:
        """What the last mended row needed."""
        return self._learned[-1] if self._learned else {}

    def learn(self, change: Values) -> None:
        """Try this first from now on."""
        self._learned = [change, *(known for known in self._learned if known != change)]

    def concerned(self, refused: Answer) -> frozenset[str]:
        """The columns that a refusal is about."""
        return self._concerned(refused)[1]

    def mend(self, row: SeedRow, refused: Answer, insert: Callable[[SeedRow], Answer | None]) -> Answer | None:
        """Change *row* in place until *insert* gives no refusal; returns the last one where nothing helps."""
        changed: Values = {}
        for _ in range(_ROUNDS):
            if not refused.sqlstate.startswith(_REPAIRABLE):
                break
            better = self._next(row, changed, refused, insert)
            if better is None:
                break
            changed, outcome = better
            if outcome is None:
                self._learned.append(changed)
                row.values |= changed
                return None
            refused = outcome
        return refused

    def _next(
        self, row: SeedRow, changed: Values, refused: Answer, insert: Callable[[SeedRow], Answer | None]
    ) -> tuple[Values, Answer | None] | None:
        """A change that is accepted, or that at least meets another refusal than before."""
        progress = None
        for change in self.changes(refused, row.number):
            merged = changed | change
            attempt = SeedRow(values=row.values | merged, tenant=row.tenant, owner=row.owner)
            outcome = insert(attempt)
            if outcome is None:
                return merged, None
            if progress is None and _about(outcome) != _about(refused):
                progress = merged, outcome
        return progress

    def changes(self, refused: Answer, number: int) -> Iterator[Values]:
        """Changes worth a try, at most MOST_TRIES: what helped before, one column, then up to four together."""
        yield from itertools.islice(self._changes(refused, number), MOST_TRIES)

    def _changes(self, refused: Answer, number: int) -> Iterator[Values]:
        yield from self._learned
        text, names = self._concerned(refused)
        free = [c for c in self._table.relation.columns if not c.generated and c.name not in self._protected]
        columns = [column for column in free if column.name in names]
        unique = refused.sqlstate == "23505"
        options = [list(self._options(column, text, number, unique=unique)) for column in columns]
        for column, values in zip(columns, options, strict=True):
            yield from ({column.name: value} for value in values)
        if 1 < len(columns) <= 4:
            for chosen in itertools.product(*options):
                yield dict(zip((c.name for c in columns), chosen, strict=True))

    def _concerned(self, refused: Answer) -> tuple[str, frozenset[str]]:
        """The text that holds the refusal's constants, and the columns it is about."""
        relation = self._table.relation
        for constraint in relation.constraints:
            if constraint.name == refused.constraint:
                return constraint.definition, frozenset(constraint.columns) | identifiers_in(constraint.definition)
        for index in relation.indexes:
            if index.name == refused.constraint:
                text = f"{index.predicate} {index.expressions}"
                return text, frozenset(index.columns) | identifiers_in(text)
        if refused.datatype:
            typed = [c for c in relation.columns if c.type.split(".")[-1].strip('"') == refused.datatype]
            return " ".join(text for c in typed for text in c.domain_checks), frozenset(c.name for c in typed)
        code = self._code() if refused.by_code or refused.column else ""
        if refused.column:
            return code, frozenset({refused.column})
        if code:
            return code, frozenset(_NEW.findall(code))
        strange = {c.name for c in relation.columns if c.category in "UX" or not c.base_type.startswith("pg_catalog.")}
        return "", frozenset(strange)

    def _code(self) -> str:
        """The sources of the functions that run when a row is inserted."""
        called = (t.function.name for t in self._table.relation.triggers if t.enabled and "INSERT" in t.events)
        return "\n".join(self._bodies[name].source for name in called if name in self._bodies)

    def _fitting(self, column: Column, number: int) -> Iterator[str]:
        """Texts of the form, or among the choices, that a CHECK demands."""
        hints = self._table.rules.of(column.name)
        yield from hints.choices
        rng = random.Random(f"{self._table.name}/{column.name}/{number}")
        for pattern in hints.patterns[:1]:
            made = (matching(pattern, rng) for _ in range(_MOST_FITTING))
            yield from (text for text in made if text and all(accepts(other, text) for other in hints.patterns))

    def _options(self, column: Column, text: str, number: int, *, unique: bool) -> Iterator[str | None]:
        if not column.not_null:
            yield None
        default = constant_default(column)
        if default is not None:
            yield default
        yield from column.enum_values
        if unique and column.category == "S":
            yield from self._fitting(column, number)
            yield from (_CODES[(number * 10 + turn) % len(_CODES)] for turn in range(0, 60, 7))
        if unique and column.category == "N":
            yield from (str(number * 10 + turn) for turn in range(10))
        yield from (found for found in literals_of(text) if _suits(column, found))
        if column.category == "B":
            yield from ("true", "false")
        elif column.category == "N":
            yield from ("0", "1", "10", "100")
        elif column.category == "A":
            yield from ("{}",)
        elif column.category == "S":
            yield from ("a", "A1", "abc", "1")
        elif column.category in "UX":
            yield from _UNKNOWN


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


def _about(answer: Answer) -> tuple[str, str, str]:
    return answer.sqlstate, answer.constraint, answer.column
