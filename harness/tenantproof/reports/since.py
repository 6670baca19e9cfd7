"""What is new: a run beside the one before it, and beside its baseline; sentences that more than one format says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from tenantproof.core.finding import Finding
from tenantproof.core.history import first_seen, runs_seen
from tenantproof.core.report import Report
from tenantproof.reports.wording import accepted_findings, open_findings, plural

NEW = "new since the last run"


def since(report: Report) -> Iterator[tuple[str, str]]:
    """A label and a sentence for the history and for the baseline, where the run has one."""
    if report.history:
        yield "history", _since_last_run(report)
    if report.baseline is not None:
        yield "baseline", _beside_baseline(report)


def seen(report: Report, finding: Finding) -> str:
    """Since when a finding is there; empty where no runs were kept."""
    if not report.history:
        return ""
    runs = runs_seen(finding.fingerprint, report.history)
    if not runs:
        return NEW
    return f"since {instant(first_seen(finding.fingerprint, report.history))}, {plural(runs, 'run')} before this one"


def instant(iso: str) -> str:
    """ "2026-11-24 07:59 UTC"; what is no instant stays as it is."""
    try:
        return f"{datetime.fromisoformat(iso).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError):
        return iso


def _since_last_run(report: Report) -> str:
    last = report.history[-1]
    now = {finding.fingerprint for finding in report.findings}
    accepted = {finding.fingerprint for finding in accepted_findings(report)} & last.findings.keys()
    new = {finding.fingerprint for finding in open_findings(report)} - last.findings.keys()
    parts = [f"{len(new)} new", f"{len(last.findings.keys() - now)} gone"]
    if accepted:
        parts.append(f"{len(accepted)} accepted")
    runs = plural(len(report.history), "earlier run")
    return f"{', '.join(parts)} since the last run ({instant(last.started_at)}; {runs} known)"


def _beside_baseline(report: Report) -> str:
    assert report.baseline is not None
    new = {finding.fingerprint for finding in open_findings(report)} - set(report.baseline.found)
    known, gone = len(report.baseline.found), len(report.baseline.gone)
    return f"{len(new)} new, {known} known, {gone} gone beside {report.baseline.path}"
