"""
Where something begins, asked of as few prefixes as possible.  Pure: what is asked comes in as functions.

A leak may open, close and open again.  Halving finds *a* file after which it is there and before which it is not; the
last such file is found by also asking after every file that speaks of the leak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

Present = Callable[[int], bool]
"""Whether the leak is there after so many files; asking may take seconds, and the same answer twice is free."""


def last_opening(present: Present, first: int, last: int, speaking: Iterable[int]) -> int:
    """The file that opened what is present after file *last*; first - 1 where it is there before file *first*.

    *speaking* are the files after which it may have closed.  Asks about log2 of the files and about each of those.
    """
    opened = _halved(present, first - 1, last)
    later = sorted(set(speaking), reverse=True)
    while True:
        closed = next((number for number in later if opened < number < last and not present(number)), None)
        if closed is None:
            return opened
        opened = _halved(present, closed, last)


def _halved(present: Present, low: int, high: int) -> int:
    """The file that opened it, between *low* and *high*, where it is present; low where it is present already."""
    if present(low):
        return low
    while high - low > 1:
        middle = (low + high) // 2
        if present(middle):
            high = middle
        else:
            low = middle
    return high


def every_episode(present: Present, first: int, last: int) -> list[tuple[int, int | None]]:
    """(opened, closed) of each time it is there, looking everywhere; closed None where it lasts to the end."""
    found: list[tuple[int, int | None]] = []
    opened: int | None = None
    for number in range(first - 1, last + 1):
        if present(number) and opened is None:
            opened = number
        elif opened is not None and not present(number):
            found.append((opened, number))
            opened = None
    return found if opened is None else [*found, (opened, None)]
