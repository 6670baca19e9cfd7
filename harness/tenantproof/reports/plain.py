"""A finding in plain text, as the terminal shows it: for formats that hold text, such as JUnit."""

from __future__ import annotations

import io

from rich.console import Console

from tenantproof.core.finding import Finding, Severity
from tenantproof.core.report import Report
from tenantproof.reports.matrix import Matrix
from tenantproof.reports.pen import Pen
from tenantproof.reports.terminal_findings import finding_block

_WIDTH = 100


def finding_text(report: Report, matrix: Matrix, finding: Finding) -> str:
    """The finding with all its personas, evidence and its replay script, line by line; nothing in it is invisible."""
    return _text(report, matrix, finding, verbose=True)


def finding_digest(report: Report, matrix: Matrix, finding: Finding) -> str:
    """The finding in a dozen lines: one evidence, no script."""
    return _text(report, matrix, finding, verbose=False)


def _text(report: Report, matrix: Matrix, finding: Finding, *, verbose: bool) -> str:
    out = io.StringIO()
    # Whatever the terminal and its variables are, a document is the same.
    console = Console(file=out, width=_WIDTH, no_color=True, color_system=None, legacy_windows=False, _environ={})
    finding_block(Pen(console), report, matrix, finding, verbose=verbose, threshold=Severity.INFO)
    return out.getvalue().rstrip("\n")
