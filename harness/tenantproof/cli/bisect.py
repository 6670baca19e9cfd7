"""`tenantproof bisect`: which migration opened each leak."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from tenantproof.cli.options import (
    attempts_option,
    color_option,
    exit_zero_option,
    fail_on_option,
    json_option,
    quiet_option,
    reach_option,
    scenario_argument,
    seed_option,
    signing_options,
)


@click.command("bisect")
@scenario_argument
@click.option("--first", metavar="FILE", help="The first migration to ask about; before it nobody is to blame.")
@click.option("--last", metavar="FILE", help="The last migration to apply.  [default: the last there is]")
@click.option("--linear", is_flag=True, help="Look at the database after each file, however many there are.")
@seed_option
@click.option(
    "--patch",
    "patches",
    multiple=True,
    type=click.Path(path_type=Path),
    help="SQL that counts as one more migration, after all others (repeatable)",
)
@attempts_option
@reach_option
@json_option
@fail_on_option
@exit_zero_option
@signing_options
@quiet_option
@click.option("-v", "--verbose", is_flag=True, help="Show every prefix, and leaks that were closed again.")
@color_option
def command(
    scenario: Path,
    first: str | None,
    last: str | None,
    linear: bool,
    seed: int,
    patches: tuple[Path, ...],
    attempts: int,
    reach: str,
    reports: tuple[str, ...],
    fail_on: str,
    exit_zero: bool,
    signing_algorithm: Literal["HS256", "ES256", "RS256"],
    signing_key: Path | None,
    quiet: bool,
    verbose: bool,
    color: str,
) -> int:
    """Name the migration of SCENARIO that opened each leak.

    Checks the database after all migrations, then after fewer of them, until each leak has a file without which it is
    not there: every prefix where there are few files, halving where there are many.  Exit codes: 0 no leak, 1 leaks
    were named, 2 wrong scenario or command line, 3 no suitable database, 4 something could not be tested, 5 nothing
    to check, 130 interrupted.
    """
    from tenantproof.api import bisect, exit_code
    from tenantproof.cli.session import console, narrate, pipe_may_close, signer_for, threshold
    from tenantproof.core.finding import Severity
    from tenantproof.core.ports import SILENT
    from tenantproof.reports.bisect_json import bisect_document
    from tenantproof.reports.bisect_terminal import render_bisection
    from tenantproof.reports.json_alone import json_destinations, write_json

    destinations = json_destinations(reports)
    fails = threshold(fail_on)
    bisection = bisect(
        scenario,
        seed=seed,
        patches=patches,
        signer=signer_for(signing_algorithm, signing_key),
        attempts=attempts,
        profile=reach,
        fail_on=fails,
        first=first,
        last=last,
        linear=linear,
        say=SILENT if quiet else narrate,
    )
    code = exit_code(bisection.report, fails)
    code = 0 if exit_zero and code in (1, 4) else code
    with pipe_may_close():
        write_json(bisect_document(bisection), destinations)
        render_bisection(
            bisection,
            console(color),
            verbose=verbose,
            paths=[destination.path for destination in destinations if not destination.is_stdout],
            threshold=fails or Severity.CRITICAL,
            exit_code=code,
        )
    return code
