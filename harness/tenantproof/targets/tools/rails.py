"""Rails with `schema_format = :sql`: db/structure.sql is the whole schema, db/migrate/*.rb is Ruby."""

from __future__ import annotations

from pathlib import Path

from tenantproof.targets.tools.layout import Layout, Tool, skipped, sql_files


def _fits(folder: Path) -> bool:
    return (folder / "structure.sql").is_file() and (folder / "migrate").is_dir()


def _layout(folder: Path) -> Layout:
    others = [path.name for path in sql_files(folder) if path.name != "structure.sql"]
    return Layout(
        files=(folder / "structure.sql",),
        notes=skipped(folder, others, "structure.sql is the schema; list another database's file if you mean it"),
    )


TOOL = Tool(name="rails", fits=_fits, layout=_layout)
