"""
Several courses of statements over one wire: while the server works for one, the next are prepared and judged.

A course is a talk that starts from a ground of its own.  Taken one after another, each would wait for the server after
every step, and the server for the course; over a slow line that was most of a run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Generic

import psycopg

from tenantproof.engine.talks import Said, T, Talk, next_scripts
from tenantproof.engine.wire import Part, Script, Wire

_LANES = 3
"""Courses under way at the same time: one that is judged, one at the server, one on the line."""


@dataclass(frozen=True, slots=True)
class Course(Generic[T]):
    """A talk, each step of which starts from the beginning of the wire's scope and these set-up statements."""

    set_up: Script
    talk: Talk[T]


@dataclass(frozen=True, slots=True)
class Finished(Generic[T]):
    """What a course found, and for how many seconds nothing but each of its steps was waited for."""

    found: T
    seconds: tuple[float, ...]


class _Lane(Generic[T]):
    def __init__(self, wire: Wire, course: Course[T]) -> None:
        self._wire, self._course = wire, course
        self._sent = 0.0
        self._seconds: list[float] = []
        self.finished: Finished[T] | None = None

    def go_on(self, said: Said | None) -> bool:
        """Send the next step; False where the course is at its end."""
        try:
            scripts = next_scripts(self._course.talk, said)
        except StopIteration as end:
            self.finished = Finished(end.value, tuple(self._seconds))
            return False
        self._wire.send(Part(set_up=self._wire.anew(self._course.set_up), scripts=scripts))
        self._sent = perf_counter()
        return True

    def hear(self, quiet_since: float) -> Said:
        """What the last step came to.  Where its set-up failed, the course says what that means."""
        try:
            answers = self._wire.hear()
        except psycopg.Error as error:
            if not self._wire.lost:
                self._course.talk.throw(error)
            raise
        self._seconds.append(perf_counter() - max(self._sent, quiet_since))
        return answers


def in_lanes(wire: Wire, courses: Iterable[Course[T]]) -> Iterator[Finished[T]]:
    """What the courses found, in their order.

    A course is taken from *courses* when there is a lane for it.  Raises what `Wire.hear` and the courses raise; those
    that are under way are not at their end then.
    """
    remaining = iter(courses)
    in_order: deque[_Lane[T]] = deque()
    going: deque[_Lane[T]] = deque()
    quiet_since = perf_counter()
    while True:
        while len(going) < _LANES and (course := next(remaining, None)) is not None:
            lane = _Lane(wire, course)
            in_order.append(lane)
            if lane.go_on(None):
                going.append(lane)
        while in_order and (finished := in_order[0].finished) is not None:
            in_order.popleft()
            yield finished
        if not going:
            return
        lane = going.popleft()
        said = lane.hear(quiet_since)
        quiet_since = perf_counter()
        if lane.go_on(said):
            going.append(lane)
