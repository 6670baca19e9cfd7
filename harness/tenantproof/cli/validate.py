"""`tenantproof validate`: scenario files only, for editors and pre-commit."""

from __future__ import annotations

from pathlib import Path

import click

from tenantproof.core.errors import ScenarioError


@click.command("validate")
@click.argument("scenarios", nargs=-1, required=True, type=click.Path(path_type=Path))
def command(scenarios: tuple[Path, ...]) -> int:
    """Check scenario files only; touches no database."""
    from tenantproof.scenario import load_scenario

    failed = 0
    for path in scenarios:
        try:
            scenario = load_scenario(path)
        except ScenarioError as error:
            click.echo(str(error), err=True)
            failed += len(error.problems)
        else:
            click.echo(f"{path}: fine ({len(scenario.tenants)} tenants, {len(scenario.tables)} tables declared)")
    if failed:
        click.echo(f"\n{failed} problem{'' if failed == 1 else 's'}", err=True)
    return 2 if failed else 0
