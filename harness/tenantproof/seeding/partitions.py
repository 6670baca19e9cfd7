"""Partition bounds, read back from pg_catalog's spelling, as values that a row may have in the partition key."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from tenantproof.catalog.at_once import taken_back
from tenantproof.core.catalog import Column, ConstraintKind, Relation
from tenantproof.core.model import QName
from tenantproof.seeding.checks import merge, read_checks, read_domain_checks

_RANGE = re.compile(r"FOR VALUES FROM \((.*)\) TO \((.*)\)$")
_LIST = re.compile(r"FOR VALUES IN \((.*)\)$")
_PLENTY = 1_000_000
_KEY = re.compile(r"^(RANGE|LIST|HASH) \((.*)\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One leaf partition: for each key column a lower bound (or the value itself), text as PostgreSQL prints it."""

    partition: QName
    starts: Mapping[str, str]
    temporal: frozenset[str]
    """Columns whose start is an instant or a date, to which seconds may be added."""
    rest: bool = False
    """Whether it is a default partition, or a part of one."""
    room: Mapping[str, int] = field(default_factory=dict)
    """For numbers and uuids: how many values there are from the start on."""

    def value(self, column: str, number: int) -> str:
        """The value of a row with this number; distinct numbers give distinct instants, numbers and uuids."""
        start = self.starts[column]
        if column in self.room:
            return _counted(start, number % self.room[column])
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

    A default partition comes next to the current one, with a value that is outside the bounds of all others, where
    its column has such a value.  Hash partitions give no bounds, so rows reach them by any value.
    """
    if not all(key_columns(r) for r in _parents(relation, relations)):
        return ()
    leaves = [slot for slot in _leaves(relation, relations, {}, frozenset()) if slot.starts]
    rest = [slot for slot in leaves if slot.rest]
    found = [slot for slot in leaves if not slot.rest]
    month = now.astimezone(UTC).strftime("%Y-%m-%d")
    past = [slot for slot in found if all(slot.starts[c][:10] <= month for c in slot.temporal)]
    ahead = [slot for slot in found if slot not in past]
    ordered = [*sorted(past, key=_start_of, reverse=True), *sorted(ahead, key=_start_of)]
    return (*ordered[:1], *rest, *ordered[1:])


def routing_condition(
    connection: psycopg.Connection[Any], relation: Relation, relations: Mapping[QName, Relation]
) -> str:
    """The condition that a row has a partition, as SQL over its columns; empty where any row has one."""
    leaves = list(_leaf_names(relation, relations))
    if not leaves:
        return ""
    with taken_back(connection):
        connection.execute("SELECT set_config('search_path', 'pg_catalog', true)")
        found = [
            connection.execute("SELECT pg_get_partition_constraintdef(%s::regclass)", (_quoted(name),))
            for name in leaves
        ]
    texts = [row[0] for cursor in found for row in cursor]
    return " OR ".join(f"({text})" for text in texts) if all(texts) else ""


def _quoted(name: QName) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in name)


def _leaf_names(relation: Relation, relations: Mapping[QName, Relation]) -> Iterator[QName]:
    children = sorted((r for r in relations.values() if r.parent == relation.name), key=lambda r: r.name)
    for child in children:
        if child.partition_key:
            yield from _leaf_names(child, relations)
        elif child.partition_bound:
            yield child.name


def _parents(relation: Relation, relations: Mapping[QName, Relation]) -> Iterator[Relation]:
    """A partitioned table and those of its parts that are partitioned themselves."""
    if relation.partition_key:
        yield relation
        for child in relations.values():
            if child.parent == relation.name and child.partition_bound:
                yield from _parents(child, relations)


def _counted(start: str, steps: int) -> str:
    """A number or uuid so many steps later."""
    if re.fullmatch(r"-?\d+", start):
        return str(int(start) + steps)
    return str(uuid.UUID(int=uuid.UUID(start).int + steps))


def _start_of(slot: Slot) -> tuple[str, ...]:
    return tuple(slot.starts[column] for column in sorted(slot.temporal))


def _leaves(
    relation: Relation,
    relations: Mapping[QName, Relation],
    starts: Mapping[str, str],
    temporal: frozenset[str],
    rest: bool = False,
    room: Mapping[str, int] | None = None,
) -> Iterator[Slot]:
    columns = key_columns(relation)
    children = sorted((r for r in relations.values() if r.parent == relation.name), key=lambda r: r.name)
    for child in children:
        default = child.partition_bound == "DEFAULT"
        start = _outside(relation, columns, children) if default else _start(child.partition_bound, columns)
        bound = dict(starts) | start
        spare = dict(room or {}) | _room(relation, child, columns, start)
        timed = temporal | {c for c in columns if c in bound and _is_temporal(relation, c)}
        if child.partition_key:
            yield from _leaves(child, relations, bound, timed, rest or default, spare)
        else:
            yield Slot(partition=child.name, starts=bound, temporal=timed, rest=rest or default, room=spare)


def key_columns(relation: Relation) -> list[str]:
    """The columns of a partition key; none where it has an expression, of which bounds say nothing simple."""
    key = _KEY.match(relation.partition_key)
    parts = [part.strip() for part in key.group(2).split(",")] if key else []
    columns = [part if part.startswith('"') else part.split(" ")[0] for part in parts]
    names = [re.sub(r'^"([^"]*)".*$', r"\1", column) for column in columns]
    return names if all(name in relation.column_names for name in names) else []


def _room(relation: Relation, child: Relation, columns: Sequence[str], start: Mapping[str, str]) -> dict[str, int]:
    """How far the values of counted columns may go from their start without leaving the partition."""
    match = _RANGE.match(child.partition_bound)
    default = child.partition_bound == "DEFAULT"
    found: dict[str, int] = {}
    lows, highs = (_items(group) for group in match.groups()) if match else ([], [])
    apart = False
    for place, column in enumerate(columns):
        if column not in start or not _is_counted(relation, column):
            continue
        low, high = (lows[place], highs[place]) if place < len(lows) else (None, None)
        last = place == len(columns) - 1
        if default or apart or (low is not None and high is None):
            found[column] = _PLENTY
        elif last and low is not None and high is not None:
            found[column] = max(1, _distance(low, high))
        apart = apart or low != high
    return found


def _is_counted(relation: Relation, name: str) -> bool:
    column = next(c for c in relation.columns if c.name == name)
    return column.base_type.endswith((".int2", ".int4", ".int8", ".uuid"))


def _distance(low: str, high: str) -> int:
    if re.fullmatch(r"-?\d+", low) and re.fullmatch(r"-?\d+", high):
        return int(high) - int(low)
    try:
        return min(_PLENTY, uuid.UUID(high).int - uuid.UUID(low).int)
    except ValueError:
        return 1


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


def _outside(relation: Relation, columns: Sequence[str], children: Sequence[Relation]) -> dict[str, str]:
    """A value of the first key column that no partition with bounds takes, or nothing."""
    column = next((c for c in relation.columns if columns and c.name == columns[0]), None)
    if column is None:
        return {}
    taken: set[str] = set()
    if all(child.partition_bound == "DEFAULT" for child in children):
        return {}
    for child in children:
        if match := _LIST.match(child.partition_bound):
            taken |= {value for value in _items(match.group(1)) if value is not None}
        elif match := _RANGE.match(child.partition_bound):
            ends = [_items(group)[0] for group in match.groups()]
            if ends[1] is None:
                return {}
            taken |= {end for end in ends if end is not None}
    found = next((value for value in _candidates(relation, column, taken) if value not in taken), None)
    return {} if found is None else {column.name: found}


def _candidates(relation: Relation, column: Column, taken: set[str]) -> Iterator[str]:
    """Values that could lie outside: one of the few that the column has, else one after all the bounds."""
    few = column.enum_values or _choices(relation, column)
    if few:
        yield from few
    elif column.category == "B":
        yield from ("true", "false")
    elif column.category == "N":
        yield str(max((int(float(value)) for value in taken), default=0) + 1)
    elif column.category == "D":
        yield from (_after(max(taken)),) if taken else ()
    elif column.base_type.endswith(".uuid"):
        yield str(uuid.uuid5(uuid.NAMESPACE_OID, f"{relation.name}/{column.name}"))
    elif column.category == "S":
        # Above every bound of a RANGE too, and as long as the column allows.
        highest = max((*taken, "other"))
        yield ("z" + highest)[: column.length] if highest in taken else highest[: column.length]


def _choices(relation: Relation, column: Column) -> tuple[str, ...]:
    checks = read_checks(c.definition for c in relation.constraints if c.kind is ConstraintKind.CHECK)
    return merge(checks.of(column.name), read_domain_checks(column.domain_checks)).choices


def _after(bound: str) -> str:
    """An instant well after an upper bound, so that later partitions have room."""
    try:
        later = datetime.fromisoformat(bound) + timedelta(days=1)
    except ValueError:
        return bound
    return later.date().isoformat() if len(bound) == 10 else later.isoformat(sep=" ")


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
