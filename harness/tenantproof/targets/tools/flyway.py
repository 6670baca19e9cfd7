"""
Flyway: versioned V1__a.sql by version, then repeatable R__b.sql by description, in the folder and those below.

The latest baseline B2__c.sql replaces the versions up to its own; undo scripts U1__a.sql and callbacks do not run.
https://documentation.red-gate.com/flyway/flyway-concepts/migrations
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from tenantproof.core.errors import TargetError
from tenantproof.targets.tools.layout import Layout, Tool, entries, is_file, refuse_duplicates, shown, skipped

NAME = re.compile(r"(?P<kind>[VBU])(?P<version>\d+(?:[._]\d+)*)__(?P<about>.*)\.(?P<suffix>sql|java)", re.DOTALL)
REPEATABLE = re.compile(r"R__(?P<about>.*)\.(?P<suffix>sql|java)", re.DOTALL)
DEEPEST = 6
CALLBACK = re.compile(r"(?:before|after|create)[A-Z]\w*(?:__.*)?\.sql")


@dataclass(frozen=True, slots=True)
class Named:
    """A file whose name Flyway understands; `version` is empty for a repeatable one."""

    path: Path
    kind: str
    version: tuple[int, ...]
    about: str
    suffix: str


def is_flyway(name: str) -> bool:
    """Whether a file name is one of Flyway's."""
    return NAME.fullmatch(name) is not None or REPEATABLE.fullmatch(name) is not None


def _fits(folder: Path) -> bool:
    return any(is_flyway(path.name) and path.suffix == ".sql" for path in _everything(folder))


def _everything(folder: Path) -> list[Path]:
    entries(folder)  # complains of a folder that cannot be read, which os.walk passes over
    found: list[Path] = []
    for home, below, names in os.walk(folder):
        deep = len(Path(home).relative_to(folder).parts) >= DEEPEST
        below[:] = [] if deep else [name for name in below if name != "node_modules" and not name.startswith(".")]
        found += [Path(home, name) for name in names if name.endswith((".sql", ".java"))]
    return sorted(path for path in found if is_file(path))


def _layout(folder: Path) -> Layout:
    there = _everything(folder)
    named = [found for path in there if (found := _named(path)) is not None]
    scripts = [one for one in named if one.suffix == "sql"]
    versioned = _versioned(folder, scripts)
    repeatable = sorted((one for one in scripts if one.kind == "R"), key=lambda one: one.about)
    files = tuple(one.path for one in (*versioned, *repeatable))
    if not files:
        raise TargetError(f"{shown(folder)}: only undo scripts and code of Flyway: no V1__name.sql to run")
    notes = (
        *skipped(folder, [one.path.name for one in named if one.suffix == "java"], "written in Java"),
        *skipped(folder, [path.name for path in there if CALLBACK.fullmatch(path.name)], "callbacks of Flyway"),
        *skipped(folder, [path.name for path in there if _unknown(path)], "not a name of Flyway: V1__what.sql"),
    )
    return Layout(files=files, notes=notes)


def _named(path: Path) -> Named | None:
    if found := NAME.fullmatch(path.name):
        return Named(path, found["kind"], _version(found["version"]), found["about"], found["suffix"])
    if found := REPEATABLE.fullmatch(path.name):
        return Named(path, "R", (), found["about"], found["suffix"])
    return None


def _version(text: str) -> tuple[int, ...]:
    """1, 1.0 and 01 are the same version to Flyway."""
    parts = [int(part) for part in re.split("[._]", text)]
    while len(parts) > 1 and parts[-1] == 0:
        parts.pop()
    return tuple(parts)


def _versioned(folder: Path, scripts: list[Named]) -> list[Named]:
    """The latest baseline, and the versions after it."""
    baselines = sorted((one for one in scripts if one.kind == "B"), key=lambda one: one.version)
    latest = baselines[-1:]
    start = latest[0].version if latest else ()
    versions = sorted((one for one in scripts if one.kind == "V"), key=lambda one: one.version)
    refuse_duplicates(folder, "Flyway", [(one.version, one.path) for one in versions])
    return [*latest, *(one for one in versions if one.version > start)]


def _unknown(path: Path) -> bool:
    return path.suffix == ".sql" and not is_flyway(path.name) and CALLBACK.fullmatch(path.name) is None


TOOL = Tool(name="flyway", fits=_fits, layout=_layout)
