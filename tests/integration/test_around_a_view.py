"""A table that is only reached through a view: what its triggers do is its writer's doing all the same."""

from __future__ import annotations

from pathlib import Path

from tenantproof.api import check

HERE = Path(__file__).parent / "around_a_view"
SCENARIO = HERE / "around_a_view.tenancy.yaml"


def test_a_trigger_of_the_table_that_writes_within_the_tenant_is_no_finding() -> None:
    assert check(SCENARIO, attempts=0).findings == ()


def test_a_trigger_of_the_table_that_writes_to_others_is_found_through_the_view() -> None:
    report = check(SCENARIO, patches=[HERE / "leak.sql"], attempts=0)
    assert [(finding.object, finding.command) for finding in report.findings] == [("app.my_notes", "update")]
    assert '"app"."boards"' in report.findings[0].replay
