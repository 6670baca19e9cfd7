"""Which scenario file a test means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tenantproof.core.errors import did_you_mean

SKIPPED = frozenset({"node_modules", "__pycache__", "venv", "build", "dist"})


def the_scenario(config: pytest.Config, named: str | None) -> Path:
    """The file that the marker names, relative to the root folder; without one, the only file there is.

    Raises pytest.UsageError where there is none or a choice.
    """
    if named is not None:
        return _named(config, named)
    found = sorted(_files(config, config.rootpath))
    if len(found) == 1:
        return found[0]
    shown = ", ".join(str(path.relative_to(config.rootpath)) for path in found[:5])
    if found:
        raise pytest.UsageError(f"several scenario files ({shown}): say which with @pytest.mark.scenario('PATH')")
    patterns = ", ".join(config.getini("tenantproof_scenarios"))
    raise pytest.UsageError(f"no scenario file ({patterns}) below {config.rootpath}: write one with `tenantproof init`")


def _named(config: pytest.Config, named: str) -> Path:
    path = config.rootpath / named
    if path.is_file():
        return path
    known = [str(file.relative_to(config.rootpath)) for file in _files(config, config.rootpath)]
    raise pytest.UsageError(f"no scenario file {named} below {config.rootpath}; {did_you_mean(named, known)}")


def _files(config: pytest.Config, folder: Path) -> Iterator[Path]:
    patterns = config.getini("tenantproof_scenarios")
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            if not entry.name.startswith(".") and entry.name not in SKIPPED:
                yield from _files(config, entry)
        elif any(entry.match(pattern) for pattern in patterns):
            yield entry
