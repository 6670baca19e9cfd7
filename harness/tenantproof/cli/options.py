"""Options that mean the same on every verb."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from tenantproof.core.seeds import DEFAULT_SEED

Command = TypeVar("Command", bound=Callable[..., object])

SEVERITIES = ("info", "low", "medium", "high", "critical", "never")

scenario_argument = click.argument("scenario", type=click.Path(path_type=Path))

seed_option = click.option(
    "--seed", type=int, default=DEFAULT_SEED, show_default=True, help="One number gives every random choice."
)

patch_option = click.option(
    "--patch",
    "patches",
    multiple=True,
    type=click.Path(path_type=Path),
    help="SQL to apply after the migrations and before seeding: what if? (repeatable)",
)

color_option = click.option(
    "--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True, help="Use colour."
)
