"""
Further ways in, beside plain SQL: parts of a check that come after the matrix and the search, one after another.

A way gets the seeded database with all that is known of it, and says what it found, what it could not test, and what is
worth a remark.  It leaves the database as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tenantproof.core.finding import Finding
from tenantproof.core.ports import Handle
from tenantproof.core.report import Gap
from tenantproof.engine.bench import Ground
from tenantproof.engine.findings import Locate
from tenantproof.engine.matrix import Judged
from tenantproof.engine.plan import Plan
from tenantproof.engine.wire import Wire
from tenantproof.identity.signing import Signer


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a way starts from.  `cells` are those of the matrix by SQL; `neighbours` is the conninfo of sessions that
    see what was seeded, None where none but the wire's does."""

    handle: Handle
    plan: Plan
    wire: Wire
    ground: Ground
    cells: Sequence[Judged]
    signer: Signer
    locate: Locate
    neighbours: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a way came to."""

    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Way:
    """One way in: what to say while it is tried, and trying it."""

    words: str
    phase: str
    go: Callable[[Standing], Found]
