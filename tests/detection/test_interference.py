"""Leaks that no matrix sees: each is found by the search, its twin that differs by one line is silent."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest

from tenantproof.api import check, exit_code
from tenantproof.core.finding import Severity
from tenantproof.core.ports import Handle
from tenantproof.core.report import Report
from tenantproof.engine.psql import run_script

FIXTURES = sorted(path.parent for path in (Path(__file__).parents[2] / "fixtures" / "interference").glob("*/leaky.sql"))
SMALL_APP = Path(__file__).parents[1] / "integration" / "small_app" / "app.tenancy.yaml"
NAMES = [path.name for path in FIXTURES]
THOROUGH = bool(os.environ.get("TENANTPROOF_THOROUGH"))
QUICK = ("rename-cascades", "view-counts-everybody")
"""One that is written, one that is read; tests/integration/test_fuzz.py searches two others, tests/docs two more."""
SOME = [path for path in FIXTURES if THOROUGH or path.name in QUICK]
"""What the suite has the time for; benchmarks/interference_detection.py runs all."""

ATTEMPTS = 2000 if THOROUGH else 800
"""benchmarks/interference_detection.py runs the default of 2,000 at three seeds."""

ONLY_NOTICES = {"notice-tells"}
"""psql prints notices and cannot compare them."""


def test_there_are_enough_of_them() -> None:
    assert len(FIXTURES) >= 15


@pytest.mark.parametrize("fixture", FIXTURES, ids=NAMES)
def test_the_twins_differ_by_one_line(fixture: Path) -> None:
    leaky, safe = ((fixture / f"{name}.sql").read_text().splitlines() for name in ("leaky", "safe"))

    changed = [line for line in difflib.ndiff(leaky, safe) if line[:2] in ("- ", "+ ")]

    assert sorted(line[0] for line in changed) == ["+", "-"]


@pytest.mark.parametrize("fixture", SOME, ids=[path.name for path in SOME])
def test_the_leak_is_found_and_replayed(fixture: Path) -> None:
    shown: dict[str, str] = {}

    def replay(handle: Handle, report: Report) -> None:
        for finding in report.gating(Severity.MEDIUM):
            shown[finding.fingerprint] = run_script(handle, finding.replay)

    report = check(fixture / "leaky.tenancy.yaml", attempts=ATTEMPTS, then=replay)

    assert exit_code(report) == 1
    (said,) = {
        line[len("-- object: ") :] for line in (fixture / "leaky.sql").read_text().splitlines()[:4] if "object:" in line
    }
    if fixture.name not in ONLY_NOTICES:
        assert shown
        assert all("LEAK" in output for output in shown.values()), said


@pytest.mark.parametrize("fixture", SOME, ids=[path.name for path in SOME])
def test_the_safe_twin_is_silent(fixture: Path) -> None:
    report = check(fixture / "safe.tenancy.yaml", attempts=ATTEMPTS)

    assert [finding for finding in report.findings if finding.channel not in ("SEQ-GAP", "AUTH-STALE")] == []
    assert exit_code(report) == 0


def test_a_table_without_a_key_whose_tenant_may_be_missing(tmp_path: Path) -> None:
    """All its columns are the key, nulls among them: such a row can be left alone on the stage, and told apart."""
    scenario = FIXTURES[0].parents[1] / "searched" / "safe" / "no_key_null" / "no_key_null.tenancy.yaml"
    assert check(scenario, attempts=300).findings == ()

    loose = tmp_path / "loose.sql"
    loose.write_text("alter policy u on public.log_lines using (true);")
    (finding,) = check(scenario, attempts=0, patches=[loose]).findings
    assert (finding.object, finding.severity) == ("public.log_lines", Severity.HIGH)


DISMISSES_ANYBODY = """
create or replace function private.fire() returns trigger language plpgsql security definer set search_path = '' as $$
begin
  delete from public.employees where id = old.id and organization_id in (select private.my_orgs());
  return old;
end $$;
"""


def test_a_view_may_let_people_do_what_its_table_does_not(tmp_path: Path) -> None:
    """Where the scenario speaks of the view, what goes through it is judged by that line too."""
    safe = FIXTURES[0].parents[1] / "searched" / "safe"
    scenario = safe / "instead_of_delete" / "instead_of_delete.tenancy.yaml"
    assert check(safe / "label_view" / "label_view.tenancy.yaml", attempts=0).findings == ()
    assert check(scenario, attempts=0).findings == ()

    loose = tmp_path / "loose.sql"
    loose.write_text(DISMISSES_ANYBODY)
    (finding,) = check(scenario, attempts=0, patches=[loose]).findings
    assert finding.object == "public.staff"
    assert set(finding.personas) == {"acme.member", "globex.member", "dual"}


def test_when_a_materialized_view_was_refreshed_tells_nothing(tmp_path: Path) -> None:
    """The other worlds refresh it, so world 1 must: the time stands in its rows."""
    patch = tmp_path / "usage.sql"
    patch.write_text(
        "create materialized view usage as select t.id as team, count(n.id) as notes, now() as refreshed_at"
        " from teams t left join notes n on n.team_id = t.id group by t.id;"
        "revoke all on usage from anon, authenticated;"
        "create function usage_of_mine() returns setof usage language sql stable security definer"
        " set search_path = public as $$ select * from usage where team in (select my_teams()) $$;"
    )

    report = check(SMALL_APP, patches=[patch], attempts=150)

    assert report.findings == ()
    assert report.search is not None
    assert report.search.pairs > 0
