"""How a search goes, on stderr: one line that is rewritten on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import os
import sys
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING

from tenantproof.cli.durations import in_words
from tenantproof.cli.interruption import Interruption

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

    from tenantproof.core.report import Search

_A_SECOND = 2
"""How often the line is rewritten."""

_EVERY = 10.0
"""Seconds between two plain lines."""

_ENDING = "ending after this batch (Ctrl-C again: at once)"


class Progress:
    """Gets the numbers of a search so far and the seconds gone, and says nothing.

    A context manager: leaving it gives the terminal back.
    """

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        """Nothing was taken."""

    def __call__(self, search: Search, gone: float) -> None:
        """Silence."""


class Lines(Progress):
    """A plain line at once and every ten seconds, for logs, and one when somebody asked for the end."""

    def __init__(self, seconds: float, interruption: Interruption) -> None:
        self._seconds, self._interruption = seconds, interruption
        self._next = 0.0
        self._said_the_end = False

    def __call__(self, search: Search, gone: float) -> None:
        ending = self._interruption.asked
        if gone >= self._next or (ending and not self._said_the_end):
            self._next = gone + _EVERY
            self._said_the_end = ending
            print(f"  {told(search, gone, self._seconds, ending=ending)}", file=sys.stderr, flush=True)


class Line(Progress):
    """One line at the bottom of a terminal, rewritten also while a finding is being made smaller."""

    def __init__(self, seconds: float, interruption: Interruption, *, color: str) -> None:
        self._seconds, self._interruption, self._color = seconds, interruption, color
        self._latest: tuple[Search, float, float] | None = None
        self._live: Live | None = None

    def __call__(self, search: Search, gone: float) -> None:
        self._latest = (search, gone, perf_counter())
        if self._live is None:
            self._live = self._started()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _started(self) -> Live:
        from rich.live import Live

        from tenantproof.cli.session import console

        screen = console(self._color, stderr=True)
        live = Live(console=screen, get_renderable=self._text, refresh_per_second=_A_SECOND, transient=True)
        live.start()
        return live

    def _text(self) -> Text:
        from rich.text import Text

        assert self._latest is not None
        search, gone, when = self._latest
        gone += perf_counter() - when
        said = told(search, gone, self._seconds, ending=self._interruption.asked)
        return Text(f"  {said}", no_wrap=True, overflow="ellipsis")


def progress_for(seconds: float, interruption: Interruption, *, quiet: bool, color: str) -> Progress:
    """What suits the place: silence, a line that is rewritten, or plain lines."""
    if quiet:
        return Progress()
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return Line(seconds, interruption, color=color)
    return Lines(seconds, interruption)


def told(search: Search, gone: float, seconds: float, *, ending: bool) -> str:
    """The numbers in one line: what is left first, since narrow terminals cut the end."""
    since = max(gone, 0.001)
    left = _ENDING if ending else f"{in_words(seconds - gone)} left"
    return (
        f"{left}: {search.attempts:,} attempts ({search.attempts / since:,.0f}/s), "
        f"{search.pairs:,} world pairs ({search.pairs / since:,.0f}/s), "
        f"{search.distinct:,} distinct (relation, shape, outcome)"
    )
