"""
One contract for every way to a database: what the embedded server shows, somebody's database shows as well.

A schema with leaks planted in it stands for staging (some of the leaks of workflow_saas, all with
TENANTPROOF_THOROUGH=1); the run reaches it directly, and through a real PgBouncer.
That the same holds over HTTP, in a container and for rows that are only read is in tests/rest/test_planted_leaks.py,
tests/container and tests/existing/test_planted.py; where a way tells less, docs/staging.md says so under "Differences
by reach".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from tests.detection.test_planted_leaks import batches, planted

from tenantproof.api import check, exit_code
from tenantproof.core.ports import Handle
from tenantproof.core.report import Report
from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget
from tenantproof.targets.pooled.bouncer import serving
from tenantproof.targets.pooled.program import find_pgbouncer

SAAS = Path(__file__).parents[2] / "scenarios" / "workflow_saas.tenancy.yaml"
INVOICING = Path(__file__).parents[2] / "scenarios" / "invoicing_guc.tenancy.yaml"
TOGETHER = 12


def planted_in(scenario: Path) -> list[tuple[Path, tuple[Path, ...]]]:
    leaks = planted(scenario.name.partition(".")[0])
    return [(scenario, tuple(leak.path for leak in batch)) for batch in batches(leaks, TOGETHER)]


THOROUGH = bool(os.environ.get("TENANTPROOF_THOROUGH"))
BATCHES = [*planted_in(INVOICING), *planted_in(SAAS)[: None if THOROUGH else 1]]
OWNER = "postgres"
"""As on Supabase: no superuser."""

Reached = Callable[[Handle], AbstractContextManager[str]]


def directly(handle: Handle) -> AbstractContextManager[str]:
    return nullcontext(make_conninfo(handle.conninfo, user=OWNER))


def through(mode: str) -> Reached:
    @contextmanager
    def pooled(handle: Handle) -> Iterator[str]:
        program = find_pgbouncer()
        if program is None:
            pytest.skip("there is no PgBouncer on PATH, and TENANTPROOF_PGBOUNCER names none")
        with serving(program, handle.conninfo, mode=mode, users={OWNER: ""}) as bouncer:
            yield bouncer.conninfo("app", OWNER)

    return pooled


WAYS = [
    pytest.param(directly, "rollback", id="dsn"),
    pytest.param(through("transaction"), "rollback", id="pooled by transaction"),
    pytest.param(through("session"), "rollback", id="pooled by session", marks=pytest.mark.thorough),
    pytest.param(directly, "canary", id="canary", marks=pytest.mark.thorough),
]


@pytest.fixture(scope="module", params=BATCHES, ids=lambda batch: f"{batch[0].stem.partition('.')[0]}-{len(batch[1])}")
def staging(request: pytest.FixtureRequest) -> Iterator[tuple[Path, Handle, Report]]:
    """A database with leaks that belongs to somebody, and what the embedded target finds in one like it."""
    scenario, leaks = request.param
    with EmbeddedTarget(load_scenario(scenario).database, patches=leaks).database() as handle:
        yield scenario, handle, check(scenario, patches=leaks, attempts=0)


def content(handle: Handle, table: str) -> object:
    with psycopg.connect(handle.conninfo) as connection:
        return connection.execute(sql.SQL("table {}").format(sql.Identifier(table))).fetchall()


@pytest.mark.parametrize(("reached", "writes"), WAYS)
def test_the_same_is_found_and_nothing_stays(
    staging: tuple[Path, Handle, Report], reached: Reached, writes: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario, handle, expected = staging
    table = "workflows" if scenario == SAAS else "invoices"
    monkeypatch.chdir(tmp_path)  # where canary mode keeps its manifests
    before = content(handle, table)
    with reached(handle) as dsn:
        monkeypatch.setenv("STAGING", dsn)
        report = check(scenario, target="env:STAGING", writes=writes, attempts=0)

    assert exit_code(report) == 1
    assert report.trouble == ""
    assert not report.interrupted
    stale = {str(one.relation) for one in report.unseeded if "not refreshed" in one.message}
    assert not stale or writes == "canary"  # which never refreshes: others would read rows of this run
    wanted = [finding for finding in expected.findings if finding.object not in stale]
    assert {finding.fingerprint for finding in report.findings} == {finding.fingerprint for finding in wanted}
    assert {finding.personas for finding in report.findings} == {finding.personas for finding in wanted}
    assert content(handle, table) == before
