"""What the Catalog does not hold and a comparison needs, one .sql file each."""

from __future__ import annotations

import functools
from importlib import resources


@functools.cache
def query(name: str) -> bytes:
    """The text of *name*.sql."""
    return (resources.files(__name__) / f"{name}.sql").read_bytes()
