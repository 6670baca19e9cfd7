"""`tenantproof report`: a run that is over, in another format."""

from __future__ import annotations

from pathlib import Path

import click

from tenantproof.cli.options import color_option, report_option, verbose_option


@click.command("report")
@click.argument("run", type=click.Path(path_type=Path))
@report_option
@verbose_option
@color_option
def command(run: Path, reports: tuple[str, ...], verbose: bool, color: str) -> int:
    """Render RUN again, a report that `check` or `fuzz` wrote with `-r json=RUN`; touches no database.

    Without --report it is printed as that run printed it.  Exit code 0 whatever the run found, 2 for a file that is
    no report.
    """
    from tenantproof.cli.saved import load_report
    from tenantproof.cli.session import console, pipe_may_close
    from tenantproof.reports.files import parse_specs, write_to

    destinations = parse_specs(reports)
    report = load_report(run)
    for destination in destinations:
        with pipe_may_close():
            write_to(report, destination)
    if not destinations:
        from tenantproof.api import exit_code
        from tenantproof.core.finding import Severity
        from tenantproof.reports.terminal import render

        with pipe_may_close():
            render(
                report,
                console(color),
                verbose=verbose,
                paths=[str(run)],
                threshold=Severity.MEDIUM,
                exit_code=exit_code(report) if report.exit_code is None else report.exit_code,
            )
    return 0
