"""A folder of SQL files and nothing else: by number where the names start with one, else by name."""

from __future__ import annotations

from pathlib import Path

from tenantproof.targets.tools.layout import Layout, Tool, by_number, duplicates, number, reordering, sql_files


def _fits(folder: Path) -> bool:
    return bool(sql_files(folder))


def _layout(folder: Path) -> Layout:
    files = by_number(sql_files(folder))
    versions = [(number(path.name), path) for path in files if number(path.name)]
    return Layout(files=tuple(files), notes=(*reordering(folder, files), *duplicates(folder, versions)))


TOOL = Tool(name="plain", fits=_fits, layout=_layout)
