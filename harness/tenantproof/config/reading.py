"""A configuration file read and checked: what it says is typed, and a key that nobody knows is an error."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tenantproof.core.errors import UsageError, did_you_mean
from tenantproof.core.ports import Writes
from tenantproof.core.settings import Sequences, TargetSettings

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class Config:
    """What a configuration says; an empty one where there is no file."""

    path: Path | None = None
    targets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """As they stand in the file: variables are looked up when a target is used, not for all of them."""

    def target(self, name: str) -> TargetSettings:
        """One target, its `${VAR}` filled in.  Raises UsageError for a variable that is not set."""
        where = f"{self.path}: targets.{name}"
        values = {key: _filled(value, f"{where}.{key}") for key, value in self.targets[name].items()}
        return TargetSettings(
            shown=name,
            dsn=values["dsn"],
            writes=Writes(values["writes"]) if "writes" in values else None,
            environment=values.get("environment"),
            expect_host=values.get("expect_host"),
            allow_triggers=tuple(values.get("allow_triggers", ())),
            sequences=Sequences(values.get("sequences", Sequences.AUTO)),
            **{key: values[key] for key in ("connections", "largest", "search_seconds") if key in values},
        )


def read_config(path: Path | None) -> Config:
    """The configuration in a file, an empty one for None.  Raises UsageError with the file and the key."""
    if path is None:
        return Config()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: the configuration cannot be read: {error.strerror}") from None
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError
        raise UsageError(f"{path}: this is no valid TOML: {error}") from None
    own = document.get("tool", {}).get("tenantproof", {}) if path.name == "pyproject.toml" else document
    _known_keys(path, "", own, ("targets",))
    targets = _table(path, "targets", own.get("targets", {}))
    for name, target in targets.items():
        _check_target(path, name, _table(path, f"targets.{name}", target))
    return Config(path, targets)


def _table(path: Path, where: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{path}: {where}: expected a table, as in [{where}]")
    return value


def _known_keys(path: Path, where: str, table: Mapping[str, object], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            raise UsageError(f"{path}: {where}{'.' if where else ''}{key}: {did_you_mean(key, known)}")


def _check_target(path: Path, name: str, table: Mapping[str, object]) -> None:
    where = f"targets.{name}"
    if name == _EMBEDDED or ":" in name or "=" in name:
        raise UsageError(f"{path}: {where}: this name has a meaning of its own; give the target another one")
    _known_keys(path, where, table, tuple(_KEYS))
    if "dsn" not in table:
        raise UsageError(f'{path}: {where}: a target needs its dsn, as in dsn = "${{STAGING_DSN}}"')
    for key, value in table.items():
        expected = _KEYS[key](value)
        if expected:
            raise UsageError(f"{path}: {where}.{key}: expected {expected}")


def _text(value: object) -> str:
    return "" if isinstance(value, str) and value else "a string"


def _number(value: object) -> str:
    return "" if isinstance(value, int) and not isinstance(value, bool) and value > 0 else "a whole number above 0"


def _texts(value: object) -> str:
    fits = isinstance(value, list) and all(isinstance(one, str) for one in value)
    return "" if fits else "a list of strings"


def _one_of(*known: str) -> Callable[[object], str]:
    return lambda value: "" if value in known else " or ".join(f'"{one}"' for one in known)


_KEYS: Mapping[str, Callable[[object], str]] = {
    "dsn": _text,
    "writes": _one_of(Writes.NEVER, Writes.ROLLBACK, Writes.CANARY),
    "environment": _text,
    "expect_host": _text,
    "allow_triggers": _texts,
    "connections": _number,
    "largest": _number,
    "search_seconds": _number,
    "sequences": _one_of(*Sequences),
}
"""Key of a target -> says what was expected, or '' where the value is that."""


def _filled(value: Any, where: str) -> Any:  # noqa: ANN401  (a value of TOML)
    if isinstance(value, list):
        return [_filled(one, where) for one in value]
    return _VARIABLE.sub(lambda match: _variable(match[1], where), value) if isinstance(value, str) else value


def _variable(name: str, where: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise UsageError(f"{where}: the environment variable {name} is not set")
    return value
