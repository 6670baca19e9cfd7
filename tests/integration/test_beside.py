"""
Writes with effects beside the rows that they count: triggers, rules, cascades, partitions, children.

By an author who had not read the code; each leak was seen by hand first.  The matrix alone finds them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantproof.api import check, exit_code

HERE = Path(__file__).parent / "beside"
LEAKS = sorted(HERE.glob("*/leak_*.sql"))


def scenario(folder: Path) -> Path:
    return folder / f"{folder.name}.tenancy.yaml"


@pytest.mark.parametrize("folder", sorted(HERE.iterdir()), ids=lambda folder: folder.name)
def test_what_is_right_is_silent(folder: Path) -> None:
    assert check(scenario(folder), attempts=0).findings == ()


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: f"{leak.parent.name}-{leak.stem}")
def test_what_leaks_beside_is_found(leak: Path) -> None:
    report = check(scenario(leak.parent), patches=[leak], attempts=0)
    assert exit_code(report) == 1


def test_the_replay_looks_at_what_the_trigger_wrote() -> None:
    report = check(
        scenario(HERE / "around_a_view"), patches=[HERE / "around_a_view" / "leak_all_boards.sql"], attempts=0
    )
    assert [(finding.object, finding.command) for finding in report.findings] == [("app.my_notes", "update")]
    assert '"app"."boards"' in report.findings[0].replay
