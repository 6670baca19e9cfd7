"""`bisect` for the person at the terminal: a table of leaks and files, then what is to be known of each."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tenantproof.core.bisection import Bisection, Certainty, Episode, Opening
from tenantproof.core.finding import Finding, Severity
from tenantproof.reports.pen import Pen
from tenantproof.reports.terminal_closing import exit_meaning
from tenantproof.reports.wording import database, duration, plural

SEVERITY_STYLES = {
    Severity.INFO: "blue",
    Severity.LOW: "blue",
    Severity.MEDIUM: "yellow",
    Severity.HIGH: "red",
    Severity.CRITICAL: "bold red",
}


_SURE = {
    Certainty.ADJACENT: ("sure", "checked without this file and with it"),
    Certainty.CREATED: ("sure", "what leaks is made by this file"),
    Certainty.FIRST_CHECKED: ("likely", "without this file nothing can be checked"),
    Certainty.FROM_THE_START: ("sure", "it leaks without any of the files that were asked about"),
}
"""One word for the table, and the reason."""


def render_bisection(
    bisection: Bisection,
    console: Console,
    *,
    verbose: bool,
    paths: Sequence[str],
    threshold: Severity,
    exit_code: int,
) -> None:
    """Print a bisection.  `verbose` also shows what was open on the way only, and every prefix."""
    pen = Pen(console)
    _header(pen, bisection)
    if bisection.openings:
        _table(pen, bisection)
        for opening in bisection.openings:
            _details(pen, bisection, opening)
    if verbose:
        _passing(pen, bisection)
        _looks(pen, bisection)
    _hidden(pen, bisection, verbose=verbose)
    _closing(pen, bisection, paths, threshold, exit_code)


def _header(pen: Pen, bisection: Bisection) -> None:
    report = bisection.report
    pen.line(
        ("tenantproof", "bold"), f" {report.tool_version}  ·  bisect  ·  {database(report)}  ·  seed {report.seed}"
    )
    files = plural(len(bisection.files), "file")
    pen.paragraph("  ", f"{report.scenario} ({report.scenario_path}): {files}{_range(bisection)}")
    pen.blank()


def _range(bisection: Bisection) -> str:
    if (bisection.first, bisection.last) == (1, len(bisection.files)):
        return ""
    return f", of which {_name(bisection, bisection.first)} to {_name(bisection, bisection.last)} were asked about"


def _table(pen: Pen, bisection: Bisection) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_edge=False, header_style="bold")
    places = [_place(bisection, opening) for opening in bisection.openings]
    for heading in ("severity", "leak", "opened by", "how sure"):
        whole = heading == "opened by" and 2 * max(map(len, places)) <= pen.width + 8
        table.add_column(heading, overflow="fold", no_wrap=whole)
    for opening, place in zip(bisection.openings, places, strict=True):
        finding = opening.finding
        table.add_row(
            pen.text((finding.severity.value, SEVERITY_STYLES[finding.severity])),
            pen.text(f"{finding.channel} {finding.object}"),
            pen.text((place, "bold")),
            pen.text(_SURE[opening.certainty][0]),
        )
    pen.console.print(table)
    pen.blank()


def _what(finding: Finding) -> str:
    return f"{finding.object} · {_commands(finding)}"


def _commands(finding: Finding) -> str:
    return " ".join(finding.commands or (finding.command,))


def _place(bisection: Bisection, opening: Opening) -> str:
    """The name of the file, which is what fits; its path follows below."""
    if opening.certainty is Certainty.FROM_THE_START:
        return f"before {Path(opening.file).name}"
    name = _name(bisection, opening.number)
    return name if opening.line is None else f"{name}:{opening.line}"


def _name(bisection: Bisection, number: int) -> str:
    return Path(bisection.files[number - 1]).name


def _details(pen: Pen, bisection: Bisection, opening: Opening) -> None:
    """Path and statement, to be copied; then what is unusual about the leak's history."""
    if opening.number:
        path = opening.file if opening.line is None else f"{opening.file}:{opening.line}"
        pen.line(("--> ", "blue"), path)
    if opening.statement:
        pen.line((f"{opening.line:>5} | ", "blue"), opening.statement.expandtabs(4))
    style = SEVERITY_STYLES[opening.finding.severity]
    pen.paragraph(("      = ", "blue"), (f"{opening.finding.severity} ", style), opening.finding.title)
    for remark in _remarks(bisection, opening):
        pen.paragraph(("      = ", "blue"), remark)
    pen.blank()


def _remarks(bisection: Bisection, opening: Opening) -> Iterator[str]:
    finding = opening.finding
    yield f"{_commands(finding)} by {finding.cause}   fingerprint {finding.fingerprint}"
    word, reason = _SURE[opening.certainty]
    more = f": {opening.reason}" if opening.certainty is Certainty.FIRST_CHECKED else ""
    yield f"{word}: {reason}{more}"
    if opening.earlier:
        yield f"it had been open before: {', '.join(_times(bisection, opening.earlier))}"
    if opening.already:
        yield f"the same rows leaked before by another cause: {', '.join(opening.already)}"


def _times(bisection: Bisection, episodes: Sequence[Episode]) -> Iterator[str]:
    for episode in episodes:
        opened = f"opened by {_name(bisection, episode.opened)}" if episode.opened else _before(bisection)
        yield f"{opened}, closed by {_name(bisection, episode.closed)}" if episode.closed else opened


def _before(bisection: Bisection) -> str:
    return f"open before {_name(bisection, bisection.first)}"


def _passing(pen: Pen, bisection: Bisection) -> None:
    for passing in bisection.passing:
        times = "; ".join(_times(bisection, (passing.episode,)))
        pen.paragraph(("CLOSED AGAIN ", "cyan"), f"{passing.finding.channel}  {_what(passing.finding)}: {times}")
    if bisection.passing:
        pen.blank()


def _looks(pen: Pen, bisection: Bisection) -> None:
    for look in bisection.looks:
        said = plural(look.findings, "finding") if look.checked else f"not checked: {look.reason}"
        pen.paragraph(f"{look.number:>5}  ", f"{Path(look.file).name}: {said}")
    pen.blank()


def _hidden(pen: Pen, bisection: Bisection, *, verbose: bool) -> None:
    """What -v or --linear would show."""
    unchecked = [look for look in bisection.looks if not look.checked]
    if bisection.passing and not verbose:
        many = plural(len(bisection.passing), "more leak was", "more leaks were")
        pen.paragraph("", f"{many} open on the way and closed again (-v shows them)")
    if unchecked and not verbose:
        many = plural(len(unchecked), "prefix", "prefixes")
        pen.paragraph("", f"{many} could not be checked, the last because {unchecked[-1].reason} (-v shows them)")
    if any(opening.unseen for opening in bisection.openings):
        pen.paragraph(
            "",
            "not every prefix was looked at: a leak that closed and opened again by files that name neither its table "
            "nor its policy would be dated too early (--linear looks everywhere)",
        )


def _closing(pen: Pen, bisection: Bisection, paths: Sequence[str], threshold: Severity, exit_code: int) -> None:
    found = len(bisection.openings)
    pen.line((plural(found, "leak") if found else "no leak", "bold red" if found else "bold green"))
    asked = plural(bisection.last - bisection.first + 1, "file")
    looked = plural(len(bisection.looks), "time")
    pen.line(f"  looked {looked} at the database, for {asked}, in {duration(bisection.seconds)}")
    for path in paths:
        pen.line("  report    ", (path, "bold"))
    pen.line(f"exit {exit_code}: {exit_meaning(exit_code, threshold)}")
    pen.line("Next: ", (_next(bisection), "bold"))


def _next(bisection: Bisection) -> str:
    path = shlex.quote(bisection.report.scenario_path)
    if not bisection.openings:
        return f"tenantproof check {path}"
    return f"tenantproof replay {bisection.openings[0].finding.fingerprint} {path}"
