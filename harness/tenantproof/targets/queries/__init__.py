"""The SQL that reads what the guard decides upon; one file per query, read by name."""

from __future__ import annotations

import functools
from importlib import resources


@functools.cache
def query(name: str) -> bytes:
    """The text of *name*.sql, as bytes, which psycopg takes without asking for a literal string."""
    return (resources.files(__name__) / f"{name}.sql").read_bytes()
