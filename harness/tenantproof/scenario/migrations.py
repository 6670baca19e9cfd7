"""`database.migrations`: paths relative to the scenario file to SQL files in the order they are applied."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path as FilePath

from tenantproof.core.errors import did_you_mean
from tenantproof.scenario.ledger import Ledger
from tenantproof.scenario.positions import Path, shown


def resolve(ledger: Ledger, home: FilePath, entries: str | list[str] | None) -> tuple[FilePath, ...]:
    """All files, in order; *home* is the folder of the scenario file.  A folder gives its *.sql sorted by name."""
    path: Path = ("database", "migrations")
    if isinstance(entries, list):
        named = [((*path, index), entry) for index, entry in enumerate(entries)]
    else:
        named = [(path, entries)] if entries else []
    found: dict[FilePath, Path] = {}
    for where, entry in named:
        for file in _files(ledger, where, home, entry):
            if file in found:
                message = f"{shown(file.name)} is applied twice (first named at line {ledger.line(found[file])})"
                ledger.at_value(where, "duplicate-migration", message, "a migration can run only once")
            found.setdefault(file, where)
    return tuple(found)


def _files(ledger: Ledger, where: Path, home: FilePath, entry: str) -> Iterator[FilePath]:
    target = _tidy(home / entry)
    if os.path.isfile(target):
        yield target
    elif os.path.isdir(target):
        yield from _folder(ledger, where, target, entry)
    else:
        hint = f"paths are relative to the scenario file; {_neighbour(target)}"
        ledger.at_value(where, "no-such-file", f"no file or folder {shown(entry)}", hint)


def _folder(ledger: Ledger, where: Path, folder: FilePath, entry: str) -> list[FilePath]:
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix == ".sql" and file.is_file())
    except OSError as error:
        ledger.at_value(where, "unreadable", f"the folder {shown(entry)} cannot be read: {error.strerror}")
        return []
    if not files:
        ledger.at_value(
            where, "no-migrations", f"the folder {shown(entry)} holds no *.sql file", "is it the right one?"
        )
    return files


def _tidy(path: FilePath) -> FilePath:
    """The path without `..`, unless a symbolic link makes that another file."""
    tidy = FilePath(os.path.normpath(path))
    try:
        return tidy if tidy.samefile(path) else path
    except (OSError, ValueError):
        return path


def _neighbour(target: FilePath) -> str:
    try:
        names = [entry.name for entry in target.parent.iterdir() if entry.is_dir() or entry.suffix == ".sql"]
    except (OSError, ValueError):
        return f"its folder {shown(target.parent.name)} does not exist either"
    return did_you_mean(target.name, [name for name in names if not name.startswith(".")])
