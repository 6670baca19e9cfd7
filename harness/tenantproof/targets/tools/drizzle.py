"""
Drizzle Kit: meta/_journal.json gives the order of 0000_name.sql; newer, a folder per migration by name, each with
migration.sql and snapshot.json.  `--> statement-breakpoint` is a comment to PostgreSQL.

https://orm.drizzle.team/docs/kit-overview
"""

from __future__ import annotations

import json
from pathlib import Path

from tenantproof.core.errors import TargetError, did_you_mean
from tenantproof.targets.tools.layout import Layout, Tool, shown, skipped, sql_files, subfolders_with

JOURNAL = Path("meta") / "_journal.json"
SCRIPT = "migration.sql"
DIALECTS = ("postgresql", "pg")


def _fits(folder: Path) -> bool:
    return (folder / JOURNAL).is_file() or bool(_folders(folder))


def _folders(folder: Path) -> list[Path]:
    return [path for path in subfolders_with(folder, SCRIPT) if (path / "snapshot.json").is_file()]


def _layout(folder: Path) -> Layout:
    if not (folder / JOURNAL).is_file():
        return Layout(files=tuple(path / SCRIPT for path in subfolders_with(folder, SCRIPT)))
    text = _text(folder / JOURNAL)
    files = [_file(folder, text, tag) for tag in _tags(folder / JOURNAL, text)]
    if not files:
        raise TargetError(f"{shown(folder / JOURNAL)}: no entries: `drizzle-kit generate` writes the migrations")
    rest = [path.name for path in sql_files(folder) if path not in set(files)]
    return Layout(files=tuple(files), notes=skipped(folder, rest, f"not in {JOURNAL.as_posix()}"))


def _text(journal: Path) -> str:
    try:
        return journal.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TargetError(f"{shown(journal)}: cannot be read: {error}") from error


def _tags(journal: Path, text: str) -> list[str]:
    """The names of the migrations in the order they run.  Raises TargetError for what is no journal of PostgreSQL."""
    try:
        content = json.loads(text)
        dialect, listed = content.get("dialect", "postgresql"), content["entries"]
        tags = [str(entry["tag"]) for entry in listed]
    except json.JSONDecodeError as error:
        raise TargetError(f"{shown(journal)}:{error.lineno}: not JSON: {error.msg} (merge markers?)") from error
    except (KeyError, TypeError, AttributeError):
        raise TargetError(
            f'{shown(journal)}:1: not a journal of Drizzle: expected {{"entries": [{{"tag": …}}]}}'
        ) from None
    if dialect not in DIALECTS:
        raise TargetError(f"{shown(journal)}:1: these migrations are for '{dialect}', expected 'postgresql'")
    return tags


def _file(folder: Path, text: str, tag: str) -> Path:
    path = folder / f"{tag}.sql"
    if path.is_file():
        return path
    line = text.count("\n", 0, max(text.find(f'"{tag}"'), 0)) + 1
    known = [file.stem for file in sql_files(folder)]
    raise TargetError(
        f"{shown(folder / JOURNAL)}:{line}: the journal names '{tag}', but there is no {shown(path)}\n"
        f"  {did_you_mean(tag, known)}"
    )


TOOL = Tool(name="drizzle", fits=_fits, layout=_layout)
