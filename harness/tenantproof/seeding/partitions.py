"""Partition bounds, read back from pg_catalog's spelling, as values that a row may have in the partition key."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tenantproof.core.catalog import Column, ConstraintKind, Relation
from tenantproof.core.model import QName
from tenantproof.seeding.checks import merge, read_checks, read_domain_checks

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
    rest: bool = False
    """Whether it is a default partition, or a part of one."""

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

    A default partition comes next to the current one, with a value that is outside the bounds of all others, where
    its column has such a value.  Hash partitions give no bounds, so rows reach them by any value.
    """
    leaves = [slot for slot in _leaves(relation, relations, {}, frozenset()) if slot.starts]
    rest = [slot for slot in leaves if slot.rest]
    found = [slot for slot in leaves if not slot.rest]
    month = now.astimezone(UTC).strftime("%Y-%m-%d")
    past = [slot for slot in found if all(slot.starts[c][:10] <= month for c in slot.temporal)]
    ahead = [slot for slot in found if slot not in past]
    ordered = [*sorted(past, key=_start_of, reverse=True), *sorted(ahead, key=_start_of)]
    return (*ordered[:1], *rest, *ordered[1:])


def _start_of(slot: Slot) -> tuple[str, ...]:
    return tuple(slot.starts[column] for column in sorted(slot.temporal))


def _leaves(
    relation: Relation,
    relations: Mapping[QName, Relation],
    starts: Mapping[str, str],
    temporal: frozenset[str],
    rest: bool = False,
) -> Iterator[Slot]:
    key = _KEY.match(relation.partition_key)
    columns = [part.strip().split(" ")[0].strip('"') for part in key.group(2).split(",")] if key else []
    children = sorted((r for r in relations.values() if r.parent == relation.name), key=lambda r: r.name)
    for child in children:
        default = child.partition_bound == "DEFAULT"
        start = _outside(relation, columns, children) if default else _start(child.partition_bound, columns)
        bound = dict(starts) | start
        timed = temporal | {c for c in columns if c in bound and _is_temporal(relation, c)}
        if child.partition_key:
            yield from _leaves(child, relations, bound, timed, rest or default)
        else:
            yield Slot(partition=child.name, starts=bound, temporal=timed, rest=rest or default)


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
