"""
Whether a token that must not be accepted was.

A server may refuse it, or take its bearer for nobody: both are right.  It was accepted where rows came back that a
client without a token (and, for somebody else's token, the attacker's own) does not get.
"""

from __future__ import annotations

import enum
from collections.abc import Set

Rows = Set[tuple[str | None, ...]]


class Reception(enum.StrEnum):
    """How a token was taken."""

    REFUSED = "refused"
    AS_NOBODY = "taken for nobody's"
    ACCEPTED = "accepted"
    UNCLEAR = "unclear"
    """The server failed, or said that it is asked too often: nobody knows what it thinks of the token."""


def reception(status: int, rows: Rows, harmless: Rows) -> Reception:
    """How a token was taken, from the answer to a read with it; *harmless* are rows that come without it."""
    if status >= 500 or status == 429:
        return Reception.UNCLEAR
    if not 200 <= status < 300:
        return Reception.REFUSED
    return Reception.ACCEPTED if rows - harmless else Reception.AS_NOBODY
