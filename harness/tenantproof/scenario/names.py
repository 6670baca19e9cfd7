"""
Names of tables and columns as a scenario writes them.

`workflows`, `storage.objects`, and in SQL's double quotes what holds a dot: `'"order.items"'`.  Names keep their
case: nothing is folded, because pg_catalog's spelling is what counts.
"""

from __future__ import annotations

import re

_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')


def split(text: str) -> tuple[str, ...] | None:
    """The parts of a dotted name, or None where it is none (`a..b`, a quote left open, an empty text)."""
    parts, position = [], 0
    while match := _PART.match(text, position):
        quoted, plain = match.groups()
        parts.append(quoted.replace('""', '"') if quoted else plain)
        position = match.end()
        if position == len(text):
            return tuple(parts) if all(part == part.strip() for part in parts) else None
        if text[position] != ".":
            return None
        position += 1
    return None
