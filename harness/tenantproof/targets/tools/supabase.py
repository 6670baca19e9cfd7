"""
The Supabase CLI: supabase/migrations/<digits>_name.sql by file name; other files and folders below are passed over.

`supabase/` itself, or the folder that holds it, gives what `supabase db reset` applies: roles.sql, the migrations and
the seeds of config.toml.  https://supabase.com/docs/guides/deployment/database-migrations
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

from tenantproof.core.errors import TargetError
from tenantproof.targets.tools.layout import Layout, Tool, duplicates, shown, skipped, sql_files

NAME = re.compile(r"([0-9]+)_(.*)\.sql")
OLD_INIT = re.compile(r"([0-9]{14})_init\.sql")
OLDEST = "20211209000000"
"""A first file <digits>_init.sql older than this is by an early CLI; the platform brings what it made."""


def _is_home(folder: Path) -> bool:
    has_parts = (folder / "migrations").is_dir() or (folder / "seed.sql").is_file() or folder.name == "supabase"
    return (folder / "config.toml").is_file() and has_parts


def _is_migrations(folder: Path) -> bool:
    parent = folder.absolute().parent
    return folder.name == "migrations" and (parent.name == "supabase" or _is_home(parent))


def _fits(folder: Path) -> bool:
    if _is_migrations(folder):
        return bool(sql_files(folder))
    return _is_home(folder) or _is_home(folder / "supabase")


def _layout(folder: Path) -> Layout:
    if _is_migrations(folder):
        return _migrations(folder)
    from tenantproof.targets.projects import supabase_project

    project = supabase_project(folder)
    layouts = [_migrations(entry) if entry.is_dir() else Layout(files=(entry,)) for entry in project.migrations]
    return Layout(
        files=tuple(file for layout in layouts for file in layout.files),
        notes=tuple(note for layout in layouts for note in layout.notes),
    )


def _migrations(folder: Path) -> Layout:
    there = sql_files(folder)
    files = [path for path in there if NAME.fullmatch(path.name)]
    rest = [path.name for path in there if path not in set(files)]
    old = files[:1] if files and (init := OLD_INIT.fullmatch(files[0].name)) and init.group(1) < OLDEST else []
    files = files[len(old) :]
    if not files:
        raise TargetError(
            f"{shown(folder)}: no migration with a name the Supabase CLI takes: expected <timestamp>_name.sql\n"
            f"  found: {', '.join(rest[:5])}"
        )
    versions = [(match.group(1), path) for path in files if (match := NAME.fullmatch(path.name))]
    notes = (
        *skipped(folder, rest, "the Supabase CLI runs <timestamp>_name.sql only"),
        *skipped(folder, [path.name for path in old], "of an early CLI; the platform brings what it made"),
        *duplicates(folder, versions),
        *_odd_order(folder, files),
    )
    return Layout(files=tuple(files), notes=notes)


def _odd_order(folder: Path, files: list[Path]) -> tuple[str, ...]:
    """A note where the order by name, which the CLI takes, is not that by number."""
    for first, second in pairwise(files):
        if int(first.name.partition("_")[0]) > int(second.name.partition("_")[0]):
            return (f"{shown(folder)}: the Supabase CLI sorts by name, so {first.name} runs before {second.name}",)
    return ()


TOOL = Tool(name="supabase", fits=_fits, layout=_layout)
