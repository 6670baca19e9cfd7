"""Two users on one server connection: what an application's habit leaves there is found, and a safe habit is silent."""

from __future__ import annotations

import psycopg
import pytest
from tests.pooled.conftest import Passed, Patched

from tenantproof.core.finding import Finding, Reach, Severity
from tenantproof.core.ports import Writes
from tenantproof.engine.pooled.run import over_pools
from tenantproof.engine.psql import run_script, shows_leak
from tenantproof.engine.ways import Standing
from tenantproof.targets.pooled.program import Program, find_pgbouncer

ALL = ("pgbouncer-transaction", "pgbouncer-session", "psycopg_pool", "sqlalchemy")
RESETTING = "pgbouncer-session"
"""Throws everything away between two clients (server_reset_query), so nothing survives there."""


def replays(standing: Standing, finding: Finding) -> bool:
    """Whether psql shows the finding by its script alone."""
    return shows_leak(run_script(standing.handle, finding.replay))


def pools_of(finding: Finding) -> set[str]:
    """The pools that the title names."""
    return set(finding.title.rpartition(": ")[2].removesuffix(".").split(", "))


LEAKY = [
    # habit, channel, cause, severity, who
    ("set-without-local", "POOL-CLAIM", "app.tenant_id", "critical", {"outsider", "anon"}),
    ("set-config-false", "POOL-CLAIM", "app.tenant_id", "critical", {"outsider", "anon"}),
    ("set-role", "POOL-ROLE", "role", "critical", {"outsider", "anon", "nobody"}),
    ("nobody-only", "POOL-CLAIM", "app.tenant_id", "medium", {"nobody"}),
    ("temp-table", "POOL-TEMP", "temp my_notes", "high", {"globex.owner", "outsider", "anon"}),
    ("held-cursor", "POOL-CURSOR", "cursor report_of_owner", "high", {"outsider", "anon", "nobody"}),
    ("prepared-with-literal", "POOL-PLAN", "prepared badge_of_owner", "critical", {"outsider", "anon", "nobody"}),
    ("advisory-lock", "POOL-LOCK", "lock", "low", {"acme.owner", "globex.owner", "outsider", "anon", "nobody"}),
    (
        "listens",
        "POOL-LISTEN",
        "listen notes_of_acme",
        "low",
        {"acme.owner", "globex.owner", "outsider", "anon", "nobody"},
    ),
]


@pytest.mark.parametrize(("habit", "channel", "cause", "severity", "who"), LEAKY, ids=[f"{row[0]}" for row in LEAKY])
def test_what_a_habit_leaves_is_found_where_the_pool_keeps_it(
    passed: Passed,
    standing: Standing,
    pgbouncer: Program,
    habit: str,
    channel: str,
    cause: str,
    severity: str,
    who: set[str],
) -> None:
    """In a pool that keeps the server connection as it is; psql shows the same."""
    report = passed(habit, "pgbouncer-transaction")
    (finding,) = [one for one in report.findings if one.channel == channel]

    assert (finding.cause, finding.severity, finding.reach) == (cause, severity, Reach.APP)
    assert set(finding.personas) == who
    assert pools_of(finding) == {"pgbouncer-transaction"}
    assert replays(standing, finding)
    assert {one.channel for one in report.findings} <= {channel, "POOL-STUCK"}


@pytest.mark.parametrize("pool", ["psycopg_pool", "sqlalchemy"])
def test_pools_inside_the_process_reset_nothing_either(passed: Passed, pool: str) -> None:
    report = passed("set-without-local", pool)

    assert [(one.channel, pools_of(one)) for one in report.findings] == [("POOL-CLAIM", {pool})]
    assert f"{pool}" in report.findings[0].title


def test_the_interleaving_is_shown_statement_by_statement(passed: Passed) -> None:
    report = passed("set-without-local", "psycopg_pool")
    (evidence,) = report.findings[0].evidence
    acme = "aaaaaaaa-0000-4000-8000-000000000001"

    assert evidence.persona == "outsider"
    assert evidence.statement.splitlines() == [
        "-- acme.owner",
        "begin;",
        "set local role app_user;",
        f"set app.tenant_id = '{acme}';",
        'SELECT "user_id"::text, "tenant_id"::text FROM "public"."members";',
        "commit;",
        "-- outsider, on the same server connection",
        "begin;",
        "set local role app_user;",
        'SELECT "user_id"::text, "tenant_id"::text FROM "public"."members";',
    ]
    assert "3 rows of public.notes" in evidence.observed
    assert "a row of acme" in evidence.rows
    assert report.findings[0].objects == ("public.members", "public.notes", "public.tenants")


def test_setting_the_tenant_once_for_each_connection_is_wrong_in_transaction_mode_only(
    passed: Passed, pgbouncer: Program
) -> None:
    """The first user, back on the server connection, acts as the second: nobody reset anything in between."""
    report = passed("once-per-connection")
    (finding,) = report.findings

    assert finding.channel == "POOL-CLAIM"
    assert pools_of(finding) == {"pgbouncer-transaction"}
    assert {"acme.owner", "outsider", "anon"} <= set(finding.personas)
    assert finding.severity is Severity.CRITICAL


def test_an_error_on_whose_way_nothing_is_reset(passed: Passed) -> None:
    leaky = passed("reset-skipped-on-error")
    safe = passed("reset-always")
    (finding,) = leaky.findings

    assert pools_of(finding) == {"psycopg_pool", "sqlalchemy"}
    assert all("after a statement failed" in evidence.observed for evidence in finding.evidence)
    assert safe.findings == ()


SAFE = [
    ("set-local", ALL),
    ("set-config-true", ("pgbouncer-transaction",)),
    ("discard-all", ("psycopg_pool", "sqlalchemy")),
    ("set-without-local", (RESETTING,)),
    ("set-role", (RESETTING,)),
    ("temp-table", (RESETTING,)),
    ("advisory-lock", (RESETTING,)),
    (None, ALL),
]


@pytest.mark.parametrize(("habit", "pools"), SAFE, ids=[f"{habit}" for habit, _ in SAFE])
def test_a_safe_habit_is_silent(passed: Passed, pgbouncer: Program, habit: str | None, pools: tuple[str, ...]) -> None:
    report = passed(habit, *pools)
    passings = next(note for note in report.notes if "passings" in note)

    assert report.findings == ()
    assert [gap for gap in report.gaps if gap.object.startswith("pooled")] == []
    assert int(passings.split()[0]) >= 12
    assert any("declare what the application does" in note for note in report.notes) is (habit is None)


FUNCTIONS = [
    ("sqlalchemy-listener", {"sqlalchemy"}),
    ("sqlalchemy-listener-local", set()),
    ("psycopg-function", {"psycopg_pool", "pgbouncer-transaction"}),
    ("psycopg-function-local", set()),
]


@pytest.mark.parametrize(("habit", "pools"), FUNCTIONS, ids=[habit for habit, _ in FUNCTIONS])
def test_functions_of_the_applications_own(
    passed: Passed, standing: Standing, pgbouncer: Program, habit: str, pools: set[str]
) -> None:
    report = passed(habit)

    assert set[str]().union(*map(pools_of, report.findings)) == pools
    for finding in report.findings:
        assert finding.channel == "POOL-CLAIM"
        assert "set_config('app.tenant_id', 'aaaaaaaa" in finding.evidence[0].statement
        assert replays(standing, finding)


def test_a_default_for_a_missing_setting_opens_fresh_connections(
    passed: Passed, patched: Patched, standing: Standing
) -> None:
    with patched("default-tenant.sql"):
        report = passed("set-local", "psycopg_pool")
        (finding,) = report.findings

        assert (finding.channel, finding.severity) == ("POOL-BEGIN", Severity.CRITICAL)
        assert set(finding.personas) == {"outsider", "anon"}
        assert replays(standing, finding)


def test_a_plan_that_was_made_for_another_tenant(passed: Passed, patched: Patched, standing: Standing) -> None:
    """A function that reads a setting and calls itself IMMUTABLE is computed once, when the first user prepares."""
    with patched("immutable-tenant.sql"):
        report = passed("set-local", "psycopg_pool", "sqlalchemy")
        (finding,) = report.findings

        assert (finding.channel, finding.cause, finding.severity) == ("POOL-PLAN", "plan", Severity.CRITICAL)
        assert pools_of(finding) == {"psycopg_pool", "sqlalchemy"}
        assert "globex.owner" in finding.personas
        assert replays(standing, finding)


def test_the_database_is_left_as_it_was(passed: Passed, standing: Standing, pgbouncer: Program) -> None:
    """No session of the application's, no setting, no lock."""
    passed("advisory-lock", "pgbouncer-transaction")
    with psycopg.connect(standing.handle.conninfo, autocommit=True) as connection:
        sessions = connection.execute(
            "select count(pg_terminate_backend(pid, 5000)) from pg_stat_activity"
            " where usename = 'app_login' and datname = current_database()"
        ).fetchone()
        settings = connection.execute(
            "select setconfig from pg_db_role_setting as s join pg_database as d on d.oid = s.setdatabase"
            " where d.datname = current_database() and 'statement_timeout=10s' = any (setconfig)"
        ).fetchall()

    assert sessions is not None
    assert settings == []


def test_nothing_is_passed_where_rows_are_not_committed(standing: Standing) -> None:
    from dataclasses import replace

    foreign = replace(standing, handle=replace(standing.handle, owned=False, writes=Writes.ROLLBACK))
    found = over_pools(foreign, find_pgbouncer())

    assert found.findings == ()
    assert ["pools show what is committed" in gap.reason for gap in found.gaps] == [True]
