"""Which file is the configuration: the nearest one, up to the root of the repository."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

OWN, SHARED = "tenantproof.toml", "pyproject.toml"


def find_config(start: Path) -> Path | None:
    """The nearest tenantproof.toml, or pyproject.toml with a table [tool.tenantproof]; None where there is none.

    Looked for from *start* up to the folder that holds `.git`.  Outside of a repository only *start* itself counts:
    what lies in a folder above it may be anybody's.
    """
    for folder in _folders(start.absolute()):
        if (folder / OWN).is_file():
            return folder / OWN
        if _speaks_of_us(folder / SHARED):
            return folder / SHARED
    return None


def _folders(start: Path) -> Iterator[Path]:
    above = [start, *start.parents]
    roots = [index for index, folder in enumerate(above) if (folder / ".git").exists()]
    yield from above[: roots[0] + 1] if roots else above[:1]


def _speaks_of_us(path: Path) -> bool:
    try:
        return "tenantproof" in tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError, AttributeError):
        return False  # somebody else's file, and somebody else's mistake
