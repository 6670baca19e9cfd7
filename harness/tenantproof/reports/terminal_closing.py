"""The last lines: the verdict, what was untested, where the reports are, and what to type next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from tenantproof.core.finding import Finding, Severity
from tenantproof.core.report import Report
from tenantproof.reports.matrix import Matrix, Outcome
from tenantproof.reports.pen import Pen
from tenantproof.reports.since import since
from tenantproof.reports.terminal_untested import untested_reasons
from tenantproof.reports.wording import (
    duration,
    in_no_cell,
    is_weak,
    open_findings,
    plural,
    replay_command,
    search_words,
    subject,
)

_REASONS_SHOWN = 3
_FORGIVEN = "there are findings, and no finding was to fail this run"


def closing(
    pen: Pen,
    report: Report,
    matrix: Matrix,
    *,
    verbose: bool,
    paths: Sequence[str],
    threshold: Severity,
    exit_code: int,
) -> None:
    """Print the last lines."""
    _verdict(pen, report, matrix)
    _what_was_untested(pen, report, matrix)
    _how_it_searched(pen, report)
    for label, said in since(report):
        pen.paragraph(f"  {label:10}", said)
    for path in paths:
        pen.line("  report    ", (path, "bold"))
    forgiven = exit_code == 0 and bool(report.gating(threshold))
    pen.line(f"exit {exit_code}: {_FORGIVEN if forgiven else exit_meaning(exit_code, threshold)}")
    pen.line("Next: ", (next_command(report, paths=paths, verbose=verbose, threshold=threshold), "bold"))


def verdict_line(matrix: Matrix) -> str:
    """ "1 leaked · 0 blocked too much · 4 untested · 1115 isolated", accepted cells and errors where there are."""
    isolated = matrix.count(Outcome.ALLOWED) + matrix.count(Outcome.DENIED)
    parts = [
        f"{matrix.count(Outcome.LEAKED)} leaked",
        f"{matrix.count(Outcome.OVERBLOCKED)} blocked too much",
        f"{matrix.count(Outcome.UNTESTED)} untested",
        f"{isolated} isolated",
    ]
    if errors := matrix.count(Outcome.ERROR):
        parts.append(plural(errors, "error"))
    if accepted := matrix.count(Outcome.ACCEPTED):
        parts.append(f"{accepted} accepted")
    return " · ".join(parts)


def exit_meaning(exit_code: int, threshold: Severity) -> str:
    """What an exit code says about this run."""
    meanings = {
        0: f"no finding at or above {threshold}",
        1: f"a finding at or above {threshold}",
        3: "trouble with the database: see the notes",
        4: "no leak, but something that must be tested was not",
        5: "nothing to check",
        130: "interrupted",
    }
    return meanings.get(exit_code, "the run did not finish")


def next_command(report: Report, *, paths: Sequence[str], verbose: bool, threshold: Severity) -> str:
    """The one command that helps most from here."""
    scenario = subject(report)
    findings = open_findings(report)
    if report.again and not findings:
        return report.again
    if findings and findings[0].severity.rank >= threshold.rank:
        return replay_command(report, findings[0])
    if not any(path.endswith(".html") for path in paths):
        return f"tenantproof check {scenario} --report html=reports/isolation.html"
    if findings:
        return replay_command(report, findings[0])
    if not verbose:
        return f"tenantproof check {scenario} -v"
    if report.reached_by:  # no patch is for a database that is somebody's
        return f"tenantproof check {scenario} --history .tenantproof/history.ndjson"
    return f"tenantproof check {scenario} --patch change.sql"


def _verdict(pen: Pen, report: Report, matrix: Matrix) -> None:
    findings = open_findings(report)
    clean = "bold yellow" if is_weak(report) or report.interrupted or report.trouble else "bold green"
    style = "bold red" if findings else clean if report.cells else "bold"
    pen.line((verdict_line(matrix) + (" · interrupted" if report.interrupted else ""), style))
    took = f" in {duration(report.timing.seconds)}" if report.timing.seconds else ""
    said = findings_line(findings) if findings or not report.findings else "no open finding"
    pen.line(f"  {said}{took}{_beyond(findings, matrix)}")


def findings_line(findings: Sequence[Finding]) -> str:
    """ "2 findings: 1 critical, 1 low", or "no finding"."""
    if not findings:
        return "no finding"
    severities = Counter(finding.severity for finding in findings)
    counts = [f"{severities[severity]} {severity}" for severity in reversed(Severity) if severities[severity]]
    return f"{plural(len(findings), 'finding')}: {', '.join(counts)}"


def _beyond(findings: Sequence[Finding], matrix: Matrix) -> str:
    """That the first line, which counts cells, does not count some of the findings."""
    beyond = len(in_no_cell(findings, matrix))
    if not beyond:
        return ""
    return f" ({'' if beyond == len(findings) else f'{beyond} of them '}in no cell of the matrix)"


def _how_it_searched(pen: Pen, report: Report) -> None:
    if report.search is None:
        return
    pen.paragraph("  search    ", search_words(report.search, report.timing))
    if report.search.weak:
        pen.paragraph(("  weak search: ", "bold yellow"), (report.search.weak, "yellow"))


def _what_was_untested(pen: Pen, report: Report, matrix: Matrix) -> None:
    reasons = untested_reasons(report, matrix)
    for reason in reasons[:_REASONS_SHOWN]:
        pen.paragraph("  untested  ", f"{plural(reason.count, 'cell')}: {reason.text}")
    if len(reasons) > _REASONS_SHOWN:
        pen.line("  untested  ", f"… for {plural(len(reasons) - _REASONS_SHOWN, 'more reason')}, listed above")
    beside = [
        f"{plural(len(report.gaps), 'gap')} out of reach" if report.gaps else "",
        f"{plural(len(report.unseeded), 'time')} a table was not filled" if report.unseeded else "",
    ]
    if any(beside):
        pen.line("  untested  ", f"{', '.join(filter(None, beside))}, listed above")
    if not (reasons or any(beside)):
        pen.line("  untested  nothing: every cell in scope was tried")
