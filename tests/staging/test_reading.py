"""The default for somebody's database, from the command line: real rows are read, and nothing is written."""

from __future__ import annotations

import json
from pathlib import Path

from tests.staging.cluster import SCENARIO, Cluster
from tests.staging.conftest import Run

LEAK = "create policy notes_everybody on public.notes for select to app_user using (true)"


def test_real_rows_are_compared_and_nothing_is_told_of_them(staging: Cluster, tenantproof: Run, tmp_path: Path) -> None:
    before = staging.dump()
    done = tenantproof("check", SCENARIO, "-t", "env:STAGING", "-r", "json=run.json", STAGING=staging.dsn())
    report = json.loads((tmp_path / "run.json").read_text())

    assert "--writes never" in done.stdout
    assert done.returncode in (0, 4), done.stdout + done.stderr  # few rows: something may be unknown
    assert report["findings"] == []
    assert report["summary"]["isolated"] > 0
    for secret in ("Real Inc", "a real note", "a@real.example", staging.password):
        assert secret not in done.stdout + done.stderr + json.dumps(report)
    assert staging.dump() == before


def test_an_error_that_quotes_a_row_is_not_told(staging: Cluster, tenantproof: Run, tmp_path: Path) -> None:
    with staging.admin() as connection:
        connection.execute(
            "create policy casts on public.notes as restrictive for select to app_user using (body::int > 0)"
        )
        try:
            done = tenantproof("check", SCENARIO, "-t", "env:STAGING", "-r", "json=run.json", STAGING=staging.dsn())
        finally:
            connection.execute("drop policy casts on public.notes")
    assert "22P02" in done.stdout
    assert "a real note" not in done.stdout + done.stderr + (tmp_path / "run.json").read_text()


def test_a_leak_among_real_rows_exits_1(staging: Cluster, tenantproof: Run) -> None:
    with staging.admin() as connection:
        connection.execute(LEAK)
        try:
            done = tenantproof("check", SCENARIO, "-t", "env:STAGING", STAGING=staging.dsn())
        finally:
            connection.execute("drop policy notes_everybody on public.notes")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "notes_everybody" in done.stdout
