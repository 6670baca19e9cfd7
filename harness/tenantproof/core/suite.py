"""A test suite that lives on without us: rows to plant, people, and what nobody may reach.  No clock, no I/O."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from tenantproof.core.model import Command, QName


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A persona as a session: the role it has, who it logged in as, and its settings (claims that never expire)."""

    name: str
    role: str
    login: str | None
    settings: tuple[tuple[str, str], ...]
    pre_request: str | None = None
    """Name of the function that is called before each request, "schema.name"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planting:
    """Rows of one table, as PostgreSQL's jsonb_agg gave them; `columns` are those that can be written."""

    relation: QName
    columns: tuple[str, ...]
    rows: str


class Look(enum.StrEnum):
    """Who looks, and at what."""

    PERSONA = "persona"
    """`look` is a query that the persona runs: what it shows is a leak."""
    OBSERVER = "observer"
    """`act` is the persona's; `look` is the observer's query over tenantproof_before and tenantproof_after, which are
    what `watch` shows: what `look` shows is a leak."""
    NEEDED = "needed"
    """`look` is a query that the persona runs: that it shows nothing means that people are locked out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One test.  `stage` is what the observer does first, `watch` how it reads the object."""

    object: str
    persona: str
    command: Command
    aim: str
    kind: Look
    look: str
    act: str = ""
    watch: str = ""
    stage: tuple[str, ...] = ()
    planted: bool = False
    """Whether a constraint that refuses the act proves that the policies let it pass (INSERT)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """Everything that a suite needs.  `left_out` are cells that it cannot test, in words."""

    scenario: str
    tool_version: str
    actors: tuple[Actor, ...]
    plantings: tuple[Planting, ...]
    probes: tuple[Probe, ...]
    left_out: tuple[str, ...] = ()
