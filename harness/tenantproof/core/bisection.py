"""What `bisect` found: which migration opened each leak.  No clock, no I/O."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tenantproof.core.finding import Finding
from tenantproof.core.report import Report


class Certainty(enum.StrEnum):
    """How well a migration is known to have opened a leak."""

    ADJACENT = "adjacent"
    """The database without this file was checked and does not leak; with it, it does."""
    CREATED = "created"
    """This file makes the very object that leaks: before it there is nothing to leak."""
    FIRST_CHECKED = "first checked"
    """The database without this file could not be checked."""
    FROM_THE_START = "from the start"
    """It leaks already before the first file that was asked about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A time for which a leak was there: from file number *opened* (0: before the first that was asked about) to before
    *closed* (None: to the end)."""

    opened: int
    closed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A leak, and the file that opened it.

    `number` counts files from 1 (0: before the first that was asked about); `line` is that of the `statement` in the
    file that most likely did it, None where no statement of it speaks of the leak.
    """

    finding: Finding
    """As the last prefix shows it."""
    number: int
    file: str
    line: int | None
    statement: str
    certainty: Certainty
    reason: str = ""
    """Why the prefix before could not be checked."""
    unseen: int = 0
    """How many later prefixes were not looked at: there it might have closed and opened again."""
    already: tuple[str, ...] = ()
    """Causes by which the same rows leaked before as well."""
    earlier: tuple[Episode, ...] = ()
    """Times before, as far as they were seen, at which it was open and closed again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passing:
    """A leak that was open on the way and is not there at the end."""

    finding: Finding
    episode: Episode


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One prefix that was looked at: with the first *number* files, and why it could not be checked, if so."""

    number: int
    file: str
    findings: int
    reason: str = ""

    @property
    def checked(self) -> bool:
        return not self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Bisection:
    """One run of `bisect`.

    `files` are all migrations in order, patches last; `first` and `last` the numbers of those asked about; `report`
    is the check of the last prefix.
    """

    files: tuple[str, ...]
    first: int
    last: int
    linear: bool
    report: Report
    openings: tuple[Opening, ...]
    passing: tuple[Passing, ...] = ()
    looks: tuple[Look, ...] = ()
    seconds: float = 0.0
