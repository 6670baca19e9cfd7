"""Partition bounds, read back from pg_catalog's spelling, as values that a row may have in the partition key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tenantproof.core.catalog import Column, Relation
from tenantproof.core.model import QName

_RANGE = re.compile(r"FOR VALUES FROM \((.*)\) TO \((.*)\)$")
_LIST = re.compile(r"FOR VALUES IN \((.*)\)$")
_KEY = re.compile(r"^(RANGE|LIST|HASH) \((.*)\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One leaf partition: for each key column a lower bound (or the value itself), text as PostgreSQL prints it."""

    partition: QName
    starts: Mapping[str, str]
    temporal: frozenset[str]
    """Columns whose start is an instant or a date, to which seconds may be added."""

    def value(self, column: str, number: int) -> str:
        """The value of a row with this number; distinct numbers give distinct instants."""
        start = self.starts[column]
        if column not in self.temporal:
            return start
        try:
            instant = datetime.fromisoformat(start)
        except ValueError:
            return start
        if len(start) == 10:
            return start
        return (instant + timedelta(seconds=number)).isoformat(sep=" ")


def slots(relation: Relation, relations: Mapping[QName, Relation], now: datetime) -> tuple[Slot, ...]:
    """
    The leaf partitions of a partitioned table that rows can be routed to: the current one, then back, then ahead.

    Hash and default partitions give no bounds, so rows reach them by any value, or not at all.
    """
    found = [slot for slot in _leaves(relation, relations, {}, frozenset()) if slot.starts]
    month = now.astimezone(UTC).strftime("%Y-%m-%d")
    past = [slot for slot in found if all(slot.starts[c][:10] <= month for c in slot.temporal)]
    ahead = [slot for slot in found if slot not in past]
    return (*sorted(past, key=_start_of, reverse=True), *sorted(ahead, key=_start_of))


def _start_of(slot: Slot) -> tuple[str, ...]:
    return tuple(slot.starts[column] for column in sorted(slot.temporal))


def _leaves(
    relation: Relation, relations: Mapping[QName, Relation], starts: Mapping[str, str], temporal: frozenset[str]
) -> Iterator[Slot]:
    key = _KEY.match(relation.partition_key)
    columns = [part.strip().split(" ")[0].strip('"') for part in key.group(2).split(",")] if key else []
    children = sorted((r for r in relations.values() if r.parent == relation.name), key=lambda r: r.name)
    for child in children:
        bound = dict(starts) | _start(child.partition_bound, columns)
        timed = temporal | {c for c in columns if c in bound and _is_temporal(relation, c)}
        if child.partition_key:
            yield from _leaves(child, relations, bound, timed)
        else:
            yield Slot(partition=child.name, starts=bound, temporal=timed)


def _is_temporal(relation: Relation, column: str) -> bool:
    return any(c.name == column and c.category == "D" for c in relation.columns)


def _start(bound: str, columns: Sequence[str]) -> dict[str, str]:
    if match := _LIST.match(bound):
        values = _items(match.group(1))
        return {columns[0]: values[0]} if values and values[0] is not None else {}
    if not (match := _RANGE.match(bound)):
        return {}
    lows, highs = _items(match.group(1)), _items(match.group(2))
    picked: dict[str, str] = {}
    for column, low, high in zip(columns, lows, highs, strict=False):
        if low is None and high is None:
            continue
        picked[column] = low if low is not None else _before(high or "")
    return picked


def _before(bound: str) -> str:
    """A value just below an upper bound, for a partition that has no lower one."""
    if re.fullmatch(r"-?\d+", bound):
        return str(int(bound) - 1)
    try:
        earlier = datetime.fromisoformat(bound) - timedelta(days=1)
    except ValueError:
        return ""
    return earlier.date().isoformat() if len(bound) == 10 else earlier.isoformat(sep=" ")


def _items(text: str) -> list[str | None]:
    found = re.findall(r"'((?:[^']|'')*)'|(MINVALUE|MAXVALUE|NULL)|([^,\s]+)", text)
    return [None if word else quoted.replace("''", "'") or bare for quoted, word, bare in found]


def routed(column: Column, slot: Slot | None) -> bool:
    """Whether the partition decides the value of a column."""
    return slot is not None and column.name in slot.starts
