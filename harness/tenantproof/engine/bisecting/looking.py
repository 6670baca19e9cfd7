"""Checks prefixes of a list of migrations, each at most once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg

from tenantproof.catalog.introspection import introspect
from tenantproof.core.errors import NothingToCheck, UsageError
from tenantproof.core.events import RunFinished
from tenantproof.core.finding import Finding
from tenantproof.core.model import Scenario
from tenantproof.core.ports import Handle
from tenantproof.core.report import Report
from tenantproof.engine.bisecting.fitting import fitted
from tenantproof.engine.interference.hunt import Budget
from tenantproof.engine.run import check
from tenantproof.identity.signing import Signer
from tenantproof.targets.prefixes import PrefixTarget

_NAMES = """\
SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
UNION SELECT n.nspname || '.' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one prefix looks like: its findings, or why it could not be checked."""

    findings: tuple[Finding, ...] = ()
    reason: str = ""


@dataclass(slots=True, kw_only=True)
class Looker:
    """Looks at prefixes and remembers what it saw.

    `budget` bounds the search for interference in each prefix; `files` are the paths of the migrations, in order.
    """

    target: PrefixTarget
    scenario: Scenario
    files: Sequence[str]
    seed: int
    signer: Signer
    budget: Budget
    say: Callable[[str], None]
    seen: dict[int, Sight] = field(default_factory=dict)
    _objects: dict[int, frozenset[str]] = field(default_factory=dict)

    def whole(self, number: int) -> Report:
        """The report of a prefix that must be checkable.  Raises what `check` raises, and NothingToCheck."""
        with self.target.prefix(number) as handle:
            shape = self._fitted(handle) if number < len(self.files) else self.scenario
            if isinstance(shape, str):
                raise NothingToCheck(f"after {self.files[number - 1]} nothing can be checked: {shape}")
            report = self._checked(handle, shape)
        self.seen[number] = Sight(findings=report.findings)
        return report

    def objects(self, number: int) -> frozenset[str]:
        """Relations and functions of the prefix of *number* files: what is not there cannot leak."""
        if number not in self._objects:
            with self.target.prefix(number) as handle, psycopg.connect(handle.conninfo) as connection:
                self._objects[number] = frozenset(name for (name,) in connection.execute(_NAMES))
        return self._objects[number]

    def look(self, number: int) -> Sight:
        """What the prefix of *number* files looks like.  One that cannot be checked is no error."""
        if number not in self.seen:
            self.seen[number] = self._sight(number) if number else Sight(reason="there is no table yet")
            self._tell(number, self.seen[number])
        return self.seen[number]

    def _sight(self, number: int) -> Sight:
        with self.target.prefix(number) as handle:
            shape = self._fitted(handle)
            if isinstance(shape, str):
                return Sight(reason=shape)
            try:
                report = self._checked(handle, shape)
            except psycopg.OperationalError:
                raise
            except (UsageError, NothingToCheck, psycopg.Error) as error:
                return Sight(reason=_one_line(error))
        return Sight(findings=report.findings)

    def _fitted(self, handle: Handle) -> Scenario | str:
        with psycopg.connect(handle.conninfo) as connection:
            return fitted(self.scenario, introspect(connection), connection)

    def _checked(self, handle: Handle, scenario: Scenario) -> Report:
        events = check(handle, scenario, seed=self.seed, signer=self.signer, budget=self.budget)
        return next(event.report for event in events if isinstance(event, RunFinished))

    def _tell(self, number: int, sight: Sight) -> None:
        if number:
            said = sight.reason or f"{len(sight.findings)} finding{'' if len(sight.findings) == 1 else 's'}"
            self.say(f"after {number} of {len(self.files)} files ({Path(self.files[number - 1]).name}): {said}")

    def without_search(self) -> None:
        """From now on the matrix is enough."""
        self.budget = replace(self.budget, attempts=0)


def _one_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
