"""The product's real test: every planted leak is found, named rightly, and shown by its replay script."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tenantproof.api import check, exit_code
from tenantproof.core.finding import Finding, Severity, Verdict
from tenantproof.core.ports import Handle
from tenantproof.core.report import Report
from tenantproof.engine.psql import run_script, shows_leak

ROOT = Path(__file__).parents[2]
SEED = 20260101

SCENARIOS = {
    "workflow_saas": ROOT / "scenarios" / "workflow_saas.tenancy.yaml",
    "invoicing_guc": ROOT / "scenarios" / "invoicing_guc.tenancy.yaml",
}

TOGETHER = 1 if os.environ.get("TENANTPROOF_THOROUGH") else 12
"""How many leaks are planted in one database: with TENANTPROOF_THOROUGH=1 each gets its own."""


@dataclass(frozen=True)
class Planted:
    """A leak as its file's header declares it."""

    path: Path
    object: str
    command: str
    persona: str

    @classmethod
    def read(cls, path: Path) -> Planted:
        said = dict(re.findall(r"^-- (\w+): *(\S+)", path.read_text(), re.MULTILINE))
        return cls(path, said["object"], said["command"], said["persona"])


def planted(name: str) -> list[Planted]:
    return [Planted.read(path) for path in sorted((ROOT / "fixtures" / name / "leaks").glob("*.sql"))]


def names(finding: Finding, leak: Planted) -> bool:
    return (
        finding.channel != "OVER-BLOCKED"
        and leak.object in finding.objects
        and leak.command in finding.commands
        and leak.persona in finding.personas
    )


def batches(leaks: list[Planted], together: int = TOGETHER) -> Iterator[tuple[Planted, ...]]:
    """Leaks planted together, so many at most, each on an object of its own."""
    waiting = leaks
    while waiting:
        batch = tuple({leak.object: leak for leak in reversed(waiting)}.values())[-together:]
        waiting = [leak for leak in waiting if leak not in batch]
        yield batch


CASES = [
    pytest.param(name, batch, id=f"{name}-{'+'.join(leak.path.stem.split('-')[0] for leak in batch)}")
    for name in SCENARIOS
    for batch in batches(planted(name))
]


@pytest.mark.parametrize(("name", "batch"), CASES)
def test_planted_leaks_are_found_named_and_replayed(name: str, batch: tuple[Planted, ...]) -> None:
    shown: dict[str, str] = {}

    def replay(handle: Handle, report: Report) -> None:
        for finding in report.findings:
            if any(names(finding, leak) for leak in batch):
                shown[finding.fingerprint] = run_script(handle, finding.replay)

    report = check(SCENARIOS[name], seed=SEED, patches=[leak.path for leak in batch], attempts=0, then=replay)

    assert exit_code(report) == 1
    missed = [leak.path.stem for leak in batch if not any(names(finding, leak) for finding in report.findings)]
    assert not missed, [(f.object, f.commands, f.personas) for f in report.findings]
    assert all(map(shows_leak, shown.values())), shown
    for finding in report.findings:
        if finding.fingerprint in shown:
            assert finding.file is not None
            assert finding.file.endswith(".sql")
            assert finding.line is not None


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_clean_schema_gives_no_finding_and_leaves_no_cell_untested(name: str) -> None:
    report = check(SCENARIOS[name], seed=SEED, attempts=0)

    assert report.findings == ()
    assert {cell.verdict for cell in report.cells} == {Verdict.ISOLATED}
    assert report.unseeded == ()
    assert exit_code(report, Severity.INFO, strict=True) == 0


def test_there_are_enough_planted_leaks() -> None:
    assert len(planted("workflow_saas")) >= 30
