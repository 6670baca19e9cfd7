"""Storage by SQL: each leaky design is told of, by its channel and operation, and each of its twins is silent."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.services.conftest import FIXTURES, Ground, declared_in

from tenantproof.engine.psql import shows_leak
from tenantproof.engine.services.way import in_services

LEAKY = sorted((FIXTURES / "storage" / "leaky").glob("*.sql"))
SAFE = sorted((FIXTURES / "storage" / "safe").glob("*.sql"))


@pytest.mark.parametrize("leak", LEAKY, ids=lambda path: path.stem)
def test_a_leak_is_told_and_its_script_shows_it(storage: Ground, leak: Path) -> None:
    sql, said = leak.read_text(encoding="utf-8"), declared_in(leak)
    with storage.with_design(sql) as standing:
        found = in_services(standing)

    assert {finding.channel for finding in found.findings} == {said["channel"]}
    commands = {command.value for finding in found.findings for command in finding.commands}
    expected = {"get": "select", "upload": "insert", "move": "update", "upsert": "update", "delete": "delete"}
    assert expected.get(said["operation"], "update") in commands
    assert all(shows_leak(storage.replayed(sql, finding.replay)) for finding in found.findings)
    assert not [gap for gap in found.gaps if f"{said['bucket']}/" in gap.reason]


@pytest.mark.parametrize("design", SAFE, ids=lambda path: path.stem)
def test_a_correct_design_is_silent(storage: Ground, design: Path) -> None:
    with storage.with_design(design.read_text(encoding="utf-8")) as standing:
        found = in_services(standing)

    assert [(finding.channel, finding.cause) for finding in found.findings] == []
