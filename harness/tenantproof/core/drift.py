"""What `drift` found: where a live database, or a Prisma schema, differs from the migrations.  No clock, no I/O."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from tenantproof.core.finding import Severity


class Direction(enum.StrEnum):
    """Which of the two lets more through."""

    MORE_OPEN = "more open"
    """The live database allows what the migrations do not."""
    LESS_OPEN = "less open"
    DIFFERENT = "different"
    """Neither can be told from the catalog alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference.

    `kind` is a stable word ("policy-extra"); `object` "schema.name", or the name of a role or publication; `part`
    what of it ("policy notes_select", "column body"), empty for the whole; `migrations` and `live` say what either
    side has, in words or as PostgreSQL spells it.
    """

    kind: str
    severity: Severity
    direction: Direction
    object: str
    migrations: str
    live: str
    part: str = ""
    why: str = ""
    """What follows from it, where that is not plain."""
    file: str | None = None
    line: int | None = None
    """Where the migrations make it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One comparison.

    `against` says what was compared with the migrations, without secrets; `compared` counts by kind of object what
    was looked at; `left_out` says in sentences what was not.
    """

    scenario: str
    scenario_path: str
    server_version: str
    against: tuple[str, ...]
    differences: tuple[Difference, ...]
    schemas: tuple[str, ...] = ()
    compared: Mapping[str, int] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What was taken for granted, and what may explain many differences at once."""
    seconds: float = 0.0

    def gating(self, threshold: Severity) -> tuple[Difference, ...]:
        """Differences at or above the threshold."""
        return tuple(d for d in self.differences if d.severity.rank >= threshold.rank)


def worst_first(differences: tuple[Difference, ...]) -> tuple[Difference, ...]:
    """By severity, then by name, so that the order never depends on the run."""
    return tuple(sorted(differences, key=lambda d: (-d.severity.rank, d.object, d.part, d.kind, d.live)))
