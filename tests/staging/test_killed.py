"""kill -9 in the middle of a run: nothing stays in rollback mode, and `clean` takes away what does in canary mode."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.staging.cluster import SCENARIO, Cluster

MOMENTS = 10
ATTEMPTS = 1 if os.environ.get("TENANTPROOF_THOROUGH") else 0
"""The search is in the same transaction as all before it, and takes most of the time."""
KILLED = 7
"""Of the ten, at least so many: two runs do not wait equally often, and one may be over before a late moment."""

Runs = Callable[[int], list[str]]


@contextmanager
def runs(staging: Cluster, folder: Path, writes: str, *, attempts: int) -> Iterator[Runs]:
    """Runs of `check`, by the moment at which they are killed; each says how it ended."""
    arguments = ["check", SCENARIO, "-t", "env:STAGING", "--writes", writes, "--attempts", attempts, "-q"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.staging.killing", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=folder,
        env={**os.environ, "STAGING": staging.dsn(), "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    def run(moment: int) -> list[str]:
        stdin.write(f"{moment}\n")
        stdin.flush()
        return stdout.readline().split()

    try:
        yield run
    finally:
        stdin.close()
        process.wait(timeout=60)
        stdout.close()


def moments_of(waits: int) -> list[int]:
    drawn = random.Random(20261128)
    return [drawn.randint(1, waits) for _ in range(MOMENTS)]


def was_killed(ended: list[str]) -> bool:
    """Whether the moment came; a run that was over before has ended well."""
    assert ended[:2] in (["signal", "9"], ["exit", "0"]), ended
    return ended[0] == "signal"


def nobody_else_is_there(staging: Cluster) -> None:
    """Wait until the server has noticed that the run is gone, as long as it takes within reason."""
    with staging.admin() as connection:
        connection.execute("set statement_timeout = '10s'")
        connection.execute(_UNTIL_ALONE)
        connection.execute("vacuum")  # else each run is slower for the dead rows of the one before


_UNTIL_ALONE = """
do $$ begin
  while exists (select from pg_stat_activity where application_name like 'tenantproof/%') loop
    perform pg_sleep(0.01);
    perform pg_stat_clear_snapshot();
  end loop;
end $$
"""


def test_killed_at_ten_moments_nothing_stays(staging: Cluster, tmp_path: Path) -> None:
    before, killed = staging.dump(), 0
    with runs(staging, tmp_path, "rollback", attempts=ATTEMPTS) as run:
        ended, code, waits = run(0)
        assert (ended, code, staging.dump()) == ("exit", "0", before)
        for moment in moments_of(int(waits)):
            killed += was_killed(run(moment))
            nobody_else_is_there(staging)
            assert staging.dump() == before, f"killed at wait {moment} of {waits}"
    assert killed >= KILLED
