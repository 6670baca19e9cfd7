"""
Runs of the program that end by kill -9 at a chosen moment: `python -m tests.staging.killing ARGUMENTS…`.

A moment is a number of waits for the server.  One line of standard input is one run, in a child of its own: the moment
at which it kills itself, 0 for never.  The answer is one line: how it ended, and how many waits there were.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import psycopg

from tenantproof import api  # noqa: F401  (once for all children)
from tenantproof.cli import check, main  # noqa: F401
from tenantproof.engine.wire import Wire


class Countdown:
    """Kills the process at the wait of that number."""

    def __init__(self, moment: int) -> None:
        self.waits, self._moment = 0, moment

    def watch(self, owner: type[Any], name: str) -> None:
        wait: Callable[..., Any] = getattr(owner, name)

        def counted(*arguments: Any, **named: Any) -> Any:
            self.waits += 1
            if self.waits == self._moment:
                os.kill(os.getpid(), signal.SIGKILL)
            return wait(*arguments, **named)

        setattr(owner, name, counted)


def count(arguments: list[str]) -> str:
    """A run to its end, in this process, whose children then have everything imported."""
    before = psycopg.Connection.wait, Wire._flush
    countdown = Countdown(0)
    countdown.watch(psycopg.Connection, "wait")
    countdown.watch(Wire, "_flush")
    code = main.run(arguments)
    psycopg.Connection.wait, Wire._flush = before  # type: ignore[method-assign]
    return f"exit {code} {countdown.waits}"


def one(moment: int, arguments: list[str]) -> str:
    """One run in a child; how it ended."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        countdown = Countdown(moment)
        countdown.watch(psycopg.Connection, "wait")
        countdown.watch(Wire, "_flush")
        code = main.run(arguments)
        os.write(write, f"exit {code} {countdown.waits}".encode())
        os._exit(0)
    os.close(write)
    _, status = os.waitpid(child, 0)
    said = os.read(read, 100).decode()
    os.close(read)
    return said or f"signal {os.WTERMSIG(status)} {moment}"


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what the runs print
    for line in sys.stdin:
        moment = int(line)
        print(one(moment, sys.argv[1:]) if moment else count(sys.argv[1:]), file=answers, flush=True)
