"""`drift` for the person at the terminal: each difference in a few lines, the worst first."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile

from rich.console import Console

from tenantproof.core.drift import Difference, Direction, Drift
from tenantproof.core.finding import Severity
from tenantproof.core.version import VERSION
from tenantproof.reports.bisect_terminal import SEVERITY_STYLES
from tenantproof.reports.pen import Pen
from tenantproof.reports.wording import duration, plural

_MANY = 4
"""From so many objects on, what is said of each is said once."""

_LONGEST = 240
_AROUND = 60
"""How much of two long texts is shown before and after where they differ."""

_ONE = {"policies": "policy"}
"""Where one of a kind is not the word without its s."""

_SIDES = {True: "schema has", False: "live has"}


def render_drift(
    drift: Drift,
    console: Console,
    *,
    verbose: bool,
    paths: Sequence[str],
    threshold: Severity,
    exit_code: int,
) -> None:
    """Print a comparison.  `verbose` shows long definitions whole, and differences of severity info."""
    pen = Pen(console)
    _header(pen, drift)
    shown = [d for d in drift.differences if verbose or d.severity is not Severity.INFO]
    for note in drift.notes:
        pen.paragraph(("note: ", "bold"), note)
    if drift.notes:
        pen.blank()
    for alike in grouped(shown, apart=verbose):
        _block(pen, alike, verbose=verbose, threshold=threshold)
    hidden = len(drift.differences) - len(shown)
    if hidden:
        pen.paragraph("", f"{plural(hidden, 'more difference')} of severity info (-v)")
        pen.blank()
    for said in drift.left_out:
        pen.paragraph(("not compared: ", "bold"), said)
    pen.blank()
    _closing(pen, drift, paths, threshold, exit_code)


def _header(pen: Pen, drift: Drift) -> None:
    pen.line(("tenantproof", "bold"), f" {VERSION}  ·  drift  ·  migrations on PostgreSQL {drift.server_version}")
    pen.paragraph("  ", f"{drift.scenario} ({drift.scenario_path}) against {' and '.join(drift.against)}")
    counts = ", ".join(
        plural(count, _ONE.get(name, name[:-1]), name) for name, count in drift.compared.items() if count
    )
    pen.paragraph("  ", f"compared: {counts or 'nothing'}")
    pen.blank()


def grouped(differences: Sequence[Difference], *, apart: bool) -> list[list[Difference]]:
    """Differences that say the same of several objects together, where they are many; in the order given."""
    groups: dict[tuple[object, ...], list[Difference]] = {}
    for difference in differences:
        key = (difference.kind, difference.part, difference.migrations, difference.live, difference.why)
        groups.setdefault((*key, difference.object) if apart else key, []).append(difference)
    return [part for group in groups.values() for part in ([group] if len(group) >= _MANY else [[d] for d in group])]


def _block(pen: Pen, alike: Sequence[Difference], *, verbose: bool, threshold: Severity) -> None:
    difference = alike[0]
    style = SEVERITY_STYLES[difference.severity]
    part = f" · {difference.part}" if difference.part else ""
    direction = "" if difference.direction is Direction.DIFFERENT else f" · {difference.direction}"
    pen.paragraph(
        (f"{difference.severity}  {difference.kind}  ", style), (f"{_objects(alike)}{part}", "bold"), direction
    )
    ours, live = (
        (difference.migrations, difference.live) if verbose else excerpts(difference.migrations, difference.live)
    )
    _field(pen, "migrations say", ours)
    _field(pen, _SIDES[difference.kind.startswith("prisma-")], live)
    if difference.why:
        _field(pen, "why", difference.why)
    if len(alike) > 1:
        _field(pen, "all of them", ", ".join(d.object for d in alike))
    elif difference.file is not None:
        place = difference.file if difference.line is None else f"{difference.file}:{difference.line}"
        pen.line(("   --> ", "blue"), place)
    if difference.severity.rank < threshold.rank and verbose:
        _field(pen, "gate", f"below --fail-on {threshold}: does not fail the run")
    pen.blank()


def _objects(alike: Sequence[Difference]) -> str:
    return alike[0].object if len(alike) == 1 else f"{alike[0].object} and {len(alike) - 1} more"


def _field(pen: Pen, label: str, content: str) -> None:
    pen.paragraph((f"   = {label:15}", "blue"), content)


def excerpts(ours: str, live: str) -> tuple[str, str]:
    """Two long texts, each cut to where they differ."""
    if max(len(ours), len(live)) <= _LONGEST:
        return ours, live
    start = _alike(ours, live)
    end = min(_alike(ours[::-1], live[::-1]), min(len(ours), len(live)) - start)
    return _cut(ours, start, len(ours) - end), _cut(live, start, len(live) - end)


def _alike(one: str, other: str) -> int:
    """How many characters they begin with alike."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _cut(text: str, start: int, end: int) -> str:
    first, last = max(0, start - _AROUND), min(len(text), max(end, start) + _AROUND)
    middle = text[first:last]
    if len(middle) > _LONGEST:
        middle = middle[:_LONGEST] + "…"
        last = len(text)
    return ("…" if first else "") + middle + ("…" if last < len(text) else "")


def _closing(pen: Pen, drift: Drift, paths: Sequence[str], threshold: Severity, exit_code: int) -> None:
    count = len(drift.differences)
    severities = Counter(difference.severity for difference in drift.differences)
    listed = ", ".join(f"{severities[s]} {s}" for s in reversed(Severity) if severities[s])
    said = f"{plural(count, 'difference')}: {listed}" if count else "no difference"
    pen.line((said, "bold red" if drift.gating(threshold) else "bold green"), f"  in {duration(drift.seconds)}")
    for path in paths:
        pen.line("  report    ", (path, "bold"))
    meaning = "a difference" if exit_code == 1 else "no difference"
    pen.line(f"exit {exit_code}: {meaning} at or above {threshold}")
    pen.line("Next: ", (_next(drift), "bold"))


def _next(drift: Drift) -> str:
    path = shlex.quote(drift.scenario_path)
    return f"tenantproof check {path}"
