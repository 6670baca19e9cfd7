"""How a search goes, on stderr: one line that is rewritten on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import os
import sys
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING

from tenantproof.cli.durations import in_words
from tenantproof.cli.interruption import say

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

    def ending(self) -> None:
        """Somebody asked for the end.  Called in a signal handler."""


class Lines(Progress):
    """A plain line at once and every ten seconds, for logs, and one when somebody asked for the end."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next = 0.0

    def __call__(self, search: Search, gone: float) -> None:
        if gone >= self._next:
            self._next = gone + _EVERY
            left = f"{in_words(self._seconds - gone)} left"
            print(f"  {told(left, search, gone)}", file=sys.stderr, flush=True)

    def ending(self) -> None:
        say(_ENDING)


class Line(Progress):
    """One line at the bottom of a terminal, rewritten also while a finding is being made smaller."""

    def __init__(self, seconds: float, *, color: str) -> None:
        self._seconds, self._color = seconds, color
        self._ending = False
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

    def ending(self) -> None:
        self._ending = True

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
        left = _ENDING if self._ending else f"{in_words(self._seconds - gone)} left"
        return Text(f"  {told(left, search, gone)}", no_wrap=True, overflow="ellipsis")


def progress_for(seconds: float, *, quiet: bool, color: str) -> Progress:
    """What suits the place: silence, a line that is rewritten, or plain lines."""
    if quiet:
        return Progress()
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return Line(seconds, color=color)
    return Lines(seconds)


def told(left: str, search: Search, gone: float) -> str:
    """The numbers in one line: what is *left* first, since narrow terminals cut the end."""
    since = max(gone, 0.001)
    return (
        f"{left}: {search.attempts:,} attempts ({search.attempts / since:,.0f}/s), "
        f"{search.pairs:,} world pairs ({search.pairs / since:,.0f}/s), "
        f"{search.distinct:,} distinct (relation, shape, outcome)"
    )
