"""
Everything this package raises on purpose.

* TenantproofError
  x UsageError          the command line or the configuration is wrong        -> exit 2
    + ScenarioError     a scenario file is wrong; every problem with its place
  x TargetError         the database cannot be reached or is unsuitable       -> exit 3
    + MissingExtra      an optional dependency is needed; says how to get it
    + MigrationError    a migration failed; names file, line and statement
  x Undecided           the scenario leaves open what must be known first     -> exit 4
  x NothingToCheck      the selection or the schema is empty                  -> exit 5

A leak is not an exception: it is a `Finding`.  What could not be tested is not an exception either: it is a
cell with the verdict `untested` and a reason.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class TenantproofError(Exception):
    """Root of all errors meant for the person who runs tenantproof."""

    exit_code = 70


class UsageError(TenantproofError):
    """The command line, the configuration or a scenario is wrong."""

    exit_code = 2


class TargetError(TenantproofError):
    """The database cannot be reached, is unsuitable, or was refused as unsafe."""

    exit_code = 3


class Undecided(TenantproofError):
    """The scenario says `undecided` where nothing can be checked before somebody decides."""

    exit_code = 4


class NothingToCheck(TenantproofError):
    """There is nothing to check, so a green result would guard nothing."""

    exit_code = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a scenario file, with its place.

    `line` and `column` count from 1; `code` is a short stable word (`unknown-key`); `hint` says what to do;
    `span` is how many characters the caret underlines.
    """

    path: str
    line: int
    column: int
    code: str
    message: str
    hint: str = ""
    source_line: str = ""
    span: int = 1
    level: str = "error"
    """Or "warning", for what is allowed and hardly meant."""

    def render(self) -> str:
        """The problem as compilers print it: place, message, source line, caret and hint."""
        head = f"{self.path}:{self.line}:{self.column}: {self.level}[{self.code}] {self.message}"
        if not self.source_line:
            return f"{head}\n  {self.hint}" if self.hint else head
        gutter = str(self.line)
        blank = " " * len(gutter)
        caret = " " * (self.column - 1) + "^" * max(1, self.span)
        note = f" {self.hint}" if self.hint else ""
        return f"{head}\n{blank} |\n{gutter} | {self.source_line}\n{blank} | {caret}{note}"


class ScenarioError(UsageError):
    """A scenario file is wrong; carries all its problems at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n\n".join(problem.render() for problem in self.problems))


class MissingExtra(TargetError):
    """An optional dependency is needed; the message is one line with the command that installs it."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}': pip install 'tenantproof[{extra}]'")


class MigrationError(TargetError):
    """A migration (or patch) failed; names file, line and statement."""

    def __init__(self, *, path: str, line: int, statement: str, sqlstate: str, message: str, hint: str = "") -> None:
        self.path, self.line, self.statement = path, line, statement
        self.sqlstate, self.message = sqlstate, message
        excerpt = "\n".join(f"    {row}" for row in statement.strip().splitlines()[:6])
        text = f"{path}:{line}: error[migration] {message} (SQLSTATE {sqlstate})\n  the statement:\n{excerpt}"
        super().__init__(f"{text}\n  hint: {hint}" if hint else text)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name closest to *name*, or None where nothing is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint sentence: the nearest valid name, and the list of valid names where it is short."""
    names = sorted(known)
    near = nearest(name, names)
    listed = f" (known: {', '.join(names)})" if 0 < len(names) <= 16 else ""
    return (f"did you mean '{near}'?" if near else "no such name.") + listed
