"""What the HTML template shows, worked out beforehand: the template only places it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tenantproof.core.finding import CellResult, Evidence, Finding, Property, Reach, Severity, Verdict
from tenantproof.core.model import Command
from tenantproof.core.report import Report, Search
from tenantproof.reports.grouping import Reason, deviating_cells, group_by_reason, why
from tenantproof.reports.html_history import Trend, build_trend
from tenantproof.reports.matrix import CellKey, Matrix, Outcome, build_matrix, tenant_of
from tenantproof.reports.since import NEW, seen, since
from tenantproof.reports.visible import one_line
from tenantproof.reports.weaknesses import weakness
from tenantproof.reports.wording import (
    accepted_findings,
    done,
    headline,
    in_no_cell,
    is_overblocking,
    is_weak,
    leaks,
    number,
    open_findings,
    opened,
    place_of,
    replay_command,
    share,
)
from tenantproof.reports.worlds import ALIKE, Pair, Skipped, compare, excerpt, looks_alike

_WORLD_LINES = 60
"""More lines of a world than a reviewer reads; JSON holds all."""

REACH = {
    Reach.API: "a request to the API",
    Reach.SQL: "a SQL connection as that role",
    Reach.APP: "an endpoint of the application",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyph:
    """
    One cell of the heat map: its CSS class, sign, where its evidence stands, and what a screen reader says.

    Who and what stand in the headers, and the script adds them; cells not as intended say all of it without one.
    With 20,000 cells the names would be half of the document.
    """

    css: str
    sign: str
    href: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One relation of the heat map; for each persona four glyphs (None: no such cell)."""

    name: str
    anchor: str
    cells: tuple[tuple[Glyph | None, ...], ...]
    deviations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One persona of the heat map."""

    name: str
    short: str
    tenant: str
    deviations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnGroup:
    """The personas of one tenant; "" for those who belong to none or to several."""

    tenant: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceView:
    """Evidence, and the lines of both worlds that are shown of it; none where it has but one world."""

    evidence: Evidence
    worlds: tuple[Pair | Skipped, ...]
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingView:
    """A finding with what the report says around it, and what the filters know it by."""

    finding: Finding
    evidence: tuple[EvidenceView, ...]
    opens: tuple[str, ...]
    done: str
    number: int
    anchor: str
    overblocking: bool
    facts: Mapping[str, object]
    """For the filters: which cells it shows in, and by what it is chosen."""
    seen: str
    """Since when it is there, where a history tells."""
    new: bool
    place: str
    reach: str
    weakness: str
    weakness_url: str
    command_line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonView:
    """Cells with one reason, and where the list of them stands."""

    anchor: str
    title: str
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRow:
    """For one relation: the personas for whom a command had the same outcome."""

    command: Command
    outcome: Outcome
    css: str
    personas: tuple[str, ...]
    expected: str
    observed: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationView:
    """One relation: how its tenant is found, and what was expected and observed."""

    name: str
    anchor: str
    tenancy: str
    rows: tuple[ProofRow, ...]
    deviations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything the template needs beside the report itself."""

    headline: str
    verdict: str
    """leak, doubt or clean: the tone of the headline."""
    counts: tuple[tuple[str, str, int], ...]
    """CSS class, words, number."""
    legend: tuple[tuple[str, str, str], ...]
    """CSS class, sign, words."""
    groups: tuple[ColumnGroup, ...]
    rows: tuple[Row, ...]
    findings: tuple[FindingView, ...]
    accepted: tuple[FindingView, ...]
    deviations: tuple[ReasonView, ...]
    untested: tuple[ReasonView, ...]
    relations: tuple[RelationView, ...]
    beyond: int
    """Open findings of which the matrix shows nothing."""
    search: tuple[tuple[str, str, str], ...]
    """Words, number, and its share in words ("71 %") or nothing; empty where nothing was searched."""
    weak: str
    """Why the search proves little, or nothing."""
    since: tuple[tuple[str, str], ...]
    """Label and sentence: beside the last run, beside the baseline."""
    trend: Trend | None

    @property
    def severities(self) -> tuple[str, ...]:
        """Of the findings that are shown, the worst first."""
        known = {view.finding.severity for view in (*self.findings, *self.accepted)}
        return tuple(severity.value for severity in reversed(Severity) if severity in known)

    @property
    def channels(self) -> tuple[str, ...]:
        """Of the findings that are shown."""
        return tuple(sorted({one_line(view.finding.channel) for view in (*self.findings, *self.accepted)}))

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(column for group in self.groups for column in group.columns)


CSS: Mapping[Outcome, str] = {
    Outcome.ALLOWED: "a",
    Outcome.DENIED: "d",
    Outcome.LEAKED: "l",
    Outcome.OVERBLOCKED: "o",
    Outcome.UNTESTED: "u",
    Outcome.ERROR: "e",
    Outcome.ACCEPTED: "w",
}
"""One letter each: there may be 20,000 of them."""

SPOKEN: Mapping[Outcome, str] = {
    **{outcome: outcome.value for outcome in Outcome},
    Outcome.ALLOWED: "allowed",
    Outcome.DENIED: "denied",
}


def build_page(report: Report) -> Page:
    """Work out the page of a report."""
    matrix = build_matrix(report)
    untested = _reasons(_with_verdict(report, Verdict.UNTESTED), matrix, prefix="u", title="Untested")
    deviations = _deviations(report, matrix)
    anchors = {name: f"r{index}" for index, name in enumerate(matrix.relations, start=1)}
    links = _links(report, matrix, anchors, (*untested, *deviations))
    return Page(
        headline=headline(report, matrix),
        verdict=_tone(report, matrix),
        counts=tuple((CSS[outcome], outcome.value, matrix.count(outcome)) for outcome in Outcome),
        legend=tuple((CSS[outcome], outcome.glyph, outcome.value) for outcome in Outcome),
        groups=_groups(report, matrix),
        rows=tuple(_row(name, anchors[name], matrix, links) for name in matrix.relations),
        findings=_views(report, matrix, open_findings(report)),
        accepted=_views(report, matrix, accepted_findings(report)),
        deviations=deviations,
        untested=untested,
        relations=_relations(report, matrix, anchors),
        beyond=len(in_no_cell(open_findings(report), matrix)),
        search=() if report.search is None else _search(report.search),
        weak="" if report.search is None else report.search.weak,
        since=tuple(since(report)),
        trend=build_trend(report),
    )


def _search(search: Search) -> tuple[tuple[str, str, str], ...]:
    outcomes = (
        ("passed the policies", search.passed),
        ("denied", search.denied),
        ("failed otherwise", search.failed),
        ("unsteady, left out", search.unsteady),
    )
    return (
        ("attempts", number(search.attempts), ""),
        ("world pairs", number(search.pairs), ""),
        *((words, number(count), share(count, search.attempts)) for words, count in outcomes),
        ("distinct (relation, shape, outcome)", number(search.distinct), ""),
    )


def _tone(report: Report, matrix: Matrix) -> str:
    if leaks(report, matrix) or matrix.count(Outcome.LEAKED):
        return "leak"
    doubtful = (Outcome.OVERBLOCKED, Outcome.UNTESTED, Outcome.ERROR)
    in_doubt = any(matrix.count(outcome) for outcome in doubtful) or report.gaps or report.unseeded or is_weak(report)
    return "doubt" if in_doubt or not report.cells else "clean"


def _with_verdict(report: Report, verdict: Verdict) -> list[CellResult]:
    return [cell for cell in report.cells if cell.verdict is verdict]


def _reasons(cells: Iterable[CellResult], matrix: Matrix, *, prefix: str, title: str) -> tuple[ReasonView, ...]:
    reasons = group_by_reason(cells, why, matrix.personas)
    return tuple(
        ReasonView(anchor=f"{prefix}{index}", title=title, reason=reason)
        for index, reason in enumerate(reasons, start=1)
    )


def _deviations(report: Report, matrix: Matrix) -> tuple[ReasonView, ...]:
    """Deviations that no finding tells of."""
    return tuple(
        view
        for verdict, prefix, title in (
            (Verdict.LEAK, "l", "Leaked"),
            (Verdict.OVERBLOCKED, "o", "Blocked too much"),
            (Verdict.ERROR, "e", "Error"),
        )
        for view in _reasons(deviating_cells(report, matrix, verdict), matrix, prefix=prefix, title=title)
    )


def _links(
    report: Report, matrix: Matrix, anchors: Mapping[str, str], reasons: Sequence[ReasonView]
) -> Mapping[CellKey, str]:
    """Where each cell's evidence stands: its finding, its reason, or else its relation."""
    links = {(cell.object, cell.persona, cell.command): anchors[cell.object] for cell in report.cells}
    for view in reasons:
        for block in view.reason.blocks:
            for name in block.objects:
                for persona in block.personas:
                    links.update({(name, persona, command): view.anchor for command in block.commands})
    for key, findings in matrix.findings.items():
        if key in links and not matrix.outcomes[key].as_expected:
            first = min(findings, key=lambda finding: bool(finding.accepted))
            links[key] = _finding_anchor(first)
    return links


def _finding_anchor(finding: Finding) -> str:
    return f"f-{finding.fingerprint}"


def _groups(report: Report, matrix: Matrix) -> tuple[ColumnGroup, ...]:
    grouped: dict[str, list[Column]] = defaultdict(list)
    for persona in matrix.personas:
        tenant = tenant_of(persona, report.tenants) or ""
        short = persona[len(tenant) + 1 :] if tenant and persona != tenant else persona
        column = Column(
            name=one_line(persona),
            short=one_line(short),
            tenant=one_line(tenant),
            deviations=_count_deviations(matrix, matrix.relations, (persona,)),
        )
        grouped[tenant].append(column)
    return tuple(ColumnGroup(tenant=one_line(name), columns=tuple(found)) for name, found in grouped.items())


def _count_deviations(matrix: Matrix, relations: Iterable[str], personas: Sequence[str]) -> int:
    outcomes = (outcome for name in relations for persona in personas for outcome in matrix.glyphs(name, persona))
    return sum(1 for outcome in outcomes if outcome is not None and not outcome.as_expected)


def _row(name: str, anchor: str, matrix: Matrix, links: Mapping[CellKey, str]) -> Row:
    return Row(
        name=one_line(name),
        anchor=anchor,
        cells=tuple(_glyphs(name, persona, matrix, links) for persona in matrix.personas),
        deviations=_count_deviations(matrix, (name,), matrix.personas),
    )


def _glyphs(name: str, persona: str, matrix: Matrix, links: Mapping[CellKey, str]) -> tuple[Glyph | None, ...]:
    who, what = one_line(persona), one_line(name)
    return tuple(
        None
        if outcome is None
        else Glyph(
            css=CSS[outcome],
            sign=outcome.glyph,
            href=links[name, persona, command],
            label=_label(who, command, what, outcome),
        )
        for command, outcome in zip(Command, matrix.glyphs(name, persona), strict=True)
    )


def _label(who: str, command: Command, what: str, outcome: Outcome) -> str:
    said = f"{command.value} {SPOKEN[outcome]}"
    return said if outcome.as_expected else f"{who} {command.value} {what}: {SPOKEN[outcome]}"


def _views(report: Report, matrix: Matrix, findings: Sequence[Finding]) -> tuple[FindingView, ...]:
    return tuple(_view(report, matrix, finding, ordinal) for ordinal, finding in enumerate(findings, start=1))


def _evidence(evidence: Evidence) -> EvidenceView:
    return EvidenceView(
        evidence=evidence,
        worlds=excerpt(compare(evidence), _WORLD_LINES),
        remark=ALIKE if looks_alike(evidence) else "",
    )


def _view(report: Report, matrix: Matrix, finding: Finding, ordinal: int) -> FindingView:
    known = weakness(finding.cwe)
    overblocking = is_overblocking(finding, matrix)
    told = "" if finding.accepted else seen(report, finding)  # past runs know their open findings only
    return FindingView(
        finding=finding,
        evidence=tuple(_evidence(evidence) for evidence in finding.evidence),
        opens=opened(finding),
        done=done(finding),
        number=ordinal,
        anchor=_finding_anchor(finding),
        overblocking=overblocking,
        facts=_facts(finding, _outcome_of(finding, overblocking=overblocking)),
        seen=told,
        new=told == NEW,
        place=place_of(finding),
        reach=REACH[finding.reach],
        weakness=known.title,
        weakness_url=known.url,
        command_line=replay_command(report, finding),
    )


def _facts(finding: Finding, outcome: Outcome) -> Mapping[str, object]:
    return {
        "relations": [one_line(name) for name in finding.objects or (finding.object,)],
        "personas": [one_line(name) for name in finding.personas],
        "commands": [command.value for command in finding.commands or (finding.command,)],
        "anyCell": finding.property is Property.VISIBILITY,
        "severity": finding.severity.value,
        "channel": one_line(finding.channel),
        "outcome": CSS[outcome],
    }


def _outcome_of(finding: Finding, *, overblocking: bool) -> Outcome:
    if finding.accepted:
        return Outcome.ACCEPTED
    return Outcome.OVERBLOCKED if overblocking else Outcome.LEAKED


def _relations(report: Report, matrix: Matrix, anchors: Mapping[str, str]) -> tuple[RelationView, ...]:
    cells: dict[str, list[CellResult]] = defaultdict(list)
    for cell in report.cells:
        cells[cell.object].append(cell)
    return tuple(
        RelationView(
            name=one_line(name),
            anchor=anchors[name],
            tenancy=report.relations.get(name, "undecided"),
            rows=_proof(cells[name], matrix),
            deviations=_count_deviations(matrix, (name,), matrix.personas),
        )
        for name in matrix.relations
    )


def _proof(cells: Sequence[CellResult], matrix: Matrix) -> tuple[ProofRow, ...]:
    """Cells of one relation that say the same, together."""
    alike: dict[tuple[Command, Outcome, str, str], list[CellResult]] = defaultdict(list)
    for cell in cells:
        outcome = matrix.outcomes[cell.object, cell.persona, cell.command]
        alike[cell.command, outcome, cell.expected, cell.observed or cell.reason].append(cell)
    order = {command: index for index, command in enumerate(Command)}
    rows = sorted(alike.items(), key=lambda item: order[item[0][0]])
    return tuple(
        ProofRow(
            command=command,
            outcome=outcome,
            css=CSS[outcome],
            personas=tuple(one_line(cell.persona) for cell in members),
            expected=expected,
            observed=observed,
            attempts=sum(cell.attempts for cell in members),
        )
        for (command, outcome, expected, observed), members in rows
    )
