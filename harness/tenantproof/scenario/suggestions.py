"""The nearest valid name, as a hint."""

from __future__ import annotations

from collections.abc import Iterable

from tenantproof.core.errors import did_you_mean, nearest


def suggest(name: str, known: Iterable[str]) -> str:
    """`did_you_mean`, which also sees that only the case is wrong."""
    names = sorted(known)
    folded = {known_name.lower(): known_name for known_name in names}
    if nearest(name, names) is None and name.lower() in folded:
        return f"did you mean '{folded[name.lower()]}'?"
    return did_you_mean(name, names)
