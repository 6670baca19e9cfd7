"""
Several courses of statements over one wire: while the server works for one, the next are prepared and judged.

A course is a generator.  It yields scripts, each of which starts from the same ground, and is sent what they came to;
its return value is what was found.  Taken one after another, each course would wait for the server after every step,
and the server for the course; over a slow line that was most of a run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Generic, TypeVar

import psycopg

from tenantproof.core.attempt import Observation
from tenantproof.engine.wire import Part, Script, Wire

Found = TypeVar("Found")

_LANES = 3
"""Courses under way at the same time: one that is judged, one at the server, one on the line."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What scripts came to, and for how many seconds nothing else was waited for."""

    answers: list[tuple[Observation, ...]]
    seconds: float


Steps = Generator[Sequence[Script], Heard, Found]


@dataclass(frozen=True, slots=True)
class Course(Generic[Found]):
    """Steps, each of which starts from the beginning of the wire's scope and these set-up statements."""

    set_up: Script
    steps: Steps[Found]


class _Lane(Generic[Found]):
    def __init__(self, wire: Wire, course: Course[Found]) -> None:
        self._wire, self._course = wire, course
        self._sent = 0.0
        self.found: list[Found] = []
        """Holds one once the course is at its end."""

    def go_on(self, heard: Heard | None) -> bool:
        """Send the next step; False where the course is at its end."""
        try:
            scripts = next(self._course.steps) if heard is None else self._course.steps.send(heard)
            while not scripts:
                scripts = self._course.steps.send(Heard([], 0.0))
        except StopIteration as end:
            self.found.append(end.value)
            return False
        self._wire.send(Part(set_up=self._wire.anew(self._course.set_up), scripts=scripts))
        self._sent = perf_counter()
        return True

    def heard(self, quiet_since: float) -> Heard:
        """What the last step came to.  Where its set-up failed, the course says what that means."""
        try:
            answers = self._wire.hear()
        except psycopg.Error as error:
            if not self._wire.lost:
                self._course.steps.throw(error)
            raise
        return Heard(answers, perf_counter() - max(self._sent, quiet_since))


def in_lanes(wire: Wire, courses: Iterable[Course[Found]]) -> Iterator[Found]:
    """What the courses found, in their order.

    A course is taken from *courses* when there is a lane for it.  Raises what `Wire.hear` raises; courses that were
    under way are not at their end then.
    """
    remaining = iter(courses)
    in_order: deque[_Lane[Found]] = deque()
    going: deque[_Lane[Found]] = deque()
    quiet_since = perf_counter()

    def fill() -> None:
        while len(going) < _LANES and (course := next(remaining, None)) is not None:
            lane = _Lane(wire, course)
            in_order.append(lane)
            if lane.go_on(None):
                going.append(lane)

    fill()
    while going:
        lane = going.popleft()
        heard = lane.heard(quiet_since)
        quiet_since = perf_counter()
        if lane.go_on(heard):
            going.append(lane)
        fill()
        while in_order and in_order[0].found:
            yield in_order.popleft().found[0]
    yield from (lane.found[0] for lane in in_order)


def alone(wire: Wire, steps: Steps[Found]) -> Found:
    """What these steps find, each from the wire's savepoint.  Raises what they do, and what `Wire.run` does."""
    try:
        scripts = next(steps)
        while True:
            scripts = steps.send(_heard_alone(wire, steps, scripts))
    except StopIteration as end:
        found: Found = end.value
        return found


def _heard_alone(wire: Wire, steps: Steps[Found], scripts: Sequence[Script]) -> Heard:
    start = perf_counter()
    try:
        answers = wire.run(scripts)
        wire.settle()  # also where there was no script to wait for
    except psycopg.Error as error:
        if not wire.lost:
            steps.throw(error)
        raise
    return Heard(answers, perf_counter() - start)
