"""`tenantproof drift`: where a live database, or a Prisma schema, differs from the migrations."""

from __future__ import annotations

from pathlib import Path

import click

from tenantproof.cli.options import (
    SEVERITIES,
    color_option,
    exit_zero_option,
    json_option,
    quiet_option,
    scenario_argument,
)


@click.command("drift")
@scenario_argument
@click.option(
    "--against", metavar="DSN", help="The live database: env:NAME for a variable that holds the DSN, or the DSN itself."
)
@click.option(
    "--prisma",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A Prisma schema (or a folder of *.prisma files) to compare with the migrated database.",
)
@json_option
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    default="medium",
    show_default=True,
    help="Exit 1 for differences of this severity or worse.",
)
@exit_zero_option
@quiet_option
@click.option("-v", "--verbose", is_flag=True, help="Show long definitions whole.")
@color_option
def command(
    scenario: Path,
    against: str | None,
    prisma: Path | None,
    reports: tuple[str, ...],
    fail_on: str,
    exit_zero: bool,
    quiet: bool,
    verbose: bool,
    color: str,
) -> int:
    """Compare the migrations of SCENARIO with a live database, or with a Prisma schema.

    Compares what policies, grants, functions, views, triggers, tables and roles mean, not how they are written.  The
    live database is only read, in one read-only transaction.  Exit codes: 0 no difference at or above --fail-on, 1
    there is one, 2 wrong scenario, schema or command line, 3 no suitable database, 130 interrupted.
    """
    from tenantproof.api import drift
    from tenantproof.cli.session import console, narrate, pipe_may_close, threshold
    from tenantproof.core.finding import Severity
    from tenantproof.core.ports import SILENT
    from tenantproof.reports.drift_json import drift_document
    from tenantproof.reports.drift_terminal import render_drift
    from tenantproof.reports.json_alone import json_destinations, write_json

    destinations = json_destinations(reports)
    fails = threshold(fail_on)
    if against is not None:
        _warn_of_password(against)
    found = drift(scenario, against=against, prisma=prisma, say=SILENT if quiet else narrate)
    code = 1 if fails is not None and found.gating(fails) and not exit_zero else 0
    with pipe_may_close():
        write_json(drift_document(found), destinations)
        render_drift(
            found,
            console(color),
            verbose=verbose,
            paths=[destination.path for destination in destinations if not destination.is_stdout],
            threshold=fails or Severity.CRITICAL,
            exit_code=code,
        )
    return code


def _warn_of_password(against: str) -> None:
    from tenantproof.targets.live import has_password

    if not against.startswith("env:") and has_password(against):
        click.echo(
            "warning: the password in --against can be read by everybody on this machine (ps); "
            "put the DSN into a variable and write --against env:NAME",
            err=True,
        )
