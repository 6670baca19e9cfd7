"""Word lists as people like to read them: words with blanks between them."""

from __future__ import annotations


def vocabulary(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


def in_order(text: str) -> tuple[str, ...]:
    """The words of a text, in their order."""
    return tuple(text.split())
