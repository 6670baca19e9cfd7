"""One finding as a compiler prints an error: what, where, expected, observed, how to fix, how to see it again."""

from __future__ import annotations

from collections.abc import Sequence

from tenantproof.core.finding import Evidence, Finding, Severity
from tenantproof.core.report import Report
from tenantproof.reports.matrix import Matrix
from tenantproof.reports.pen import Part, Pen
from tenantproof.reports.since import seen
from tenantproof.reports.terminal_worlds import INDENT, worlds
from tenantproof.reports.wording import (
    accepted_findings,
    done,
    is_overblocking,
    opened,
    place_of,
    plural,
    replay_command,
)

_EXCERPT_LINES = 12
_STATEMENTS = 6
_SEVERITY_STYLES = {
    Severity.INFO: "blue",
    Severity.LOW: "blue",
    Severity.MEDIUM: "yellow",
    Severity.HIGH: "red",
    Severity.CRITICAL: "bold red",
}


def some(names: Sequence[str], *, all_of_them: bool, joiner: str = ", ") -> str:
    """The first three names "+ 6 more", or every name."""
    if all_of_them or len(names) <= 4:
        return joiner.join(names)
    return f"{joiner.join(names[:3])} + {len(names) - 3} more"


def finding_block(
    pen: Pen, report: Report, matrix: Matrix, finding: Finding, *, verbose: bool, threshold: Severity | None
) -> None:
    """Print one finding."""
    _head(pen, finding, "BLOCKED" if is_overblocking(finding, matrix) else "LEAKED", verbose=verbose)
    pen.paragraph("  ", finding.title)
    _field(pen, "cause", f"{finding.cause}" + _opened(finding, verbose=verbose))
    _source(pen, finding, verbose=verbose)
    if verbose and finding.explanation:
        _field(pen, "why", finding.explanation)
    _evidence(pen, finding, verbose=verbose)
    _field(pen, "fix", finding.fix)
    if threshold is not None and finding.severity.rank < threshold.rank:
        _field(pen, "gate", f"below --fail-on {threshold}: reported, does not fail the run")
    if told := seen(report, finding):
        _field(pen, "seen", told)
    pen.line("   ", ("= ", "blue"), f"{'reproduce':10}", (replay_command(report, finding), "bold"))
    if verbose:
        _script(pen, finding.replay)
    pen.blank()


def _opened(finding: Finding, *, verbose: bool) -> str:
    """The relations that the cause opens, beyond the one that the head names."""
    names = opened(finding)
    return f": opens {some(names, all_of_them=verbose)}" if names else ""


def accepted(pen: Pen, report: Report) -> None:
    """Accepted findings, a line each."""
    findings = accepted_findings(report)
    for finding in findings:
        pen.paragraph(
            ("ACCEPTED ", "cyan"),
            f"{finding.severity}  {finding.channel}  {finding.object} · {done(finding)}  "
            f"fingerprint {finding.fingerprint}: {finding.accepted}",
        )
    if findings:
        pen.blank()


def _head(pen: Pen, finding: Finding, word: str, *, verbose: bool) -> None:
    style = _SEVERITY_STYLES[finding.severity]
    parts: list[Part] = [
        (f"{finding.severity}  {finding.channel}  ", style),
        (f"{finding.object} · {done(finding)}", "bold"),
        f" · {some(finding.personas, all_of_them=verbose)}",
    ]
    fingerprint = f"   fingerprint {finding.fingerprint}"
    if pen.text(f"{word} ", *parts, fingerprint).cell_len <= pen.width:
        parts.append((fingerprint, "dim"))
    pen.paragraph((f"{word} ", style), *parts)


def _source(pen: Pen, finding: Finding, *, verbose: bool) -> None:
    """The migration's file and line, and the policy's text under it."""
    place = place_of(finding)
    if place:
        pen.line("   ", ("--> ", "blue"), place)
    lines = finding.policy_text.expandtabs(4).strip("\n").splitlines()
    if not lines:
        return
    gutter = str(finding.line) if finding.line is not None else ""
    shown = lines if verbose else lines[:_EXCERPT_LINES]
    for index, line in enumerate(shown):
        pen.line((f"{gutter if index == 0 else '':>5} | ", "blue"), line)
    if len(shown) < len(lines):
        pen.line(("      | ", "blue"), (f"… {plural(len(lines) - len(shown), 'more line')} (-v)", "dim"))


def _evidence(pen: Pen, finding: Finding, *, verbose: bool) -> None:
    shown = finding.evidence if verbose else finding.evidence[:1]
    for evidence in shown:
        _one_evidence(pen, evidence, str(finding.place or ""), verbose=verbose)
    more = len(finding.evidence) - len(shown)
    if more > 0:
        _field(pen, "", f"and the same kind of evidence for {plural(more, 'more persona')} (-v)")


def _one_evidence(pen: Pen, evidence: Evidence, place: str, *, verbose: bool) -> None:
    _field(pen, "expected", f"{evidence.expected}   {place}".rstrip())
    rows = f" ({some(evidence.rows, all_of_them=False, joiner='; ')})" if evidence.rows else ""
    _field(pen, "evidence", f"{evidence.persona}: {evidence.observed}{rows}")
    _statements(pen, evidence.statement, verbose=verbose)
    worlds(pen, evidence, verbose=verbose)


def _statements(pen: Pen, text: str, *, verbose: bool) -> None:
    """Each statement of a program on a line of its own, and what is said of it in a comment before it."""
    lines = statement_lines(text)
    shown = lines if verbose else lines[:_STATEMENTS]
    for line in shown:
        _field(pen, "", line)
    if len(shown) < len(lines):
        _field(pen, "", f"… {plural(len(lines) - len(shown), 'more line')} (-v)")


def statement_lines(text: str) -> tuple[str, ...]:
    """A program's statements without their line breaks; a comment keeps its own line, or it would swallow the SQL."""
    lines: list[str] = []
    statements = text.split(";\n")
    for index, statement in enumerate(statements, start=1):
        rest = statement
        while rest.startswith("--") and "\n" in rest:
            comment, _, rest = rest.partition("\n")
            lines.append(comment)
        lines.append(" ".join(rest.split()) + ("" if index == len(statements) else ";"))
    return tuple(lines)


def _field(pen: Pen, label: str, content: str) -> None:
    mark = f"   = {label:10}" if label else INDENT
    pen.paragraph((mark, "blue"), content)


def _script(pen: Pen, script: str) -> None:
    """The replay script in full, as psql reads it."""
    for line in script.rstrip("\n").split("\n"):
        pen.line("       ", line.rstrip("\r").expandtabs(4))
