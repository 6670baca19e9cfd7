"""Calls of functions, with arguments that are real ids of one's own tenant and of others."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hypothesis import strategies as st
from psycopg import sql

from tenantproof.core.finding import Reach
from tenantproof.core.program import Line
from tenantproof.generation.phrases import BOUNDARIES, Draw, chance, literal, pick, table
from tenantproof.generation.vocabulary import Slot, Values, Verb, Vocabulary

_OWN, _OTHERS, _MIXED = range(3)


def call(draw: Draw, vocabulary: Vocabulary, verb: Verb) -> Line:
    """SELECT the function with arguments of one's own, of somebody else's, or mixed."""
    rows = [slot for slot in verb.slots if slot.row_of is not None and vocabulary.noun(slot.row_of)]
    if rows and len(verb.slots) == 1 and not chance(draw, 3):
        return _over_rows(verb, rows[0])
    whose = pick(draw, (_OWN, _OTHERS, _MIXED, _MIXED))
    given = [slot for slot in verb.slots if slot.variadic or not (slot.has_default and chance(draw, 3))]
    given = _without_holes(verb, given)
    arguments = sql.SQL(", ").join(
        _named(verb, slot, _argument(draw, verb, slot, _side(draw, whose))) for slot in given
    )
    function = sql.SQL("{}({})").format(table(verb.name), arguments)
    body = sql.SQL("SELECT * FROM {}" if verb.many else "SELECT {}").format(function)
    fabricated = any(slot.row_of is not None for slot in given)
    return Line(
        sql=body.as_string(None),
        shape="call",
        subject=verb.name,
        calls=True,
        reach=Reach.SQL if fabricated else Reach.API,
    )


def _over_rows(verb: Verb, slot: Slot) -> Line:
    """A computed column: PostgREST offers it as one of the relation's (docs: "Computed Fields")."""
    assert slot.row_of is not None
    body = sql.SQL("SELECT {}(a) FROM {} AS a").format(table(verb.name), table(slot.row_of))
    return Line(
        sql=body.as_string(None), shape="call", subject=verb.name, relations=(slot.row_of,), calls=True, reach=Reach.API
    )


def _without_holes(verb: Verb, given: Sequence[Slot]) -> list[Slot]:
    """Arguments without a name can only be left out at the end."""
    if all(slot.name for slot in verb.slots):
        return list(given)
    return list(verb.slots)


def _named(verb: Verb, slot: Slot, argument: sql.Composable) -> sql.Composable:
    """By name where all have one: a positional argument cannot follow a named one."""
    lead = sql.SQL("VARIADIC ") if slot.variadic else sql.SQL("")
    if not all(other.name for other in verb.slots):
        return lead + argument
    return lead + sql.SQL("{} => {}").format(sql.Identifier(slot.name), argument)


def _side(draw: Draw, whose: int) -> int:
    return draw(st.integers(_OWN, _OTHERS)) if whose == _MIXED else whose


def _argument(draw: Draw, verb: Verb, slot: Slot, whose: int) -> sql.Composable:
    if slot.row_of is not None:
        return _made_up_row(draw, slot, whose)
    if slot.type in ("json", "jsonb"):
        return literal(_document(draw, verb, slot, whose), slot.type)
    if slot.element is not None:
        items = [_value(draw, slot, whose) for _ in range(draw(st.integers(1, 2)))]
        listed = sql.SQL(", ").join(literal(item, slot.element) for item in items)
        return sql.SQL("ARRAY[{}]::{}").format(listed, sql.SQL(slot.type))
    return literal(_value(draw, slot, whose), slot.type)


def _value(draw: Draw, slot: Slot, whose: int) -> str | None:
    """By the meaning of the argument's name, else by its type, else a boundary or NULL."""
    form = draw(st.integers(0, 9))
    named, loose = (_of(values, whose) for values in (slot.values, slot.loose))
    if form <= 6 and named:
        return pick(draw, named)
    if form <= 8 and loose:
        return pick(draw, loose)
    few: tuple[str | None, ...] = (*slot.labels, *BOUNDARIES.get(slot.category or _category(slot.type), ()), None)
    return pick(draw, few)


def _of(values: Values, whose: int) -> tuple[str, ...]:
    return values.own if whose == _OWN else values.others


def _category(spelled: str) -> str:
    if spelled in ("text", "character varying", "character", "citext", "name"):
        return "S"
    if spelled in ("integer", "bigint", "smallint", "numeric", "double precision", "real"):
        return "N"
    if spelled == "boolean":
        return "B"
    if spelled.startswith(("timestamp", "date")):
        return "D"
    return {"interval": "T", "uuid": "U", "json": "J", "jsonb": "J"}.get(spelled, "")


def _document(draw: Draw, verb: Verb, slot: Slot, whose: int) -> str:
    """An object with the keys that the function's text reads."""
    found: dict[str, str] = {}
    for key in slot.keys:
        values = _of(verb.fields.get(key, Values()), whose)
        if values:
            found[key] = pick(draw, values)
    return json.dumps(found)


def _made_up_row(draw: Draw, slot: Slot, whose: int) -> sql.Composable:
    """A row that no table holds, with keys of somebody."""
    found = {name: pick(draw, listed) for name, values in slot.columns.items() if (listed := _of(values, whose))}
    assert slot.row_of is not None
    return sql.SQL("jsonb_populate_record(NULL::{}, {})").format(table(slot.row_of), sql.Literal(json.dumps(found)))
