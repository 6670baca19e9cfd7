"""
Prisma Migrate: a folder per migration, by name, each with migration.sql; migration_lock.toml names the provider.

https://www.prisma.io/docs/orm/prisma-migrate/understanding-prisma-migrate/migration-histories
"""

from __future__ import annotations

import re
from pathlib import Path

from tenantproof.core.errors import TargetError
from tenantproof.targets.tools.layout import Layout, Tool, entries, shown, skipped, sql_files, subfolders_with

LOCK = "migration_lock.toml"
SCRIPT = "migration.sql"
PROVIDER = re.compile(r"""^\s*provider\s*=\s*["']([^"']*)["']""", re.MULTILINE)
NAMED = re.compile(r"\d{4,14}_")


def _home(folder: Path) -> Path:
    below = folder / "migrations"
    return below if not (folder / LOCK).exists() and below.is_dir() and _is_home(below) else folder


def _is_home(folder: Path) -> bool:
    return (folder / LOCK).is_file() or bool(subfolders_with(folder, SCRIPT))


def _fits(folder: Path) -> bool:
    return _is_home(_home(folder))


def _layout(folder: Path) -> Layout:
    home = _home(folder)
    _check_provider(home / LOCK)
    found = [path for path in entries(home) if path.is_dir()]
    scripts = [path / SCRIPT for path in found if (path / SCRIPT).is_file()]
    for path in found:
        if not (path / SCRIPT).is_file() and NAMED.match(path.name):
            raise TargetError(
                f"{shown(path)}: no {SCRIPT} in it, which Prisma refuses too (P3015)\n"
                "  restore the file, or remove the empty folder"
            )
    if not scripts:
        raise TargetError(
            f"{shown(home)}: a folder of Prisma without migrations\n"
            f"  `prisma migrate dev` (or `migrate diff --script`) writes <timestamp>_<name>/{SCRIPT}"
        )
    loose = [path.name for path in sql_files(home)]
    return Layout(files=tuple(scripts), notes=skipped(home, loose, f"Prisma runs <folder>/{SCRIPT} only"))


def _check_provider(lock: Path) -> None:
    if not lock.is_file():
        return
    text = lock.read_text(encoding="utf-8", errors="replace")
    found = PROVIDER.search(text)
    if found is not None and found.group(1) not in ("postgresql", "postgres"):
        line = text.count("\n", 0, found.start(1)) + 1
        raise TargetError(
            f"{shown(lock)}:{line}: these migrations are for '{found.group(1)}', expected 'postgresql'\n"
            "  row level security is PostgreSQL's; name another folder"
        )


TOOL = Tool(name="prisma", fits=_fits, layout=_layout)
