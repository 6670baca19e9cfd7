"""The product's real test: every planted leak is found, named rightly, and shown by its replay script."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tenantproof.api import check, exit_code
from tenantproof.core.finding import Finding, Severity, Verdict
from tenantproof.core.ports import Handle
from tenantproof.core.report import Report
from tenantproof.engine.psql import run_script

ROOT = Path(__file__).parents[2]
SEED = 20260101

SCENARIOS = {
    "workflow_saas": ROOT / "scenarios" / "workflow_saas.tenancy.yaml",
    "invoicing_guc": ROOT / "scenarios" / "invoicing_guc.tenancy.yaml",
}


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


def planted(name: str) -> list[object]:
    files = sorted((ROOT / "fixtures" / name / "leaks").glob("*.sql"))
    return [pytest.param(name, Planted.read(path), id=f"{name}-{path.stem}") for path in files]


def names(finding: Finding, leak: Planted) -> bool:
    return (
        finding.channel != "OVER-BLOCKED"
        and leak.object in finding.objects
        and leak.command in finding.commands
        and leak.persona in finding.personas
    )


@pytest.mark.parametrize(("name", "leak"), planted("workflow_saas") + planted("invoicing_guc"))
def test_a_planted_leak_is_found_named_and_replayed(name: str, leak: Planted) -> None:
    scripts: dict[str, str] = {}

    def replay(handle: Handle, report: Report) -> None:
        for finding in report.findings:
            if names(finding, leak):
                scripts[finding.fingerprint] = run_script(handle, finding.replay)

    report = check(SCENARIOS[name], seed=SEED, patches=[leak.path], attempts=0, then=replay)

    assert exit_code(report) == 1
    assert scripts, [(f.object, f.commands, f.personas) for f in report.findings]
    assert all(re.search(r"^ *LEAK\b", output, re.MULTILINE) for output in scripts.values()), scripts
    first = next(finding for finding in report.findings if finding.fingerprint in scripts)
    assert first.file is not None
    assert first.line is not None
    assert first.file.endswith(".sql")


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_clean_schema_gives_no_finding_and_leaves_no_cell_untested(name: str) -> None:
    report = check(SCENARIOS[name], seed=SEED, attempts=0)

    assert report.findings == ()
    assert {cell.verdict for cell in report.cells} == {Verdict.ISOLATED}
    assert report.unseeded == ()
    assert exit_code(report, Severity.INFO, strict=True) == 0


def test_there_are_enough_planted_leaks() -> None:
    assert len(planted("workflow_saas")) >= 30
