"""What the engine tells its listeners: a closed set of events, in the order in which things happen."""

from __future__ import annotations

from dataclasses import dataclass

from tenantproof.core.finding import CellResult, Finding
from tenantproof.core.report import Report, Search


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A phase begins; `what` is a line for people.

    From the first phase that `may_end` on, a run that is asked to end does so with a report of what is known.
    """

    what: str
    may_end: bool = False


@dataclass(frozen=True, slots=True)
class CellChecked:
    """One cell of the matrix has its verdict."""

    cell: CellResult


@dataclass(frozen=True, slots=True)
class Sweeping:
    """The matrix goes on: cells that have their verdict so far, and how many there are."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class FindingRaised:
    """One root cause was found."""

    finding: Finding


@dataclass(frozen=True, slots=True)
class Searching:
    """The search for interference goes on: its numbers so far, and for how many seconds it has been going.

    `share` is how much of what it set out to do is done, from 0 to 1; one that goes by the clock does not know.
    """

    search: Search
    seconds: float
    share: float | None = None


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The run is over; always the last event."""

    report: Report


Event = PhaseStarted | Sweeping | CellChecked | FindingRaised | Searching | RunFinished
