"""
The ways in which a condition can hold: each a list of simple conditions that hold, or do not, together.

`type = 'card' AND n IS NOT NULL OR type = 'cash'` has two.  CASE, num_nonnulls, sums of casts of IS NULL and equality
of conditions are taken apart too; what cannot be taken apart stays one simple condition.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tenantproof.seeding.expressions import Kind, Node

MOST = 64
"""Ways that are looked at; a condition with more is tried in the first ones."""

_COMPARISONS = frozenset({"=", "<>", "!=", "<", ">", "<=", ">="})
_CONDITIONS = frozenset({Kind.AND, Kind.OR, Kind.NOT, Kind.IS, Kind.ANY, Kind.ALL, Kind.BOOLEAN, Kind.NULL})


@dataclass(frozen=True, slots=True)
class Atom:
    """A simple condition, and whether it is to hold."""

    node: Node
    holds: bool = True

    @property
    def sql(self) -> str:
        """An expression that is true where the atom is as it should be; unknown is good enough, as in a CHECK."""
        return f"(({self.node.text}) IS NOT FALSE)" if self.holds else f"(({self.node.text}) IS NOT TRUE)"


Branch = tuple[Atom, ...]


def branches(node: Node, holds: bool = True) -> tuple[Branch, ...]:
    """The ways to make the condition hold (or not hold), at most MOST."""
    return tuple(itertools.islice(_branches(node, holds), MOST))


def _branches(node: Node, holds: bool) -> Iterator[Branch]:
    match node.kind:
        case Kind.NOT:
            yield from _branches(node.parts[0], not holds)
        case Kind.AND | Kind.OR if (node.kind is Kind.AND) == holds:
            yield from _all_of(_branches(part, holds) for part in node.parts)
        case Kind.AND | Kind.OR:
            for part in node.parts:
                yield from _branches(part, holds)
        case Kind.CASE:
            yield from _case(node.parts, holds)
        case Kind.IS if node.value in ("true", "not true", "false", "not false"):
            yield from _branches(node.parts[0], holds == (node.value in ("true", "not false")))
        case Kind.CAST:
            yield from _branches(node.parts[0], holds) if _is_condition(node.parts[0]) else [(Atom(node, holds),)]
        case Kind.OPERATOR if len(node.parts) == 2:
            yield from _compared(node, holds)
        case _:
            yield (Atom(node, holds),)


def _all_of(parts: Iterable[Iterable[Branch]]) -> Iterator[Branch]:
    """One way of each part, those first in which few parts go another way than their first."""
    ways = [tuple(itertools.islice(part, MOST)) for part in parts]
    chosen = itertools.islice(itertools.product(*(range(len(way)) for way in ways)), MOST * 8)
    for picks in sorted(chosen, key=lambda picks: (sum(pick > 0 for pick in picks), picks)):
        yield tuple(dict.fromkeys(atom for way, pick in zip(ways, picks, strict=True) for atom in way[pick]))


def _case(parts: Sequence[Node], holds: bool) -> Iterator[Branch]:
    """Each arm: its condition holds and those before it do not."""
    before: list[Node] = []
    for condition, result in _arms(parts):
        earlier = [_branches(other, False) for other in before]
        own = [] if condition is None else [_branches(condition, True)]
        yield from _all_of([*earlier, *own, _branches(result, holds)])
        if condition is not None:
            before.append(condition)


def _arms(parts: Sequence[Node]) -> Iterator[tuple[Node | None, Node]]:
    for place in range(0, len(parts) - 1, 2):
        yield parts[place], parts[place + 1]
    yield None, parts[-1]


def _compared(node: Node, holds: bool) -> Iterator[Branch]:
    left, right = node.parts
    if node.value in ("=", "<>", "!=") and (_is_condition(left) or _is_condition(right)):
        same = (node.value == "=") == holds
        for value in (True, False):
            yield from _all_of([_branches(left, value), _branches(right, value == same)])
        return
    number = _whole(right)
    counted = _counted(left)
    if counted and number is not None and node.value in _COMPARISONS:
        for picked in _subsets(len(counted), node.value, number, holds):
            yield tuple(Atom(part, place in picked) for place, part in enumerate(counted))
        return
    yield (Atom(node, holds),)


def _is_condition(node: Node) -> bool:
    inner = node.bare
    compares = inner.kind is Kind.OPERATOR and len(inner.parts) == 2 and inner.value in _COMPARISONS
    return compares or inner.kind in _CONDITIONS - {Kind.NULL}


def _whole(node: Node) -> int | None:
    text = node.bare.value if node.bare.kind is Kind.LITERAL else ""
    return int(text) if text.lstrip("-").isdigit() else None


def _counted(node: Node) -> tuple[Node, ...]:
    """The conditions that an expression counts: num_nonnulls(a, b), (a IS NULL)::int + (b IS NULL)::int."""
    if node.kind is Kind.CALL and node.value in ("num_nonnulls", "num_nulls"):
        word = "not null" if node.value == "num_nonnulls" else "null"
        return tuple(
            Node(Kind.IS, word, (part,), f"({part.text}) IS {word.upper()}")
            for part in node.parts
            if part.kind is Kind.NAME
        )
    if node.kind is Kind.OPERATOR and node.value == "+" and len(node.parts) == 2:
        sides = [_counted(part) for part in node.parts]
        return sides[0] + sides[1] if all(sides) else ()
    if node.kind is Kind.CAST and _is_condition(node.parts[0]):
        return (node.parts[0],)
    return ()


def _subsets(size: int, operator: str, number: int, holds: bool) -> Iterator[frozenset[int]]:
    for count in sorted(range(size + 1), key=lambda count: abs(count - number)):
        if _compare(count, operator, number) == holds:
            yield from map(frozenset, itertools.combinations(range(size), count))


def _compare(count: int, operator: str, number: int) -> bool:
    return {
        "=": count == number,
        "<>": count != number,
        "!=": count != number,
        "<": count < number,
        ">": count > number,
        "<=": count <= number,
        ">=": count >= number,
    }[operator]
