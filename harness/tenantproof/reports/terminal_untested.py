"""What the matrix says beyond findings: cells blocked too much, errors, what was not tested; always with reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tenantproof.core.finding import CellResult, Verdict
from tenantproof.core.report import Report
from tenantproof.reports.grouping import Reason, deviating_cells, group_by_reason, why
from tenantproof.reports.matrix import Matrix, Outcome
from tenantproof.reports.pen import STYLES, Pen
from tenantproof.reports.terminal_findings import some
from tenantproof.reports.wording import plural

_TITLES: Mapping[Verdict, tuple[str, Outcome]] = {
    Verdict.LEAK: ("LEAKED", Outcome.LEAKED),
    Verdict.OVERBLOCKED: ("BLOCKED TOO MUCH", Outcome.OVERBLOCKED),
    Verdict.ERROR: ("ERROR", Outcome.ERROR),
}


def deviating(pen: Pen, report: Report, matrix: Matrix, *, verbose: bool) -> None:
    """Print deviations that no finding tells of, so that none is only a glyph in a table."""
    for verdict, (title, outcome) in _TITLES.items():
        cells = deviating_cells(report, matrix, verdict)
        if cells:
            _block(pen, title, outcome, cells, matrix, verbose=verbose)


def untested(pen: Pen, report: Report, matrix: Matrix, *, verbose: bool) -> None:
    """Print untested cells grouped by reason, gaps, and relations that could not be filled."""
    cells = [cell for cell in report.cells if cell.verdict is Verdict.UNTESTED]
    if cells:
        _block(pen, "UNTESTED", Outcome.UNTESTED, cells, matrix, verbose=verbose)
    if report.gaps:
        pen.line(("OUT OF REACH", STYLES[Outcome.UNTESTED]), f" ({len(report.gaps)})")
        for reason in dict.fromkeys(gap.reason for gap in report.gaps):
            objects = [gap.object for gap in report.gaps if gap.reason == reason]
            pen.paragraph("  ", (reason, "bold"))
            pen.paragraph("    ", ", ".join(objects))
        pen.blank()
    if report.unseeded:
        pen.line(("NOT FILLED", STYLES[Outcome.UNTESTED]), f" ({len(report.unseeded)})")
        for item in report.unseeded:
            tenant = f" for {item.tenant}" if item.tenant else ""
            pen.paragraph("  ", (str(item.relation), "bold"), f"{tenant}: {item.message} ({item.sqlstate})")
        pen.blank()


def untested_reasons(report: Report, matrix: Matrix) -> tuple[Reason, ...]:
    """The reasons of all untested cells, the most frequent first."""
    cells = (cell for cell in report.cells if cell.verdict is Verdict.UNTESTED)
    return group_by_reason(cells, why, matrix.personas)


def _block(
    pen: Pen, title: str, outcome: Outcome, cells: Iterable[CellResult], matrix: Matrix, *, verbose: bool
) -> None:
    reasons = group_by_reason(cells, why, matrix.personas)
    total = sum(reason.count for reason in reasons)
    pen.line((title, STYLES[outcome]), f" ({plural(total, 'cell')})")
    for reason in reasons:
        pen.paragraph("  ", (reason.text, "bold"))
        for block in reason.blocks:
            commands = " ".join(block.commands)
            personas = some(block.personas, all_of_them=verbose)
            pen.paragraph("    ", f"{', '.join(block.objects)} · {commands} · {personas}")
    pen.blank()
