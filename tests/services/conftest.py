"""One seeded database for each service; every design of policies lives in a transaction of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from tenantproof.catalog.introspection import introspect
from tenantproof.core.ports import Handle, Source
from tenantproof.engine.findings import locator
from tenantproof.engine.matrix import look, sweep
from tenantproof.engine.plan import Plan
from tenantproof.engine.run import prepare
from tenantproof.engine.ways import Standing
from tenantproof.engine.wire import Bracket, Wire
from tenantproof.identity.signing import Signer
from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget
from tenantproof.targets.statements import statements

FIXTURES = Path(__file__).parents[2] / "fixtures"


@dataclass(frozen=True)
class Ground:
    """A seeded database, and how to stand on it with other policies."""

    handle: Handle
    plan: Plan
    tokens: bool = False
    """Whether what is looked at are tokens, which are compared with the matrix."""

    @contextmanager
    def with_design(self, sql: str) -> Iterator[Standing]:
        """The database after *sql*, inside a transaction; swept before where tokens are looked at."""
        bracket = Bracket(begin=("BEGIN", *(piece.text for piece in statements(sql))), undo=("ROLLBACK",))
        with psycopg.connect(self.handle.conninfo) as connection:
            connection.execute(sql.encode())
            catalog = introspect(connection)
            connection.rollback()
        plan = replace(self.plan, catalog=catalog)
        with psycopg.connect(self.handle.conninfo, autocommit=True) as connection, Wire(connection, bracket) as wire:
            wire.prepare(())
            ground = look(wire, plan)
            cells = sweep(wire, plan, ground, plan.manifest.personas).cells if self.tokens else ()
            yield Standing(
                handle=self.handle,
                plan=plan,
                wire=wire,
                ground=ground,
                cells=cells,
                signer=Signer(),
                locate=locator((Source(path="design.sql", text=sql),)),
                neighbours=None,
            )

    def replayed(self, sql: str, script: str) -> str:
        """What the script prints in the database after *sql*."""
        from tenantproof.engine.psql import run_script

        assert script.count("\nbegin;\n") == 1
        return run_script(self.handle, script.replace("\nbegin;\n", f"\nbegin;\n{sql}\n", 1))


@contextmanager
def grounded(scenario: Path, *, tokens: bool = False) -> Iterator[Ground]:
    declared = load_scenario(scenario)
    with EmbeddedTarget(declared.database).database() as handle:
        yield Ground(handle, prepare(handle, declared, seed=20260101, signer=Signer()), tokens)


Grounding = Callable[[Path], AbstractContextManager[Ground]]


@pytest.fixture(scope="session")
def storage() -> Iterator[Ground]:
    with grounded(FIXTURES / "storage" / "storage.tenancy.yaml") as ground:
        yield ground


@pytest.fixture(scope="session")
def realtime() -> Iterator[Ground]:
    with grounded(FIXTURES / "realtime" / "realtime.tenancy.yaml") as ground:
        yield ground


def declared_in(leak: Path) -> dict[str, str]:
    """What a leaky design says of itself: `-- channel: STORAGE-NAME`."""
    return dict(re.findall(r"^-- (\w+): (.+)$", leak.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.fixture(scope="session")
def auth() -> Iterator[Ground]:
    with grounded(FIXTURES / "auth" / "auth.tenancy.yaml", tokens=True) as ground:
        yield ground
