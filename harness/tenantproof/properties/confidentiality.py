"""
Confidentiality: what a persona observes does not depend on data it is not entitled to.

Pure functions over answers.  The same program gave *first* in world 1 and *second* in world 2, which differs from
world 1 only by what happened behind the persona's back; *again* are its answers in world 1 once more.  What differs
between *first* and *again* is nondeterminism (clocks, random values, sequences): it is masked, not reported.
(Non-interference: J. A. Goguen and J. Meseguer, "Security Policies and Security Models", 1982.)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any

from tenantproof.core.attempt import Observation
from tenantproof.core.program import Answer

UNSTEADY = frozenset({"57014", "55P03", "40P01", "40001", "53100", "53200", "53300"})
"""Refusals that depend on time and load rather than on data: timeouts, deadlocks, a lack of memory or disk."""

_WORDS = ("message", "detail", "hint", "column", "constraint", "notices")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first statement whose observations differ, and both observations."""

    at: int
    first: Observation
    second: Observation


def differ(first: Answer, second: Answer) -> bool:
    """Whether the two answers differ at all, nondeterminism included: a cheap first look."""
    return first != second and interference(first, second, ()) is not None


def interference(first: Answer, second: Answer, again: Sequence[Answer]) -> Difference | None:
    """What the persona learned from one world differing from the other; None where it learned nothing."""
    for at, (one, two) in enumerate(zip_longest(first, second)):
        if one is None or two is None:
            return None  # an earlier statement was refused in one world only, and that was nondeterministic
        others = [answer[at] for answer in again if len(answer) > at]
        if len(others) < len(again) or _unsteady(one, two, others):
            return None
        masked_one, masked_two = _masked(one, two, others)
        if _perceived(masked_one) != _perceived(masked_two):
            return Difference(at=at, first=one, second=two)
    return None


def _unsteady(one: Observation, two: Observation, others: Sequence[Observation]) -> bool:
    if any(observation.sqlstate in UNSTEADY for observation in (one, two)):
        return True
    return any(other.sqlstate != one.sqlstate or other.count != one.count for other in others)


def _masked(one: Observation, two: Observation, others: Sequence[Observation]) -> tuple[Observation, Observation]:
    """Both without what is not the same in every run of world 1: columns by column, texts as a whole."""
    if not others:
        return one, two
    noisy = {name for name in _WORDS if any(getattr(other, name) != getattr(one, name) for other in others)}
    blank: dict[str, Any] = {name: () if name == "notices" else "" for name in noisy}
    keep = [
        column
        for column in range(_width(one))
        if all(_column(other, column) == _column(one, column) for other in others)
    ]
    one, two = (replace(observation, **blank) for observation in (one, two))
    if len(keep) == _width(one) or _width(one) != _width(two):
        return one, two
    return _narrowed(one, keep), _narrowed(two, keep)


def _width(observation: Observation) -> int:
    return len(observation.rows[0]) if observation.rows else 0


def _column(observation: Observation, column: int) -> Counter[str | None]:
    return Counter(row[column] for row in observation.rows if len(row) > column)


def _narrowed(observation: Observation, keep: Sequence[int]) -> Observation:
    return replace(observation, rows=tuple(tuple(row[column] for column in keep) for row in observation.rows))


def _perceived(observation: Observation) -> tuple[object, ...]:
    """All that can be perceived, rows in no particular order: no program asks for an order that is not total."""
    words = tuple(getattr(observation, name) for name in _WORDS)
    return (Counter(observation.rows), observation.count, observation.sqlstate, words)
