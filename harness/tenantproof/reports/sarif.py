"""
The format `sarif`: findings for code scanning (SARIF 2.1.0, OASIS Standard).

Contract: every rule is declared whether or not it was broken, so that alerts that are gone close.  A result stands at
the cause in its migration, else at the scenario's line, and names the other as related; its fingerprint is the
finding's, which no line number is part of.  Accepted findings are results with a suppression.  GitHub keeps 5,000
results of a run: the worst are kept, and a notification says how many are missing.  What was not tested is a
notification, never silence.  Paths are relative to `%SRCROOT%`, which is where the command was run.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TextIO
from urllib.parse import quote

from tenantproof.core.finding import CellResult, Finding, Severity, Verdict
from tenantproof.core.report import Report, Timing
from tenantproof.reports.grouping import deviating_cells, group_by_reason, why
from tenantproof.reports.matrix import Matrix, build_matrix
from tenantproof.reports.places import Spot, spots
from tenantproof.reports.rules import Rule, rule_of, rules
from tenantproof.reports.unknown import is_hollow, is_undecided, is_unknown
from tenantproof.reports.visible import one_line, visible
from tenantproof.reports.wording import accepted_findings, open_findings, opened, plural, replay_command

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST_RESULTS = 5000
_MOST_NOTIFICATIONS = 200
_BASE = "%SRCROOT%"
_SCORES = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
    Severity.INFO: "0.5",
}
"""GitHub: above 9.0 is critical, from 7.0 high, from 4.0 medium, from 0.1 low."""
_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}

Json = dict[str, object]


class SarifWriter:
    """Writes SARIF 2.1.0."""

    name = "sarif"
    suffix = ".sarif"

    def write(self, report: Report, out: TextIO) -> None:
        json.dump(document(report), out, indent=1, allow_nan=False)
        out.write("\n")


def document(report: Report) -> Json:
    """The report as a SARIF log of one run."""
    findings = (*open_findings(report), *accepted_findings(report))
    declared = _declared(findings)
    places = {rule.id: index for index, rule in enumerate(declared)}
    kept = findings[:MOST_RESULTS]
    run = {
        "tool": {"driver": _driver(report, declared, findings)},
        "automationDetails": {"id": _analysis(report)},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {_BASE: {"description": {"text": "The folder in which tenantproof was run."}}},
        "invocations": [_invocation(report, len(findings) - len(kept))],
        "results": [_result(report, finding, places[finding.channel]) for finding in kept],
        "properties": {"seed": report.seed, "target": one_line(report.target), "scenario": one_line(report.scenario)},
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _analysis(report: Report) -> str:
    """What a dashboard takes for one analysis: the next upload with this id replaces the last one's alerts.

    `fuzz` has no matrix, and what it did not look for must not close what `check` found.
    """
    only_searched = report.search is not None and not report.cells
    return f"tenantproof/{_uri(report.scenario_path)}/{'fuzz/' if only_searched else ''}"


def _declared(findings: Iterable[Finding]) -> tuple[Rule, ...]:
    """All rules that we know, then those that only this run knew."""
    others = {finding.channel: rule_of(finding) for finding in findings if finding.channel not in rules()}
    return (*rules().values(), *others.values())


def _driver(report: Report, declared: Iterable[Rule], findings: Sequence[Finding]) -> Json:
    worst = {finding.channel: finding.severity for finding in reversed(findings) if not finding.accepted}
    return {
        "name": "tenantproof",
        "version": one_line(report.tool_version),
        "rules": [_rule(rule, worst.get(rule.id, rule.severity)) for rule in declared],
    }


def _rule(rule: Rule, severity: Severity) -> Json:
    """A rule; its score is the worst of this run, since how bad a channel is depends on what it reached."""
    said = visible(f"{rule.explanation}\n\nFix: {rule.fix}")
    return {
        "id": one_line(rule.id),
        "name": _readable(rule.id),
        "shortDescription": {"text": _message(rule.title)},
        "fullDescription": {"text": _message(rule.explanation or rule.title)},
        "help": {"text": said, "markdown": f"{_neutral(rule.explanation)}\n\n**Fix**: {_neutral(rule.fix)}"},
        "defaultConfiguration": {"level": _LEVELS[severity]},
        "properties": {
            "tags": ["security", "multi-tenancy", *(f"external/cwe/cwe-{cwe:03}" for cwe in rule.cwes[:8])],
            "precision": "very-high",
            "security-severity": _SCORES[severity],
        },
    }


def _readable(code: str) -> str:
    """ "UPDATE-MOVE" as "ChannelUpdateMove": the name of a rule is for people, and must not be its id again."""
    return "Channel" + "".join(part.capitalize() for part in one_line(code).split("-"))


def _result(report: Report, finding: Finding, rule: int) -> Json:
    first, *others = spots(report, finding)
    found: Json = {
        "ruleId": one_line(finding.channel),
        "ruleIndex": rule,
        "kind": "fail",
        "level": _LEVELS[finding.severity],
        "message": {"text": "\n".join(map(_message, _told(report, finding)))},
        "locations": [_location(first) | {"logicalLocations": [_logical(finding)]}],
        "relatedLocations": [
            _location(spot) | {"id": i, "message": {"text": spot.what}} for i, spot in enumerate(others)
        ],
        # GitHub knows the first name only; every other reader may rely on the second.
        "partialFingerprints": {
            "primaryLocationLineHash": f"{finding.fingerprint}:1",
            "tenantproof/v1": finding.fingerprint,
        },
        "properties": _about(finding),
    }
    if finding.accepted:
        reason = _message(finding.accepted)
        found["suppressions"] = [{"kind": "external", "status": "accepted", "justification": reason}]
    return found


def _told(report: Report, finding: Finding) -> Iterator[str]:
    yield finding.title
    if names := opened(finding):
        yield f"It opens {', '.join(names)}."
    for evidence in finding.evidence[:1]:
        yield f"{evidence.persona}: expected {evidence.expected or 'nothing'}; observed {evidence.observed}"
    if finding.fix:
        yield f"Fix: {finding.fix}"
    yield f"Reproduce: {replay_command(report, finding)}"


def _about(finding: Finding) -> Json:
    return {
        "severity": finding.severity,
        "security-severity": _SCORES[finding.severity],
        "property": finding.property,
        "reach": finding.reach,
        "cause": one_line(finding.cause),
        "commands": list(finding.commands or (finding.command,)),
        "personas": list(map(one_line, finding.personas)),
    }


def _location(spot: Spot) -> Json:
    artifact: Json = {"uri": _uri(spot.path)}
    if not spot.path.startswith("/"):
        artifact["uriBaseId"] = _BASE
    region: Json = {"startLine": spot.line}
    if spot.column is not None:
        region["startColumn"] = spot.column
    return {"physicalLocation": {"artifactLocation": artifact, "region": region}}


def _logical(finding: Finding) -> Json:
    policy = finding.policy
    name = finding.object if policy is None else policy
    full = finding.object if policy is None else f"{finding.object}/{policy}"
    kind = "relation" if policy is None else "policy"
    return {"name": one_line(name), "fullyQualifiedName": one_line(full), "kind": kind}


def _uri(path: str) -> str:
    """The path as a relative reference (RFC 3986); an absolute one as a file's address."""
    quoted = quote(path, safe="/", errors="replace")
    return f"file://{quoted}" if path.startswith("/") else quoted


def _message(said: str) -> str:
    """Plain text of a message, in which "[a](b)" would be a link (SARIF 2.1.0, section 3.11.6)."""
    return one_line(said).replace("](", "] (")


def _neutral(said: str) -> str:
    """Text in Markdown that neither shows an image nor holds markup."""
    return _message(said).replace("&", "&amp;").replace("<", "&lt;").replace("`", "\\`").replace("![", "!\\[")


def _invocation(report: Report, left_out: int) -> Json:
    told = [_notification(level, said) for level, said in _notices(report, left_out)]
    shown = told[:_MOST_NOTIFICATIONS]
    if len(told) > len(shown):
        shown.append(_notification("note", f"{len(told) - len(shown)} more notifications; the JSON report has all"))
    ended: Json = {} if report.exit_code is None else {"exitCode": report.exit_code}
    return {
        "executionSuccessful": not report.interrupted,
        **ended,
        "toolExecutionNotifications": shown,
        **_times(report.timing),
    }


def _notification(level: str, said: str) -> Json:
    return {"level": level, "message": {"text": _message(said)}}


def _notices(report: Report, left_out: int) -> Iterator[tuple[str, str]]:
    """What the results do not say: what is missing, what nobody knows, what was not tested."""
    if left_out:
        yield "warning", f"{plural(left_out, 'result')} left out: code scanning keeps {MOST_RESULTS}, here the worst"
    if report.search is not None and report.search.weak:
        yield "warning", f"weak search: {report.search.weak}"
    yield from _cells(report, build_matrix(report))
    for item in report.unseeded:
        tenant = f" for {item.tenant}" if item.tenant else ""
        said = f"not filled: {item.relation}{tenant}: {item.message} ({item.sqlstate})"
        yield "warning" if is_hollow(item) else "note", said
    for gap in report.gaps:
        yield "warning" if is_undecided(gap) else "note", f"out of reach: {gap.object}: {gap.reason}"
    for note in report.notes:
        yield "note", note


def _cells(report: Report, matrix: Matrix) -> Iterator[tuple[str, str]]:
    untested = [cell for cell in report.cells if cell.verdict is Verdict.UNTESTED]
    lost: list[tuple[str, str, list[CellResult]]] = [
        ("error", "leaked without a finding", deviating_cells(report, matrix, Verdict.LEAK)),
        ("warning", "blocked too much without a finding", deviating_cells(report, matrix, Verdict.OVERBLOCKED)),
        ("warning", "cannot tell", [cell for cell in report.cells if is_unknown(cell)]),
        ("note", "untested", [cell for cell in untested if not is_unknown(cell)]),
    ]
    for level, title, cells in lost:
        for reason in group_by_reason(cells, why, matrix.personas):
            objects = tuple(dict.fromkeys(chain.from_iterable(block.objects for block in reason.blocks)))
            named = ", ".join(objects[:5]) + (f" + {len(objects) - 5} more" if len(objects) > 5 else "")
            yield level, f"{title}: {plural(reason.count, 'cell')} of {named}: {reason.text}"


def _times(timing: Timing) -> Json:
    """When the run began and ended, where that is known."""
    try:
        start = datetime.fromisoformat(timing.started_at)
        end = start + timedelta(seconds=timing.seconds)
        return {"startTimeUtc": _utc(start), "endTimeUtc": _utc(end)}
    except (ValueError, OverflowError):
        return {}


def _utc(moment: datetime) -> str:
    known = moment.astimezone(UTC) if moment.tzinfo is not None else moment
    return known.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
