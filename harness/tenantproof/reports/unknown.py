"""What a run left open although it must be known: the same things for which `check` ends with exit code 4."""

from __future__ import annotations

from tenantproof.core.finding import CellResult, Verdict
from tenantproof.core.report import Gap, Report
from tenantproof.core.world import Unseeded

_OPEN_REASONS = ("undecided", "no positive control", "interrupted")
_STILL_TRIED = ("insert: ", "read: ")
"""How a message begins where only a further way to fill the relation failed; its cells were tried all the same."""


def is_unknown(cell: CellResult) -> bool:
    """Whether nobody knows about this cell what must be known.

    That is: an error, an undecided table, no positive control, a run that ended before the cell.
    """
    if cell.verdict is Verdict.ERROR:
        return True
    return cell.verdict is Verdict.UNTESTED and cell.reason.startswith(_OPEN_REASONS)


def is_hollow(unseeded: Unseeded) -> bool:
    """Whether the relation has no rows, so that nothing about it proves anything."""
    return not unseeded.message.startswith(_STILL_TRIED)


def is_undecided(gap: Gap) -> bool:
    """Whether nothing can be proved yet.

    Somebody has to decide whose the rows are, to make a way passable, or to let a run come to its end.
    """
    return gap.reason.startswith(_OPEN_REASONS)


def unknowns(report: Report) -> int:
    """How many things were left open; more than 0 is exit code 4 where no finding makes it 1."""
    weak = report.search is not None and bool(report.search.weak)
    tables = sum(map(is_hollow, report.unseeded)) + sum(map(is_undecided, report.gaps))
    return weak + tables + sum(map(is_unknown, report.cells))
