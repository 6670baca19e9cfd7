"""The search alone in somebody's database: it leaves nothing, and says so where it may not search."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.staging.cluster import SCENARIO, Cluster, cluster
from tests.staging.conftest import Run
from tests.staging.test_trouble import dying_at

LEAK = "create policy notes_everybody on public.notes for select to app_user using (true)"


def without_sequences(dump: str) -> list[str]:
    return [line for line in dump.splitlines() if "setval" not in line]


@pytest.mark.parametrize("writes", ["rollback", "canary"])
def test_a_leak_is_found_and_nothing_stays(staging: Cluster, tenantproof: Run, writes: str) -> None:
    search = (
        "fuzz",
        SCENARIO,
        "-t",
        "env:STAGING",
        "--writes",
        writes,
        "--for",
        "1s",
        "--draws",
        "7",
        "--no-examples",
        "--reach",
        "api",
    )
    with staging.admin() as connection:
        connection.execute(LEAK)
        try:
            before = staging.dump()
            done = tenantproof(*search, STAGING=staging.dsn())
            after = staging.dump()
        finally:
            connection.execute("drop policy notes_everybody on public.notes")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "public.notes" in done.stdout
    assert f"--writes {writes}" in done.stdout
    assert "nothing stayed behind" in done.stdout
    assert without_sequences(after) == without_sequences(before)


def test_where_nothing_may_be_written_it_is_refused_with_the_reason(staging: Cluster, tenantproof: Run) -> None:
    for mode in ((), ("--writes", "never")):
        done = tenantproof("fuzz", SCENARIO, "-t", "env:STAGING", *mode, "--for", "1s", STAGING=staging.dsn())
        assert done.returncode == 2, done.stderr
        assert "--writes never: the search changes rows behind a persona's back" in done.stderr
        assert "give --writes rollback or canary" in done.stderr


@pytest.mark.thorough
def test_a_server_that_dies_leaves_a_report(tenantproof: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of `check` (test_trouble.py): a search that found nothing by then is no good news."""
    search = ("fuzz", SCENARIO, "-t", "env:S", "--writes", "rollback", "--for", "60s", "--no-examples")
    with cluster() as made:
        dying_at(monkeypatch, made, 300)
        done = tenantproof(*search, "-r", "json=run.json", S=made.dsn())
    assert done.returncode == 3, done.stdout + done.stderr
    assert (
        "the database went away in the middle of the run" in json.loads((tmp_path / "run.json").read_text())["trouble"]
    )
    assert "Traceback" not in done.stdout + done.stderr
