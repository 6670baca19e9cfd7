"""Realtime by SQL: each leaky design is told of by its channel, and each of its twins is silent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.services.conftest import FIXTURES, Ground, declared_in

from tenantproof.engine.psql import shows_leak
from tenantproof.engine.services.way import in_services

LEAKY = sorted((FIXTURES / "realtime" / "leaky").glob("*.sql"))
SAFE = sorted((FIXTURES / "realtime" / "safe").glob("*.sql"))


@pytest.mark.parametrize("leak", LEAKY, ids=lambda path: path.stem)
def test_a_leak_is_told_and_its_script_shows_it(realtime: Ground, leak: Path) -> None:
    sql = leak.read_text(encoding="utf-8")
    with realtime.with_design(sql) as standing:
        found = in_services(standing)

    assert {finding.channel for finding in found.findings} == {declared_in(leak)["channel"]}
    assert all(shows_leak(realtime.replayed(sql, finding.replay)) for finding in found.findings)
    assert found.gaps == ()


@pytest.mark.parametrize("design", SAFE, ids=lambda path: path.stem)
def test_a_correct_design_is_silent(realtime: Ground, design: Path) -> None:
    with realtime.with_design(design.read_text(encoding="utf-8")) as standing:
        found = in_services(standing)

    assert [(finding.channel, finding.cause) for finding in found.findings] == []
    assert found.gaps == ()


def test_channels_open_to_all_are_a_gap_that_says_what_was_tried(realtime: Ground) -> None:
    """Nothing says what topics are called: nobody knows whether they are tenants' at all."""
    sql = "create policy channels_join on realtime.messages for select to authenticated using (extension <> 'room:');"
    with realtime.with_design(sql) as standing:
        found = in_services(standing)

    assert found.findings == ()
    (gap,) = found.gaps
    assert "room:{tenant.id}" in gap.reason


def test_channels_out_of_scope_are_a_gap(realtime: Ground) -> None:
    scenario = realtime.plan.scenario
    narrow = replace(scenario, database=replace(scenario.database, schemas=("public",)))
    ground = replace(realtime, plan=replace(realtime.plan, scenario=narrow))
    sql = "create policy channels_join on realtime.messages for select to authenticated using (true);"
    with ground.with_design(sql) as standing:
        found = in_services(standing)

    assert [(gap.object, "schemas" in gap.reason) for gap in found.gaps] == [("realtime.messages", True)]


def test_a_numbered_tenant_is_taken_for_a_longer_number(numbered: Ground) -> None:
    """org:1 is a prefix of org:17: the topic must be compared as a whole."""
    loose = "exists (select from public.my_orgs() o where realtime.topic() like 'org:' || o || '%')"
    exact = "realtime.topic() in (select 'org:' || o from public.my_orgs() o)"
    told = []
    for condition in (loose, exact):
        sql = f"create policy channels_join on realtime.messages for select to authenticated using ({condition});"
        with numbered.with_design(sql) as standing:
            told.append([finding.channel for finding in in_services(standing).findings])

    assert told == [["REALTIME-READ"], []]
