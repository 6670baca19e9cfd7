"""`tenantproof validate`: scenario files only, for editors and pre-commit."""

from __future__ import annotations

from pathlib import Path

import click

from tenantproof.core.errors import ScenarioError


@click.command("validate")
@click.argument("scenarios", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Fail for hints, too.")
def command(scenarios: tuple[Path, ...], strict: bool) -> int:
    """Check scenario files only; touches no database.

    Hints (lines that can never speak, writes without reads) are warnings, unless --strict is given.
    """
    from tenantproof.scenario import load_scenario
    from tenantproof.scenario.hints import hints_of

    failed = 0
    for path in scenarios:
        try:
            scenario = load_scenario(path)
        except ScenarioError as error:
            click.echo(str(error), err=True)
            failed += len(error.problems)
        else:
            hints = hints_of(scenario)
            for hint in hints:
                click.echo(hint.render(), err=True)
            failed += len(hints) if strict else 0
            click.echo(f"{path}: fine ({len(scenario.tenants)} tenants, {len(scenario.tables)} tables declared)")
    if failed:
        click.echo(f"\n{failed} problem{'' if failed == 1 else 's'}", err=True)
    return 2 if failed else 0
