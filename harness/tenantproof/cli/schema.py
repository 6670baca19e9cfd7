"""`tenantproof schema`: the JSON Schema that editors use for completion."""

from __future__ import annotations

import json

import click


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of the scenario file."""
    from tenantproof.scenario import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
