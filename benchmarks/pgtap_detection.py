"""
Which planted leaks of fixtures/workflow_saas/leaks a pgTAP suite sees that was written from the database without them.

Run: python -m benchmarks.pgtap_detection [NAME ...]   (some minutes; NAME: the beginning of a leak's file name)
Needs pg_prove and Debian's pgTAP; see tests/integration/test_pgtap.py.  Exits 1 where the suite fails without a leak.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
from tests.integration.test_pgtap import PGTAP, environment

from tenantproof.api import check
from tenantproof.reports.files import write_report
from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget

ROOT = Path(__file__).resolve().parents[1]
SCENARIO = ROOT / "scenarios" / "workflow_saas.tenancy.yaml"
LEAKS = sorted((ROOT / "fixtures" / "workflow_saas" / "leaks").glob("*.sql"))


def failed(suite: Path, patches: list[Path]) -> list[str]:
    """The tests that fail on the application with these patches; one line for a suite that does not run."""
    with EmbeddedTarget(load_scenario(SCENARIO).database, patches=patches).database() as handle:
        with psycopg.connect(handle.conninfo) as connection:
            connection.execute(PGTAP[-1].read_bytes())
        done = subprocess.run(
            ["pg_prove", "--verbose", str(suite)],
            env=os.environ | environment(handle, "supabase_admin"),
            capture_output=True,
            text=True,
            check=False,
        )
    lines = [line for line in done.stdout.splitlines() if line.startswith("not ok")]
    return lines if lines or done.returncode == 0 else [done.stderr.strip() or done.stdout.strip()[-300:]]


def main() -> int:
    leaks = [leak for leak in LEAKS if not sys.argv[1:] or leak.name.startswith(tuple(sys.argv[1:]))]
    with tempfile.TemporaryDirectory() as folder:
        suite = Path(folder) / "tenantproof.test.sql"
        write_report(check(SCENARIO, attempts=0, suite=True), f"pgtap={suite}")
        clean = failed(suite, [])
        seen = {leak.stem: failed(suite, [leak]) for leak in leaks}
    print(f"without a leak: {f'FAILS {clean[0]}' if clean else 'passes'}")
    for name, lines in seen.items():
        print(
            f"{'red' if lines else 'NOT SEEN':8}  {name}  {f'{len(lines)} tests, first: {lines[0]}' if lines else ''}"
        )
    print(f"{sum(map(bool, seen.values()))} of {len(seen)} seen")
    return 1 if clean else 0


if __name__ == "__main__":
    sys.exit(main())
