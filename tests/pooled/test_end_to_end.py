"""`check --via pooled` as a user calls it, and what the user hears who made a mistake."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.pooled.conftest import FIXTURES, Passed, Written

import tenantproof
from tenantproof.cli import main
from tenantproof.core.errors import TargetError, UsageError
from tenantproof.core.model import PoolKind
from tenantproof.engine.pooled.run import over_pools
from tenantproof.engine.ways import Found, Standing
from tenantproof.scenario import load_scenario
from tenantproof.targets.pooled.program import Program, find_pgbouncer


def test_the_command_line(
    scenario: Written, pgbouncer: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    path = scenario("once-per-connection", "pgbouncer-transaction")
    code = main.run(["check", str(path), "--via", "pooled", "--attempts", "0", "-r", f"json={report}", "--quiet"])
    shown = " ".join(capsys.readouterr().out.split())
    (finding,) = json.loads(report.read_text())["findings"]

    assert code == 1
    assert "POOL-CLAIM" in shown
    assert "after the client was gone without a word" in shown
    assert f"tenantproof replay {finding['fingerprint']} {path} --via pooled" in shown
    assert finding["channel"] == "POOL-CLAIM"
    assert finding["reach"] == "app"
    assert finding["replay"].startswith("-- One server connection, as PgBouncer")
    assert "eyJ" not in report.read_text()


def test_a_finding_is_met_again_by_replay(
    scenario: Written, pgbouncer: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    path = scenario("once-per-connection", "pgbouncer-transaction")
    report = tenantproof.check(path, attempts=0, via=("pooled",))
    assert "pooled" in report.timing.phases
    code = main.run(["replay", report.findings[0].fingerprint, str(path), "--via", "pooled", "--attempts", "0"])

    assert code == 1
    assert "STILL LEAKS" in capsys.readouterr().out


# Programs and libraries that are not there


def test_without_pgbouncer_its_pools_are_gaps(passed: Passed, no_pgbouncer: None) -> None:
    found = passed(None)
    gaps = {gap.object: gap.reason for gap in found.gaps}

    assert find_pgbouncer() is None
    assert set(gaps) == {f"pooled connections: pgbouncer-{mode}" for mode in ("transaction", "session")}
    assert all("TENANTPROOF_PGBOUNCER" in reason for reason in gaps.values())
    assert found.findings == ()


def test_without_pgbouncer_a_scenario_that_names_it_cannot_be_checked(passed: Passed, no_pgbouncer: None) -> None:
    with pytest.raises(TargetError, match=r"pooled\.pools names pgbouncer-session, and there is no program PgBouncer"):
        passed("set-local", "pgbouncer-session")


def test_without_sqlalchemy_its_pool_is_a_gap(passed: Passed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenantproof.engine.pooled.run.find_spec", lambda _name: None)
    found = passed(None)

    assert (
        "SQLAlchemy is not installed here"
        in {gap.object: gap.reason for gap in found.gaps}[f"pooled connections: {PoolKind.SQLALCHEMY}"]
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no program that can be run"),
        ("#!/bin/sh\necho nginx 1.0\n", "does not call itself PgBouncer"),
        ("no program\n", "cannot be run"),
    ],
    ids=["missing", "another-program", "broken"],
)
def test_what_is_named_and_is_no_pgbouncer(
    tmp_path: Path, scenario: Written, monkeypatch: pytest.MonkeyPatch, text: str | None, said: str
) -> None:
    program = tmp_path / "bouncer"
    if text is not None:
        program.write_text(text)
        program.chmod(0o755)
    monkeypatch.setenv("TENANTPROOF_PGBOUNCER", str(program))

    with pytest.raises(TargetError, match=said) as raised:
        tenantproof.check(scenario("set-local"), attempts=0, via=("pooled",))
    assert raised.value.exit_code == 3


# Functions of the application's


@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("pooled_habit:as_user", "no module 'pooled_habit'"),
        ("pooled_habits:as_usr", "no 'as_usr' in pooled_habits: did you mean 'as_user'"),
        ("pooled_habits:current_user", "is no function but a ContextVar"),
        ("broken:as_user", "importing it raised ZeroDivisionError: division by zero"),
    ],
    ids=["module", "name", "kind", "import"],
)
def test_functions_that_cannot_be_found(
    scenario: Written, standing: Standing, tmp_path: Path, function: str, said: str
) -> None:
    path = scenario("psycopg-function")
    path.write_text(path.read_text().replace("pooled_habits:as_user", function))
    (tmp_path / "broken.py").write_text("1 / 0\n")

    with pytest.raises(UsageError, match=said) as raised:
        passed_with(standing, path)
    assert str(raised.value).startswith(f"{path}:")


def test_a_function_that_raises_is_no_control(scenario: Written, standing: Standing, tmp_path: Path) -> None:
    path = scenario("psycopg-function", "psycopg_pool")
    path.write_text(path.read_text().replace("pooled_habits:as_user", "raising:as_user"))
    (tmp_path / "raising.py").write_text("def as_user(connection, persona):\n    raise LookupError('no such user')\n")
    found = passed_with(standing, path)
    (gap,) = found.gaps

    assert found.findings == ()
    assert gap.object == "pooled connections: psycopg_pool"
    assert "cannot begin as acme.owner: raising:as_user raised LookupError: no such user" in gap.reason


def test_a_beginning_that_makes_nobody_of_a_user_proves_nothing(scenario: Written, standing: Standing) -> None:
    path = scenario("set-local", "psycopg_pool")
    path.write_text(path.read_text().replace("set local app.tenant_id", "set local app.tenant"))
    (gap,) = passed_with(standing, path).gaps

    assert "no positive control: by the application's beginning acme.owner reads no row of their own" in gap.reason


def test_a_login_that_nobody_can_use_is_a_gap(scenario: Written, standing: Standing) -> None:
    path = scenario("set-local", "psycopg_pool")
    path.write_text(path.read_text().replace("login: app_login", "login: app_user"))
    (gap,) = passed_with(standing, path).gaps

    assert gap.reason.startswith("no positive control: cannot use the database at app_user@")


def passed_with(standing: Standing, path: Path) -> Found:
    declared = load_scenario(path)
    plan = replace(standing.plan, scenario=replace(declared, database=standing.plan.scenario.database))
    return over_pools(replace(standing, plan=plan), find_pgbouncer())


def test_every_habit_has_a_test() -> None:
    texts = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))

    assert [path.stem for path in (FIXTURES / "habits").glob("*.yaml") if f'"{path.stem}"' not in texts] == []
