"""
What the pytest plugin costs: collecting many cells, and being installed in a repository that has no scenario.

    .venv/bin/python benchmarks/pytest_plugin.py [--cells 20000] [--runs 15]

Prints what it measured.  See benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import datetime
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

COMMANDS = 4
TENANTS = ("acme", "globex", "initech")
ROLES = ("owner", "admin", "member", "viewer")
PERSONAS = len(TENANTS) * len(ROLES) + 3
"""And anon, outsider and dual."""

WITHOUT = ("-p", "no:tenantproof")


@dataclass(frozen=True)
class Cost:
    """Seconds of one run: on the clock, and of the processor."""

    clock: float
    processor: float


def pytest(folder: Path, *arguments: str) -> tuple[Cost, str]:
    """Run pytest in a folder; returns what it cost and what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    clock = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout + done.stderr
    return Cost(clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), done.stdout


def large(folder: Path, cells: int) -> None:
    """A repository with a scenario of at least so many cells; its tables are made by migrations alone."""
    tables = -(-cells // (PERSONAS * COMMANDS)) - 1
    (folder / "migrations").mkdir()
    (folder / "migrations" / "0001.sql").write_text(
        "create table public.members (org_id uuid, user_id uuid, role text, primary key (org_id, user_id));\n"
        + "".join(
            f"create table public.table_{number} (id uuid primary key, org_id uuid not null, body text);\n"
            f"alter table public.table_{number} enable row level security;\n"
            for number in range(tables)
        )
    )
    (folder / "large.tenancy.yaml").write_text(
        "version: 1\nname: Large\ndatabase: {platform: supabase, migrations: migrations}\n"
        f"tenants: [{', '.join(TENANTS)}]\nroles: [{', '.join(ROLES)}]\n"
        "membership: {table: members, user: user_id, tenant: org_id, role: role}\n"
    )


def small(folder: Path) -> None:
    """A repository without scenarios: one test, and the folders that a repository has."""
    for number in range(30):
        below = folder / "package" / f"part_{number}"
        below.mkdir(parents=True)
        (below / "module.py").write_text("")
    (folder / "test_it.py").write_text("def test_it():\n    pass\n")


def collecting(folder: Path, runs: int) -> None:
    costs, cells = [], 0
    pytest(folder, "--collect-only")  # once for nothing: Python and pytest keep what they compiled
    for _ in range(runs):
        cost, said = pytest(folder, "--collect-only")
        cells = len(re.findall(r"^large\.tenancy\.yaml::.+\[.+\]$", said, re.MULTILINE))
        costs.append(cost)
    clock = statistics.median(cost.clock for cost in costs)
    print(f"collecting {cells:,} cells: {clock:.2f} s (median of {runs}; {clock / cells * 1000:.3f} ms each), ", end="")
    print(f"processor {statistics.median(cost.processor for cost in costs):.2f} s")


def idle(folder: Path, runs: int) -> None:
    """With and without the plugin in turn, so that a busy machine is as busy for both."""
    with_it, without = [], []
    pytest(folder)
    for _ in range(runs):
        with_it.append(pytest(folder)[0])
        without.append(pytest(folder, *WITHOUT)[0])
    for word in ("clock", "processor"):
        here = [getattr(cost, word) * 1000 for cost in with_it]
        there = [getattr(cost, word) * 1000 for cost in without]
        print(
            f"a repository without scenarios, {word}: {statistics.median(here):.0f} ms with the plugin, "
            f"{statistics.median(there):.0f} ms without (medians of {runs}); "
            f"median of the differences {statistics.median(a - b for a, b in zip(here, there, strict=True)):+.1f} ms, "
            f"of the least {min(here) - min(there):+.1f} ms"
        )


INSIDE = """
import pytest, time
start = time.process_time()
import tenantproof.pytest_plugin
print((time.process_time() - start) * 1000)
"""


def importing(runs: int) -> None:
    """The import alone, in a process that has pytest: the greatest part of what is paid.  Time of the processor."""
    said = [
        float(subprocess.run([sys.executable, "-c", INSIDE], capture_output=True, text=True, check=True).stdout)
        for _ in range(runs)
    ]
    middle = statistics.median(said)
    print(f"importing the plugin, processor: {middle:.1f} ms (median of {runs}), {min(said):.1f} ms at best")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=15)
    asked = parser.parse_args()
    print(f"{datetime.date.today()}  {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        large(Path(one), asked.cells)
        small(Path(other))
        collecting(Path(one), max(1, asked.runs // 5))
        importing(asked.runs)
        idle(Path(other), asked.runs)


if __name__ == "__main__":
    main()
