"""Values that may satisfy a demand: the likely ones first, then what is near its constants, then small ones."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from tenantproof.core.catalog import Column
from tenantproof.seeding.demands import Bound, Demand
from tenantproof.seeding.jsonvalues import json_items, json_value
from tenantproof.seeding.judging import Computed, Proposal
from tenantproof.seeding.patterns import accepts, matching

_MOST = 40
_TRIES = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value goes: the column, what the row holds there now, a number that no other row of the table has."""

    column: Column
    now: str | None
    number: int
    rng: random.Random
    make: Callable[[str], str | None]
    """Makes a value for a column (or element, by type name) when there is none."""
    element: Callable[[str], str | None]
    """Makes one element for an array of this element type."""


def proposals(demand: Demand, place: Place) -> list[Proposal]:
    """Values worth a trial, best first, no value twice."""
    column = place.column
    if demand.null is True:
        return [] if column.not_null else [None]
    found: Iterator[Proposal] = itertools.chain(_certain(demand, place), _by_category(demand, place))
    kept = (value for value in found if value is not None and value not in demand.excluded)
    listed: list[Proposal] = list(dict.fromkeys(itertools.islice(kept, _MOST)))
    if not column.not_null and demand.null is None:
        listed.append(None)
    return listed


def _certain(demand: Demand, place: Place) -> Iterator[Proposal]:
    column = place.column
    yield from map(Computed, demand.computed)
    if demand.truth is not None:
        yield "true" if demand.truth else "false"
    yield from _rotated(demand.choices, place.number)
    if demand.fields:
        yield Computed(_with_fields(column, demand.fields))
    if demand.json or column.base_type.endswith((".json", ".jsonb")):
        yield json_value(demand.json, place.now, place.number)
        yield json_items(demand.json, demand.words, place.number)
    if place.now is None:
        yield place.make(column.name)
    yield from (value for value in _rotated(column.enum_values, place.number))


def _rotated(values: list[str] | tuple[str, ...], number: int) -> list[str]:
    turn = number % len(values) if values else 0
    return [*values[turn:], *values[:turn]]


def _with_fields(column: Column, fields: dict[str, str]) -> str:
    pairs = ", ".join(f"{_quoted(name)}, {_quoted(value)}" for name, value in fields.items())
    return f'jsonb_populate_record("{column.name.replace(chr(34), chr(34) * 2)}", jsonb_build_object({pairs}))'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _by_category(demand: Demand, place: Place) -> Iterator[Proposal]:
    column = place.column
    match column.category:
        case "N":
            yield from _numbers(demand, place)
        case "S":
            yield from _texts(demand, place)
        case "A":
            yield from _arrays(demand, place)
        case "B":
            yield from ("true", "false")
        case "D" | "T":
            yield from _times(demand, place)
        case "R":
            yield from _ranges(demand, place)
        case _:
            yield from _others(demand, place)


def _numbers(demand: Demand, place: Place) -> Iterator[str]:
    whole = place.column.base_type.endswith((".int2", ".int4", ".int8"))
    bounds = [(b.operator, n) for b in demand.bounds if (n := _decimal(b.value)) is not None]
    step = Decimal(1) if whole else min((_step(n) for _, n in bounds), default=Decimal(1))
    lows = [n + step * (op == ">") for op, n in bounds if op in (">", ">=")]
    highs = [n - step * (op == "<") for op, n in bounds if op in ("<", "<=")]
    low = max(lows, default=None)
    high = min(highs, default=None)
    if not whole and low is not None and high is not None and high - low < 2 * step:
        outer = (min(n for _, n in bounds), max(n for _, n in bounds))
        step = (outer[1] - outer[0]) / 10
        low, high = outer[0] + step, outer[1] - step
    near = [n for word in demand.words if (n := _decimal(word)) is not None]
    for number in _candidates(low, high, step, near, place.number):
        if (low is None or number >= low) and (high is None or number <= high):
            yield str(int(number)) if whole else format(number, "f")


def _candidates(
    low: Decimal | None, high: Decimal | None, step: Decimal, near: list[Decimal], turn: int
) -> Iterator[Decimal]:
    if low is not None and high is not None:
        span = max(1, int((high - low) / step) + 1)
        yield low + step * (turn % span)
        yield (low + high) / 2
    yield from (number for number in (low, high) if number is not None)
    base = low if low is not None else (high - 40 * step if high is not None else Decimal(0))
    yield base + turn
    for number in near:
        yield from (number, number + turn * number, number + 1, number - 1, number * 2, number + step, number - step)
    yield from (base + step * offset for offset in range(1, 41))
    yield from (Decimal(2**power) for power in range(2, 12))


def _step(number: Decimal) -> Decimal:
    exponent = number.as_tuple().exponent
    return Decimal(10) ** min(0, exponent if isinstance(exponent, int) else 0)


def _decimal(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _texts(demand: Demand, place: Place) -> Iterator[str]:
    shortest, longest = _sizes(demand, place.column.length)
    for text in _plain_texts(demand, place):
        if len(text) > longest:
            text = (text[: max(0, longest - 6)] + f"{place.number:06d}")[-longest:] if longest > 8 else text[:longest]
        if len(text) < shortest:
            text += ("x" * shortest)[len(text) :]
        if all(accepts(p, text) for p in demand.patterns) and not any(accepts(p, text) for p in demand.shunned):
            yield text
    yield from demand.words


def _plain_texts(demand: Demand, place: Place) -> Iterator[str]:
    patterns = [*demand.patterns, *(p for shun in demand.shunned if (p := _complement(shun)))]
    for pattern in patterns:
        made = (matching(pattern, place.rng) for _ in range(_TRIES))
        for text in made:
            yield from _grown(text, pattern, place.number) if text is not None else ()
    now = place.now if place.now is not None else f"text {place.number}"
    yield from (now, now.lower(), now.upper(), now.strip(), now.title(), re.sub(r"\W+", "_", now))
    yield from _between(demand.bounds)
    yield from _around(demand.words, now, place.number)
    number = place.number
    yield from (f"a{number}", f"A{number}", str(number), f"{number:08d}", f"{number * 37 % 10**12:012d}", "abc", "Abc")
    yield from ("UTC", "US", "en", "EUR", "2024-01-01", "10.0.0.1", "a@example.com", "https://example.com", "0 3 * * *")


def _grown(text: str, pattern: str, number: int) -> Iterator[str]:
    """The text itself, then with more on the sides that the pattern leaves open."""
    yield text
    ahead = "" if pattern.startswith("^") else f"a{number}"
    behind = "" if pattern.endswith("$") else f"b{number}"
    if ahead or behind:
        yield f"{ahead}{text}{behind}"


def _around(words: list[str], now: str, number: int) -> Iterator[str]:
    """Texts made of the constants: in front, behind, in between."""
    for word in [word for word in words if word][:6]:
        yield from (word + str(number), word + now, now + word, word.upper(), word.lower())
        if len(word) <= 3 and not word.isalnum():
            yield from (word.join([f"a{number}", "b", "c", "d"][:parts]) for parts in (2, 3, 4))


def _between(bounds: list[Bound]) -> Iterator[str]:
    lows = [b.value for b in bounds if b.operator in (">", ">=")] or [" "]
    highs = [b.value for b in bounds if b.operator in ("<", "<=")] or ["z"]
    low, high = max(lows), min(highs)
    if bounds and len(low) == len(high) == 1:
        yield from map(chr, range(ord(low), ord(high) + 1))
    yield from (low, high, low + "a")


def _complement(pattern: str) -> str | None:
    """`[^a-z]` that must not match anywhere: only a-z."""
    match = re.fullmatch(r"\[\^((?:[^\]\\]|\\.|\[:\w+:\])+)\]", pattern)
    return f"^[{match.group(1)}]+$" if match else None


def _sizes(demand: Demand, limit: int | None) -> tuple[int, int]:
    lows = [size + (op == ">") for op, size in demand.sizes if op in (">", ">=", "=")]
    highs = [size - (op == "<") for op, size in demand.sizes if op in ("<", "<=", "=")]
    highs += [limit] if limit is not None else []
    return max(lows, default=0), min(highs, default=10_000)


def _times(demand: Demand, place: Place) -> Iterator[Proposal]:
    """Near each bound on its right side; around now, day by day, for conditions on parts of an instant."""
    kind = place.column.base_type.rsplit(".", 1)[-1]
    if demand.units and kind in ("date", "timestamp", "timestamptz"):
        yield from _with_parts(demand.units, place.number)
    unit = "1" if kind == "date" else "interval '1 minute'"
    for bound in demand.bounds:
        sign = "+" if bound.operator in (">", ">=") else "-"
        yield Computed(f"({bound.sql}) {sign} ({unit} * {place.number % 50 + 1})")
        yield Computed(f"({bound.sql}) {sign} {unit}")
        yield Computed(bound.sql)
    lows = [b.sql for b in demand.bounds if b.operator in (">", ">=")]
    highs = [b.sql for b in demand.bounds if b.operator in ("<", "<=")]
    if lows and highs and kind != "time":
        yield Computed(f"({lows[0]}) + (({highs[0]}) - ({lows[0]})) / 2")
    if place.now is None or kind == "interval":
        return
    now = f"'{place.now}'::{kind}"
    wide = "1" if kind == "date" else "interval '1 day'" if kind.startswith("timestamp") else "interval '1 hour'"
    yield from (Computed(f"{now} - {wide} * {days}") for days in range(1, 32))
    if kind != "time":
        yield from (Computed(f"date_trunc('{part}', {now})") for part in ("day", "week", "month", "year"))


def _with_parts(units: list[tuple[str, str, str]], number: int) -> Iterator[Proposal]:
    """An instant with these parts: year, month, day and hour."""
    parts = {"year": 2024, "month": 1, "day": 1 + number % 28, "hour": number % 24}
    for unit, operator, word in units:
        value = _decimal(word)
        if unit in parts and value is not None:
            parts[unit] = int(value) + (operator == ">") - (operator == "<")
    yield Computed(f"make_timestamp({', '.join(str(parts[unit]) for unit in parts)}, {number % 60}, 0)")


def _arrays(demand: Demand, place: Place) -> Iterator[str]:
    shortest, longest = _sizes(demand, None)
    element = place.column.element_type or "text"
    allowed = _rotated(demand.elements, place.number)
    made = list(demand.contained)
    for bound in demand.floors:
        floor = _decimal(bound.value)
        made += [str(floor + (bound.operator == ">") - (bound.operator == "<"))] if floor is not None else []
    sizes = {max(shortest, len(demand.contained), 1), max(shortest, len(demand.contained)), 2, 3, 4}
    for size in sorted(sizes, key=lambda size: (not shortest <= size <= longest, size == 0, size)):
        items = list(made[:size] if demand.contained else made)
        for place_in in range(len(items), size):
            item = allowed[place_in % len(allowed)] if allowed else place.element(element)
            items.append(made[0] if demand.floors and made else item if item is not None else "")
        yield array_text(items[:size] if size else [])


def array_text(items: list[str]) -> str:
    """An array literal."""
    quoted = ('"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items)
    return "{" + ",".join(quoted) + "}"


def _ranges(demand: Demand, place: Place) -> Iterator[Proposal]:
    """Ranges of several lengths from where the row's begins; whole months, one for each row."""
    kind = place.column.base_type.rsplit(".", 1)[-1]
    if place.now is None or not kind.endswith("range") or "multi" in kind:
        return
    start = f"lower('{place.now}'::{kind})"
    unit = {"daterange": "1", "tsrange": "interval '1 day'", "tstzrange": "interval '1 day'"}.get(kind, "1")
    lengths = [n for word in demand.words if (n := _decimal(word)) is not None and 0 < n < 10_000]
    for length in dict.fromkeys([*(int(n) for n in lengths), *(int(n) + 1 for n in lengths), 1, 7, 30, 90, 365]):
        yield Computed(f"{kind}({start}, {start} + {unit} * {length})")
        yield Computed(
            f"{kind}({start} + {unit} * {length * place.number}, {start} + {unit} * {length * (place.number + 1)})"
        )
    if unit != "1":
        spans = [_quoted(word) for word in demand.words if re.search(r"\d", word)]
        for span in [*spans, "'1 hour'", "'8 hours'"]:
            yield Computed(f"{kind}({start}, {start} + interval {span})")
    if unit != "1" or kind == "daterange":
        month = f"date_trunc('month', {start}) + interval '1 month' * {place.number}"
        cast = "::date" if kind == "daterange" else ""
        yield Computed(f"{kind}(({month}){cast}, ({month} + interval '1 month'){cast})")


def _others(demand: Demand, place: Place) -> Iterator[Proposal]:
    """Types with a shape of their own: by length where that is asked for, else the constants."""
    shortest, longest = _sizes(demand, None)
    kind = place.column.base_type.rsplit(".", 1)[-1]
    size = max(shortest, min(longest, 4))
    if kind == "bytea":
        yield "\\x" + f"{place.number:02x}".rjust(2 * size, "0")[-2 * size :]
    if kind in ("bit", "varbit"):
        yield f"{place.number % 2**size:0{size}b}"
    for bound in demand.bounds:
        yield Computed(bound.sql)
    yield from demand.words
    yield place.make(place.column.name)
