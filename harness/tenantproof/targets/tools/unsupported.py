"""Tools whose folders are known, and cannot be run: one clear message each."""

from __future__ import annotations

from pathlib import Path

from tenantproof.core.errors import TargetError
from tenantproof.targets.tools.layout import Layout, Tool, entries, shown

DUMP = (
    "  run them into a scratch database, and give what `pg_dump --schema-only --no-owner` says of it:"
    " database.migrations: schema.sql"
)
CHANGELOG = ("changelog", "db.changelog", "liquibase")


def _is_sqitch(folder: Path) -> bool:
    parts = ("deploy", "revert", "verify")
    return (folder / "sqitch.plan").is_file() or (
        folder.name in parts and (folder.absolute().parent / "sqitch.plan").is_file()
    )


def _is_liquibase(folder: Path) -> bool:
    return any(
        path.suffix in (".xml", ".yaml", ".yml", ".json") and path.name.lower().startswith(CHANGELOG)
        for path in entries(folder)
    )


def _sqitch(folder: Path) -> Layout:
    raise TargetError(f"{shown(folder)}: migrations of Sqitch, which are not supported\n{DUMP}")


def _liquibase(folder: Path) -> Layout:
    raise TargetError(f"{shown(folder)}: migrations of Liquibase, which are not supported\n{DUMP}")


SQITCH = Tool(name="sqitch", fits=_is_sqitch, layout=_sqitch)
LIQUIBASE = Tool(name="liquibase", fits=_is_liquibase, layout=_liquibase)
