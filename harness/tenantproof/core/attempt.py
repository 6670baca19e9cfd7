"""Attempts, and all that a persona can perceive of them."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from tenantproof.core.model import Command, QName
from tenantproof.core.world import Key, Row


class Form(enum.StrEnum):
    """How a write finds its rows.

    PostgreSQL adds the SELECT policies to an UPDATE or DELETE that reads a column, so a loose write policy stays
    hidden unless the write is tried blind too (docs: CREATE POLICY, "Policies Applied by Command Type").
    """

    READ = "read"
    BELONGING = "belonging"
    """Read whose rows there are, where they have no key or it cannot be read: (tenant, owner) pairs."""
    COUNTED = "counted"
    """Read rows of which neither is told: only how many there are."""
    FILTERED = "filtered"
    BLIND = "blind"
    VALUES = "values"
    UPSERT = "upsert"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What the observer does to the relation before the persona acts, to be undone with the attempt.

    Only the rows with these keys stay in the relation; the others go with triggers and foreign keys off, so that
    a blind write meets exactly the rows in question and nothing else can refuse it.
    """

    relation: QName
    key_columns: tuple[str, ...]
    keep: tuple[Key, ...]
    clear: tuple[QName, ...] = ()
    """Relations whose rows refer to this one, and would stop the write by a foreign key: all their rows go."""
    fires: bool = True
    """Whether triggers or foreign keys would notice that rows go, if they were not off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What a statement does, in parts, for those who say it in another language than SQL (HTTP).

    `columns` are read; `values` are literals to write (None: NULL); `filter_column` is asked to be not null;
    `conflict` are the key columns of an upsert.
    """

    through: QName
    columns: tuple[str, ...] = ()
    values: tuple[tuple[str, str | None], ...] = ()
    filter_column: str | None = None
    conflict: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One statement that a persona runs against one relation.

    `aim` says in words what it is after; `watch` are the relations whose rows are compared afterwards.
    """

    relation: QName
    command: Command
    channel: str
    form: Form
    sql: str
    aim: str
    watch: tuple[QName, ...] = ()
    """Relations whose rows are compared: the one it writes to first, then those that its triggers write to."""
    stage: Stage | None = None
    row: Row | None = None
    """For INSERT: whose row it would be."""
    deed: Deed | None = None
    """The statement in parts; None where only SQL can say it."""
    goal: str | None = None
    """A flag that the attempt tries to give a row: reaching it is a violation, whatever the scenario allows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a persona perceives of one statement: rows as text, the row count, or the refusal, and notices.

    `detail`, `hint`, `column` and `constraint` are the fields of an error that PostgreSQL and PostgREST hand to the
    client beside its message (PostgreSQL docs: "Error and Notice Message Fields").
    """

    rows: tuple[tuple[str | None, ...], ...] = ()
    count: int = 0
    sqlstate: str | None = None
    message: str = ""
    detail: str = ""
    hint: str = ""
    column: str = ""
    constraint: str = ""
    notices: tuple[str, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the database said no, for whatever reason."""
        return self.sqlstate is not None

    @property
    def denied(self) -> bool:
        """Refused for want of privilege or by a row level security policy (SQLSTATE 42501)."""
        return self.sqlstate == "42501"

    @property
    def passed_policy(self) -> bool:
        """Refused by a constraint: PostgreSQL asks the policies first, so they had let the row through."""
        return self.sqlstate is not None and self.sqlstate.startswith("23")

    def in_words(self) -> str:
        """One line for a person."""
        if self.sqlstate is not None:
            return f"{self.sqlstate} {self.message}"
        return f"{self.count} row{'' if self.count == 1 else 's'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row that an attempt inserted (no before), deleted (no after) or changed."""

    relation: QName
    before: Row | None
    after: Row | None
    rewritten: bool = False
    """Part of an UPDATE that changed the key: the old row and the new one have no key in common."""

    @property
    def command(self) -> Command:
        if self.rewritten:
            return Command.UPDATE
        if self.before is None:
            return Command.INSERT
        return Command.DELETE if self.after is None else Command.UPDATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An attempt, what the persona perceived, and what the observer saw change."""

    attempt: Attempt
    observation: Observation
    changes: tuple[Change, ...] = ()
    control: Observation | None = None
    """The same statement as the observer, where one was needed to interpret a refusal."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rows of one relation by row version (tableoid and ctid as text)."""

    rows: Mapping[str, Row] = field(default_factory=dict)

    def changes(self, relation: QName, kept: Set[str], came_in: Iterable[Row]) -> tuple[Change, ...]:
        """What differs later, where only the versions *kept* are still there and *came_in* are the rows of others.

        A row keeps its version unless it was written.
        """
        gone = {row.key: row for version, row in self.rows.items() if version not in kept}
        came = {row.key: row for row in came_in}
        return tuple(
            Change(relation=relation, before=gone.get(key), after=came.get(key))
            for key in sorted(gone.keys() | came.keys(), key=lambda key: tuple(map(str, key)))
        )
