"""`tenantproof replay`: run one finding again."""

from __future__ import annotations

import re
from pathlib import Path

import click

from tenantproof.cli.options import (
    EXAMPLES,
    attempts_option,
    examples_option,
    patch_option,
    reach_option,
    scenario_argument,
    seed_option,
    target_options,
    via_options,
)


@click.command("replay")
@click.argument("fingerprint")
@scenario_argument
@seed_option
@patch_option
@attempts_option
@reach_option
@examples_option("Folder of what `fuzz` found, to be tried first; it need not be there.", EXAMPLES)
@target_options
@via_options
@click.option("--script", is_flag=True, help="Print the psql script and do not run it.")
def command(
    fingerprint: str,
    scenario: Path,
    seed: int,
    patches: tuple[Path, ...],
    attempts: int,
    reach: str,
    examples: Path,
    target: str,
    writes: str | None,
    config: Path | None,
    isolated: bool,
    via: tuple[str, ...],
    api_url: str | None,
    api_key: str | None,
    sign_in: str | None,
    script: bool,
) -> int:
    """Run the finding FINGERPRINT of SCENARIO again, with psql alone, on a freshly seeded database.

    A finding of the search is met again with the seed, attempts and reach of the run that found it, or from the
    examples that `fuzz` kept; one of a further way in with its --via; over HTTP the script is for a shell, and printed.
    One that was found in a database of somebody's needs the same --target and --writes: the check is made again there,
    and psql is left out.  Exit code 1: it still leaks; 0: it is fixed.
    """
    from tenantproof.api import check
    from tenantproof.cli.configured import configured
    from tenantproof.cli.session import key_of, narrate
    from tenantproof.core.finding import Finding
    from tenantproof.core.ports import Handle
    from tenantproof.core.report import Report
    from tenantproof.engine.psql import run_script, shows_leak

    found: list[Finding] = []
    outputs: list[str] = []

    def show(handle: Handle, report: Report) -> None:
        for finding in report.findings:
            if finding.fingerprint.startswith(fingerprint):
                found.append(finding)
                ours = handle.owned and not script
                outputs.append(run_script(handle, finding.replay) if ours else finding.replay)
                click.echo(outputs[-1])

    if not re.fullmatch("[0-9a-f]{4,12}", fingerprint):
        raise click.UsageError(f"'{fingerprint}' is no fingerprint: 4 to 12 of the characters 0-9 a-f")
    report = check(
        scenario,
        seed=seed,
        patches=patches,
        attempts=attempts,
        profile=reach,
        examples=examples if examples.is_dir() else None,
        target=target,
        writes=writes,
        config=configured(target, config, isolated=isolated),
        via=via,
        api_url=api_url,
        api_key=key_of(api_key),
        sign_in=sign_in,
        say=narrate,
        then=show,
    )
    if not found and len(fingerprint) < 12:
        raise click.UsageError(f"no finding of this run begins with '{fingerprint}': give the whole fingerprint")
    if not found:
        others = ", ".join(finding.fingerprint for finding in report.findings) or "none"
        click.echo(f"FIXED  {fingerprint}: this run does not find it (its findings: {others})")
        click.echo("       A finding of the search needs the --attempts and --reach, or the --examples, of its run,")
        click.echo("       one of a further way in its --via, and one of somebody's database its --target.")
        return 0
    told = f"{found[0].fingerprint}  {found[0].object}: {found[0].title}"
    if report.reached_by and not script and "--writes" in report.reached_by:
        click.echo(f"STILL FOUND  {told}")
        click.echo("             The check found it again; in a database of somebody's its script is printed, not run.")
    elif script or any(shows_leak(output) for output in outputs):
        click.echo(f"STILL LEAKS  {told}")
    elif found[0].replay.startswith("#!"):
        click.echo(f"STILL FOUND  {told}")
        click.echo("             Its script, above, is for a shell: give it the variables that it names.")
    else:
        click.echo(f"STILL FOUND  {told}")
        click.echo("             The run finds it, but psql alone does not show it (psql cannot compare notices).")
    return 1
