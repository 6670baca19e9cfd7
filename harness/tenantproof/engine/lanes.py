"""
Several courses of statements over one wire: while the server works for one, the next are prepared and judged.

A course is a talk that starts from a ground of its own.  Taken one after another, each would wait for the server after
every step, and the server for the course; over a slow line that was most of a run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic

from tenantproof.engine.talks import Said, T, Talk, heard, next_scripts
from tenantproof.engine.wire import Part, Script, Wire

LANES = 5
"""Courses under way at the same time: one that is judged, one at the server, the others on the line."""


@dataclass(frozen=True, slots=True)
class Course(Generic[T]):
    """A talk, each step of which starts from the beginning of the wire's scope and these set-up statements."""

    set_up: Script
    talk: Talk[T]


class _Lane(Generic[T]):
    def __init__(self, wire: Wire, course: Course[T]) -> None:
        self._wire, self._course = wire, course
        self.found: list[T] = []
        """Holds one once the course is at its end."""

    def go_on(self, said: Said | None) -> bool:
        """Send the next step; False where the course is at its end."""
        try:
            scripts = next_scripts(self._course.talk, said)
        except StopIteration as end:
            self.found.append(end.value)
            return False
        self._wire.send(Part(set_up=self._wire.anew(self._course.set_up), scripts=scripts))
        return True

    def hear(self) -> Said:
        """What the last step came to."""
        return heard(self._wire, self._course.talk, self._wire.hear)


def in_lanes(wire: Wire, courses: Iterable[Course[T]], stop: Callable[[], bool] = lambda: False) -> Iterator[T]:
    """What the courses found, in their order.

    A course is taken from *courses* when there is a lane for it.  *stop* is asked before each step: then those that
    are under way are left where they are.  Raises what `Wire.hear` and the courses raise.
    """
    remaining = iter(courses)
    in_order: deque[_Lane[T]] = deque()
    going: deque[_Lane[T]] = deque()
    while not stop():
        while len(going) < LANES and (course := next(remaining, None)) is not None:
            lane = _Lane(wire, course)
            in_order.append(lane)
            if lane.go_on(None):
                going.append(lane)
        while in_order and in_order[0].found:
            yield in_order.popleft().found[0]
        if not going:
            return
        lane = going.popleft()
        try:
            goes_on = lane.go_on(lane.hear())
        except Exception:  # whatever the talk makes of it: the wire is to be of use to whoever catches it
            _forget(wire)
            raise
        if goes_on:
            going.append(lane)
    _forget(wire)


def _forget(wire: Wire) -> None:
    """What is under way."""
    if not wire.lost:
        wire.give_up()
