"""`--config`, `--isolated` and `--target` as they were given on a command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tenantproof.core.errors import UsageError

if TYPE_CHECKING:
    from tenantproof.config import Config


def configured(target: str, config: Path | None, *, isolated: bool) -> Config:
    """The configuration that holds for this call.  Warns of a password that `ps` shows."""
    from tenantproof.config import Config, find_config, read_config
    from tenantproof.targets.choice import is_dsn
    from tenantproof.targets.live import has_password

    if isolated and config is not None:
        raise UsageError("--isolated reads no configuration: leave --config out, or --isolated")
    if not target.startswith("env:") and is_dsn(target) and has_password(target):
        click.echo(
            "warning: the password in --target can be read by everybody on this machine (ps); "
            "put the DSN into a variable and write --target env:NAME",
            err=True,
        )
    if isolated:
        return Config()
    return read_config(config if config is not None else find_config(Path.cwd()))
