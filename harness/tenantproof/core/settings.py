"""What a configuration may say of a target: a database that is somebody's, and how to behave there."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from tenantproof.core.ports import Writes

PRODUCTION = "production"


class Sequences(enum.StrEnum):
    """What to do about sequences, which no rollback puts back (docs/decisions/0013)."""

    AUTO = "auto"
    """Hold them while nobody else is connected when the run begins, else leave them alone."""
    HOLD = "hold"
    """Hold them by ALTER SEQUENCE, whose lock lets nobody draw a number until the run is over."""
    LEAVE = "leave"
    """Never lock them: rows get numbers from the top of their type, and what moved is listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSettings:
    """One `targets.NAME` of a configuration, or a DSN that was given as it is.

    `shown` is how the person named it; `dsn` is never shown.
    """

    shown: str
    dsn: str = field(repr=False)
    writes: Writes | None = None
    environment: str | None = None
    """What the owner says it is; "production" admits `--writes never` alone."""
    expect_host: str | None = None
    allow_triggers: tuple[str, ...] = ()
    """Functions that call out and may fire all the same, as schema.name or name."""
    connections: int = 2
    largest: int = 100_000
    """Rows in scope beyond which nothing is written: each run reads and compares all of them."""
    sequences: Sequences = Sequences.AUTO
    search_seconds: int = 3
    """How long the search for interference may take over a slow line."""
