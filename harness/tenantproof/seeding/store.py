"""The rows made so far, with whose they are: what foreign keys of later rows point at."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tenantproof.core.model import QName

Values = dict[str, str | None]


@dataclass(slots=True, kw_only=True)
class SeedRow:
    """One row on its way into the database (or already in it): text values, tenant name, owner's user id."""

    values: Values
    tenant: str | None = None
    owner: str | None = None
    existing: bool = False
    member: bool = False
    """Whether the owner is one of the tenant's members."""
    plain: Values = field(default_factory=dict)
    """What the columns that vary would hold if they did not."""
    filled: Values = field(default_factory=dict)
    """Values for those of them that may be empty."""
    mix: int = 0
    """Which of its table's mixes the row has."""
    childless: bool = False
    """Whether no other row should refer to it."""
    number: int = 0
    """Which of its table's rows it is, counted from 1."""
    turn: int = 0
    """Which of its tenant's rows."""


@dataclass(slots=True)
class Store:
    """All rows by table, in the order in which they were made."""

    rows: dict[QName, list[SeedRow]] = field(default_factory=lambda: defaultdict(list))

    def add(self, table: QName, row: SeedRow) -> None:
        self.rows[table].append(row)

    def of(self, table: QName) -> Sequence[SeedRow]:
        return self.rows.get(table, ())

    def matching(self, table: QName, fixed: Mapping[str, str | None]) -> list[SeedRow]:
        """Rows that have these values."""
        return [row for row in self.of(table) if all(row.values.get(c) == v for c, v in fixed.items())]


class UniqueKeys:
    """Which combinations of a table's unique keys are taken."""

    def __init__(self, keys: Iterable[UniqueKey]) -> None:
        self._keys = tuple(keys)
        self._taken: set[tuple[str, tuple[str | None, ...]]] = set()

    def conflict(self, values: Mapping[str, str | None]) -> UniqueKey | None:
        """The first key that a row with these values would break."""
        for key in self._keys:
            entry = key.entry(values)
            if entry is not None and (key.name, entry) in self._taken:
                return key
        return None

    def release(self, values: Mapping[str, str | None]) -> None:
        """The opposite of `take`."""
        for key in self._keys:
            if (entry := key.entry(values)) is not None:
                self._taken.discard((key.name, entry))

    def take(self, values: Mapping[str, str | None]) -> None:
        for key in self._keys:
            if (entry := key.entry(values)) is not None:
                self._taken.add((key.name, entry))


@dataclass(frozen=True, slots=True, kw_only=True)
class UniqueKey:
    """A unique index over plain columns."""

    name: str
    columns: tuple[str, ...]
    nulls_not_distinct: bool = False

    def entry(self, values: Mapping[str, str | None]) -> tuple[str | None, ...] | None:
        """What must not occur twice, or None where a NULL makes the row exempt."""
        found = tuple(values.get(column) for column in self.columns)
        return None if None in found and not self.nulls_not_distinct else found
