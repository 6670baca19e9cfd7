"""A line whose round trips take 30 ms or 200 ms: runs come to their end, wait seldom, and say how often they did."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.staging.cluster import SCENARIO, Cluster
from tests.staging.conftest import Run
from tests.staging.delaying import delayed


@pytest.mark.parametrize("milliseconds", [30, pytest.param(200, marks=pytest.mark.thorough)])
def test_a_check_over_a_slow_line(staging: Cluster, tenantproof: Run, milliseconds: int) -> None:
    """Everything but the search waits fewer than a hundred times, however many statements it sends."""
    with delayed(("127.0.0.1", staging.port), milliseconds / 1000) as port:
        done = tenantproof(
            "check", SCENARIO, "-t", "env:S", "--writes", "rollback", "--attempts", 0, S=staging.dsn(port=port)
        )
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.search(r"note: (\d+) round trips of ([\d.]+) ms over 1 connection", done.stdout)
    assert told is not None, done.stdout
    assert int(told[1]) < 100
    assert float(told[2]) >= milliseconds


def test_a_slow_line_makes_the_search_shorter_and_the_report_says_so(
    staging: Cluster, tenantproof: Run, tmp_path: Path
) -> None:
    with delayed(("127.0.0.1", staging.port), 0.004) as port:
        config = '[targets.slow]\ndsn = "${S}"\nwrites = "rollback"\nsearch_seconds = 1\n'
        (tmp_path / "tenantproof.toml").write_text(config)
        done = tenantproof("check", SCENARIO, "-t", "slow", S=staging.dsn(port=port))
    assert done.returncode == 0, done.stdout + done.stderr
    said = (
        r"a round trip takes \d+ ms: \d+ of about 2,000 attempts were made, and no membership changed \(search_seconds"
    )
    assert re.search(said, done.stdout), done.stdout


def test_a_search_that_had_time_says_that_no_membership_changed(staging: Cluster, tenantproof: Run) -> None:
    with delayed(("127.0.0.1", staging.port), 0.004) as port:
        done = tenantproof(
            *("check", SCENARIO, "-t", "env:S", "--writes", "rollback", "--attempts", 1), S=staging.dsn(port=port)
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"a round trip takes \d+ ms: no membership was changed", done.stdout), done.stdout
