"""How a check goes, on stderr: a bar for the phase that runs on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING

from tenantproof.cli.durations import in_words
from tenantproof.cli.interruption import say
from tenantproof.core.events import Event, PhaseStarted, RunFinished, Searching, Sweeping

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.live import Live

_A_SECOND = 4
"""How often a bar is drawn."""

_EVERY = 30.0
"""Seconds between two plain lines of one phase."""

_WIDTH = 24
"""Of a bar, in characters."""

_TELLING = 0.02
"""Before this share is done nobody can say how long the rest takes."""

ENDING = "ending with what is known so far (Ctrl-C again: at once)"


@dataclass(frozen=True, slots=True)
class State:
    """Where a phase stands: its share from 0 to 1 (None: nobody knows), what was counted, and since when it runs."""

    name: str
    since: float
    share: float | None = None
    count: int = 0
    unit: str = ""
    of: int | None = None

    def told(self, now: float) -> str:
        """Count, rate and time left, as far as they are known."""
        gone = now - self.since
        parts = []
        if self.count:
            total = f" of {self.of:,}" if self.of is not None else ""
            parts.append(f"{self.count:,}{total} {self.unit}")
            parts.append(f"{self.count / max(gone, 0.001):,.0f}/s")
        if self.share is not None and self.share >= _TELLING:
            parts.append(f"{in_words(gone * (1 - self.share) / self.share)} left")
        return ", ".join(parts) or in_words(gone)


def after(state: State | None, event: Event, now: float) -> State | None:
    """The state once *event* happened; events that say nothing of progress leave it as it is."""
    match event:
        case PhaseStarted(what):
            return State(what, now)
        case RunFinished():
            return None
        case Sweeping(done, total) if state is not None:
            return State("matrix", state.since, done / total if total else None, done, "cells", total)
        case Searching(search, _, share) if state is not None:
            return State("search", state.since, share, search.attempts, "attempts")
        case _:
            return state


class Phases:
    """Listens to the events of a check, and says nothing.

    A context manager: leaving it gives the terminal back.
    """

    def __enter__(self) -> Phases:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Nothing was taken."""

    def __call__(self, event: Event) -> None:
        """Silence."""

    def ending(self) -> None:
        """Somebody asked for the end.  Called in a signal handler."""
        say(ENDING)


class Lines(Phases):
    """A plain line for every half minute that one phase takes, for logs; its first line is the narration's."""

    def __init__(self) -> None:
        self._state: State | None = None
        self._next = 0.0

    def __call__(self, event: Event) -> None:
        now = perf_counter()
        self._state = after(self._state, event, now)
        if isinstance(event, PhaseStarted):
            self._next = now + _EVERY
        elif self._state is not None and now >= self._next:
            self._next = now + _EVERY
            print(f"  {self._state.name}: {self._state.told(now)}", file=sys.stderr, flush=True)


class Bars(Phases):
    """The phase that runs, at the bottom of a terminal; what is narrated meanwhile stands above it."""

    def __init__(self, *, color: str) -> None:
        self._color = color
        self._ending = False
        self._state: State | None = None
        self._live: Live | None = None

    def __call__(self, event: Event) -> None:
        before, self._state = self._state, after(self._state, event, perf_counter())
        if self._state is None:
            self._stop()
        elif self._live is None:
            self._live = self._started()
        elif before is not None and before.name != self._state.name:
            self._live.refresh()  # a phase that is over before the next drawing is seen, too

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._stop()

    def ending(self) -> None:
        self._ending = True  # the next drawing says so

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _started(self) -> Live:
        from rich.live import Live

        from tenantproof.cli.session import console

        live = Live(
            console=console(self._color, stderr=True),
            get_renderable=self._drawn,
            refresh_per_second=_A_SECOND,
            transient=True,
            redirect_stdout=False,  # a document that is piped is none of ours
        )
        live.start()
        return live

    def _drawn(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        state = self._state
        if state is None:
            return Text("")
        now = perf_counter()
        row = Table.grid(padding=(0, 1))
        for _ in range(3):
            row.add_column(no_wrap=True, overflow="ellipsis")
        known = state.share is not None
        bar = ProgressBar(total=1.0, completed=state.share or 0.0, width=_WIDTH, pulse=not known, animation_time=now)
        row.add_row(Text(f" {state.name}"), bar, Text(ENDING if self._ending else state.told(now)))
        return row


def phases_for(*, quiet: bool, color: str) -> Phases:
    """What suits the place: silence, a bar, or plain lines."""
    if quiet:
        return Phases()
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return Bars(color=color)
    return Lines()
