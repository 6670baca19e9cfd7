"""A run in somebody's database, everything rolled back: nothing stays, and leaks are found all the same."""

from __future__ import annotations

from tests.staging.cluster import SCENARIO, Cluster
from tests.staging.conftest import Run

LEAK = "create policy notes_everybody on public.notes for select to app_user using (true)"


def test_a_clean_staging_is_clean_and_stays_as_it_was(staging: Cluster, tenantproof: Run) -> None:
    before = staging.dump()
    done = tenantproof(
        "check", SCENARIO, "-t", "env:STAGING", "--writes", "rollback", "--attempts", 60, STAGING=staging.dsn()
    )
    assert (done.returncode, "nothing stayed behind" in done.stdout) == (0, True), done.stdout + done.stderr
    assert "--writes rollback" in done.stdout
    assert staging.dump() == before


def test_a_leak_is_found_beside_real_rows(staging: Cluster, tenantproof: Run) -> None:
    with staging.admin() as connection:
        connection.execute(LEAK)
        try:
            before = staging.dump()
            done = tenantproof(
                "check", SCENARIO, "-t", "env:STAGING", "--writes", "rollback", "--attempts", 0, STAGING=staging.dsn()
            )
            after = staging.dump()
        finally:
            connection.execute("drop policy notes_everybody on public.notes")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "public.notes" in done.stdout
    assert "notes_everybody" in done.stdout
    assert "a row of a tenant that is not of this run" in done.stdout  # of the real ones
    assert "a row of no tenant" not in done.stdout
    assert "nothing stayed behind" in done.stdout
    without_sequences = [line for line in after.splitlines() if "setval" not in line]
    assert without_sequences == [line for line in before.splitlines() if "setval" not in line]
