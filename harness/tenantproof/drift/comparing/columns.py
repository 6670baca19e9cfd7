"""Columns of tables: which there are, their types, whether they may be NULL, what they are by default."""

from __future__ import annotations

from collections.abc import Iterator

from tenantproof.core.catalog import Column
from tenantproof.core.drift import Difference, Direction
from tenantproof.core.finding import Severity
from tenantproof.drift.making import difference
from tenantproof.drift.scope import Both, Pair
from tenantproof.drift.wording import ABSENT, bare, column_words


def columns(pair: Pair) -> Iterator[Difference]:
    """Differences in columns of tables that both sides have; a partition's are its parent's."""
    enums: set[str] = set()
    for both in pair.own_relations:
        if not (both.ours.is_table and both.live.is_table) or both.live.partition_bound:
            continue
        ours = {column.name: column for column in both.ours.columns}
        live = {column.name: column for column in both.live.columns}
        for name in dict.fromkeys((*ours, *live)):
            if name not in live:
                yield _missing(both, ours[name])
            elif name not in ours:
                yield _extra(both, live[name])
            else:
                yield from _changed(both, ours[name], live[name])
                yield from _labels(ours[name], live[name], enums)


def _missing(both: Both, column: Column) -> Difference:
    return Difference(
        kind="column-missing",
        severity=Severity.MEDIUM,
        direction=Direction.DIFFERENT,
        object=str(both.name),
        part=f"column {column.name}",
        migrations=column_words(column),
        live=ABSENT,
    )


def _extra(both: Both, column: Column) -> Difference:
    return Difference(
        kind="column-extra",
        severity=Severity.MEDIUM,
        direction=Direction.MORE_OPEN,
        object=str(both.name),
        part=f"column {column.name}",
        migrations=ABSENT,
        live=column_words(column),
        why="Whoever may read the table reads it as well, and no migration knows of it.",
    )


def _changed(both: Both, ours: Column, live: Column) -> Iterator[Difference]:
    if ours.type != live.type or ours.domain_checks != live.domain_checks:
        here, there = _typed(ours), _typed(live)
        yield difference(
            both.name, f"column {ours.name}", "column-type", Severity.MEDIUM, Direction.DIFFERENT, here, there
        )
    if ours.not_null != live.not_null:
        loose = ours.not_null
        yield difference(
            both.name,
            f"column {ours.name}",
            "column-nullable" if loose else "column-not-null",
            Severity.MEDIUM if loose else Severity.LOW,
            Direction.MORE_OPEN if loose else Direction.LESS_OPEN,
            _nullability(ours),
            _nullability(live),
            "A row may lack the value: if it says whose the row is, the row is nobody's." if loose else "",
        )
    if (ours.identity, ours.generated) != (live.identity, live.generated) or ours.default != live.default:
        here, there = _filled(ours), _filled(live)
        yield difference(
            both.name, f"column {ours.name}", "column-default", Severity.MEDIUM, Direction.DIFFERENT, here, there
        )


def _typed(column: Column) -> str:
    return " ".join((column.type, *column.domain_checks))


def _nullability(column: Column) -> str:
    return "not null" if column.not_null else "nullable"


def _filled(column: Column) -> str:
    if column.generated:
        return f"generated always as ({bare(column.default)})"
    if column.identity:
        return f"generated {'always' if column.identity == 'a' else 'by default'} as identity"
    return f"default {bare(column.default)}" if column.default is not None else "no default"


def _labels(ours: Column, live: Column, told: set[str]) -> Iterator[Difference]:
    """Values of an enum, told once however many columns are of that type."""
    if ours.enum_values == live.enum_values or ours.base_type != live.base_type or ours.base_type in told:
        return
    told.add(ours.base_type)
    yield Difference(
        kind="enum-values",
        severity=Severity.MEDIUM,
        direction=Direction.DIFFERENT,
        object=ours.base_type,
        part="enum",
        migrations=", ".join(ours.enum_values),
        live=", ".join(live.enum_values),
    )
