"""The SQL files of this folder."""

from __future__ import annotations

import functools
from importlib import resources


@functools.cache
def statement(name: str) -> bytes:
    """The text of queries/<name>.sql."""
    return resources.files(__package__).joinpath("queries", f"{name}.sql").read_bytes()
