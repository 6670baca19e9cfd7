"""Databases written by strangers: silent on each as it stands, red on each of their leaks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tenantproof.api import check, exit_code
from tenantproof.core.finding import Verdict

STRANGERS = Path(__file__).parents[2] / "fixtures" / "strangers"
SCENARIOS = sorted(STRANGERS.glob("*/*.tenancy.yaml"))
LEAKS = sorted(STRANGERS.glob("*/leaks/*.sql"))

THOROUGH = bool(os.environ.get("TENANTPROOF_THOROUGH"))
SEARCHED = {
    "articles-articles_full",
    "cascade-cascade",
    "claim-claim_full",
    "guc-guc_full",
    "owner2-owner2",
    "views-views",
}
"""Where the search is tried, too (thoroughly: everywhere): leaks are the matrix's, here it need only be silent."""

INHERENT = ("SEQ-GAP", "AUTH-STALE")
"""What serial numbers and tokens that carry the tenant bring with them: low, and told once."""


def name_of(path: Path) -> str:
    return f"{path.parent.name}-{path.name.removesuffix('.tenancy.yaml')}"


@pytest.mark.parametrize("scenario", SCENARIOS, ids=name_of)
def test_a_correct_database_raises_no_alarm(scenario: Path) -> None:
    searched = 2000 if THOROUGH else 100 if name_of(scenario) in SEARCHED else 0
    report = check(scenario, attempts=searched)

    assert [finding for finding in report.findings if finding.channel not in INHERENT] == []
    assert exit_code(report) == 0
    assert not [cell for cell in report.cells if cell.verdict is Verdict.ERROR]


@pytest.mark.parametrize("leak", LEAKS, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def test_a_strangers_leak_is_found(leak: Path) -> None:
    (scenario,) = leak.parents[1].glob("*.tenancy.yaml")

    report = check(scenario, patches=[leak], attempts=0)

    assert exit_code(report) == 1
    assert any(finding.channel != "OVER-BLOCKED" for finding in report.findings)
