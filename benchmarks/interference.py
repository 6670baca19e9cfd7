"""
How fast two worlds are compared, beside pgbench replaying the same statements on the same server in the same run.

    .venv/bin/python -m benchmarks.interference [--attempts 1000] [--runs 5]

A world pair is one program (one statement, sometimes two) whose observations in world 1 are compared with those in one
other world.  One persona of workflow_saas, one connection, one core of Python.  Programs are drawn before the clock
starts: the rate is that of `Arena.run`, which makes the other worlds, runs every program in each, looks for what writes
changed and confirms what differs.  Drawing by Hypothesis is measured by itself, and both together give attempts a
second.  pgbench ends a client at the first error, so it replays the statements that world 1 accepted, each behind a
savepoint that is rolled back as the arena does; simple, and as one pipeline.  Prints the median of several runs and
what they were; README.md beside this file holds the output of one call.
"""

from __future__ import annotations

import argparse
import datetime
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter

import psycopg
from benchmarks.matrix import SCENARIO, SEED, seeded
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from tenantproof.core.ports import Handle
from tenantproof.core.program import Program
from tenantproof.engine.interference.arena import Tally
from tenantproof.engine.interference.scene import Seat, set_up
from tenantproof.engine.replay import timeless
from tenantproof.engine.scripts import as_persona
from tenantproof.engine.wire import Wire
from tenantproof.generation.programs import Profile, programs_about
from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget

PERSONA = "acme.member"
BATCHES_DRAWN = 8

PAIRS = "world pairs (Arena.run, drawn before)"
STATEMENTS = "statements inside Arena.run, all of them"
REPLAYED = "wire, the accepted statements"
SIMPLE = "pgbench simple, the accepted statements"
PIPELINED = "pgbench extended and pipelined, the accepted statements"
DRAWING = "programs drawn by Hypothesis"
TOGETHER = "attempts, drawing included"


@dataclass(slots=True)
class Runs:
    """Rates a second, by measurement, one for each run."""

    rates: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, count: int, seconds: float) -> None:
        self.rates.setdefault(name, []).append(count / seconds)

    def median(self, name: str) -> float:
        return median(self.rates[name])


def main() -> None:
    parser = argparse.ArgumentParser(description="World pairs a second, and the ratio to pgbench.")
    parser.add_argument("--attempts", type=int, default=1000, help="how many programs are drawn")
    parser.add_argument("--runs", type=int, default=5, help="how often each measurement is made")
    asked = parser.parse_args()
    scenario = load_scenario(SCENARIO)
    runs, tally = Runs(), Tally()
    with EmbeddedTarget(scenario.database).database() as handle:
        plan = seeded(handle, scenario)
        with psycopg.connect(handle.conninfo, autocommit=True) as connection, Wire(connection) as wire:
            wire.prepare(())
            scene = set_up(wire, plan)
            seat = Seat(scene, next(who for who in scene.cast if who.name == PERSONA), tally)
            batches, drawing = drawn(seat, asked.attempts)
            accepted = accepted_statements(seat, batches)
            for turn in range(asked.runs + 1):
                measured = measure(handle, seat, batches, accepted, drawing)
                if turn:  # the first is to warm up
                    for name, (count, seconds) in measured.items():
                        runs.add(name, count, seconds)
        show(handle, runs, seat, batches, accepted)


def drawn(seat: Seat, attempts: int) -> tuple[list[list[Program]], float]:
    """Batches with a program about each subject, as the hunt draws them, and the seconds it took."""
    batches: list[list[Program]] = []
    strategy = st.tuples(*(programs_about(subject, seat.vocabulary, Profile.SQL) for subject in seat.subjects))
    start = perf_counter()
    for turn in range(attempts):
        if sum(map(len, batches)) >= attempts:
            break

        @seed(SEED + turn)
        @settings(
            max_examples=BATCHES_DRAWN,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            verbosity=Verbosity.quiet,
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def draw(programs: tuple[Program, ...]) -> None:
            batches.append(list(programs))

        draw()
    return batches, perf_counter() - start


def accepted_statements(seat: Seat, batches: Sequence[Sequence[Program]]) -> list[str]:
    """What the persona said as a plain request and was not refused in world 1; single statements."""
    wire, persona = seat.scene.wire, seat.scene.plan.identities[PERSONA]
    wire.restart(as_persona(timeless(persona)))
    said = [p.lines[0].sql for batch in batches for p in batch if len(p.lines) == 1 and not p.variation.settings]
    answers = wire.run([(statement,) for statement in said])
    # pgbench takes `:word` for a variable, also in the middle of a literal.
    return [
        statement
        for statement, answer in zip(said, answers, strict=True)
        if not answer[-1].refused and not re.search(r"(?<!:):\w", statement)
    ]


def measure(
    handle: Handle, seat: Seat, batches: Sequence[Sequence[Program]], accepted: Sequence[str], drawing: float
) -> dict[str, tuple[int, float]]:
    """Name of a measurement -> how many, in how many seconds."""
    tally, counter = seat.arena.tally, seat.scene.wire.counter
    pairs, statements, attempts = tally.pairs, counter.statements, tally.attempts
    seconds = timed(lambda: [seat.arena.run(batch) for batch in batches])
    pairs, statements, attempts = (
        tally.pairs - pairs,
        counter.statements - statements,
        tally.attempts - attempts,
    )
    return {
        PAIRS: (pairs, seconds),
        STATEMENTS: (statements, seconds),
        DRAWING: (attempts, drawing),
        TOGETHER: (attempts, drawing + seconds),
        REPLAYED: (len(accepted), timed(lambda: replayed(seat, accepted))),
        SIMPLE: (len(accepted), pgbench(handle, script(seat, accepted, pipelined=False), "simple")),
        PIPELINED: (len(accepted), pgbench(handle, script(seat, accepted, pipelined=True), "extended")),
    }


def timed(action: Callable[[], object]) -> float:
    start = perf_counter()
    action()
    return perf_counter() - start


def replayed(seat: Seat, accepted: Sequence[str]) -> None:
    wire = seat.scene.wire
    wire.restart(as_persona(timeless(seat.scene.plan.identities[PERSONA])))
    wire.run([(statement,) for statement in accepted])


def script(seat: Seat, accepted: Sequence[str], *, pipelined: bool) -> str:
    """One transaction: become the persona once, then each statement behind the savepoint."""
    becoming = as_persona(timeless(seat.scene.plan.identities[PERSONA]))
    steps = [part for statement in accepted for part in (statement, "ROLLBACK TO SAVEPOINT attempt")]
    lines = [f"{line};" for line in ("BEGIN", *becoming, "SAVEPOINT attempt", *steps, "ROLLBACK")]
    return "\n".join(["\\startpipeline", *lines, "\\endpipeline", ""] if pipelined else [*lines, ""])


def pgbench(handle: Handle, text: str, protocol: str) -> float:
    """Seconds of one run of the script by one client, without connecting."""
    assert handle.psql is not None
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(text)
        file.flush()
        done = subprocess.run(
            [
                str(Path(handle.psql).with_name("pgbench")),
                *("--no-vacuum", "--client=1", "--transactions=1"),
                *(f"--protocol={protocol}", f"--file={file.name}", handle.conninfo),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    rate = re.search(r"tps = ([\d.]+) \(without initial connection time\)", done.stdout)
    if done.returncode or rate is None or "aborted" in done.stderr:
        raise SystemExit(f"pgbench failed:\n{done.stdout}{done.stderr}")
    return 1 / float(rate.group(1))


def show(handle: Handle, runs: Runs, seat: Seat, batches: Sequence[Sequence[Program]], accepted: Sequence[str]) -> None:
    """Print the table.  Nothing in it is computed from anything but this call."""
    screen = Console(width=110, highlight=False)
    today = datetime.datetime.now(datetime.UTC).date()
    busy = f"load average {os.getloadavg()[0]:.1f}"
    screen.print(f"{today}  {handle.label}  {os.cpu_count()} cores, {busy}")
    programs = sum(map(len, batches))
    screen.print(
        f"{SCENARIO.name}  {PERSONA}  {programs} programs in {len(batches)} batches, {len(seat.worlds)} other worlds, "
        f"{len(accepted)} statements replayed\n"
    )
    count = len(runs.rates[PAIRS])
    table = Table("", f"median of {count}/s", "least", "most", "pairs ÷ it", box=None, pad_edge=False)
    for name in (PAIRS, STATEMENTS, REPLAYED, SIMPLE, PIPELINED, DRAWING, TOGETHER):
        rates = runs.rates[name]
        ratio = "" if name == PAIRS else f"{runs.median(PAIRS) / runs.median(name):.2f}"
        table.add_row(name, *(f"{rate:,.0f}" for rate in (runs.median(name), min(rates), max(rates))), ratio)
    screen.print(table)


if __name__ == "__main__":
    main()
