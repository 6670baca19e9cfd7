"""
A file for each direction, of which only the one that goes up runs.

`1_name.up.sql` by number: golang-migrate (https://github.com/golang-migrate/migrate) and sqlx; a folder per
migration with up.sql: Diesel (https://diesel.rs) and Hasura.
"""

from __future__ import annotations

from pathlib import Path

from tenantproof.targets.tools.layout import (
    Layout,
    Tool,
    by_number,
    number,
    refuse_duplicates,
    skipped,
    sql_files,
    subfolders_with,
)

UP, DOWN = ".up.sql", ".down.sql"


def _fits(folder: Path) -> bool:
    return any(path.name.lower().endswith(UP) for path in sql_files(folder))


def _layout(folder: Path) -> Layout:
    there = sql_files(folder)
    files = by_number(path for path in there if path.name.lower().endswith(UP))
    numbered = [(number(path.name), path) for path in files if number(path.name)]
    refuse_duplicates(folder, "golang-migrate", numbered)
    rest = [path.name for path in there if path not in set(files) and not path.name.lower().endswith(DOWN)]
    notes = skipped(folder, rest, f"in a folder of *{UP} only these go up")
    return Layout(files=tuple(files), notes=notes)


def _folders_fit(folder: Path) -> bool:
    return not sql_files(folder) and bool(subfolders_with(folder, "up.sql"))


def _folders_layout(folder: Path) -> Layout:
    return Layout(files=tuple(path / "up.sql" for path in by_number(subfolders_with(folder, "up.sql"))))


TOOL = Tool(name="golang-migrate", fits=_fits, layout=_layout)
PER_FOLDER = Tool(name="diesel", fits=_folders_fit, layout=_folders_layout)
