"""Databases of strangers after years of use: silent where they are right, and a leak is found where one is planted."""

from __future__ import annotations

import pytest
from tests.existing.conftest import WATCHER
from tests.existing.looking import Stranger

from tenantproof.api import exit_code
from tenantproof.core.finding import Finding, Severity, Verdict
from tenantproof.core.model import Command
from tenantproof.core.report import Report
from tenantproof.engine.psql import run_script, shows_leak


def _reads(report: Report, verdict: Verdict) -> set[tuple[str, str]]:
    return {(c.object, c.persona) for c in report.cells if c.command is Command.SELECT and c.verdict is verdict}


def _reasons(report: Report) -> set[str]:
    return {cell.reason.split(":")[0] for cell in report.cells if cell.verdict is Verdict.UNTESTED}


@pytest.mark.parametrize("observer", [None, "postgres"])
def test_clinics_are_silent(clinic: Stranger, observer: str | None) -> None:
    """People who left or never came, deleted patients, clinics without members or that closed, doubled rows."""
    report = (clinic if observer is None else clinic.as_observer(observer)).check()

    assert report.findings == ()
    assert exit_code(report, Severity.INFO) == 0
    assert exit_code(report, Severity.INFO, strict=True) == 4
    assert {name for name, _ in _reads(report, Verdict.UNTESTED)} == {"public.lab_results"}
    assert _reasons(report) == {"needs --writes rollback", "it has no rows"}
    assert len(_reads(report, Verdict.ISOLATED)) == 12 * 9 - 11
    assert any(note.startswith("public.visits: some promised rows are not seen") for note in report.notes)


def test_a_help_desk_is_silent(helpdesk: Stranger) -> None:
    """Numbers for ids, agents of no account, hidden states, partitions, a materialized view that was never filled."""
    report = helpdesk.check()

    assert report.findings == ()
    assert exit_code(report, Severity.INFO) == 0
    assert _reads(report, Verdict.UNTESTED) == set()
    assert [gap.object for gap in report.gaps if gap.reason.startswith("compared in part")] == ["public.messages"]


def test_agencies_are_silent(agency: Stranger) -> None:
    """The organization stands in tokens, of which some are stale or broken; memberships of users who are gone."""
    report = agency.check()

    assert report.findings == ()
    assert exit_code(report, Severity.INFO) == 0
    assert {who for _, who in _reads(report, Verdict.UNTESTED)} == {"dual"}
    assert any("2 see nothing of their tenant" in note or "1 see nothing" in note for note in report.notes)


@pytest.mark.parametrize(
    ("relation", "leak"),
    [
        ("patients", "deleted_at is null"),
        ("visits", "true"),
        ("profiles", "full_name is not null"),
        ("forms", "public.active_in(clinic_id) or clinic_id is null or title like 'Of%'"),
        ("door_log", "payload is null"),
    ],
)
def test_a_leak_among_real_rows_is_found(clinic: Stranger, relation: str, leak: str) -> None:
    with clinic.policy(f"public.{relation}", leak):
        report = clinic.check()
        finding = _leak(report, f"public.{relation}")
        assert shows_leak(run_script(clinic.handle, finding.replay)), finding.replay

    assert finding.channel == "READ"
    assert finding.cause.startswith("policy ")
    assert {"north.lead", "west.desk"} <= set(finding.personas)
    assert not any("no tenant" in row for item in finding.evidence for row in item.rows if relation != "profiles")


def _leak(report: Report, name: str) -> Finding:
    (found,) = [finding for finding in report.findings if finding.object == name]
    return found


def test_over_blocking_is_found_where_a_kind_of_row_is_out_of_reach(clinic: Stranger) -> None:
    with clinic.policy("public.forms", "clinic_id is null"), clinic.policy("public.visits", "false"):
        report = clinic.check()
        shown = [run_script(clinic.handle, finding.replay) for finding in report.findings]

    assert {(f.channel, f.object) for f in report.findings} == {
        ("OVER-BLOCKED", "public.forms"),
        ("OVER-BLOCKED", "public.visits"),
    }
    assert all(" OVER-BLOCKED | " in output for output in shown), shown


def test_what_a_token_really_carries_counts(agency: Stranger) -> None:
    """Somebody whose account still names another organization reads that one: no template would show it."""
    everybody = "update auth.users set raw_app_meta_data = {} where id in (select user_id from public.seats)"
    agency.execute("create table public.kept as select id, raw_app_meta_data as held from auth.users")
    agency.execute("create policy seats_of_colleagues on public.seats for select to authenticated using (true)")
    agency.execute(everybody.format("jsonb_build_object('org_id', (select id from public.orgs order by id limit 1))"))
    try:
        report = agency.check()
    finally:
        agency.execute("drop policy seats_of_colleagues on public.seats")
        agency.execute("update auth.users u set raw_app_meta_data = held from public.kept k where k.id = u.id")
        agency.execute("drop table public.kept")

    campaigns = _leak(report, "public.campaigns")
    assert any(name.startswith("green") for name in campaigns.personas)
    assert not any(name.startswith("red") for name in campaigns.personas)


def test_nothing_of_theirs_is_told_unless_asked_for(clinic: Stranger) -> None:
    with clinic.policy("public.patients", "true"):
        report, open_ = clinic.check(), clinic.check(include_data=True)

    assert "0000-4000-8000" not in repr(report)
    assert "@clinic.example" not in repr(report)
    assert "20000000-0000-4000-8000-000000000001" in repr(open_)
    assert "@clinic.example" not in repr(open_)
    assert [f.fingerprint for f in report.findings] == [f.fingerprint for f in open_.findings]


def test_an_observer_who_is_no_superuser_will_do(helpdesk: Stranger) -> None:
    report = helpdesk.as_observer(WATCHER).check()

    assert report.findings == ()
    assert exit_code(report, Severity.INFO) == 0
    assert any(note.startswith("session_user was the observer") for note in report.notes)
