"""`tenantproof check`: the headline."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from tenantproof.cli.options import (
    attempts_option,
    baseline_option,
    color_option,
    endpoint_base_option,
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
    via_options,
)


@click.command("check")
@scenario_argument
@seed_option
@patch_option
@attempts_option
@reach_option
@examples_option("Folder of what `fuzz` found before, to be tried first; what is found is kept there.")
@report_option
@fail_on_option
@click.option("--strict", is_flag=True, help="Exit 4 for every cell that was not tested, and for hints.")
@exit_zero_option
@no_accept_option
@baseline_option
@click.option(
    "--history",
    type=click.Path(),  # as it was written: a slash at the end says that it is a folder
    help="File (or folder for it) that keeps runs in short, one line each: what is new since the last one.",
)
@target_options
@via_options
@endpoint_base_option
@signing_options
@click.option("--keep", is_flag=True, help="Leave the seeded database behind, and say how to reach and drop it.")
@quiet_option
@verbose_option
@color_option
def command(
    scenario: Path,
    seed: int,
    patches: tuple[Path, ...],
    attempts: int,
    reach: str,
    examples: Path | None,
    reports: tuple[str, ...],
    fail_on: str,
    strict: bool,
    exit_zero: bool,
    no_accept: bool,
    baseline: Path | None,
    history: str | None,
    target: str,
    writes: str | None,
    config: Path | None,
    isolated: bool,
    via: tuple[str, ...],
    api_url: str | None,
    api_key: str | None,
    sign_in: str | None,
    endpoint_base: str | None,
    signing_algorithm: Literal["HS256", "ES256", "RS256"],
    signing_key: Path | None,
    keep: bool,
    quiet: bool,
    verbose: bool,
    color: str,
) -> int:
    """Prove that the tenants of SCENARIO are isolated, or show the leak.

    Builds the database from the migrations, seeds it, tries every command on every relation as every persona, and
    searches for interference: whether what a persona sees depends on rows of others, or what it does reaches them.
    Nothing is left of it afterwards.  With --target it does so in a database that is somebody's, as far as --writes
    allows.  Ctrl-C ends it with a report of what is known; twice, at once.  Exit codes: 0
    isolated, 1 a leak, 2 wrong scenario or command line, 3 no suitable database, 4 something could not be tested, 5
    nothing to check, 130 interrupted with nothing found.
    """
    from tenantproof.api import check, exit_code, hints
    from tenantproof.cli.configured import configured
    from tenantproof.cli.interruption import Interruption
    from tenantproof.cli.live import listening
    from tenantproof.cli.phases import phases_for
    from tenantproof.cli.session import folder_to_write, key_of, narrate, signer_for, tell, threshold, wants_suite
    from tenantproof.core.errors import Problem
    from tenantproof.core.events import Event, PhaseStarted
    from tenantproof.core.ports import SILENT
    from tenantproof.reports.files import parse_specs

    destinations = parse_specs(reports)
    doubts: list[Problem] = []
    with (
        listening(destinations) as hear,
        Interruption() as interruption,
        phases_for(quiet=quiet, color=color) as progress,
    ):

        def listen(event: Event) -> None:
            if isinstance(event, PhaseStarted) and event.may_end:
                interruption.watch(progress.ending)
            progress(event)
            hear(event)

        report = check(
            scenario,
            seed=seed,
            patches=patches,
            signer=signer_for(signing_algorithm, signing_key),
            target=target,
            writes=writes,
            config=configured(target, config, isolated=isolated),
            keep=keep,
            attempts=attempts,
            profile=reach,
            examples=folder_to_write(examples) if examples is not None else None,
            suite=wants_suite(destinations),
            accept=not no_accept,
            baseline=baseline,
            history=history,
            via=via,
            api_url=api_url,
            api_key=key_of(api_key),
            sign_in=sign_in,
            endpoint_base=endpoint_base,
            stop=lambda: interruption.asked,
            listen=listen,
            say=SILENT if quiet and not keep else narrate,
            then=lambda handle, report: doubts.extend(() if report.trouble else hints(scenario, handle)),
        )
    for doubt in doubts if strict or not quiet else ():
        click.echo(doubt.render(), err=True)
    fails = threshold(fail_on)
    code = exit_code(report, fails, strict=strict) or (4 if strict and doubts else 0)
    code = 0 if exit_zero and code in (1, 4) else code
    code = 130 if report.interrupted and code not in (1, 3) else code
    tell(report, destinations, code=code, fails=fails, color=color, verbose=verbose)
    return code
