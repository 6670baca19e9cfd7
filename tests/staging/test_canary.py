"""Rows that a run commits are taken away, those that triggers made of them included."""

from __future__ import annotations

import json
from pathlib import Path

from tests.staging.cluster import SCENARIO, Cluster
from tests.staging.conftest import Run
from tests.staging.test_killed import KILLED, moments_of, nobody_else_is_there, runs, was_killed

AS_CANARY = ("check", SCENARIO, "-t", "env:STAGING", "--writes", "canary", "--attempts", 0)


def without_sequences(dump: str) -> list[str]:
    """What no rollback and no deletion puts back is where the sequences stand."""
    return [line for line in dump.splitlines() if "setval" not in line]


def a_job_adds_a_note(staging: Cluster, folder: Path) -> bool:
    """What a job that works on all tenants does to ours; False where the rows are gone already."""
    (path,) = folder.glob(".tenantproof/manifests/*.json")
    orgs = next(rows for rows in json.loads(path.read_text())["rows"] if rows["table"] == "orgs")
    with staging.admin() as connection:
        added = connection.execute(
            "insert into notes (org_id, author_id, body) select id, 1, 'by a job' from orgs where id = %s",
            (int(orgs["keys"][0].strip("{}")),),
        )
        return added.rowcount == 1


def forget_the_job(staging: Cluster) -> None:
    """Its audit row speaks of no tenant, and is the job's own."""
    with staging.admin() as connection:
        connection.execute("delete from audit where what = 'INSERT by a job'")


def test_nothing_stays_but_where_sequences_stand(staging: Cluster, tenantproof: Run, tmp_path: Path) -> None:
    before = staging.dump()
    done = tenantproof(*AS_CANARY, STAGING=staging.dsn())
    assert (done.returncode, "nothing stayed behind" in done.stdout) == (0, True), done.stdout + done.stderr
    assert without_sequences(staging.dump()) == without_sequences(before)
    assert list(tmp_path.glob(".tenantproof/manifests/*")) == []


def test_killed_at_ten_moments_clean_takes_it_away(staging: Cluster, tenantproof: Run, tmp_path: Path) -> None:
    before = without_sequences(staging.dump())
    killed = stayed = 0
    with runs(staging, tmp_path, "canary", attempts=0) as run:
        ended, code, waits = run(0)
        assert (ended, code, without_sequences(staging.dump())) == ("exit", "0", before)
        for moment in moments_of(int(waits)):
            killed += was_killed(run(moment))
            nobody_else_is_there(staging)
            rows_stayed = without_sequences(staging.dump()) != before
            stayed += rows_stayed
            if rows_stayed:
                theirs = a_job_adds_a_note(staging, tmp_path)
                again = tenantproof(*AS_CANARY, STAGING=staging.dsn())
                assert again.returncode == 3
                assert "tenantproof clean --target env:STAGING" in again.stderr
            done = tenantproof("clean", "--target", "env:STAGING", STAGING=staging.dsn())
            assert done.returncode == 0, done.stderr
            if rows_stayed and theirs:
                assert "made by others about them" in done.stdout
                forget_the_job(staging)
            assert without_sequences(staging.dump()) == before, f"killed at wait {moment} of {waits}"
    assert killed >= KILLED
    assert stayed  # else the test would not have tried what it is about
    again = tenantproof("clean", "--target", "env:STAGING", STAGING=staging.dsn())
    folder = tmp_path / ".tenantproof" / "manifests"
    told = f"nothing to clean: no manifest in {folder} speaks of this database\n"
    assert (again.returncode, again.stdout) == (0, told)


def test_manifests_that_are_none_or_of_another_database(staging: Cluster, tenantproof: Run, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{}")
    done = tenantproof("clean", "--target", "env:STAGING", wrong, STAGING=staging.dsn())
    assert (done.returncode, "no manifest of a run" in done.stderr) == (2, True)
    wrong.write_text(json.dumps({"format": "tenantproof-manifest-v1", "run": "x", "place": "elsewhere:1/db",
                                 "marks": [], "rows": [], "changed": {}}))  # fmt: skip
    done = tenantproof("clean", "--target", "env:STAGING", wrong, STAGING=staging.dsn())
    assert (done.returncode, "is about elsewhere:1/db" in done.stderr) == (2, True)
    assert wrong.exists()


def test_nothing_to_clean_is_no_mistake_and_a_manifest_that_is_not_there_is(tenantproof: Run, tmp_path: Path) -> None:
    """Nobody is asked at that address: what there is to do stands in files alone."""
    dsn = "postgresql://me:hunter2@127.0.0.1:1/app"
    done = tenantproof("clean", "--target", "env:STAGING", STAGING=dsn)
    assert done.returncode == 0
    assert f"no manifest in {tmp_path / '.tenantproof' / 'manifests'} speaks of this database" in done.stdout

    done = tenantproof("clean", "--target", "env:STAGING", "gone.json", STAGING=dsn)
    assert (done.returncode, done.stderr) == (2, "gone.json: No such file or directory\n")
