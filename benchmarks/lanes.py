"""
What lanes save: the matrix of workflow_saas with one persona under way at a time, and with several.

    python -m benchmarks.lanes [MILLISECONDS…]

Both ways take turns, so that what slows the machine down slows both.  The line is a proxy on the loopback that delays
bytes (tests/staging/delaying.py).  Prints the medians and their ratio; README.md beside this file holds one run.
"""

from __future__ import annotations

import datetime
import os
import sys
from statistics import median
from time import perf_counter

import psycopg
from benchmarks.matrix import SCENARIO, seeded
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from tests.staging.delaying import delayed

from tenantproof.core.ports import Handle
from tenantproof.engine import lanes
from tenantproof.engine.matrix import look, sweep
from tenantproof.engine.plan import Plan
from tenantproof.engine.wire import Wire
from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget

RUNS = 3
SEVERAL = lanes.LANES


def main(lines: list[float]) -> None:
    print(
        f"{datetime.date.today()}  {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}, medians of {RUNS}\n"
    )
    print(f"| round trip | one lane, s | waits | {SEVERAL} lanes, s | waits | ratio |")
    print("| --- | --- | --- | --- | --- | --- |")
    scenario = load_scenario(SCENARIO)
    with EmbeddedTarget(scenario.database).database() as handle:
        plan = seeded(handle, scenario)
        for milliseconds in lines:
            compare(handle, plan, milliseconds)


def compare(handle: Handle, plan: Plan, milliseconds: float) -> None:
    parts = conninfo_to_dict(handle.conninfo)
    taken: dict[int, list[float]] = {1: [], SEVERAL: []}
    waits: dict[int, int] = {}
    with delayed(f"{parts['host']}/.s.PGSQL.{parts['port']}", milliseconds / 1000) as port:
        line = make_conninfo(handle.conninfo, host="127.0.0.1", port=port)
        for _ in range(RUNS):
            for number, seconds in taken.items():
                lanes.LANES = number
                took, waits[number] = swept(line, plan)
                seconds.append(took)
    one, several = median(taken[1]), median(taken[SEVERAL])
    print(
        f"| {milliseconds:g} ms | {one:.2f} | {waits[1]} | {several:.2f} | {waits[SEVERAL]} | {several / one:.2f} |",
        flush=True,
    )


def swept(line: str, plan: Plan) -> tuple[float, int]:
    """Seconds and round trips of all cells of all personas."""
    with psycopg.connect(line, autocommit=True) as connection, Wire(connection) as wire:
        wire.prepare(())
        ground = look(wire, plan)
        before, start = wire.counter.round_trips, perf_counter()
        sweep(wire, plan, ground, plan.manifest.personas)
        return perf_counter() - start, wire.counter.round_trips - before


if __name__ == "__main__":
    main([float(one) for one in sys.argv[1:]] or [0, 30])
