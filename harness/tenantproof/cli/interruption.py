"""Ctrl-C during a search: the first asks it to end with a report, the second ends the program as on every verb."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType, TracebackType


class Interruption:
    """Whether somebody asked for the end.  A context manager: what Ctrl-C did before is put back when it is left.

    Nothing changes before `watch` is called; a program that was started to ignore Ctrl-C goes on ignoring it.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Callable[[int, FrameType | None], object] | None = None
        self._then: Callable[[], None] | None = None

    def __enter__(self) -> Interruption:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._restore()

    def watch(self, then: Callable[[], None]) -> None:
        """From now on the first Ctrl-C asks for the end and calls *then*, which must be safe in a signal handler.

        Further calls change nothing.
        """
        before = signal.getsignal(signal.SIGINT)
        if not self.asked and self._before is None and callable(before):
            self._before, self._then = before, then
            signal.signal(signal.SIGINT, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.asked = True
        self._restore()
        if self._then is not None:
            self._then()

    def _restore(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
