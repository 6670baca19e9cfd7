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
    swept: bool = False
    """Whether the matrix comes before."""

    @contextmanager
    def with_design(self, sql: str) -> Iterator[Standing]:
        """The database after *sql*, inside a transaction; swept before where that is asked for."""
        bracket = Bracket(begin=("BEGIN", *(piece.text for piece in statements(sql))), undo=("ROLLBACK",))
        with psycopg.connect(self.handle.conninfo) as connection:
            connection.execute(sql.encode())
            catalog = introspect(connection)
            connection.rollback()
        plan = replace(self.plan, catalog=catalog)
        with psycopg.connect(self.handle.conninfo, autocommit=True) as connection, Wire(connection, bracket) as wire:
            wire.prepare(())
            ground = look(wire, plan)
            cells = sweep(wire, plan, ground, plan.manifest.personas).cells if self.swept else ()
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
def grounded(scenario: Path, *, swept: bool = False) -> Iterator[Ground]:
    declared = load_scenario(scenario)
    with EmbeddedTarget(declared.database).database() as handle:
        yield Ground(handle, prepare(handle, declared, seed=20260101, signer=Signer()), swept)


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
    with grounded(FIXTURES / "auth" / "auth.tenancy.yaml", swept=True) as ground:
        yield ground


@pytest.fixture(scope="session")
def numbered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The application of fixtures/realtime, with organizations that have numbers."""
    folder = tmp_path_factory.mktemp("numbered")
    base = (FIXTURES / "realtime" / "migrations" / "1_base.sql").read_text(encoding="utf-8")
    base = base.replace("id uuid primary key default gen_random_uuid(), slug", "id bigint primary key, slug")
    base = base.replace("org_id uuid", "org_id bigint").replace("setof uuid", "setof bigint")
    (folder / "base.sql").write_text(base)
    scenario = (FIXTURES / "realtime" / "realtime.tenancy.yaml").read_text(encoding="utf-8")
    (folder / "numbered.tenancy.yaml").write_text(scenario.replace("migrations: migrations", "migrations: base.sql"))
    with grounded(folder / "numbered.tenancy.yaml") as ground:
        yield ground
