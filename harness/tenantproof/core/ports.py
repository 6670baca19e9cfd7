"""The two ports between the engine and the world outside: a target gives databases, a listener takes events."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tenantproof.core.model import Persona


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """SQL that was applied (a migration or a patch): `path` as the user would write it, `text` the whole file."""

    path: str
    text: str


class Writes(enum.StrEnum):
    """What a run may write in a database, and how it becomes undone."""

    SEED = "seed"
    """The database is ours: rows are committed, and the database goes away."""
    NEVER = "never"
    """READ ONLY transactions; rows that are there are read."""
    ROLLBACK = "rollback"
    """Everything in one transaction that is rolled back, rows of the canary tenants included."""
    CANARY = "canary"
    """Rows of the canary tenants are committed, written down in a manifest, and deleted afterwards."""


@dataclass(slots=True, kw_only=True)
class Traces:
    """What a run learns of itself in somebody's database: for those who look afterwards whether anything stayed."""

    marks: set[str] = field(default_factory=set)
    """Strings by which a row is known as the run's: canaries, ids of its tenants and users."""
    round_trips: int = 0
    """How often it waited for an answer."""
    connections: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What was found in the database once the run had let go of it."""

    notes: tuple[str, ...] = ()
    trouble: str = ""
    """What the run left there, or why nobody could look; '' where all is as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How to behave in a database that is somebody's."""

    run: str
    """The run's id, which its sessions bear as application_name."""
    alone: bool
    """Whether locks that others would wait for may be taken, as nobody else is there."""
    connections: int = 2
    place: str = ""
    """host:port/database."""
    manifest: Path | None = None
    """The file that must say which rows are the run's before any is committed; None where none ever is."""
    round_trip: float = 0.0
    """Seconds that it takes to ask the server and hear from it."""
    search_seconds: int = 3
    """How long the search may take over a slow line."""
    traces: Traces = field(default_factory=Traces)
    after: Callable[[], Aftermath] = field(default=Aftermath, repr=False)
    """Looks, once the run has let go of the database, whether anything stayed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """A database that is ready for a run.

    `conninfo` connects as the observer, a role that sees every row and may SET SESSION AUTHORIZATION (or, on
    targets that are not ours, SET ROLE); `owned` tells whether we made the database and may change it at will.
    """

    conninfo: str = field(repr=False)
    label: str
    server_version: str
    owned: bool
    sources: tuple[Source, ...] = ()
    psql: str | None = None
    """A psql program that fits the server, where there is one."""
    writes: Writes = Writes.SEED
    manners: Manners | None = None
    """None where the database is ours."""


class Target(Protocol):
    """Where databases come from."""

    @property
    def notes(self) -> Sequence[str]:
        """Remarks for the report, once a database was made."""
        ...

    def database(self) -> AbstractContextManager[Handle]:
        """A fresh database with the migrations (and patches) applied; nothing is left of it afterwards."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A persona, ready to act: the signed token, its decoded and verified claims, and what the session sets.

    `settings` are (name, value) pairs for set_config(name, value, true), in order; the role is not among them.
    """

    persona: Persona
    login: str | None
    role: str
    settings: tuple[tuple[str, str], ...]
    claims: Mapping[str, object] = field(default_factory=dict)
    token: str | None = field(default=None, repr=False)
    pre_request: str | None = None


SILENT: Callable[[str], None] = lambda _message: None  # noqa: E731
"""Narration for people who do not want any."""
