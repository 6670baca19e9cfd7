"""
The report for the person at the terminal: the matrix where it deviates, findings as a compiler prints errors, what was
not tested, the verdict, and what to type next.  The important thing comes last, where the eye is.

`render` prints to the console it is given and nowhere else; colour, width and encoding are the console's.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from tenantproof.core.finding import Severity
from tenantproof.core.report import Report
from tenantproof.reports.matrix import build_matrix
from tenantproof.reports.pen import Pen
from tenantproof.reports.terminal_closing import closing
from tenantproof.reports.terminal_findings import accepted, finding_block
from tenantproof.reports.terminal_matrix import matrix_table
from tenantproof.reports.terminal_untested import deviating, untested
from tenantproof.reports.wording import database, open_findings, plural


def render(
    report: Report,
    console: Console,
    *,
    verbose: bool,
    paths: Sequence[str],
    threshold: Severity,
    exit_code: int,
) -> None:
    """Print a report.

    `verbose` shows all relations, all personas and the replay scripts; `paths` are the report files that were
    written; `threshold` is `--fail-on`; `exit_code` is the one the process will end with.
    """
    pen = Pen(console)
    matrix = build_matrix(report)
    header(pen, report)
    matrix_table(pen, report, matrix, verbose=verbose)
    for finding in open_findings(report):
        finding_block(pen, report, matrix, finding, verbose=verbose, threshold=threshold)
    deviating(pen, report, matrix, verbose=verbose)
    accepted(pen, report)
    untested(pen, report, matrix, verbose=verbose)
    notes(pen, report)
    closing(pen, report, matrix, verbose=verbose, paths=paths, threshold=threshold, exit_code=exit_code)


def header(pen: Pen, report: Report) -> None:
    """Who checked what, with which seed."""
    pen.line(
        ("tenantproof", "bold"),
        f" {report.tool_version}  ·  {database(report)}  ·  seed {report.seed}",
    )
    sizes = [
        plural(len(report.tenants), "tenant"),
        plural(len(report.personas), "persona"),
        plural(len(report.relations), "relation"),
        plural(len(report.cells), "cell"),
    ]
    pen.paragraph("  ", f"{report.scenario} ({report.scenario_path}): {', '.join(sizes)}")
    if report.patches:
        pen.paragraph("  ", (f"with {', '.join(report.patches)} applied", "yellow"))
    pen.blank()


def notes(pen: Pen, report: Report) -> None:
    """Remarks that are neither findings nor gaps."""
    for note in report.notes:
        pen.paragraph(("note: ", "bold"), note)
    if report.notes:
        pen.blank()
