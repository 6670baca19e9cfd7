"""How much a run may ask of a database that others are using."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one run.  What they cut off is named in the report."""

    rows: int = 1000
    """Rows that are read of a relation; of a larger one a sample is read."""
    sample: int = 40
    """Rows of each kind (of a tenant, of others, of nobody, of a user) in a sample."""
    candidates: int = 3
    """Users who are looked at for one role of one tenant."""
    statement_seconds: float = 5.0
    seconds: float = 300.0
    """For everything: an open transaction keeps VACUUM from cleaning up behind it."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a run's time is over."""

    limits: Limits
    started: float = field(default_factory=perf_counter)

    def over(self, share: float = 1.0) -> bool:
        """Whether this share of the time is gone."""
        return perf_counter() - self.started >= self.limits.seconds * share
