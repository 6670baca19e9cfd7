"""Ctrl-C and SIGTERM during a run: the first asks it to end with a report, the second ends the program at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType

_ASKING = (signal.SIGINT, signal.SIGTERM)
"""What a person sends, and what a CI or `timeout` sends."""

Handler = Callable[[int, FrameType | None], object]


class Interruption:
    """Whether somebody asked for the end.  A context manager: what signals did before is put back when it is left.

    Nothing changes before `watch` is called; a program that was started to ignore a signal goes on ignoring it.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Handler] = {}
        self._then: Callable[[], None] | None = None

    def __enter__(self) -> Interruption:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._restore()

    def watch(self, then: Callable[[], None]) -> None:
        """From now on the first signal asks for the end and calls *then*, which must be safe in a signal handler.

        Further calls change nothing.
        """
        if self.asked or self._before:
            return
        self._then = then
        for number in _ASKING:
            before = signal.getsignal(number)
            if callable(before):
                self._before[number] = before
                signal.signal(number, self._ask)

    def _ask(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.asked = True
        self._restore()
        if self._then is not None:
            self._then()

    def _restore(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before = {}


def say(line: str) -> None:
    """A line on stderr from within a signal handler.

    Not by print: the signal may have come in the middle of one, and buffers are not to be entered twice.
    """
    os.write(sys.stderr.fileno(), f"  {line}\n".encode())
