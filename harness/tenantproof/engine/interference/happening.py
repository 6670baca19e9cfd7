"""One thing that happens behind a persona's back."""

from __future__ import annotations

from dataclasses import dataclass

from tenantproof.core.model import QName
from tenantproof.core.world import Key
from tenantproof.engine.interference.recipes import quiet


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A row of the persona's tenant that others can refer to."""

    relation: QName
    key: Key
    columns: tuple[str, ...]
    """The columns that others refer to, and so have to know."""
    seen: bool = False
    """Whether the one who refers to it is entitled to read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happens behind the persona's back."""

    relation: QName
    words: str
    """For people: "2 rows of public.notes were changed"."""
    sql: str
    quietly: bool = False
    """With triggers and foreign keys off."""
    before: tuple[str, ...] = ()
    """Statements that make the session somebody else first."""
    after: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ()

    @property
    def statements(self) -> tuple[str, ...]:
        """From a session of the observer and back to it."""
        return (*self.before, *(quiet(self.sql) if self.quietly else (self.sql,)), *self.after)
