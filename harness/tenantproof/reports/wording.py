"""Sentences that more than one format says, so that all say the same."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from tenantproof.channels.further import PHASE_OF, VIAS
from tenantproof.core.finding import Finding, Property
from tenantproof.core.model import Command
from tenantproof.core.report import Report, Search, Timing
from tenantproof.reports.matrix import Matrix, Outcome


def plural(count: int, noun: str, several: str = "") -> str:
    """ "1 finding", "2 findings"; *several* where an s is not enough."""
    return f"{count} {noun}" if count == 1 else f"{count} {several or f'{noun}s'}"


def number(count: int) -> str:
    """ "1,120": for documents and large counts; what machines read gets plain digits."""
    return f"{count:,}"


def share(part: int, whole: int) -> str:
    """ "27 %"; never 0 % of something, nor 100 % of less than all."""
    if part == 0 or whole == 0:
        return "0 %"
    percent = round(100 * part / whole)
    if percent == 0:
        return "< 1 %"
    return "> 99 %" if percent == 100 and part < whole else f"{percent} %"


def worst_first(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Findings by severity, then by name, so that the order never depends on the run."""
    return tuple(sorted(findings, key=lambda f: (-f.severity.rank, f.object, f.command, f.channel, f.fingerprint)))


def open_findings(report: Report) -> tuple[Finding, ...]:
    """Findings that nobody accepted, the worst first."""
    return worst_first([finding for finding in report.findings if not finding.accepted])


def accepted_findings(report: Report) -> tuple[Finding, ...]:
    return worst_first([finding for finding in report.findings if finding.accepted])


def is_overblocking(finding: Finding, matrix: Matrix) -> bool:
    """Whether all that the finding's cells show is a persona who is denied what the scenario grants.

    Only visibility can be too little: what interferes with others or harms them is never that.
    """
    if finding.property is not Property.VISIBILITY:
        return False
    keys = ((finding.object, persona, finding.command) for persona in finding.personas)
    outcomes = {matrix.outcomes.get(key) for key in keys}
    return outcomes == {Outcome.OVERBLOCKED}


def leaks(report: Report, matrix: Matrix) -> tuple[Finding, ...]:
    """Open findings that cross a border, as opposed to those that block too much."""
    return tuple(finding for finding in open_findings(report) if not is_overblocking(finding, matrix))


def done(finding: Finding) -> str:
    """The commands in words; what the search found about a function was done by calling it."""
    calls = finding.cause == "function"
    commands = finding.commands or (finding.command,)
    return " ".join("call" if calls and command is Command.SELECT else command.value for command in commands)


def opened(finding: Finding) -> tuple[str, ...]:
    """The relations that the cause opens; empty where that is only the object itself."""
    return () if set(finding.objects) <= {finding.object} else finding.objects


def in_no_cell(findings: Sequence[Finding], matrix: Matrix) -> tuple[Finding, ...]:
    """Findings of which the matrix shows nothing: a function, an error's text, what a trigger did elsewhere."""
    shown = {
        finding.fingerprint
        for key, known in matrix.findings.items()
        if key in matrix.outcomes and not matrix.outcomes[key].as_expected
        for finding in known
    }
    return tuple(finding for finding in findings if finding.fingerprint not in shown)


def search_words(search: Search, timing: Timing) -> str:
    """How the search for interference went, in one sentence."""
    if not search.attempts:
        return "nothing was tried"
    outcomes = ((search.passed, "passed"), (search.denied, "denied"), (search.failed, "failed otherwise"))
    parts = [f"{share(count, search.attempts)} {word}" for count, word in outcomes]
    if search.unsteady:
        parts.append(f"{number(search.unsteady)} unsteady left out")
    said = f"{_counted(search.attempts, 'attempt')}, {_counted(search.pairs, 'world pair')}: {', '.join(parts)}"
    rate = f"; {timing.pairs_per_second:,.0f} world pairs a second" if timing.pairs_per_second else ""
    return f"{said}; {number(search.distinct)} distinct (relation, shape, outcome){rate}"


def _counted(count: int, noun: str) -> str:
    return f"{number(count)} {noun}" if count == 1 else f"{number(count)} {noun}s"


def server(report: Report) -> str:
    """ "PostgreSQL 18.6", whether or not the server's answer named the product."""
    version = report.server_version
    return version if version.startswith("PostgreSQL") else f"PostgreSQL {version}"


def database(report: Report) -> str:
    """The target, and the server's version where the target's label does not say it already."""
    return report.target if server(report) in report.target else f"{report.target} ({server(report)})"


def duration(seconds: float) -> str:
    """ "41.3 s", "12 min 5 s"."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def replay_command(report: Report, finding: Finding) -> str:
    """What to type to run one finding again."""
    if report.again:
        return report.again
    return f"tenantproof replay {finding.fingerprint} {subject(report)}{_via(finding)}"


def _via(finding: Finding) -> str:
    """The way in without which the run does not find it."""
    phase = PHASE_OF.get(finding.channel)
    return f" --via {phase}" if phase in VIAS else ""


def subject(report: Report) -> str:
    """The arguments that name what was checked: the scenario, and what without it would be another database."""
    patches = [part for path in report.patches for part in ("--patch", path)]
    return shlex.join([report.scenario_path, *patches, *report.reached_by])


def place_of(finding: Finding) -> str:
    """The policy in its migration ("file.sql:41"), or the empty string."""
    if finding.file is None:
        return ""
    return finding.file if finding.line is None else f"{finding.file}:{finding.line}"


def headline(report: Report, matrix: Matrix) -> str:
    """The verdict in one sentence."""
    found = leaks(report, matrix)
    blocked, untested = matrix.count(Outcome.OVERBLOCKED), matrix.count(Outcome.UNTESTED)
    errors = matrix.count(Outcome.ERROR)
    parts = [plural(len(found), "leak") if found else "No leak"]
    if blocked:
        parts.append(f"{number(blocked)} blocked too much")
    if untested:
        parts.append(f"{number(untested)} untested")
    if errors:
        parts.append(plural(errors, "error"))
    scope = f"{number(len(report.cells))} cells"
    if report.search is not None and report.search.pairs:
        scope += f" and {_counted(report.search.pairs, 'world pair')}"
    said = f"{parts[0]} in {scope}" if len(parts) == 1 else f"{', '.join(parts)}, of {scope}"
    doubts = [
        "; the search was weak" if is_weak(report) else "",
        "; interrupted" if report.interrupted else "",
        "; trouble with the database" if report.trouble else "",
    ]
    return f"{said}{''.join(doubts)}"


def is_weak(report: Report) -> bool:
    """Whether there was a search, and most of what it tried came to nothing."""
    return report.search is not None and bool(report.search.weak)
