"""Runs that only read, for tests: a seeded or a stranger's database on the embedded server, as any observer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from tenantproof.core.events import RunFinished
from tenantproof.core.model import Scenario
from tenantproof.core.ports import Handle, Writes
from tenantproof.core.report import Report
from tenantproof.engine.existing.limits import Limits
from tenantproof.engine.existing.run import check_existing
from tenantproof.engine.run import prepare
from tenantproof.identity.signing import Signer
from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget

ROOT = Path(__file__).parents[2]
SEED = 20260101


@dataclass(frozen=True)
class Stranger:
    """Somebody's database, as the thinnest target that can be: where it is, and the scenario that is held to it."""

    handle: Handle
    scenario: Scenario

    def execute(self, statement: str) -> None:
        """Change it, as its superuser."""
        with psycopg.connect(self.handle.conninfo, autocommit=True) as connection:
            connection.execute(statement)

    @contextmanager
    def during(self, change: str, undo: str) -> Iterator[None]:
        """A change for a while."""
        self.execute(change)
        try:
            yield
        finally:
            self.execute(undo)

    @contextmanager
    def policy(self, relation: str, using: str) -> Iterator[None]:
        """Another expression for the one SELECT policy of a relation, for a while."""
        with psycopg.connect(self.handle.conninfo, autocommit=True) as connection:
            found = connection.execute(
                "SELECT policyname, qual FROM pg_policies"
                " WHERE format('%%s.%%s', schemaname, tablename) = %s AND cmd IN ('SELECT', 'ALL')",
                (relation,),
            ).fetchall()
        ((name, was),) = found
        policy = f"alter policy {name} on {relation} using"
        with self.during(f"{policy} ({using})", f"{policy} ({was})"):
            yield

    def as_observer(self, user: str) -> Stranger:
        """The same, looked at by another role."""
        return replace(self, handle=replace(self.handle, conninfo=make_conninfo(self.handle.conninfo, user=user)))

    def check(self, *, limits: Limits | None = None, include_data: bool = False) -> Report:
        """Run the check to its end."""
        return look(self.handle, self.scenario, limits=limits, include_data=include_data)


def look(handle: Handle, scenario: Scenario, *, limits: Limits | None = None, include_data: bool = False) -> Report:
    """The report of a run that only reads."""
    theirs = replace(handle, owned=False, writes=Writes.NEVER)
    *_, last = check_existing(theirs, scenario, seed=SEED, signer=Signer(), limits=limits, include_data=include_data)
    assert isinstance(last, RunFinished)
    return last.report


@contextmanager
def stranger(path: Path, *, patches: Sequence[Path] = (), seeded: bool = False) -> Iterator[Stranger]:
    """The database of a scenario file; with *seeded* its rows are those that our own seeder committed."""
    scenario = load_scenario(path)
    with EmbeddedTarget(scenario.database, patches=patches).database() as handle:
        if seeded:
            prepare(handle, scenario, seed=SEED, signer=Signer())
        yield Stranger(handle, scenario)
