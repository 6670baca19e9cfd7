"""Two worlds side by side: which lines of two observations belong together, and which of those differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

from tenantproof.core.finding import Evidence

ALIKE = "What differs is not among the lines that were kept; the replay script shows all of them."

_ENOUGH_CONTEXT = 16
"""Characters that two long lines have in common and that are still shown before they part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A line of world 1 and the line of world 2 that answers to it; None where there is none."""

    first: str | None
    second: str | None
    differs: bool

    @property
    def lines(self) -> tuple[str | None, str | None]:
        return self.first, self.second


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """Lines that an excerpt leaves out here."""

    pairs: tuple[Pair, ...]

    @property
    def counts(self) -> tuple[int, int]:
        """How many lines of each world."""
        firsts = sum(pair.first is not None for pair in self.pairs)
        return firsts, sum(pair.second is not None for pair in self.pairs)

    @property
    def differing(self) -> int:
        return sum(pair.differs for pair in self.pairs)


def has_two_worlds(evidence: Evidence) -> bool:
    """Whether both observations were recorded."""
    return bool(evidence.world_1 and evidence.world_2)


def compare(evidence: Evidence) -> tuple[Pair, ...]:
    """The observations of both worlds, line by line; empty where the evidence has none.

    Where only one was recorded, nothing differs: there is nothing that it could differ from.
    """
    first, second = evidence.world_1, evidence.world_2
    if not has_two_worlds(evidence):
        lines = zip_longest(first, second)
        return tuple(Pair(first=one, second=two, differs=False) for one, two in lines)
    pairs: list[Pair] = []
    for _, start_1, end_1, start_2, end_2 in SequenceMatcher(None, first, second).get_opcodes():
        lines = zip_longest(first[start_1:end_1], second[start_2:end_2])
        pairs += [Pair(first=one, second=two, differs=one != two) for one, two in lines]
    return tuple(pairs)


def looks_alike(evidence: Evidence) -> bool:
    """Whether both observations were recorded, and what differs between them was not."""
    return has_two_worlds(evidence) and evidence.world_1 == evidence.world_2


def excerpt(pairs: Sequence[Pair], most: int) -> tuple[Pair | Skipped, ...]:
    """At most so many pairs, those that differ before all others, then what stands nearest to the first of them."""
    if len(pairs) <= most:
        return tuple(pairs)
    start = next((index for index, pair in enumerate(pairs) if pair.differs), 0)
    by_interest = sorted(range(len(pairs)), key=lambda index: (not pairs[index].differs, abs(index - start), index))
    shown: list[Pair | Skipped] = []
    after = 0
    for index in (*sorted(by_interest[:most]), len(pairs)):
        if index > after:
            shown.append(Skipped(pairs=tuple(pairs[after:index])))
        shown += pairs[index : index + 1]
        after = index + 1
    return tuple(shown)


def focused(pair: Pair, room: int) -> Pair:
    """The pair as it is where both lines fit in `room`, else without most of what both begin with."""
    first, second = pair.first, pair.second
    if first is None or second is None or not pair.differs or max(len(first), len(second)) <= room:
        return pair
    in_common = next(
        (index for index, (one, two) in enumerate(zip(first, second, strict=False)) if one != two),
        min(len(first), len(second)),
    )
    cut = in_common - _ENOUGH_CONTEXT
    if cut <= 1:
        return pair
    return Pair(first=f"…{first[cut:]}", second=f"…{second[cut:]}", differs=True)
