"""`tenantproof fuzz`: the search for interference, against the clock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from tenantproof.cli.durations import duration
from tenantproof.cli.options import (
    EXAMPLES,
    baseline_option,
    color_option,
    examples_option,
    exit_zero_option,
    fail_on_option,
    no_accept_option,
    patch_option,
    quiet_option,
    reach_option,
    report_option,
    scenario_argument,
    seed_option,
    signing_options,
    target_options,
    verbose_option,
)

if TYPE_CHECKING:
    from tenantproof.core.report import Search


@click.command("fuzz")
@scenario_argument
@click.option(
    "--for",
    "seconds",
    metavar="DURATION",
    callback=duration,
    default="5m",
    show_default=True,
    help="How long to search: 90s, 30m, 2h, 1h30m.",
)
@seed_option
@click.option(
    "--draws",
    type=click.IntRange(min=0),
    help="Seed of the programs, to repeat a search.  [default: another each time; it is printed]",
)
@patch_option
@reach_option
@examples_option("Folder that keeps what is found, to be tried first the next time.", EXAMPLES)
@click.option("--no-examples", is_flag=True, help="Neither try what was found before nor keep what is found.")
@report_option
@fail_on_option
@exit_zero_option
@no_accept_option
@baseline_option
@target_options
@signing_options
@quiet_option
@verbose_option
@color_option
def command(
    scenario: Path,
    seconds: float,
    seed: int,
    draws: int | None,
    patches: tuple[Path, ...],
    reach: str,
    examples: Path,
    no_examples: bool,
    reports: tuple[str, ...],
    fail_on: str,
    exit_zero: bool,
    no_accept: bool,
    baseline: Path | None,
    target: str,
    writes: str | None,
    config: Path | None,
    isolated: bool,
    signing_algorithm: Literal["HS256", "ES256", "RS256"],
    signing_key: Path | None,
    quiet: bool,
    verbose: bool,
    color: str,
) -> int:
    """Search SCENARIO's database for leaks that no matrix and no catalogue knows.

    Draws programs and runs each in two worlds that differ only in what the persona is not entitled to: what it sees
    must be the same, and nothing of others may change.  With --target it does so in a database that is somebody's,
    with --writes rollback or canary.  Ctrl-C ends the search with a report; twice, at once.  Exit
    codes: 0 nothing found, 1 a leak, 2 wrong scenario or command line, 3 no suitable database, 4 most attempts came
    to nothing, 130 interrupted with nothing found.
    """
    from tenantproof.api import exit_code, fuzz
    from tenantproof.cli.configured import configured
    from tenantproof.cli.interruption import Interruption
    from tenantproof.cli.live import listening
    from tenantproof.cli.progress import progress_for
    from tenantproof.cli.session import folder_to_write, narrate, signer_for, tell, threshold, wants_suite
    from tenantproof.core.errors import UsageError
    from tenantproof.core.ports import SILENT
    from tenantproof.reports.files import parse_specs
    from tenantproof.reports.pgtap import ONLY_CHECK

    destinations = parse_specs(reports)
    if wants_suite(destinations):
        raise UsageError(f"--report pgtap: {ONLY_CHECK}")
    with (
        listening(destinations) as hear,
        Interruption() as interruption,
        progress_for(seconds, quiet=quiet, color=color) as progress,
    ):

        def listen(search: Search, gone: float) -> None:
            interruption.watch(progress.ending)
            progress(search, gone)

        report = fuzz(
            scenario,
            seconds=seconds,
            seed=seed,
            draws=draws,
            accept=not no_accept,
            baseline=baseline,
            target=target,
            writes=writes,
            config=configured(target, config, isolated=isolated),
            patches=patches,
            signer=signer_for(signing_algorithm, signing_key),
            profile=reach,
            examples=None if no_examples else folder_to_write(examples),
            stop=lambda: interruption.asked,
            progress=listen,
            listen=hear,
            say=SILENT if quiet else narrate,
        )
    fails = threshold(fail_on)
    code = exit_code(report, fails)
    code = 0 if exit_zero and code in (1, 4) else code
    code = 130 if interruption.asked and code not in (1, 3) else code
    tell(report, destinations, code=code, fails=fails, color=color, verbose=verbose)
    return code
