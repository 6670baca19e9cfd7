"""How a check says how it goes: bars on a terminal (a real one), plain lines elsewhere, nothing with --quiet."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.integration.conftest import Run, command
from tests.unit import sample_reports as samples

from tenantproof import api
from tenantproof.cli.phases import ENDING, Bars, Lines, Phases, State, after, phases_for
from tenantproof.core.events import Event, PhaseStarted, RunFinished, Searching, Sweeping
from tenantproof.core.report import Search

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
NEVER_DONE = 1_000_000
SEARCHED = Search(attempts=600, pairs=1500, passed=500, denied=80, failed=20, unsteady=0, distinct=90)


@dataclass
class Terminal:
    """A terminal of 100 columns and the program that runs in it; `shown` is all that was ever written to it."""

    master: int
    running: subprocess.Popen[bytes]
    shown: str = field(default="")

    def read_until(self, pattern: str, seconds: float = 60.0) -> None:
        """Read until the pattern was shown.  Fails where it never is."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.shown):
            assert time.monotonic() < deadline, self.shown
            assert self._read(1.0) or self.running.poll() is None, self.shown

    def read_to_the_end(self, seconds: float = 60.0) -> int:
        deadline = time.monotonic() + seconds
        while self._read(0.2) or self.running.poll() is None:
            assert time.monotonic() < deadline, self.shown
        return self.running.wait(timeout=5)

    def _read(self, seconds: float) -> bool:
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # Linux: nobody has the other end open any more
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)


@contextmanager
def terminal(folder: Path, *arguments: object, **environment: str) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    before = termios.tcgetattr(slave)
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    running = subprocess.Popen(
        command(*arguments),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        cwd=folder,
        env={**kept, "TERM": "xterm-256color", "LANG": "C.UTF-8", **environment},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # Ctrl-C comes from the terminal, as for people
    )
    try:
        yield Terminal(master, running)
        assert termios.tcgetattr(slave) == before  # echo, lines and signals are as they were
    finally:
        if running.poll() is None:
            running.kill()
            running.wait()
        os.close(slave)
        os.close(master)


def test_a_terminal_gets_bars_that_are_gone_when_the_report_comes(small_app: Path) -> None:
    with terminal(small_app.parent, "check", small_app, "--attempts", "100") as seen:
        code = seen.read_to_the_end()

    assert code == 0, seen.shown
    assert re.search(r"matrix .*\d+ of \d+ cells, [\d,]+/s", seen.shown)
    assert re.search(r"search .*\d+ attempts, [\d,]+/s(, \S+ left)?", seen.shown)
    assert "━" in seen.shown
    bars, report = seen.shown[: seen.shown.rindex(SHOW)], seen.shown[seen.shown.rindex(SHOW) :]
    assert HIDE in bars
    assert HIDE not in report
    assert "exit 0: no finding" in report
    assert "attempts, " not in report.split("search ")[0]


def test_no_color_has_bars_without_colour(small_app: Path) -> None:
    with terminal(small_app.parent, "check", small_app, "--attempts", "0", NO_COLOR="1") as seen:
        assert seen.read_to_the_end() == 0
    assert "cells" in seen.shown
    assert re.findall(r"\x1b\[[\d;]*3[0-8][\d;]*m", seen.shown) == []


def test_ctrl_c_gives_the_terminal_back_with_a_report(small_app: Path) -> None:
    with terminal(small_app.parent, "check", small_app, "--attempts", NEVER_DONE) as seen:
        seen.read_until(r"search .*[1-9]\d* attempts")
        os.write(seen.master, b"\x03")
        assert seen.read_to_the_end() == 130, seen.shown

    assert seen.shown.rindex(SHOW) > seen.shown.rindex(HIDE)
    assert "exit 130: interrupted" in seen.shown[seen.shown.rindex(SHOW) :]


def test_ctrl_c_twice_gives_the_terminal_back_at_once(small_app: Path) -> None:
    with terminal(small_app.parent, "check", small_app, "--attempts", NEVER_DONE) as seen:
        seen.read_until(r"search .*[1-9]\d* attempts")
        os.write(seen.master, b"\x03")
        seen.read_until(r"\^C")
        os.write(seen.master, b"\x03")
        assert seen.read_to_the_end() in (130, -signal.SIGINT), seen.shown  # it may be on its way out already

    assert seen.shown.rindex(SHOW) > seen.shown.rindex(HIDE)


@pytest.mark.parametrize("options", [["--quiet"], []])
def test_elsewhere_there_is_a_line_for_each_phase_or_silence(
    tenantproof: Run, small_app: Path, options: list[str]
) -> None:
    done = tenantproof("check", small_app, "--attempts", "50", *options)

    assert done.returncode == 0
    assert HIDE not in done.stderr
    phases = ["reading the catalog", "seeding tenants", "personas before", "searching for interference: 50 attempts"]
    assert [phase for phase in phases if phase in done.stderr] == ([] if options else phases)
    if options:
        assert done.stderr == ""


def test_what_suits_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal that cannot move its cursor gets lines, and so does what is no terminal."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert isinstance(phases_for(quiet=False, color="auto"), Bars)
    assert type(phases_for(quiet=True, color="auto")) is Phases
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(phases_for(quiet=False, color="auto"), Lines)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    assert isinstance(phases_for(quiet=False, color="auto"), Lines)


def test_who_asks_for_the_end_is_told_so(capfd: pytest.CaptureFixture[str]) -> None:
    """A bar says it at its next drawing; elsewhere it is a line at once."""
    Lines().ending()
    assert capfd.readouterr().err == f"  {ENDING}\n"
    bars = Bars(color="never")
    bars.ending()
    assert capfd.readouterr().err == ""


def test_a_run_tells_how_far_it_has_come(small_app: Path) -> None:
    """The matrix comes to its end cell by cell, and the search grows; both are small beside the work."""
    told: list[Event] = []
    report = api.check(small_app, attempts=200, listen=told.append)

    swept = [event for event in told if isinstance(event, Sweeping)]
    assert [event.done for event in swept] == sorted({event.done for event in swept})
    assert len(swept) == len(report.personas)
    assert swept[-1] == Sweeping(len(report.cells), len(report.cells))
    searched = [event for event in told if isinstance(event, Searching)]
    shares = [event.share for event in searched if event.share is not None]
    assert shares == sorted(shares)
    assert 0.5 < shares[-1] < 1
    assert searched[-1].search.attempts > 0


def test_the_time_that_is_left_is_what_the_share_says() -> None:
    """Half of it took ten seconds: ten are left.  What was just begun says nothing of it."""
    state = after(None, PhaseStarted("447 rows seeded"), 100.0)
    assert state == State("447 rows seeded", 100.0)
    assert state.told(103.0) == "3s"
    state = after(state, Sweeping(500, 1000), 110.0)
    assert state is not None
    assert (state.name, state.told(110.0)) == ("matrix", "500 of 1,000 cells, 50/s, 10s left")
    state = after(after(state, PhaseStarted("searching"), 120.0), Searching(SEARCHED, 3.0, 0.25), 123.0)
    assert state is not None
    assert (state.name, state.told(126.0)) == ("search", "600 attempts, 100/s, 18s left")
    state = after(state, Searching(SEARCHED, 3.0, 0.01), 126.0)
    assert state is not None
    assert state.told(126.0) == "600 attempts, 100/s"


def test_a_long_phase_says_a_line_every_half_minute(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("tenantproof.cli.phases.perf_counter", lambda: now[0])
    lines = Lines()
    lines(PhaseStarted("9 rows seeded"))
    for second in range(1, 70):
        now[0] = float(second)
        lines(Sweeping(second, 100))
    said = capsys.readouterr().err.splitlines()
    assert said == ["  matrix: 30 of 100 cells, 1/s, 1m 10s left", "  matrix: 60 of 100 cells, 1/s, 40s left"]


def test_nothing_is_told_of_a_run_that_is_over() -> None:
    assert after(State("search", 0.0), RunFinished(samples.small()), 1.0) is None
