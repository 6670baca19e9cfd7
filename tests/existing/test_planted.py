"""On rows that our own seeder committed, a run that only reads says what a run that may write says of reading."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from tests.existing.looking import ROOT, SEED, Stranger, look

from tenantproof.api import check
from tenantproof.core.finding import Finding
from tenantproof.core.model import Command
from tenantproof.core.ports import Handle
from tenantproof.core.report import Report
from tenantproof.engine.psql import run_script, shows_leak
from tenantproof.scenario import load_scenario

SCENARIO = ROOT / "scenarios" / "workflow_saas.tenancy.yaml"
THOROUGH = bool(os.environ.get("TENANTPROOF_THOROUGH"))


def batches() -> list[list[Path]]:
    """Leaks of reading, each on an object of its own: all together, or with TENANTPROOF_THOROUGH=1 one by one."""
    leaks: dict[str, Path] = {}
    for path in sorted((ROOT / "fixtures" / "workflow_saas" / "leaks").glob("*.sql")):
        text = path.read_text()
        if re.search(r"^-- command: *select", text, re.MULTILINE):
            name = path.stem if THOROUGH else re.findall(r"^-- object: *(\S+)", text, re.MULTILINE)[0]
            leaks.setdefault(name, path)
    return [[path] for path in leaks.values()] if THOROUGH else [list(leaks.values())]


@pytest.mark.parametrize("batch", batches(), ids=lambda batch: "+".join(path.stem.split("-")[0] for path in batch))
def test_leaks_of_reading_are_the_same_findings_and_replay(batch: list[Path]) -> None:
    told: list[Report] = []
    shown: dict[str, str] = {}

    def read_only(handle: Handle, _: Report) -> None:
        told.append(look(handle, load_scenario(SCENARIO)))
        told.append(Stranger(handle, load_scenario(SCENARIO)).as_observer("postgres").check())
        shown.update({f.fingerprint: run_script(handle, f.replay) for f in told[0].findings})

    expected = check(SCENARIO, seed=SEED, patches=batch, attempts=0, then=read_only)

    assert _read(told[0]) == _read(expected)
    assert len(_read(told[0])) >= len(batch) - 1  # one helper may open two of them
    assert _read(told[1]) == _read(expected)  # who may bypass row level security, and is no superuser
    assert {f.channel for f in told[0].findings} == {"READ"}
    assert all(map(shows_leak, shown.values())), shown


def _read(report: Report) -> dict[str, tuple[object, ...]]:
    return {f.fingerprint: _words(f) for f in report.findings if f.command is Command.SELECT and f.channel == "READ"}


def _words(finding: Finding) -> tuple[object, ...]:
    return finding.channel, finding.object, finding.objects, finding.cause, finding.severity, finding.personas
