"""The end of a session: reports are written once, by the controller, and told in a line each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantproof.core.errors import UsageError
from tenantproof.core.finding import Severity, Verdict
from tenantproof.core.report import Report
from tenantproof.reports.files import parse_spec, write_document, write_to
from tenantproof.reports.pgtap import PgtapWriter
from tenantproof.reports.since import since
from tenantproof.reports.visible import one_line
from tenantproof.reports.wording import open_findings, plural
from tenantproof.testing.results import Results

HERE = "{scenario}"


def write_reports(results: Results) -> list[str]:
    """Write what `--tenantproof-report` asks for; returns FORMAT=PATH of each.  Raises UsageError."""
    reports = results.finished()
    written = []
    for spec in results.settings.reports:
        for report in reports:
            path = _path(spec, report, alone=len(reports) == 1)
            destination = parse_spec(path)
            if destination.writer.name == PgtapWriter.name:
                write_document(results.suite(report), destination)
            else:
                write_to(report, destination)
            written.append(path)
    return written


def _path(spec: str, report: Report, *, alone: bool) -> str:
    """FORMAT=PATH for one scenario: its stem goes where {scenario} stands, or before the suffix of several reports."""
    stem = Path(report.scenario_path).name.split(".")[0]
    if HERE in spec:
        return spec.replace(HERE, stem)
    if alone:
        return spec
    known = parse_spec(spec)
    named = Path(known.path)
    return f"{known.writer.name}={named.with_name(f'{named.stem}-{stem}{named.suffix}')}"


def _counted(report: Report, gate: Severity | None) -> str:
    found = len(open_findings(report) if gate is None else report.gating(gate))
    which = "none of which fails a test (fail-on never)" if gate is None else f"at or above {gate}"
    return f"{plural(found, 'finding')} {which}"


def summarize(reporter: pytest.TerminalReporter, results: Results) -> None:
    """Print a section with one line for each scenario that was checked, and the files that were written."""
    reports = results.finished()
    if not reports:
        return
    reporter.section("tenantproof")
    for report in reports:
        reporter.line(
            f"{report.scenario_path}: {_counted(report, results.settings.fail_on)}, "
            f"{report.count(Verdict.ISOLATED)} of {len(report.cells)} cells isolated, seed {report.seed}"
        )
        for label, said in since(report):
            reporter.line(f"  {label}: {one_line(said)}")
    try:
        for written in write_reports(results):
            reporter.line(f"report: {written}")
    except UsageError as error:
        reporter.line(f"error: {error}", red=True)
