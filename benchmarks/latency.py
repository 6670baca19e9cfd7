"""
How long a check of workflow_saas takes over a line whose round trips take 0, 30 and 200 ms, everything rolled back.

    python benchmarks/latency.py [MILLISECONDS…]

The line is a proxy on the loopback that delays bytes (tests/staging/delaying.py); the server is the embedded one,
reached as Supabase's `postgres`, who is no superuser.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from time import perf_counter

from psycopg.conninfo import conninfo_to_dict, make_conninfo

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.staging.delaying import delayed  # noqa: E402

import tenantproof  # noqa: E402
from tenantproof.scenario import load_scenario  # noqa: E402
from tenantproof.targets.embedded import EmbeddedTarget  # noqa: E402

SCENARIO = ROOT / "scenarios" / "workflow_saas.tenancy.yaml"


def main(lines: list[float]) -> None:
    print("| round trip | seconds | CPU of ours | round trips | attempts | findings |")
    print("| --- | --- | --- | --- | --- | --- |")
    with EmbeddedTarget(load_scenario(SCENARIO).database).database() as handle:
        parts = conninfo_to_dict(handle.conninfo)
        socket = f"{parts['host']}/.s.PGSQL.{parts['port']}"
        for milliseconds in lines:
            with delayed(socket, milliseconds / 1000) as port:
                os.environ["SLOW"] = make_conninfo(handle.conninfo, user="postgres", host="127.0.0.1", port=port)
                start, used = perf_counter(), os.times()
                report = tenantproof.check(SCENARIO, target="env:SLOW", writes="rollback")
                took, now = perf_counter() - start, os.times()
            attempts = report.search.attempts if report.search else 0
            ours = now.user + now.system - used.user - used.system
            print(
                f"| {milliseconds:g} ms | {took:.1f} | {ours:.1f} | {report.round_trips:,} | {attempts:,} "
                f"| {len(report.findings)} |",
                flush=True,
            )
            if report.trouble:
                print(report.trouble)


if __name__ == "__main__":
    main([float(one) for one in sys.argv[1:]] or [0, 30, 200])
