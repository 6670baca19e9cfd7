"""The sample application, started by the scenario before the seeded database: each mistake is found, no twin alarms."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.endpoints.conftest import SCENARIO, told

from tenantproof.core.finding import Finding, Reach, Severity
from tenantproof.core.report import Report
from tenantproof.reports.json_v1_reader import read_report

PROGRAM = (sys.executable, "-c", "from tenantproof.cli.main import main; main()")

LEAKS = {
    ("leaky-notes", "ENDPOINT-CACHE"),
    ("leaky-shared", "ENDPOINT-CACHE"),
    ("leaky-report", "ENDPOINT-READ"),
    ("leaky-export", "ENDPOINT-READ"),
    ("leaky-note", "ENDPOINT-READ"),
    ("leaky-version", "ENDPOINT-INFER"),
    ("leaky-org", "ENDPOINT-INFER"),
    ("leaky-count", "ENDPOINT-INFER"),
    ("leaky-rename", "ENDPOINT-WRITE"),
}


@pytest.fixture(scope="module")
def done(surroundings: None) -> tuple[Report, str]:
    """One run of the command line: its report, and all that it printed."""
    command = [*PROGRAM, "check", str(SCENARIO), "--attempts", "0", "-v"]
    ran = subprocess.run([*command, "--report", "json=-"], capture_output=True, text=True, check=False)
    assert ran.returncode == 1, ran.stderr
    return read_report(ran.stdout), ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def found(done: tuple[Report, str]) -> dict[str, Finding]:
    return {finding.object.removeprefix("endpoint "): finding for finding in done[0].findings}


def test_each_mistake_is_found_and_no_twin_alarms(done: tuple[Report, str]) -> None:
    report, _ = done
    assert told(report) == LEAKS
    assert len(report.findings) == len(LEAKS)  # nothing by SQL: the database is right
    assert [gap for gap in report.gaps if gap.object.startswith("endpoint")] == []
    assert any("19 of 19 endpoints answered" in note for note in report.notes)


def test_severity_reach_and_place(found: dict[str, Finding]) -> None:
    assert {finding.reach for finding in found.values()} == {Reach.APP}
    assert found["leaky-report"].severity is Severity.CRITICAL
    assert found["leaky-notes"].cwe == 524
    assert found["leaky-export"].cwe == 639
    assert found["leaky-count"].severity is Severity.MEDIUM
    assert found["leaky-org"].severity is Severity.LOW  # one must have seen the version
    place = found["leaky-rename"].place
    assert place is not None
    assert "leaky-rename" in SCENARIO.read_text().splitlines()[place.line - 1]


def test_witnesses(found: dict[str, Finding]) -> None:
    assert set(found["leaky-report"].personas) >= {"acme.admin", "acme.member", "globex.admin", "outsider"}
    assert "anon" not in found["leaky-report"].personas
    assert "dual" not in found["leaky-export"].personas
    assert "outsider" in found["leaky-notes"].personas


def test_evidence_names_marks_and_nothing_else(found: dict[str, Finding]) -> None:
    first = found["leaky-note"].evidence[0]
    assert re.search(r"it holds globex's canary-globex-[0-9a-f]{8}-\d+ \(with ids of globex\)", first.observed)
    cached = found["leaky-notes"].evidence[0]
    assert "had asked" in cached.observed
    assert "; then GET /leaky/notes" in cached.statement
    counted = found["leaky-count"].evidence[0]
    assert counted.behind == "rows of other tenants were deleted"
    assert (counted.world_1, counted.world_2) == (("$.notes: 6",), ("$.notes: 3",))
    version = found["leaky-version"].evidence[0]
    assert version.world_1[0].startswith("header etag: ")
    assert version.world_1 != version.world_2


def test_scripts_mint_their_tokens_anew(found: dict[str, Finding]) -> None:
    script = found["leaky-notes"].replay
    assert script.startswith("#!/bin/sh")
    assert script.count("curl ") == 2
    assert '-H "authorization: Bearer $TOKEN_2"' in script
    assert "# LEAK: the answer holds canary-" in script


def test_no_secret_is_told(done: tuple[Report, str]) -> None:
    _, printed = done
    assert "eyJ" not in printed
    assert "super-secret-jwt-token" not in printed
    assert "postgresql://" not in printed


def test_the_application_goes_with_a_run_that_is_killed(surroundings: None, tmp_path: Path) -> None:
    """kill -9 of the harness: the application's whole process group ends by itself."""
    pids = tmp_path / "pids"
    text = SCENARIO.read_text().replace("migrations: migrations", f"migrations: {SCENARIO.parent / 'migrations'}")
    hanging = f"""sh -c "echo $$ > {pids}; sleep 600 & echo $! >> {pids}; wait" """
    text = re.sub(r"command: .*", f"command: {hanging!r}", text)
    text = text.replace("env: {", 'env: {PORT: "{port}", ')
    path = tmp_path / "hangs.tenancy.yaml"
    path.write_text(text)
    command = [*PROGRAM, "check", str(path), "--attempts", "0", "-q"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: pids.exists() and len(pids.read_text().split()) == 2, 120)
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    until(lambda: not any(lives(int(pid)) for pid in pids.read_text().split()), 20)


def lives(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        pass
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it may end between the opening and the reading
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def until(condition: object, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    assert callable(condition)
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
