"""Real pools before a seeded application: scenarios put together of the application and one habit of its code."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tenantproof.engine.findings import locator
from tenantproof.engine.matrix import look, sweep
from tenantproof.engine.pooled.run import over_pools
from tenantproof.engine.run import prepare
from tenantproof.engine.ways import Found, Standing
from tenantproof.engine.wire import Wire
from tenantproof.identity.signing import Signer
from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget
from tenantproof.targets.pooled.program import Program, find_pgbouncer

FIXTURES = Path(__file__).parents[2] / "fixtures" / "pooled"

Written = Callable[..., Path]
Passed = Callable[..., Found]
Patched = Callable[[str], AbstractContextManager[None]]


@pytest.fixture(scope="session")
def pgbouncer() -> Program:
    """The real program; skips with the reason where there is none."""
    program = find_pgbouncer()
    if program is None:
        pytest.skip("there is no PgBouncer on PATH, and TENANTPROOF_PGBOUNCER names none")
    return program


@pytest.fixture
def scenario(tmp_path: Path) -> Written:
    """`scenario("set-local")` is the path of a scenario file: the application with a habit of `habits/`.

    *pools* overrule those of the habit.
    """

    def write(habit: str | None, *pools: str) -> Path:
        text = (FIXTURES / "app.tenancy.yaml").read_text()
        if habit is not None:
            section = (FIXTURES / "habits" / f"{habit}.yaml").read_text()
            lines = [line for line in section.splitlines() if not (pools and line.startswith("  pools:"))]
            text += "\n".join([*lines, *([f"  pools: [{', '.join(pools)}]"] if pools else []), ""])
        shutil.copytree(FIXTURES / "migrations", tmp_path / "migrations", dirs_exist_ok=True)
        shutil.copy(FIXTURES / "pooled_habits.py", tmp_path)
        path = tmp_path / "app.tenancy.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture(autouse=True)
def _forget_the_application() -> None:
    """Each test's folder has the application's module of its own."""
    sys.modules.pop("pooled_habits", None)


@pytest.fixture
def no_pgbouncer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As if none were installed."""
    monkeypatch.delenv("TENANTPROOF_PGBOUNCER", raising=False)
    monkeypatch.setattr("tenantproof.targets.pooled.program._SBIN", str(tmp_path))
    folders = os.environ["PATH"].split(os.pathsep)
    kept = [folder for folder in folders if not (Path(folder) / "pgbouncer").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join(kept))


@pytest.fixture(scope="session")
def standing() -> Iterator[Standing]:
    """The application, seeded and swept by SQL, once for all habits."""
    scenario = load_scenario(FIXTURES / "app.tenancy.yaml")
    signer = Signer()
    with EmbeddedTarget(scenario.database).database() as handle:
        plan = prepare(handle, scenario, seed=20260101, signer=signer)
        with psycopg.connect(handle.conninfo, autocommit=True) as connection, Wire(connection) as wire:
            wire.prepare(())
            ground = look(wire, plan)
            run = sweep(wire, plan, ground, plan.manifest.personas)
            wire.restart(())  # nothing locked: the tests change functions
            yield Standing(
                handle=handle,
                plan=plan,
                wire=wire,
                ground=ground,
                cells=run.cells,
                signer=signer,
                locate=locator(handle.sources),
                neighbours=handle.conninfo,
            )


@pytest.fixture
def passed(standing: Standing, scenario: Written) -> Passed:
    """`passed("set-local", "psycopg_pool")`: what the way found with that habit, through these pools."""

    def found(habit: str | None, *pools: str) -> Found:
        declared = load_scenario(scenario(habit, *pools))
        plan = replace(standing.plan, scenario=replace(declared, database=standing.plan.scenario.database))
        return over_pools(replace(standing, plan=plan), find_pgbouncer())

    return found


@pytest.fixture
def patched(standing: Standing) -> Patched:
    """`with patched("default-tenant.sql")`: the database with that patch, as long as the block lasts."""

    @contextmanager
    def patch(name: str) -> Iterator[None]:
        with psycopg.connect(standing.handle.conninfo, autocommit=True) as connection:
            asked = "select pg_get_functiondef('current_tenant()'::regprocedure)"
            (before,) = connection.execute(asked).fetchone() or ("",)
            connection.execute((FIXTURES / "patches" / name).read_bytes())
            try:
                yield
            finally:
                connection.execute(before.encode())

    return patch
