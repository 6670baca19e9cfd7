"""
The format `github`: annotations on the lines of a pull request, as workflow commands on standard output.

Contract: each line is one command (`::error file=…,line=…,title=…::…`) and has a place.  GitHub shows 10 errors and 10
warnings of a step and drops the rest without a word, so there are never more: the worst first, and the last one says
how many more there are.  Errors are findings of medium severity or worse, warnings are all others and what must be
known and is not.  Escaping is that of the Actions toolkit: `%`, CR and LF in the text, `:` and `,` in properties too
(docs.github.com, "Workflow commands for GitHub Actions").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, TextIO

from tenantproof.core.finding import Finding, Severity
from tenantproof.core.report import Report
from tenantproof.reports.grouping import group_by_reason, why
from tenantproof.reports.matrix import build_matrix
from tenantproof.reports.places import Spot, beginning, spots
from tenantproof.reports.unknown import is_hollow, is_undecided, is_unknown
from tenantproof.reports.visible import one_line
from tenantproof.reports.wording import open_findings, opened, plural, replay_command

_MOST = 10
_LONGEST = 3000
"""Characters of a text; GitHub cuts longer ones where it likes."""

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One command; `lines` is its text."""

    level: Level
    spot: Spot
    title: str
    lines: tuple[str, ...]


class GithubWriter:
    """Writes workflow commands."""

    name = "github"
    suffix = ".txt"

    def write(self, report: Report, out: TextIO) -> None:
        errors, warnings = _findings(report, gating=True), _findings(report, gating=False)
        warnings = [*warnings, *_unknown(report)]
        for annotation in chain(_limited(report, "error", errors), _limited(report, "warning", warnings)):
            out.write(command(annotation) + "\n")


def command(annotation: Annotation) -> str:
    """The annotation as a line that the runner understands."""
    spot = annotation.spot
    properties = {"file": spot.path, "line": str(spot.line)}
    if spot.column is not None:
        properties["col"] = str(spot.column)
    properties["title"] = annotation.title
    listed = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    text = "\n".join(map(one_line, annotation.lines))
    return f"::{annotation.level} {listed}::{_data(text if len(text) <= _LONGEST else text[:_LONGEST] + '…')}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(one_line(value)).replace(":", "%3A").replace(",", "%2C")


def _limited(report: Report, level: Level, annotations: Sequence[Annotation]) -> Sequence[Annotation]:
    """As many as GitHub shows; where there are more, the last one says so."""
    if len(annotations) <= _MOST:
        return annotations
    more = len(annotations) - (_MOST - 1)
    rest = Annotation(
        level=level,
        spot=beginning(report),
        title=f"tenantproof: {plural(more, f'more {level}')}",
        lines=(f"{plural(more, f'more {level}')} of tenantproof, which GitHub would not show: see the whole report.",),
    )
    return [*annotations[: _MOST - 1], rest]


def _findings(report: Report, *, gating: bool) -> list[Annotation]:
    level: Level = "error" if gating else "warning"
    return [
        _of_finding(report, finding, level)
        for finding in open_findings(report)
        if (finding.severity.rank >= Severity.MEDIUM.rank) is gating
    ]


def _of_finding(report: Report, finding: Finding, level: Level) -> Annotation:
    where = f"{finding.object} · {' '.join(finding.commands or (finding.command,))}"
    return Annotation(
        level=level,
        spot=spots(report, finding)[0],
        title=f"{finding.severity} {finding.channel} {finding.object}",
        lines=tuple(_told(report, finding, where)),
    )


def _told(report: Report, finding: Finding, where: str) -> Iterator[str]:
    yield finding.title
    yield f"{where} · {_some(finding.personas)}"
    if names := opened(finding):
        yield f"opens: {_some(names)}"
    for evidence in finding.evidence[:1]:
        yield f"{evidence.persona}: expected {evidence.expected or 'nothing'}; observed {evidence.observed}"
    if finding.fix:
        yield f"fix: {finding.fix}"
    yield f"reproduce: {replay_command(report, finding)}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"


def _unknown(report: Report) -> Iterator[Annotation]:
    """What must be known and is not, one annotation per reason."""
    for title, line in _open_questions(report):
        yield Annotation(level="warning", spot=beginning(report), title=title, lines=(line,))


def _open_questions(report: Report) -> Iterator[tuple[str, str]]:
    if report.search is not None and report.search.weak:
        yield "tenantproof: weak search", report.search.weak
    cells = [cell for cell in report.cells if is_unknown(cell)]
    for reason in group_by_reason(cells, why, build_matrix(report).personas):
        objects = dict.fromkeys(name for block in reason.blocks for name in block.objects)
        yield "tenantproof: cannot tell", f"{plural(reason.count, 'cell')} of {_some(tuple(objects))}: {reason.text}"
    for gap in filter(is_undecided, report.gaps):
        yield "tenantproof: not tested", f"{gap.object}: {gap.reason}"
    for item in filter(is_hollow, report.unseeded):
        tenant = f" for {item.tenant}" if item.tenant else ""
        yield "tenantproof: not filled", f"{item.relation}{tenant}: {item.message} ({item.sqlstate})"
