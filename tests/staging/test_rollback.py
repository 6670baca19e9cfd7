"""A run in somebody's database, everything rolled back: nothing stays, and leaks are found all the same."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

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


def test_a_leak_is_found_beside_real_rows(staging: Cluster, tenantproof: Run, tmp_path: Path) -> None:
    with staging.admin() as connection:
        connection.execute(LEAK)
        try:
            before = staging.dump()
            real = {key for (key,) in connection.execute("select id::text from public.notes").fetchall()}
            done = tenantproof(
                *("check", SCENARIO, "-t", "env:STAGING", "--writes", "rollback", "--attempts", 0, "-r", "json=r.json"),
                STAGING=staging.dsn(),
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
    (finding,) = json.loads((tmp_path / "r.json").read_text())["findings"]
    shown = set(re.findall(r"'(\d+)'::text", finding["replay"]))
    assert shown
    assert not shown & real  # ids of real rows do not leave their database
    without_sequences = [line for line in after.splitlines() if "setval" not in line]
    assert without_sequences == [line for line in before.splitlines() if "setval" not in line]


CARELESS = """
grant select on public.notes to app_anon;
create policy notes_of_nobody on public.notes for select to app_anon
  using (author_id = current_setting('app.user_id', true)::bigint);
"""


def test_a_setting_that_is_cast_where_it_is_empty_is_named(staging: Cluster, tenantproof: Run) -> None:
    with staging.admin() as connection:
        connection.execute(CARELESS)
        try:
            done = tenantproof(
                "check", SCENARIO, "-t", "env:STAGING", "--writes", "rollback", "--attempts", 0, STAGING=staging.dsn()
            )
        finally:
            connection.execute(
                "drop policy notes_of_nobody on public.notes; revoke select on public.notes from app_anon"
            )
    assert done.returncode == 4, done.stdout + done.stderr
    assert "note: for people who have none, app.user_id is '' as on a pooled connection" in done.stdout
    assert "write nullif(current_setting('app.user_id', true), '')" in done.stdout


def test_what_reproduces_a_finding_reaches_the_same_database(
    staging: Cluster, tenantproof: Run, tmp_path: Path
) -> None:
    """Of a scenario that has no migrations, so that nothing can be made anew: the command that is printed works."""
    scenario = tmp_path / "app.tenancy.yaml"
    scenario.write_text(SCENARIO.read_text().replace(", migrations: migrations", ""))
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "mine.toml").write_text('[targets.staging]\ndsn = "${STAGING}"\nwrites = "rollback"\n')

    def following(done: object) -> list[str]:
        return shlex.split(str(done).splitlines()[-1].removeprefix("Next: tenantproof "))

    with staging.admin() as connection:
        connection.execute(LEAK)
        try:
            named = ("--target", "staging", "--config", "conf/mine.toml", "--attempts", "0", "-v")
            done = tenantproof("check", scenario, *named, STAGING=staging.dsn())
            assert done.returncode == 1, done.stdout + done.stderr
            assert "psql as a superuser" not in done.stdout  # the rows of its script are gone
            again = [*following(done.stdout), "--attempts", "0"]
            assert again[0] == "replay"
            found = tenantproof(*again, STAGING=staging.dsn())
            by_dsn = tenantproof("check", scenario, "-t", staging.dsn(), "-q")
        finally:
            connection.execute("drop policy notes_everybody on public.notes")
    assert (found.returncode, "STILL FOUND" in found.stdout) == (1, True), found.stdout + found.stderr
    assert following(by_dsn.stdout)[3:] == ["--target", "DSN", "--writes", "never"]
    fixed = tenantproof(*again, STAGING=staging.dsn())
    assert (fixed.returncode, "FIXED" in fixed.stdout) == (0, True), fixed.stdout + fixed.stderr
