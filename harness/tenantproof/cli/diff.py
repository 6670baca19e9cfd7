"""`tenantproof diff`: what is new, fixed and unchanged between two runs."""

from __future__ import annotations

from pathlib import Path

import click

from tenantproof.cli.options import color_option, exit_zero_option, fail_on_option, verbose_option


@click.command("diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "-r", "--report", "reports", multiple=True, metavar="json=PATH", help="Write the comparison: json; - is stdout."
)
@fail_on_option
@exit_zero_option
@verbose_option
@color_option
def command(
    old: Path, new: Path, reports: tuple[str, ...], fail_on: str, exit_zero: bool, verbose: bool, color: str
) -> int:
    """Compare the findings of OLD and NEW, reports that `-r json=PATH` wrote; touches no database.

    A finding is the same where its fingerprint is.  Exit code 1: a finding at or above --fail-on is new; 0: none is;
    2: a file is no report.
    """
    from tenantproof.cli.saved import load_report
    from tenantproof.cli.session import console, pipe_may_close, threshold
    from tenantproof.reports.comparison import compare_runs
    from tenantproof.reports.comparison_json import document
    from tenantproof.reports.comparison_terminal import render_comparison
    from tenantproof.reports.json_alone import json_destinations, write_json

    destinations = json_destinations(reports)
    comparison = compare_runs(load_report(old), load_report(new))
    with pipe_may_close():
        write_json(document(comparison), destinations)
    if not any(destination.is_stdout for destination in destinations):
        with pipe_may_close():
            render_comparison(comparison, console(color), verbose=verbose)
    fails = threshold(fail_on)
    return 1 if fails is not None and comparison.gating(fails) and not exit_zero else 0
