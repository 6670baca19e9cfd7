"""The harness' own sessions through a real PgBouncer: the same findings as on a direct connection, and nothing left."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from tenantproof.channels.tried import SEARCHED
from tenantproof.core.errors import TargetError
from tenantproof.core.events import RunFinished
from tenantproof.core.model import Scenario
from tenantproof.core.ports import Handle, Writes
from tenantproof.core.report import Report
from tenantproof.engine.interference.hunt import Budget
from tenantproof.engine.run import check
from tenantproof.generation.programs import Profile
from tenantproof.identity.signing import Signer
from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget
from tenantproof.targets.pooled.bouncer import Bouncer, serving
from tenantproof.targets.pooled.program import Program
from tenantproof.targets.reach import connect_or_explain

SMALL_APP = Path(__file__).parents[1] / "integration" / "small_app" / "app.tenancy.yaml"
LEAKY = Path(__file__).parents[2] / "fixtures" / "rest" / "leaky.sql"
ATTEMPTS = 40


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(SMALL_APP)


@pytest.fixture(scope="module")
def direct(scenario: Scenario) -> Iterator[Handle]:
    """The small application with leaks; nothing may be committed there."""
    with EmbeddedTarget(scenario.database, patches=[LEAKY]).database() as handle:
        yield replace(handle, writes=Writes.ROLLBACK)


def checked(handle: Handle, scenario: Scenario, attempts: int = ATTEMPTS) -> Report:
    budget = Budget(attempts=attempts, seed=7, profile=Profile.SQL, examples=None)
    for event in check(handle, scenario, seed=7, signer=Signer(), budget=budget):
        if isinstance(event, RunFinished):
            return event.report
    raise AssertionError("a run always ends with RunFinished")


@pytest.fixture(scope="module")
def expected(direct: Handle, scenario: Scenario) -> Report:
    return checked(direct, scenario)


def user_of(handle: Handle) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(handle.conninfo)["user"])


def through(bouncer: Bouncer, direct: Handle) -> Handle:
    return replace(direct, conninfo=bouncer.conninfo("app", user_of(direct)))


@pytest.mark.parametrize(("mode", "attempts"), [("transaction", ATTEMPTS), ("session", 0)])
def test_the_same_is_found_through_a_pooler(
    direct: Handle, scenario: Scenario, expected: Report, pgbouncer: Program, mode: str, attempts: int
) -> None:
    """The matrix and the search, in one transaction that is rolled back, on a pool of one server connection."""
    with serving(pgbouncer, direct.conninfo, mode=mode, users={user_of(direct): ""}) as bouncer:
        report = checked(through(bouncer, direct), scenario, attempts)
        with psycopg.connect(bouncer.conninfo("app", user_of(direct)), prepare_threshold=None) as connection:
            left = connection.execute("select current_user = session_user, count(*) from public.notes").fetchone()

    found = [one for one in expected.findings if attempts or one.channel not in SEARCHED]
    assert {finding.fingerprint for finding in report.findings} == {one.fingerprint for one in found}
    assert len(report.findings) > 4
    assert report.cells == expected.cells
    assert left == (True, 0)


# A pooler that refuses


def refusal(conninfo: str) -> str:
    with pytest.raises(TargetError) as raised:
        connect_or_explain(conninfo)
    assert raised.value.exit_code == 3
    return str(raised.value)


def test_a_pooler_that_takes_no_more_clients(direct: Handle, pgbouncer: Program) -> None:
    user = user_of(direct)
    with (
        serving(pgbouncer, direct.conninfo, mode="session", users={user: ""}, max_client_conn=2) as bouncer,
        psycopg.connect(bouncer.conninfo("app", user)),
        psycopg.connect(bouncer.conninfo("pgbouncer", "tenantproof_console"), autocommit=True),
    ):
        said = refusal(bouncer.conninfo("app", user))
    assert said.endswith("the pooler takes no more clients (max_client_conn)")


def test_a_pooler_that_does_not_know_the_user(direct: Handle, pgbouncer: Program) -> None:
    with serving(
        pgbouncer, direct.conninfo, mode="transaction", users={user_of(direct): "secret-word"}, auth_type="md5"
    ) as bouncer:
        unknown = refusal(bouncer.conninfo("app", "somebody"))
        wrong = refusal(bouncer.conninfo("app", user_of(direct)))
    assert "refuses this user or password" in unknown or "does not know this user" in unknown
    assert wrong.endswith("it refuses this user or password")
    assert "unused" not in wrong


def test_a_pooler_before_a_server_that_is_gone(tmp_path: Path, pgbouncer: Program) -> None:
    with serving(
        pgbouncer, f"host={tmp_path} port=1 dbname=x", mode="transaction", users={"app": ""}, query_wait_timeout=1
    ) as bouncer:
        said = refusal(bouncer.conninfo("app", "app"))
    assert re.search("cannot reach the server behind it|no server connection left in time", said)


def test_a_pooler_that_is_gone(direct: Handle, pgbouncer: Program) -> None:
    with serving(pgbouncer, direct.conninfo, mode="transaction", users={"app": ""}) as bouncer:
        conninfo = bouncer.conninfo("app", "app")
    assert refusal(conninfo).endswith("there is no server's socket there")


def test_a_pooler_that_does_not_come_up(direct: Handle, pgbouncer: Program) -> None:
    with (
        pytest.raises(TargetError, match=r"PgBouncer did not come up: .*pool_mode"),
        serving(pgbouncer, direct.conninfo, mode="sometimes", users={}),
    ):
        pass
