"""The one way in which most comparisons put a difference."""

from __future__ import annotations

from tenantproof.core.drift import Difference, Direction
from tenantproof.core.finding import Severity


def difference(
    name: object,
    part: str,
    kind: str,
    severity: Severity,
    direction: Direction,
    ours: str,
    live: str,
    why: str = "",
) -> Difference:
    """A difference in *part* of the object *name*: what the migrations have, what is live, and what follows."""
    return Difference(
        kind=kind,
        severity=severity,
        direction=direction,
        object=str(name),
        part=part,
        migrations=ours,
        live=live,
        why=why,
    )
