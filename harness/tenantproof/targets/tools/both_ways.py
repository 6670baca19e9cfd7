"""
Tools whose files hold both directions; `markers` takes away what goes down.

dbmate runs files that start with digits, by name; goose runs them by number and refuses two with the same one.
"""

from __future__ import annotations

import re
from pathlib import Path

from tenantproof.targets.tools.layout import (
    Layout,
    Tool,
    by_number,
    duplicates,
    entries,
    number,
    refuse_duplicates,
    skipped,
    sql_files,
)
from tenantproof.targets.tools.markers import DBMATE as DBMATE_MARKERS
from tenantproof.targets.tools.markers import GOOSE as GOOSE_MARKERS
from tenantproof.targets.tools.markers import Markers

HEAD = 4096
"""How far into a file the first marker is looked for: licences stand above it."""

DIGITS = re.compile(r"\d+")


def _speaks(folder: Path, markers: Markers) -> bool:
    return any(markers.up.search(_head(path)) for path in sql_files(folder))


def _head(path: Path) -> str:
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            return file.read(HEAD)
    except OSError:
        return ""


def _dbmate(folder: Path) -> Layout:
    found = sql_files(folder)
    files = [path for path in found if DIGITS.match(path.name)]
    rest = [path.name for path in found if path not in set(files)]
    versions = [(match.group(), path) for path in files if (match := DIGITS.match(path.name))]
    notes = (*skipped(folder, rest, "dbmate runs files that start with digits"), *duplicates(folder, versions))
    return Layout(files=tuple(files), notes=notes)


def _goose(folder: Path) -> Layout:
    found = sql_files(folder)
    files = by_number(path for path in found if DIGITS.match(path.name))
    refuse_duplicates(folder, "goose", [(number(path.name)[:1], path) for path in files])
    rest = [path.name for path in found if path not in set(files)]
    code = [path.name for path in entries(folder) if path.suffix == ".go" and DIGITS.match(path.name)]
    notes = (
        *skipped(folder, rest, "goose runs files that start with digits"),
        *skipped(folder, code, "written in Go"),
    )
    return Layout(files=tuple(files), notes=notes)


DBMATE = Tool(name="dbmate", fits=lambda folder: _speaks(folder, DBMATE_MARKERS), layout=_dbmate)
GOOSE = Tool(name="goose", fits=lambda folder: _speaks(folder, GOOSE_MARKERS), layout=_goose)
