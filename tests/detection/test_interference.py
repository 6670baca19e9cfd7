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
NAMES = [path.name for path in FIXTURES]
THOROUGH = bool(os.environ.get("TENANTPROOF_THOROUGH"))
SOME = FIXTURES if THOROUGH else FIXTURES[::3]
"""What the suite has the time for; benchmarks/interference_detection.py runs all."""

ATTEMPTS = 1000
"""Half of what `check` tries by default: benchmarks/interference_detection.py runs the default at three seeds."""

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

    assert [finding for finding in report.findings if finding.channel != "SEQ-GAP"] == []
    assert exit_code(report) == 0
