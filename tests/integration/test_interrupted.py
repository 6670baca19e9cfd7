"""A `check` that somebody ends early: a report of what is known, and nobody could take it for a whole one."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.integration.conftest import command

from tenantproof import api
from tenantproof.core.finding import Verdict

LEAK = "create policy x on notes for select to authenticated using (true);"
NEVER_DONE = 1_000_000
"""Attempts that no machine makes before the signal comes."""


def ended(scenario: Path, *options: object, when: str, by: signal.Signals) -> tuple[int, str, str, dict[str, Any]]:
    """Exit code, stdout, stderr and JSON report of a check that gets a signal once it says *when*."""
    folder = scenario.parent
    running = subprocess.Popen(
        command(
            "check", scenario, "--attempts", NEVER_DONE, "-r", "json=r.json", "-r", "pgtap=suite.test.sql", *options
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    assert running.stderr is not None
    for line in running.stderr:
        if when in line:
            running.send_signal(by)
            break
    out, err = running.communicate(timeout=120)
    return running.returncode, out, err, json.loads((folder / "r.json").read_text())


@pytest.mark.parametrize(
    ("when", "by"), [("searching for interference", signal.SIGINT), ("personas before", signal.SIGTERM)]
)
def test_it_says_what_is_known_and_what_is_not(small_app: Path, when: str, by: signal.Signals) -> None:
    code, out, err, report = ended(small_app, when=when, by=by)

    assert code == report["exit_code"] == 130, out + err
    assert report["interrupted"] is True
    assert "exit 130: interrupted" in out
    assert "ending with what is known so far" in err
    assert any(gap["reason"].startswith("interrupted ") for gap in report["gaps"])
    assert not (small_app.parent / "suite.test.sql").exists()
    assert "no pgTAP suite was written" in err


def test_a_leak_that_was_found_is_not_hidden(small_app: Path) -> None:
    (small_app.parent / "leak.sql").write_text(LEAK)
    code, out, err, report = ended(
        small_app, "--patch", "leak.sql", when="searching for interference", by=signal.SIGINT
    )

    assert code == report["exit_code"] == 1, out + err
    assert report["interrupted"] is True
    assert [finding["object"] for finding in report["findings"]] == ["public.notes"]


def after(calls: int) -> Callable[[], bool]:
    """Says stop from a number of questions on."""
    asked: Iterator[bool] = iter([False] * calls)
    return lambda: next(asked, True)


def test_personas_that_nobody_came_to_are_untested(small_app: Path) -> None:
    whole = api.check(small_app, attempts=0)
    report = api.check(small_app, attempts=0, stop=after(2))

    reached = set(whole.personas[:2])
    assert {(c.object, c.persona, c.command) for c in report.cells} == {
        (c.object, c.persona, c.command) for c in whole.cells
    }
    assert {cell.persona for cell in report.cells if cell.verdict is Verdict.ISOLATED} == reached
    for cell in report.cells:
        if cell.persona not in reached:
            assert (cell.verdict, cell.reason) == (Verdict.UNTESTED, "interrupted before it was tried")
    assert report.interrupted
    assert not whole.interrupted
    assert api.exit_code(report) == 4


def test_a_run_that_was_ended_is_no_part_of_the_history(small_app: Path) -> None:
    history = small_app.parent / "history.ndjson"
    api.check(small_app, attempts=0, stop=lambda: True, history=history)
    assert not history.exists()
