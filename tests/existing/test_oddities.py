"""Databases that hold too little, and observers who may do too little."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.existing.conftest import STRAY, WATCHER
from tests.existing.looking import ROOT, SEED, Stranger, stranger

from tenantproof.api import exit_code
from tenantproof.core.errors import NothingToCheck, TargetError, UsageError
from tenantproof.core.events import PhaseStarted, RunFinished
from tenantproof.core.finding import Verdict
from tenantproof.core.model import Command
from tenantproof.core.ports import Writes
from tenantproof.engine.existing.run import check_existing
from tenantproof.identity.signing import Signer

SMALL_APP = ROOT / "tests" / "integration" / "small_app" / "app.tenancy.yaml"
INVOICING = ROOT / "scenarios" / "invoicing_guc.tenancy.yaml"


def test_where_nothing_tells_tenants_nobody_can_stand_in() -> None:
    owners = ROOT / "fixtures" / "shapes" / "owner_only" / "by_hand.tenancy.yaml"
    with stranger(owners) as there, pytest.raises(NothingToCheck, match="nobody can stand in for its tenants"):
        there.check()


@pytest.fixture(scope="module")
def invoicing() -> Iterator[Stranger]:
    with stranger(INVOICING, seeded=True) as there:
        yield there


def test_without_members_there_is_nothing_to_check() -> None:
    with (
        stranger(SMALL_APP) as empty,
        pytest.raises(NothingToCheck, match=r"nobody belongs to any tenant in public.team_members"),
    ):
        empty.check()


def test_one_tenant_has_nobody_to_be_kept_from_it() -> None:
    with stranger(SMALL_APP, seeded=True) as small:
        small.execute(
            "delete from public.teams where id <> (select min(id::text)::uuid from public.teams);"
            "delete from public.team_members m where not exists (select 1 from public.teams t where t.id = m.team_id)"
        )
        report = small.check()

    assert exit_code(report) == 4
    assert [gap.reason for gap in report.gaps if gap.object == "tenants"] == [
        "no positive control: only one tenant has members, so members have nobody's rows to be kept from"
    ]
    untested = {
        c.persona: c.reason for c in report.cells if c.command is Command.SELECT and c.verdict is Verdict.UNTESTED
    }
    assert untested["globex.admin"] == "there is no further tenant to stand for this one"
    assert untested["acme.admin"].startswith(("there is no row of anybody else", "no row of it is forbidden to them"))
    assert {c.verdict for c in report.cells if c.persona == "outsider" and c.command is Command.SELECT} == {
        Verdict.ISOLATED
    }


def test_roles_that_nobody_has_are_untested(invoicing: Stranger) -> None:
    with invoicing.during(
        "create schema kept; create table kept.roles as select id, role from public.users;"
        "update public.users set role = 'viewer' where role = 'accountant'",
        "update public.users u set role = k.role from kept.roles k where k.id = u.id; drop schema kept cascade",
    ):
        report = invoicing.check()

    assert report.findings == ()
    cells = [cell for cell in report.cells if cell.persona.endswith(".accountant")]
    assert cells
    assert {(cell.verdict, cell.reason) for cell in cells} == {
        (Verdict.UNTESTED, "nobody of this tenant has the role accountant (and no membership that may have ended)")
    }
    assert exit_code(report) == 0
    assert exit_code(report, strict=True) == 4


def test_members_whom_the_database_lets_see_nothing_prove_nothing(invoicing: Stranger) -> None:
    tables = ("tenants", "users", "customers", "invoices", "invoice_lines", "payments")
    shut = "create policy shut on public.{0} as restrictive for select using (false)"
    with invoicing.during(
        ";".join(map(shut.format, tables)), ";".join(map("drop policy shut on public.{}".format, tables))
    ):
        report = invoicing.check()

    members = [
        c for c in report.cells if c.command is Command.SELECT and "." in c.persona and c.object != "public.tax_rates"
    ]
    assert {cell.verdict for cell in members} == {Verdict.UNTESTED}
    assert all(cell.reason.startswith("no positive control") for cell in members)
    assert report.findings == ()
    assert exit_code(report) == 4


def test_an_observer_under_policies_is_refused(helpdesk: Stranger) -> None:
    with pytest.raises(TargetError, match=f"the role {STRAY} does not see every row"):
        helpdesk.as_observer(STRAY).check()


def test_an_observer_who_may_not_become_the_role_is_told(helpdesk: Stranger) -> None:
    with (
        helpdesk.during(f"revoke desk_user from {WATCHER}", f"grant desk_user to {WATCHER}"),
        pytest.raises(TargetError, match=r"nobody can become acme.manager: permission denied to set role"),
    ):
        helpdesk.as_observer(WATCHER).check()


def test_what_the_observer_may_not_read_is_open(helpdesk: Stranger) -> None:
    helpdesk.execute(
        f"revoke pg_read_all_data from {WATCHER}; grant usage on schema public to {WATCHER};"
        f"grant select on all tables in schema public to {WATCHER}; revoke select on public.tickets"
        f" from {WATCHER}, desk_user;"
        f"grant select (status) on public.tickets to desk_user; grant select on public.articles to {WATCHER}"
    )
    helpdesk.execute(f"revoke desk_user from {WATCHER}; grant desk_user to {WATCHER} with inherit false")
    try:
        report = helpdesk.as_observer(WATCHER).check()
        helpdesk.execute(f"revoke select on public.agents from {WATCHER}")
        with pytest.raises(
            TargetError, match=r"cannot read who belongs to which tenant in public.agents: permission denied"
        ):
            helpdesk.as_observer(WATCHER).check()
    finally:
        helpdesk.execute(
            f"revoke select on all tables in schema public from {WATCHER};"
            f" revoke usage on schema public from {WATCHER};"
            f"grant pg_read_all_data to {WATCHER}; revoke desk_user from {WATCHER}; grant desk_user to {WATCHER};"
            "grant select on public.tickets to desk_user"
        )

    cells = [c for c in report.cells if c.command is Command.SELECT and c.object == "public.tickets"]
    assert {cell.reason for cell in cells} == {
        "no positive control: the observer could not read it: 42501 permission denied for table tickets"
    }
    assert exit_code(report) == 4


def test_sql_of_the_scenario_that_does_not_fit_is_the_users_mistake(helpdesk: Stranger) -> None:
    wrong = {
        name: replace(tenancy, tenant=replace(tenancy.tenant, path=(), sql="no_such_column"))
        if name.name == "articles" and tenancy.tenant
        else tenancy
        for name, tenancy in helpdesk.scenario.tables.items()
    }
    with pytest.raises(UsageError, match=r"SQL for public.articles is not valid in this database"):
        replace(helpdesk, scenario=replace(helpdesk.scenario, tables=wrong)).check()


def test_a_run_that_is_asked_to_end_says_what_it_knows(helpdesk: Stranger) -> None:
    handle = replace(helpdesk.handle, owned=False, writes=Writes.NEVER)
    seen: list[object] = []
    for event in check_existing(
        handle,
        helpdesk.scenario,
        seed=SEED,
        signer=Signer(),
        stop=lambda: any(isinstance(known, PhaseStarted) and known.may_end for known in seen),
    ):
        seen.append(event)

    last = seen[-1]
    assert isinstance(last, RunFinished)
    assert last.report.interrupted
    assert {c.reason for c in last.report.cells if c.command is Command.SELECT} == {"interrupted before it was tried"}


def test_a_server_that_goes_away_ends_the_run_with_what_is_known(helpdesk: Stranger) -> None:
    asked = 0

    def gone() -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:  # the second persona's turn
            helpdesk.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and state = 'idle in transaction'"
            )
        return False

    handle = replace(helpdesk.handle, owned=False, writes=Writes.NEVER)
    *_, last = check_existing(handle, helpdesk.scenario, seed=SEED, signer=Signer(), stop=gone)

    assert isinstance(last, RunFinished)
    first = {c.verdict for c in last.report.cells if c.persona == "acme.manager" and c.command is Command.SELECT}
    then = {c.reason for c in last.report.cells if c.persona == "globex.agent" and c.command is Command.SELECT}
    assert first == {Verdict.ISOLATED}
    assert then == {"interrupted: the database went away in the middle of the run"}
    assert exit_code(last.report) == 3


def test_without_memberships_made_up_users_stand_in_real_tenants(invoicing: Stranger) -> None:
    scenario = replace(invoicing.scenario, memberships=())
    quiet = replace(invoicing, scenario=scenario).check()
    with invoicing.policy("public.customers", "true"):
        report = replace(invoicing, scenario=scenario).check()

    assert quiet.findings == ()
    assert "the users are made up and only the tenants are real" in " ".join(quiet.notes)
    assert [finding.object for finding in report.findings] == ["public.customers"]
