"""Findings as text for a failed test: the block of the terminal report, without colour."""

from __future__ import annotations

import io

from rich.console import Console

from tenantproof.core.finding import Finding, Severity
from tenantproof.core.report import Report
from tenantproof.reports.matrix import Matrix
from tenantproof.reports.pen import Pen
from tenantproof.reports.terminal_findings import finding_block

WIDTH = 100


def block(report: Report, matrix: Matrix, finding: Finding, threshold: Severity | None) -> str:
    """The finding as `check` prints it."""
    out = io.StringIO()
    pen = Pen(Console(file=out, width=WIDTH, no_color=True, highlight=False, force_terminal=False))
    finding_block(pen, report, matrix, finding, verbose=False, threshold=threshold)
    return out.getvalue().rstrip()
