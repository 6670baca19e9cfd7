"""From run to run in the HTML report: two small bar charts, their numbers as a table, what is new and what is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tenantproof.core.finding import Finding, Severity
from tenantproof.core.history import PastRun
from tenantproof.core.report import Report
from tenantproof.reports.history import summarized
from tenantproof.reports.since import instant
from tenantproof.reports.wording import number, open_findings, plural

_RUNS_SHOWN = 90
"""Three months of nights; JSON has all that are kept."""

_FEWEST_SLOTS = 12
"""So that two runs are two bars and not two halves of the page."""

SLOT = 10
"""Units of width that a run has in a chart; a chart is 100 units high, and stretched to its place."""

_BAR = 7

FINDING_TITLES = tuple(severity.value for severity in reversed(Severity))
CELL_TITLES = ("leaked", "blocked too much", "untested", "accepted")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A rectangle of a chart, in its units; y grows downwards."""

    css: str
    x: int
    y: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """All that a chart shows of one run, and its words for who points at it."""

    said: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One number per run, stacked by kind; `said` is what it shows in words.  No columns where there is nothing."""

    title: str
    said: str
    width: int
    columns: tuple[Column, ...]
    legend: tuple[tuple[str, str], ...]
    """CSS class and word; empty where there is one kind only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """One run of the table; the numbers stand under `FINDING_TITLES` and `CELL_TITLES`."""

    when: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """The earlier runs and this one, the oldest first."""

    charts: tuple[Chart, ...]
    rows: tuple[RunRow, ...]
    left_out: int
    """Earlier runs that are known and not shown."""
    new: tuple[Finding, ...]
    """Open findings that the last run did not have."""
    gone: tuple[tuple[str, str], ...]
    """Severity and fingerprint of what the last run had."""


def build_trend(report: Report) -> Trend | None:
    """What the history says; None where no earlier run is known."""
    if not report.history:
        return None
    now = summarized(report)
    runs = [*report.history, now][-_RUNS_SHOWN:]
    last = report.history[-1].findings
    here = {finding.fingerprint for finding in report.findings}
    return Trend(
        charts=(_findings_chart(runs), _untested_chart(runs)),
        rows=(
            *(_row(run) for run in runs[:-1]),
            _row(now, this_one="this run, ended early" if report.interrupted else "this run"),
        ),
        left_out=len(report.history) + 1 - len(runs),
        new=tuple(finding for finding in open_findings(report) if finding.fingerprint not in last),
        gone=tuple((severity, name) for name, severity in sorted(last.items()) if name not in here),
    )


def _findings_chart(runs: Sequence[PastRun]) -> Chart:
    return _chart("Open findings", [Counter(run.findings.values()) for run in runs], runs, FINDING_TITLES)


def _untested_chart(runs: Sequence[PastRun]) -> Chart:
    return _chart("Cells untested", [Counter({"untested": run.untested}) for run in runs], runs, ("untested",))


def _chart(title: str, counts: Sequence[Counter[str]], runs: Sequence[PastRun], order: Sequence[str]) -> Chart:
    kinds = [word for word in order if any(count[word] for count in counts)]
    return Chart(
        title=title,
        said=_in_words([count.total() for count in counts]),
        width=max(len(runs), _FEWEST_SLOTS) * SLOT - (SLOT - _BAR),
        columns=tuple(_columns(runs, counts, order)) if kinds else (),
        legend=tuple((word, word) for word in kinds) if len(order) > 1 else (),
    )


def _columns(runs: Sequence[PastRun], counts: Sequence[Counter[str]], order: Sequence[str]) -> Iterator[Column]:
    most = max(1, *(count.total() for count in counts))
    for index, (run, count) in enumerate(zip(runs, counts, strict=True)):
        parts = [f"{count[word]} {word}" for word in order if count[word]]
        said = f"{instant(run.started_at)}: {', '.join(parts) or 'none'}"
        yield Column(said=said, bars=tuple(_stack(index * SLOT, count, order, most)))


def _stack(x: int, count: Mapping[str, int], order: Sequence[str], most: int) -> Iterator[Bar]:
    """One bar upon the other, the worst at the bottom."""
    below = 0
    for word in order:
        if amount := count.get(word, 0):
            below += amount
            yield Bar(css=word, x=x, y=round(100 - 100 * below / most, 2), height=round(100 * amount / most, 2))


def _in_words(counts: Sequence[int]) -> str:
    if not any(counts):
        return f"none in {plural(len(counts), 'run')}"
    most, now = number(max(counts)), number(counts[-1])
    return f"{plural(len(counts), 'run')}, the oldest first; at most {most}, {now} in this run"


def _row(run: PastRun, this_one: str = "") -> RunRow:
    count = Counter(run.findings.values())
    when = instant(run.started_at) or "at an unknown time"
    return RunRow(
        when=f"{when} ({this_one})" if this_one else when,
        numbers=(*(count[word] for word in FINDING_TITLES), run.leaked, run.overblocked, run.untested, run.accepted),
    )
