"""`database.migrations` and `database.shims`: paths relative to the scenario file.

A folder stays a folder: which of its files run, and in which order, is its migration tool's business, and the target's
(`tenantproof.targets.tools`).  Here only what a look at the disk tells: that it is there, and has SQL in it.
"""

from __future__ import annotations

import os
from pathlib import Path as FilePath

from tenantproof.core.errors import did_you_mean
from tenantproof.scenario.ledger import Ledger
from tenantproof.scenario.positions import Path, shown

DEEPEST = 4
"""How far below a folder SQL is looked for: tools put it one or two levels down."""


def resolve(ledger: Ledger, home: FilePath, entries: str | list[str] | None) -> tuple[FilePath, ...]:
    """The files and folders named, in order; *home* is the folder of the scenario file."""
    path: Path = ("database", "migrations")
    if isinstance(entries, list):
        named = [((*path, index), entry) for index, entry in enumerate(entries)]
    else:
        named = [(path, entries)] if entries else []
    found: dict[FilePath, Path] = {}
    for where, entry in named:
        target = _tidy(home / entry)
        if target in found:
            message = f"{shown(entry)} is applied twice (first named at line {ledger.line(found[target])})"
            ledger.at_value(where, "duplicate-migration", message, "a migration can run only once")
        elif _usable(ledger, where, target, entry):
            found[target] = where
    return tuple(found)


def shims(ledger: Ledger, home: FilePath, entry: str | None) -> FilePath | None:
    """The folder of stand-ins for extensions; None where none is named, or none is there."""
    if entry is None:
        return None
    where: Path = ("database", "shims")
    target = _tidy(home / entry)
    if not target.is_dir():
        what = "is a file, expected a folder" if target.exists() else "is not there"
        hint = f"paths are relative to the scenario file; {_neighbour(target)}"
        ledger.at_value(where, "no-such-file", f"the folder {shown(entry)} {what}", hint)
        return None
    if not any(name.endswith(".control") for name in _names(ledger, where, target, entry)):
        hint = "expected NAME.control and NAME--VERSION.sql, as PostgreSQL's extensions have them"
        ledger.at_value(where, "no-shims", f"the folder {shown(entry)} holds no *.control file", hint)
    return target


def _usable(ledger: Ledger, where: Path, target: FilePath, entry: str) -> bool:
    if os.path.isfile(target):
        return True
    if not os.path.isdir(target):
        hint = f"paths are relative to the scenario file; {_neighbour(target)}"
        ledger.at_value(where, "no-such-file", f"no file or folder {shown(entry)}", hint)
        return False
    if _names(ledger, where, target, entry) and not _has_sql(target):
        _complain_of_no_sql(ledger, where, entry)
    return True


def _names(ledger: Ledger, where: Path, folder: FilePath, entry: str) -> list[str]:
    """What is in a folder; nothing, and a complaint, where it is empty or cannot be read."""
    try:
        names = os.listdir(folder)
    except OSError as error:
        ledger.at_value(where, "unreadable", f"the folder {shown(entry)} cannot be read: {error.strerror}")
        return []
    if not names and where[1] == "migrations":
        _complain_of_no_sql(ledger, where, entry)
    return names


def _complain_of_no_sql(ledger: Ledger, where: Path, entry: str) -> None:
    message = f"the folder {shown(entry)} holds no *.sql file"
    hint = "is it the right one? Of migrations in another language give a dump: pg_dump --schema-only"
    ledger.at_value(where, "no-migrations", message, hint)


def _has_sql(folder: FilePath) -> bool:
    for root, folders, files in os.walk(folder, followlinks=False):
        if any(name.lower().endswith(".sql") for name in files):
            return True
        if len(FilePath(root).relative_to(folder).parts) >= DEEPEST:
            folders.clear()
        folders[:] = [name for name in folders if name != "node_modules" and not name.startswith(".")]
    return False


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
