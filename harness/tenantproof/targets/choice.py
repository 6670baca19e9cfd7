"""`--target`: where the database lives, as a person writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from tenantproof.core.errors import UsageError, did_you_mean
from tenantproof.core.model import Scenario
from tenantproof.core.ports import SILENT, Target, Writes
from tenantproof.core.settings import TargetSettings
from tenantproof.targets.reach import readable_dsn, require_dsn

EMBEDDED = "embedded"

Named = Mapping[str, object]
"""The targets of a configuration, by name."""


def settings_for(target: str, named: Named, configured: Callable[[str], TargetSettings]) -> TargetSettings:
    """What is known of a target that is somebody's: NAME of the configuration, env:NAME, or a DSN.

    Raises UsageError for a name that nobody knows, for a variable that is not set, and for what is no DSN.
    """
    if target in named:
        settings = configured(target)
        require_dsn(settings.dsn, f"--target {target}")
        return settings
    if target.startswith("env:"):
        return TargetSettings(shown=target, dsn=readable_dsn(target, "--target"))
    if is_dsn(target):
        return TargetSettings(shown="the DSN", dsn=readable_dsn(target, "--target"))
    raise UsageError(
        f"--target {target}: {did_you_mean(target, (EMBEDDED, *named))}  A target is embedded, env:NAME of a variable "
        "with a DSN, a DSN, or a name under [targets] in the configuration"
    )


def is_dsn(text: str) -> bool:
    """Whether somebody meant a DSN, be it right or wrong."""
    if "://" in text or "@" in text:
        return True
    with suppress(ProgrammingError):
        return bool(conninfo_to_dict(text))
    return "=" in text


def theirs(
    settings: TargetSettings, scenario: Scenario, *, writes: str | Writes | None, say: Callable[[str], None] = SILENT
) -> Target:
    """The target for a database that is somebody's.  Raises UsageError for `--writes seed`."""
    from tenantproof.targets.dsn import DsnTarget, writes_of

    return DsnTarget(settings, scenario, writes=writes_of(settings, writes), say=say)
