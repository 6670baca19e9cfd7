"""A comparison of two runs on the terminal: what is new first, what is fixed next, the verdict last."""

from __future__ import annotations

from rich.console import Console

from tenantproof.core.finding import Finding
from tenantproof.reports.comparison import Comparison
from tenantproof.reports.pen import Pen
from tenantproof.reports.terminal_findings import some
from tenantproof.reports.wording import place_of, replay_command

_STYLES = {"NEW": "bold red", "FIXED": "green", "UNCLEAR": "magenta", "UNCHANGED": "yellow", "ACCEPTED": "cyan"}


def render_comparison(comparison: Comparison, console: Console, *, verbose: bool = False) -> None:
    """Print the comparison; `verbose` names every persona of every finding."""
    pen = Pen(console)
    for difference in comparison.differences:
        pen.paragraph("differs  ", difference)
    if comparison.differences:
        pen.blank()
    for finding in comparison.new:
        _finding(pen, "NEW", finding, verbose=verbose)
        pen.line("   ", ("= ", "blue"), "reproduce ", (replay_command(comparison.new_report, finding), "bold"))
    for finding in comparison.fixed:
        _finding(pen, "FIXED", finding, verbose=verbose)
    for item in comparison.unclear:
        _finding(pen, "UNCLEAR", item.finding, verbose=verbose)
        pen.paragraph("   = not found again, which proves nothing: ", item.why)
    for finding in comparison.accepted:
        _finding(pen, "ACCEPTED", finding, verbose=verbose)
        pen.paragraph("   = ", finding.accepted)
    for finding in comparison.unchanged:
        _finding(pen, "UNCHANGED", finding, verbose=verbose)
    _verdict(pen, comparison)


def _finding(pen: Pen, word: str, finding: Finding, *, verbose: bool) -> None:
    where = f"{finding.object} · {' '.join(finding.commands or (finding.command,))}"
    who = some(finding.personas, all_of_them=verbose)
    pen.paragraph(
        (f"{word} ", _STYLES[word]),
        f"{finding.severity}  {finding.channel}  {where} · {who}   fingerprint {finding.fingerprint}",
    )
    pen.paragraph("  ", finding.title)
    if place := place_of(finding):
        pen.line("   ", ("--> ", "blue"), place)


def _verdict(pen: Pen, comparison: Comparison) -> None:
    counts = [
        f"{len(comparison.new)} new",
        f"{len(comparison.fixed)} fixed",
        f"{len(comparison.unchanged)} unchanged",
    ]
    if comparison.accepted:
        counts.append(f"{len(comparison.accepted)} accepted since")
    if comparison.unclear:
        counts.append(f"{len(comparison.unclear)} unclear")
    style = "bold red" if comparison.new else "bold yellow" if comparison.unclear else "bold green"
    pen.line((" · ".join(counts), style))
