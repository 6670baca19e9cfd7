"""A staging that people work on: what they write at the same time is no bug of ours, and never our finding."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import psycopg
from tests.staging.cluster import SCENARIO, Cluster
from tests.staging.conftest import Run


@contextmanager
def people_at_work(staging: Cluster) -> Iterator[list[int]]:
    """Real notes are written to all the time; gives how often, in the end."""
    over, written = Event(), [0]

    def work() -> None:
        with psycopg.connect(staging.dsn("root_of_all"), autocommit=True) as connection:
            while not over.is_set():
                connection.execute("update public.notes set body = body where body in ('a real note', 'another')")
                written[0] += 1
                over.wait(0.01)

    worker = Thread(target=work)
    worker.start()
    try:
        yield written
    finally:
        over.set()
        worker.join()


def test_others_write_to_the_same_rows(staging: Cluster, tenantproof: Run) -> None:
    with people_at_work(staging) as written:
        done = tenantproof(
            "check", SCENARIO, "-t", "env:STAGING", "--writes", "rollback", "--attempts", 0, STAGING=staging.dsn()
        )
    assert written[0] > 10
    assert done.returncode in (0, 3, 4), done.stdout + done.stderr
    assert "a bug in tenantproof" not in done.stderr
    assert "LEAKED" not in done.stdout
    if done.returncode == 4:
        assert "40001" in done.stdout
