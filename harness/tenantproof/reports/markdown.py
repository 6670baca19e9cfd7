"""
The format `markdown`: the summary of a CI job (`$GITHUB_STEP_SUMMARY`) or the comment of a pull request.

Contract: GitHub takes 1 MiB of summary per step and refuses what is longer, so the document is never longer: details go
first, then whole sections, each with a line that says what is missing and where to find it.  The verdict, and the table
of findings as far as it fits, are always there.  Text of the database is neutral (`markdown_text`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from tenantproof.core.finding import CellResult, Evidence, Finding, Verdict
from tenantproof.core.report import Report
from tenantproof.reports.grouping import Reason, deviating_cells, group_by_reason, why
from tenantproof.reports.markdown_text import code_block, table, text
from tenantproof.reports.matrix import Matrix, build_matrix
from tenantproof.reports.places import Spot, spots
from tenantproof.reports.since import seen, since
from tenantproof.reports.weaknesses import weakness
from tenantproof.reports.wording import (
    accepted_findings,
    database,
    duration,
    headline,
    is_overblocking,
    number,
    open_findings,
    opened,
    plural,
    replay_command,
    search_words,
)
from tenantproof.reports.worlds import Pair, Skipped, compare, excerpt

LIMIT = 1024 * 1024
"""Bytes that GitHub takes of a step."""

_BUDGET = 1_000_000
"""Room is left for what else the step writes."""

_FEW = 6
_WORLD_LINES = 20
_POINTER = "The summary has no room for {}; the HTML and JSON reports have everything."


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the document: `head` comes with the first of its `items`, and `what` names what is left out."""

    head: str
    items: tuple[str, ...]
    what: str


class MarkdownWriter:
    """Writes GitHub-flavoured Markdown."""

    name = "markdown"
    suffix = ".md"

    def write(self, report: Report, out: TextIO) -> None:
        matrix = build_matrix(report)
        opening = f"# tenantproof: {text(headline(report, matrix))}\n\n{_facts(report)}\n"
        out.write(opening + "".join(fitting(_sections(report, matrix), _BUDGET - _size(opening))))


def fitting(sections: Sequence[Section], room: int) -> Iterator[str]:
    """The sections as far as there is room, in bytes; for what is left out there is a line that says so."""
    pointers = {section.what: f"\n{_POINTER.format(section.what)}\n" for section in sections}
    left = room - sum(map(_size, pointers.values()))
    for section in sections:
        parts = [f"\n{section.head}\n", *(f"\n{item}\n" for item in section.items)]
        kept = 0
        for part in parts:
            if _size(part) > left:
                break
            left -= _size(part)
            kept += 1
        yield from parts[:kept] if kept > 1 or kept == len(parts) else ()
        if kept < len(parts):
            yield pointers[section.what]


def _size(said: str) -> int:
    return len(said.encode("utf-8"))


def _sections(report: Report, matrix: Matrix) -> tuple[Section, ...]:
    """In the order in which a reader needs them, which is the order in which they are kept."""
    found = open_findings(report)
    made = (
        _list_of_findings(report, matrix, found),
        _section("## Deviations without a finding", _deviations(report, matrix), "deviating cells"),
        _section("## Not tested", _untested(report, matrix), "what was not tested"),
        _section("## Accepted", _accepted(report), "what was accepted"),
        _section("## Details", (_details(report, matrix, finding) for finding in found), "details of findings"),
        _section("## The run", (_run(report),), "how it was run"),
    )
    return tuple(section for section in made if section.items)


def _section(head: str, items: Iterable[str], what: str) -> Section:
    return Section(head=head, items=tuple(items), what=what)


def _facts(report: Report) -> str:
    facts = [
        f"**{text(report.scenario)}** on {text(database(report))}",
        f"{plural(len(report.relations), 'relation')}, {plural(len(report.personas), 'persona')}, "
        f"{number(len(report.cells))} cells",
        f"seed {report.seed}",
    ]
    lines = [" · ".join(facts), *(f"{label}: {text(said)}" for label, said in since(report))]
    return "\n\n".join(lines)


def _list_of_findings(report: Report, matrix: Matrix, found: Sequence[Finding]) -> Section:
    """The table of findings: one item per hundred rows, since a table cannot be cut in a row."""
    titles = ("severity", "channel", "what", "who", "where", "fingerprint")
    rows = [_row(report, matrix, finding) for finding in found]
    chunks = [rows[start : start + 100] for start in range(0, len(rows), 100)]
    return _section("## Findings", (table(titles, chunk) for chunk in chunks), "more findings")


def _row(report: Report, matrix: Matrix, finding: Finding) -> Iterator[str]:
    yield f"blocked too much ({finding.severity})" if is_overblocking(finding, matrix) else f"**{finding.severity}**"
    yield text(finding.channel)
    yield f"{text(finding.title)}<br>{text(finding.object)} · {' '.join(finding.commands or (finding.command,))}"
    yield text(_some(finding.personas))
    yield text(_at(spots(report, finding)[0]))
    yield f"`{finding.fingerprint}`"


def _at(spot: Spot) -> str:
    return f"{spot.path}:{spot.line}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} + {len(names) - 3} more"


def _deviations(report: Report, matrix: Matrix) -> Iterator[str]:
    titles = {Verdict.LEAK: "leaked", Verdict.OVERBLOCKED: "blocked too much", Verdict.ERROR: "error"}
    for verdict, title in titles.items():
        yield from _by_reason(title, deviating_cells(report, matrix, verdict), matrix)


def _untested(report: Report, matrix: Matrix) -> Iterator[str]:
    if report.search is not None and report.search.weak:
        yield f"- weak search: {text(report.search.weak)}"
    yield from _by_reason("untested", (cell for cell in report.cells if cell.verdict is Verdict.UNTESTED), matrix)
    for reason in dict.fromkeys(gap.reason for gap in report.gaps):
        objects = [gap.object for gap in report.gaps if gap.reason == reason]
        yield f"- out of reach: {text(_some(objects))}: {text(reason)}"
    for item in report.unseeded:
        tenant = f" for {text(item.tenant)}" if item.tenant else ""
        yield f"- not filled: {text(str(item.relation))}{tenant}: {text(item.message)} ({text(item.sqlstate)})"


def _by_reason(title: str, cells: Iterable[CellResult], matrix: Matrix) -> Iterator[str]:
    for reason in group_by_reason(cells, why, matrix.personas):
        blocks = "".join(f"\n  - {line}" for line in _blocks(reason))
        yield f"- {title}, {plural(reason.count, 'cell')}: {text(reason.text)}{blocks}"


def _blocks(reason: Reason) -> Iterator[str]:
    for block in reason.blocks[:_FEW]:
        yield f"{text(_some(block.objects))} · {' '.join(block.commands)} · {text(_some(block.personas))}"
    if len(reason.blocks) > _FEW:
        yield f"and {len(reason.blocks) - _FEW} more"


def _accepted(report: Report) -> Iterator[str]:
    for finding in accepted_findings(report):
        what = f"{finding.severity} {text(finding.channel)} {text(finding.object)} · {finding.command}"
        yield f"- {what} `{finding.fingerprint}`: {text(finding.accepted)}"


def _details(report: Report, matrix: Matrix, finding: Finding) -> str:
    """A folded part: GitHub renders Markdown in it only after an empty line."""
    head = f"{finding.severity} {finding.channel} {finding.object} {finding.fingerprint}"
    body = "\n\n".join(filter(None, _body(report, matrix, finding)))
    return f"<details><summary>{text(head)}</summary>\n\n{body}\n\n</details>"


def _body(report: Report, matrix: Matrix, finding: Finding) -> Iterator[str]:
    word = "Blocked" if is_overblocking(finding, matrix) else "Leaked"
    yield f"{word}: {text(finding.title)} {text(finding.explanation)}"
    yield table(("", ""), _fields(report, finding))
    yield code_block(finding.policy_text) if finding.policy_text else ""
    for evidence in finding.evidence[:_FEW]:
        yield from _evidence(evidence)
    if len(finding.evidence) > _FEW:
        yield f"And the same kind of evidence for {plural(len(finding.evidence) - _FEW, 'more persona')}."
    yield "Replay with psql:"
    yield code_block(finding.replay)


def _fields(report: Report, finding: Finding) -> Iterator[tuple[str, str]]:
    yield "cause", text(finding.cause)
    yield "who", text(", ".join(finding.personas))
    if names := opened(finding):
        yield "opens", text(", ".join(names))
    for spot in spots(report, finding):
        yield text(spot.what), text(_at(spot))
    yield "fix", text(finding.fix)
    if told := seen(report, finding):
        yield "seen", text(told)
    if known := weakness(finding.cwe).title:
        yield "weakness", text(known)
    yield "reproduce", text(replay_command(report, finding))


def _evidence(evidence: Evidence) -> Iterator[str]:
    rows = f" ({text(_some(evidence.rows))})" if evidence.rows else ""
    yield f"As {text(evidence.persona)}: expected {text(evidence.expected)}; observed {text(evidence.observed)}{rows}"
    yield code_block(evidence.statement) if evidence.statement else ""
    if evidence.behind:
        yield f"Behind their back: {text(evidence.behind)}"
    pairs = excerpt(compare(evidence), _WORLD_LINES)
    if pairs:
        yield table(("", "world 1, before", "world 2, after"), map(_world_row, pairs))


def _world_row(pair: Pair | Skipped) -> tuple[str, str, str]:
    if isinstance(pair, Skipped):
        first, second = pair.counts
        return "", f"… {first} more", f"… {second} more"
    return "≠" if pair.differs else "", text(pair.first or ""), text(pair.second or "")


def _run(report: Report) -> str:
    rows = [
        ("tenantproof", text(report.tool_version)),
        ("scenario", text(report.scenario_path)),
        ("database", text(database(report))),
        ("seed", str(report.seed)),
        ("statements", number(report.statements)),
        ("rows seeded", number(report.rows_seeded)),
        ("took", duration(report.timing.seconds)),
    ]
    rows += [("patch", text(patch)) for patch in report.patches]
    rows += [("note", text(note)) for note in report.notes]
    if report.search is not None:
        rows.append(("search", text(search_words(report.search, report.timing))))
    return table(("", ""), rows)
