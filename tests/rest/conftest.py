"""One PostgREST and one seeded database for all tests of the path over HTTP."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest
from tests.rest.postgrest import Unavailable
from tests.rest.postgrest import postgrest as get_postgrest

from tenantproof.engine.findings import locator
from tenantproof.engine.matrix import look, sweep
from tenantproof.engine.run import prepare
from tenantproof.engine.ways import Standing
from tenantproof.engine.wire import Wire
from tenantproof.identity.signing import Signer
from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget

SMALL_APP = Path(__file__).parents[1] / "integration" / "small_app" / "app.tenancy.yaml"
FIXTURES = Path(__file__).parents[2] / "fixtures" / "rest"

Standings = Callable[..., AbstractContextManager[Standing]]


@pytest.fixture(scope="session")
def postgrest() -> Iterator[Path]:
    """The real program, named to tenantproof by its variable; skips with the reason where there is none."""
    try:
        program = get_postgrest()
    except Unavailable as reason:
        pytest.skip(str(reason))
    before = os.environ.get("TENANTPROOF_POSTGREST")
    os.environ["TENANTPROOF_POSTGREST"] = str(program)
    yield program
    if before is None:
        del os.environ["TENANTPROOF_POSTGREST"]


@contextmanager
def standing_on(
    patches: Sequence[Path] = (), scenario_file: Path = SMALL_APP, personas: Collection[str] = ()
) -> Iterator[Standing]:
    """The small application (or another scenario) with patches: seeded, swept by SQL as these personas (none: all)."""
    signer = Signer()
    scenario = load_scenario(scenario_file)
    with EmbeddedTarget(scenario.database, patches=patches).database() as handle:
        plan = prepare(handle, scenario, seed=20260101, signer=signer)
        with psycopg.connect(handle.conninfo, autocommit=True) as connection, Wire(connection) as wire:
            wire.prepare(())
            ground = look(wire, plan)
            chosen = [who for who in plan.manifest.personas if not personas or who.name in personas]
            run = sweep(wire, plan, ground, chosen)
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


@pytest.fixture(scope="session")
def safe() -> Iterator[Standing]:
    """The small application as it is."""
    with standing_on() as standing:
        yield standing
