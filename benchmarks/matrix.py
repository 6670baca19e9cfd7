"""
How fast the matrix runs, beside pgbench replaying the same statements on the same server in the same run.

    .venv/bin/python benchmarks/matrix.py [--sweeps 20]

One persona after the other, so that what slows the machine down slows all of them down: its SELECT cells through the
harness's wire, then the same statements through pgbench, each sweep in a transaction that becomes the persona once.
pgbench ends a client at the first error, so it replays the accepted statements only, and is compared with the wire
on those.  Prints what it measured; README.md beside this file holds the output of one run.
"""

from __future__ import annotations

import argparse
import datetime
import os
import re
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, time

import psycopg
from rich.console import Console
from rich.table import Table

import tenantproof.channels.matrix  # noqa: F401  (importing it fills the catalogue)
from tenantproof.catalog.inference import infer_tenancy
from tenantproof.catalog.introspection import introspect
from tenantproof.channels.registry import CHANNELS
from tenantproof.core.attempt import Attempt
from tenantproof.core.events import RunFinished
from tenantproof.core.model import Persona, Scenario
from tenantproof.core.ports import Handle, Identity
from tenantproof.core.report import Report
from tenantproof.engine.bench import Bench, Ground
from tenantproof.engine.consulted import consulted_by
from tenantproof.engine.interference.hunt import Budget
from tenantproof.engine.matrix import MatrixRun, look, sweep
from tenantproof.engine.plan import Plan
from tenantproof.engine.replay import timeless
from tenantproof.engine.run import check
from tenantproof.engine.scripts import as_persona
from tenantproof.engine.wire import Wire
from tenantproof.identity.personas import personas
from tenantproof.identity.sessions import identify
from tenantproof.identity.signing import Signer
from tenantproof.scenario import load_scenario
from tenantproof.seeding import read_world, seed
from tenantproof.targets.embedded import EmbeddedTarget

SCENARIO = Path(__file__).parents[1] / "scenarios" / "workflow_saas.tenancy.yaml"
SEED = 20260101
WARM_UP = 2

WIRE_ALL = "wire, every SELECT cell"
WIRE = "wire, the accepted cells"
PGBENCH = {
    "pgbench simple, the accepted cells": ("simple", False),
    "pgbench extended, the accepted cells": ("extended", False),
    "pgbench extended and pipelined, the accepted cells": ("extended", True),
}
"""Name of a measurement -> pgbench's protocol, and whether its script is one pipeline."""


@dataclass(slots=True)
class Tally:
    """Cells and the seconds they took, by measurement."""

    cells: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, name: str, cells: int, seconds: float) -> None:
        self.cells[name] += cells
        self.seconds[name] += seconds

    def rate(self, name: str) -> float:
        return self.cells[name] / self.seconds[name]


def main() -> None:
    parser = argparse.ArgumentParser(description="Matrix cells a second, and the ratio to pgbench.")
    parser.add_argument("--sweeps", type=int, default=20, help="how often each persona's SELECT cells run")
    sweeps = parser.parse_args().sweeps
    scenario = load_scenario(SCENARIO)
    report, opened = warm_check(scenario)
    with EmbeddedTarget(scenario.database).database() as handle:
        plan = seeded(handle, scenario)
        with psycopg.connect(handle.conninfo, autocommit=True) as connection, Wire(connection) as wire:
            wire.prepare(())
            ground = look(wire, plan)
            tally = reads(handle, wire, plan, ground, sweeps)
            start = perf_counter()
            run = sweep(wire, plan, ground, plan.manifest.personas)
            whole = perf_counter() - start
    show(handle, tally, run, whole, report, opened, sweeps)


def warm_check(scenario: Scenario) -> tuple[Report, float]:
    """The second of two runs of `check`, whose cluster is there already, and the seconds to get its database."""
    for _ in range(2):
        start = perf_counter()
        with EmbeddedTarget(scenario.database).database() as handle:
            opened = perf_counter() - start
            *_, last = check(handle, scenario, seed=SEED, signer=Signer(), budget=Budget(attempts=0, seed=SEED))
    assert isinstance(last, RunFinished)
    return last.report, opened


def seeded(handle: Handle, scenario: Scenario) -> Plan:
    """The plan of a run over the seeded database, as `check` makes it."""
    with psycopg.connect(handle.conninfo) as connection:
        catalog = introspect(connection)
        tenancy = infer_tenancy(catalog, scenario)
        people = personas(scenario, SEED)
        manifest = seed(connection, catalog=catalog, scenario=scenario, tenancy=tenancy, personas=people, seed=SEED)
        world = read_world(connection, catalog=catalog, scenario=scenario, tenancy=tenancy, manifest=manifest)
    signer, now = Signer(), int(time())
    identities = {}
    for person in manifest.personas:
        role = catalog.roles[scenario.session.role if person.user_id else scenario.session.anon_role]
        identities[person.name] = identify(
            person,
            scenario=scenario,
            tenants=manifest.tenant_ids,
            signer=signer,
            now=now,
            role_settings=role.settings,
        )
    return Plan(
        catalog=catalog,
        scenario=scenario,
        tenancy=tenancy,
        manifest=manifest,
        world=world,
        identities=identities,
        consulted=consulted_by(catalog),
    )


def reads(handle: Handle, wire: Wire, plan: Plan, ground: Ground, sweeps: int) -> Tally:
    """Every persona's SELECT cells: through the wire, then through pgbench."""
    tally = Tally()
    for person in plan.manifest.personas:
        identity = plan.identities[person.name]
        attempts = list(select_cells(plan, person, ground))
        outcomes = Bench(wire, identity, ground).read(attempts)
        accepted = [outcome.attempt for outcome in outcomes if not outcome.observation.refused]
        for name, cells in ((WIRE_ALL, attempts), (WIRE, accepted)):
            through_wire(wire, identity, ground, cells, WARM_UP)
            tally.add(name, len(cells) * sweeps, through_wire(wire, identity, ground, cells, sweeps))
        for name, (protocol, pipelined) in PGBENCH.items():
            script = pgbench_script(identity, accepted, pipelined=pipelined)
            pgbench(handle, script, protocol, WARM_UP)
            tally.add(name, len(accepted) * sweeps, pgbench(handle, script, protocol, sweeps))
    return tally


def select_cells(plan: Plan, person: Persona, ground: Ground) -> Iterator[Attempt]:
    for relation in plan.relations:
        before = ground.before.get(relation.name)
        rows = tuple(before.rows.values()) if before else ()
        yield from CHANNELS["READ"].attempts(plan.before(person, relation, rows))


def through_wire(wire: Wire, identity: Identity, ground: Ground, cells: Sequence[Attempt], sweeps: int) -> float:
    """Seconds of *sweeps* transactions, becoming the persona included."""
    start = perf_counter()
    for _ in range(sweeps):
        Bench(wire, identity, ground).read(cells)
    return perf_counter() - start


def pgbench_script(identity: Identity, cells: Sequence[Attempt], *, pipelined: bool) -> str:
    """One transaction: become the persona once, then its statements.

    The claims are those without times, whose JSON has a blank after each colon: pgbench takes `:word` for a variable.
    """
    statements = ["BEGIN", *as_persona(timeless(identity)), *(cell.sql for cell in cells), "ROLLBACK"]
    lines = [f"{statement};" for statement in statements]
    return "\n".join(["\\startpipeline", *lines, "\\endpipeline", ""] if pipelined else [*lines, ""])


def pgbench(handle: Handle, script: str, protocol: str, transactions: int) -> float:
    """Seconds of *transactions* runs of the script by one client, without connecting."""
    assert handle.psql is not None
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        done = subprocess.run(
            [
                str(Path(handle.psql).with_name("pgbench")),
                *("--no-vacuum", "--client=1", f"--transactions={transactions}"),
                *(f"--protocol={protocol}", f"--file={file.name}", handle.conninfo),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    rate = re.search(r"tps = ([\d.]+) \(without initial connection time\)", done.stdout)
    if done.returncode or rate is None:
        raise SystemExit(f"pgbench failed:\n{done.stdout}{done.stderr}")
    return transactions / float(rate.group(1))


def show(
    handle: Handle, tally: Tally, run: MatrixRun, whole: float, report: Report, opened: float, sweeps: int
) -> None:
    """Print the tables.  Nothing in them is computed from anything but this run."""
    screen = Console(width=100, highlight=False)
    today = datetime.datetime.now(datetime.UTC).date()
    busy = f"load average {os.getloadavg()[0]:.1f}"
    screen.print(f"{today}  {handle.label}  {os.cpu_count()} cores, {busy}")
    screen.print(f"{SCENARIO.name}  {sweeps} sweeps a persona\n")
    table = Table("SELECT cells", "cells", "seconds", "cells/s", "wire ÷ it", box=None, pad_edge=False)
    for name in (WIRE_ALL, WIRE, *PGBENCH):
        ratio = "" if name == WIRE_ALL else f"{tally.rate(WIRE) / tally.rate(name):.2f}"
        table.add_row(name, str(tally.cells[name]), f"{tally.seconds[name]:.2f}", f"{tally.rate(name):,.0f}", ratio)
    screen.print(table)
    screen.print(
        f"\nWhole matrix, writes and judging included: {len(run.cells)} cells in {whole:.2f} s, "
        f"{len(run.cells) / whole:,.0f} cells/s"
    )
    phases = " · ".join(f"{name} {seconds:.2f}" for name, seconds in report.timing.phases.items())
    screen.print(f"Warm check: database {opened:.2f} · {phases}; together {opened + report.timing.seconds:.2f} s")


if __name__ == "__main__":
    main()
