"""Realtime by SQL: each leaky design is told of by its channel, and each of its twins is silent."""

from __future__ import annotations

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
