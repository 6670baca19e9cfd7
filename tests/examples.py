"""
The example reports in reports/example/: every format, from workflow_saas with a few planted leaks.

`python -m tests.examples` (or `make examples`) writes them anew; tests/integration/test_example_reports.py compares.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tenantproof import api
from tenantproof.core.finding import Severity
from tenantproof.core.report import Report, Timing
from tenantproof.reports.registry import writers
from tenantproof.reports.terminal import render

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "reports" / "example"
SCENARIO = "scenarios/workflow_saas.tenancy.yaml"
LEAKS = (
    "04-signed-in-is-enough",
    "20-dashboard-as-its-owner",
    "27-storage-upload-anywhere",
    "39-steal-by-update",
)

_DAY = re.compile(r"\b20\d\d-\d\d-\d\d(?:[T ]\d\d:\d\d:\d\d(?:\.\d+)?)?")
"""Seeded instants are taken from the day of the run."""
_HASH = re.compile(r"sha256-[A-Za-z0-9+/]{43}=")


def example_report() -> Report:
    """The run, without what differs from machine to machine."""
    patches = [f"fixtures/workflow_saas/leaks/{leak}.sql" for leak in LEAKS]
    before = Path.cwd()
    os.chdir(ROOT)  # so that paths in the reports are those of the repository
    try:
        report = api.check(SCENARIO, patches=patches, attempts=0, suite=True)
    finally:
        os.chdir(before)
    return replace(
        report,
        target="embedded PostgreSQL 18",
        server_version="18",
        timing=Timing(started_at="2026-01-01T00:00:00+00:00", seconds=3.0, reads_per_second=13000.0),
        exit_code=api.exit_code(report),
    )


def documents(report: Report) -> Mapping[str, str]:
    """File name -> content, for every format and for the terminal."""
    found = {"terminal.txt": _terminal(report)}
    for name, writer in writers().items():
        out = io.StringIO()
        writer.write(report, out)
        found[f"{name}{writer.suffix}"] = out.getvalue()
    return found


def normal(text: str) -> str:
    """The text without days, which differ from run to run."""
    return _HASH.sub("sha256-…", _DAY.sub("2026-01-01", text))


def _terminal(report: Report) -> str:
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=120, no_color=True, highlight=False, force_terminal=False)
    render(report, console, verbose=False, paths=[], threshold=Severity.MEDIUM, exit_code=report.exit_code or 0)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def write() -> None:
    """Write every file."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in documents(example_report()).items():
        (FOLDER / name).write_text(text, encoding="utf-8", newline="\n")
        print(FOLDER / name)


if __name__ == "__main__":
    write()
