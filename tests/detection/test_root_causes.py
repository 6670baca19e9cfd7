"""One root cause, one finding, however many relations it opens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantproof.api import check
from tenantproof.core.finding import Severity

ROOT = Path(__file__).parents[2]
BROKEN_HELPER = """
create or replace function app.my_orgs_as(variadic roles text[])
returns setof uuid language sql stable security definer set search_path = ''
as $$
  select m.organization_id from public.organization_members as m
  where m.user_id = (select auth.uid()) and m.role = any (roles) or m.role = 'owner'
$$;
"""
"""AND binds stronger than OR: every organization has an owner."""

SCENARIO = ROOT / "scenarios" / "workflow_saas.tenancy.yaml"
SMALL = ROOT / "tests" / "integration" / "small_app" / "app.tenancy.yaml"


@pytest.mark.thorough
def test_a_role_that_bypasses_row_level_security_is_one_finding(tmp_path: Path) -> None:
    patch = tmp_path / "bypass.sql"
    patch.write_text("alter role authenticated bypassrls;")

    (finding,) = check(SCENARIO, patches=[patch], attempts=0).findings

    assert finding.cause == "role-bypasses-rls"
    assert finding.severity is Severity.CRITICAL
    assert len(finding.objects) > 10
    assert check(SCENARIO, attempts=0).findings == (), (
        "the patch must not have reached the cluster that other runs share"
    )


@pytest.mark.thorough
def test_a_broken_helper_is_one_finding_and_names_the_function(tmp_path: Path) -> None:
    patch = tmp_path / "helper.sql"
    patch.write_text(BROKEN_HELPER)

    (finding,) = check(SCENARIO, patches=[patch], attempts=0).findings

    assert finding.object == "app.my_orgs_as"
    assert finding.file is not None
    assert finding.file.endswith("helper.sql")
    assert len(finding.objects) > 10


def test_a_table_that_somebody_forgot_is_found_without_a_line_in_the_scenario(tmp_path: Path) -> None:
    patch = tmp_path / "new_table.sql"
    patch.write_text(
        "create table public.new_things (id uuid primary key default gen_random_uuid(),"
        " team_id uuid not null references public.teams (id), body text);"
        "grant select, insert, update, delete on public.new_things to authenticated;"
    )

    (finding,) = check(SMALL, patches=[patch], attempts=0).findings

    assert (finding.object, finding.cause) == ("public.new_things", "rls-disabled")
