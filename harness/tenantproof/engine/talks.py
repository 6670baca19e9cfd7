"""
Talks with the database: each says which scripts it wants run, hears the answers, and goes on to its result.

So those that do not depend on each other are held side by side, and over a slow line share their waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import TypeVar

import psycopg

from tenantproof.core.attempt import Observation
from tenantproof.engine.wire import Script, Wire

T = TypeVar("T")
Said = Sequence[tuple[Observation, ...]]
Talk = Generator[Sequence[Script], Said, T]
"""Yields scripts, is sent what `Wire.run` says of them, and returns what it came to.

Where the server refused what sets the session up for it, psycopg.Error is thrown in: the talk says what that means."""


def hold(wire: Wire, talk: Talk[T]) -> T:
    """What the talk comes to, each of its scripts from the wire's savepoint.

    Raises what the talk does, and psycopg.Error where the server is gone.
    """
    try:
        scripts = next(talk)
        while True:
            scripts = talk.send(heard(wire, talk, partial(_said, wire, scripts)))
    except StopIteration as end:
        result: T = end.value
        return result


def _said(wire: Wire, scripts: Sequence[Script]) -> Said:
    answers = wire.run(scripts)
    wire.settle()  # also where there was no script to wait for
    return answers


def heard(wire: Wire, talk: Talk[T], listen: Callable[[], Said]) -> Said:
    """What is listened to.  Where the set-up for it failed, the talk says what that means."""
    try:
        return listen()
    except psycopg.Error as error:
        if not wire.lost:
            talk.throw(error)
        raise


def side_by_side(talks: Iterable[Talk[T]]) -> Talk[list[T]]:
    """All of them at once.  In each round the scripts of the first talk run first."""
    going = list(talks)
    heard: dict[int, Said | None] = dict.fromkeys(range(len(going)))
    results: dict[int, T] = {}
    while heard:
        asked: dict[int, Sequence[Script]] = {}
        for number, said in heard.items():
            try:
                asked[number] = next_scripts(going[number], said)
            except StopIteration as end:
                results[number] = end.value
        together = [script for scripts in asked.values() for script in scripts]
        answers = iter((yield together) if together else ())
        heard = {number: list(islice(answers, len(scripts))) for number, scripts in asked.items()}
    return [results[number] for number in range(len(going))]


def next_scripts(talk: Talk[T], said: Said | None) -> Sequence[Script]:
    """The scripts that the talk wants next.  Where it wants none, nobody waits for a round."""
    scripts = next(talk) if said is None else talk.send(said)
    while not scripts:
        scripts = talk.send(())
    return scripts
