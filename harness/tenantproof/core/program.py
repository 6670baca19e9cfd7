"""A program: what a persona runs in one go, and what must be known of it to understand the answer."""

from __future__ import annotations

from dataclasses import dataclass

from tenantproof.core.attempt import Observation
from tenantproof.core.finding import Reach
from tenantproof.core.model import Command, QName

Answer = tuple[Observation, ...]
"""One observation per statement, up to and including the first that was refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One statement of a program.

    `shape` is a word for its form ("select", "join", "insert", "call"…); `subject` the relation or function it is
    about; `relations` all relations it names; `writes` the relation it writes to, and with which command.
    """

    sql: str
    shape: str
    subject: QName
    relations: tuple[QName, ...] = ()
    writes: tuple[QName, Command] | None = None
    calls: bool = False
    """Whether the subject is a function."""
    reach: Reach = Reach.API


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """What is unusual about the persona's request: settings laid over those of its session, and words for it.

    A variation never entitles the persona to more: it is what a user can do to their own request (headers, their own
    user_metadata), or a token that grants less than usual.
    """

    words: str = ""
    settings: tuple[tuple[str, str], ...] = ()


PLAIN = Variation()


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Statements that run behind one savepoint, as one persona.

    `known` are ids of rows of others that nobody can guess and that the program mentions: the persona is supposed to
    have met them (in a link, in a log), so that such a row exists tells nothing.
    """

    lines: tuple[Line, ...]
    variation: Variation = PLAIN
    known: frozenset[str] = frozenset()

    @property
    def reach(self) -> Reach:
        """What an attacker needs to run it."""
        return Reach.SQL if any(line.reach is Reach.SQL for line in self.lines) else Reach.API

    @property
    def writes(self) -> bool:
        """Whether it may change anything."""
        return any(line.writes is not None or line.calls for line in self.lines)

    @property
    def text(self) -> str:
        """Its statements, one to a line."""
        return ";\n".join(line.sql for line in self.lines)
