"""A finding: a property that an attempt violated, with evidence, a replayable script, severity and fix."""

from __future__ import annotations

import builtins
import enum
import hashlib
from dataclasses import dataclass

from tenantproof.core.model import Command, Place


class Property(enum.StrEnum):
    VISIBILITY = "visibility"
    CONFIDENTIALITY = "confidentiality"
    INTEGRITY = "integrity"


class Severity(enum.StrEnum):
    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return list(Severity).index(self)


class Reach(enum.StrEnum):
    API = "api"
    SQL = "sql"
    APP = "app"


class Verdict(enum.StrEnum):
    """What is known of one cell (relation, persona, command)."""

    ISOLATED = "isolated"
    LEAK = "leak"
    OVERBLOCKED = "overblocked"
    UNTESTED = "untested"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResult:
    """The verdict of one cell of the matrix, and why.

    `expected` and `observed` are words for people ("3 of 9 rows"); `entitled` tells whether the persona may
    do the command on at least one row; `reason` is never empty for untested and error.
    """

    object: str
    persona: str
    command: Command
    verdict: Verdict
    entitled: bool
    expected: str = ""
    observed: str = ""
    reason: str = ""
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was run and what came back, for one persona."""

    persona: str
    statement: str
    """The SQL as the persona ran it."""
    expected: str
    observed: str
    rows: tuple[str, ...] = ()
    """Rows in words for people ("globex's row, owner globex.member"), never values of the user's own data."""
    behind: str = ""
    """For two worlds: what happened behind the persona's back between them ("1 row of public.notes changed")."""
    world_1: tuple[str, ...] = ()
    """For two worlds: what the persona perceived before, line by line; seeded values only."""
    world_2: tuple[str, ...] = ()
    """For two worlds: what the persona perceived of the same statements after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One root cause.

    `object` is "schema.name"; `channel` a stable code (`POL-SELECT`, `UPD-MOVE`); `cause` names the policy or
    the mechanism; `personas` all witnesses; `file` and `line` the policy in its migration, where known;
    `replay` a psql script; `place` the line of the scenario that was violated.
    """

    property: Property
    channel: str
    severity: Severity
    reach: Reach
    object: str
    command: Command
    title: str
    cause: str
    """Mechanism in a stable word: a policy name, "rls-disabled", "view-owner", "no-policy"…"""
    explanation: str
    fix: str
    cwe: int
    personas: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    replay: str
    objects: tuple[str, ...] = ()
    """All relations that the cause opens; `object` is the one to mend: among them, or the function they share."""
    commands: tuple[Command, ...] = ()
    """All commands that the cause opens, `command` among them."""
    policy: str | None = None
    policy_text: str = ""
    file: str | None = None
    line: int | None = None
    place: Place | None = None
    accepted: str = ""
    """The reason of the acceptance, where there is one that still counts."""

    @builtins.property
    def fingerprint(self) -> str:
        """Stable over runs, seeds, machines and wording: property, channel, object, command and cause."""
        text = "|".join((self.property, self.channel, self.object, self.command, self.cause))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
