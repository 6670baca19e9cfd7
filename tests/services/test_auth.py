"""What Auth puts into tokens: each leaky design is told of by its channel, and each of its twins is silent."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.services.conftest import FIXTURES, Ground, declared_in

from tenantproof.core.finding import Severity
from tenantproof.engine.psql import shows_leak
from tenantproof.engine.services.way import in_services

LEAKY = sorted((FIXTURES / "auth" / "leaky").glob("*.sql"))
SAFE = sorted((FIXTURES / "auth" / "safe").glob("*.sql"))


@pytest.mark.parametrize("leak", LEAKY, ids=lambda path: path.stem)
def test_a_leak_is_told_and_its_script_shows_it(auth: Ground, leak: Path) -> None:
    sql = leak.read_text(encoding="utf-8")
    with auth.with_design(sql) as standing:
        found = in_services(standing)

    assert {finding.channel for finding in found.findings} == {declared_in(leak)["channel"]}
    assert all(shows_leak(auth.replayed(sql, finding.replay)) for finding in found.findings)


@pytest.mark.parametrize("design", SAFE, ids=lambda path: path.stem)
def test_a_correct_design_is_silent(auth: Ground, design: Path) -> None:
    with auth.with_design(design.read_text(encoding="utf-8")) as standing:
        found = in_services(standing)

    assert [(finding.channel, finding.cause) for finding in found.findings] == []


def test_what_is_stale_until_a_token_expires_fails_no_run(auth: Ground) -> None:
    """Tokens that carry the tenant are a common design: told, and below the usual gate."""
    with auth.with_design((FIXTURES / "auth/leaky/token-knows-the-organization.sql").read_text()) as standing:
        found = in_services(standing)

    assert [finding.severity for finding in found.findings] == [Severity.LOW]
