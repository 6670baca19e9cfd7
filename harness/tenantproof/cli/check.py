"""`tenantproof check`: the headline."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from tenantproof.cli.options import SEVERITIES, color_option, patch_option, scenario_argument, seed_option


@click.command("check")
@scenario_argument
@seed_option
@patch_option
@click.option(
    "-r", "--report", "reports", multiple=True, metavar="FORMAT=PATH", help="Write a report: json or html; - is stdout."
)
@click.option(
    "--fail-on",
    type=click.Choice(SEVERITIES),
    default="medium",
    show_default=True,
    help="Exit 1 for findings of this severity or worse.",
)
@click.option("--strict", is_flag=True, help="Exit 4 for every cell that was not tested.")
@click.option("--exit-zero", is_flag=True, help="Turn exit codes 1 and 4 into 0.")
@click.option(
    "-t",
    "--target",
    default="embedded",
    show_default=True,
    help="Where the database lives: embedded.  A DSN or env:NAME is reached, and refused so far.",
)
@click.option(
    "--signing-algorithm",
    type=click.Choice(["HS256", "ES256", "RS256"]),
    default="HS256",
    show_default=True,
    help="How the personas' tokens are signed; ES256 and RS256 generate a key unless one is given.",
)
@click.option("--signing-key", type=click.Path(path_type=Path), help="Key to sign with: PEM, JWK, or a secret's file.")
@click.option("--keep", is_flag=True, help="Leave the seeded database behind, and say how to reach and drop it.")
@click.option("-q", "--quiet", is_flag=True, help="No narration on stderr.")
@click.option("-v", "--verbose", is_flag=True, help="Show every table, not only the surprising ones.")
@color_option
def command(
    scenario: Path,
    seed: int,
    patches: tuple[Path, ...],
    reports: tuple[str, ...],
    fail_on: str,
    strict: bool,
    exit_zero: bool,
    target: str,
    signing_algorithm: Literal["HS256", "ES256", "RS256"],
    signing_key: Path | None,
    keep: bool,
    quiet: bool,
    verbose: bool,
    color: str,
) -> int:
    """Prove that the tenants of SCENARIO are isolated, or show the leak.

    Builds the database from the migrations, seeds it, and tries every command on every relation as every persona;
    nothing is left of it afterwards.  Exit codes: 0 isolated, 1 a leak, 2 wrong scenario or command line, 3 no
    suitable database, 4 something could not be tested, 5 nothing to check, 130 interrupted.
    """
    from tenantproof.api import check, exit_code
    from tenantproof.cli.session import console, narrate, pipe_may_close, signer_for, threshold
    from tenantproof.core.finding import Severity
    from tenantproof.core.ports import SILENT
    from tenantproof.reports.files import parse_specs, write_to
    from tenantproof.reports.terminal import render

    destinations = parse_specs(reports)
    signer = signer_for(signing_algorithm, signing_key)
    report = check(
        scenario,
        seed=seed,
        patches=patches,
        signer=signer,
        target=target,
        keep=keep,
        say=SILENT if quiet and not keep else narrate,
    )
    for destination in destinations:
        with pipe_may_close():
            write_to(report, destination)
    paths = [destination.path for destination in destinations if not destination.is_stdout]
    fails = threshold(fail_on)
    code = exit_code(report, fails, strict=strict)
    code = 0 if exit_zero and code in (1, 4) else code
    with pipe_may_close():
        render(
            report,
            console(color),
            verbose=verbose,
            paths=paths,
            threshold=fails or Severity.CRITICAL,
            exit_code=code,
        )
    return code
