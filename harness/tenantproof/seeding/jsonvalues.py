"""JSON values that have what is demanded of them: keys, types, sizes, contents."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import TypeAlias

from tenantproof.seeding.demands import JsonFact

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

_OF_TYPE: dict[str, Json] = {"object": {}, "array": [], "string": "text", "number": 1, "boolean": True, "null": None}
_NUMBERS = re.compile(r"(^|_)(lat|lng|lon|size|count|amount|price|version|number|quantity|width|height|x|y|age|id)$")


def json_value(facts: Sequence[JsonFact], now: str | None, number: int) -> str:
    """A json text with all of that, made from what is there now where that is an object."""
    value: Json = _parsed(now)
    if any(fact.path for fact in facts) and not isinstance(value, dict | list):
        value = {}
    for fact in sorted(facts, key=lambda fact: (len(fact.path), fact.what != "type")):
        value = _with(value, fact.path, fact, number)
    return json.dumps(value)


def json_items(facts: Sequence[JsonFact], words: Sequence[str], number: int) -> str | None:
    """An array of objects with the keys that json paths among the words name, where there are such."""
    keys = [key for word in words for key in re.findall(r"[.]\"?(\w+)\"?", word) if "@" in word]
    if not keys:
        return None
    sizes = [int(fact.value) for fact in facts if fact.what == "size" and fact.value.isdigit()]
    item: Json = {key: _named(key, number) for key in keys}
    return json.dumps([item] * max([1, *sizes]))


def _parsed(text: str | None) -> Json:
    try:
        found: Json = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found


def _with(value: Json, path: tuple[str, ...], fact: JsonFact, number: int) -> Json:
    if not path:
        return _satisfied(value, fact, number)
    step, rest = path[0], path[1:]
    if isinstance(value, list) or (value in ({}, None) and re.fullmatch(r"\d+", step)):
        items = list(value) if isinstance(value, list) else []
        items += [None] * (int(step) + 1 - len(items)) if step.isdigit() else []
        if step.isdigit():
            items[int(step)] = _with(items[int(step)], rest, fact, number)
        return items
    whole = dict(value) if isinstance(value, dict) else {}
    there = whole.get(step, {} if rest else _named(step, number))
    whole[step] = _with(there, rest, fact, number)
    return whole


def _named(key: str, number: int) -> Json:
    return number if _NUMBERS.search(key) else f"text {number}"


def _satisfied(value: Json, fact: JsonFact, number: int) -> Json:
    match fact.what:
        case "type":
            return _typed(value, fact, number)
        case "size":
            return _sized(value, fact, number)
        case "value" | "equal":
            return _compared(value, fact)
        case "contains":
            return _merged(value, _parsed(fact.value))
        case "path":
            return _merged(value, _of_path(fact.value))
        case _:
            return value


def _typed(value: Json, fact: JsonFact, number: int) -> Json:
    """A value of the type; of another one where the type is ruled out."""
    wanted = fact.value if fact.operator == "=" else "object" if fact.value != "object" else "array"
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "number": int | float}
    if isinstance(value, kinds.get(wanted, ())) and not (wanted == "number" and isinstance(value, bool)):
        return value
    return f"text {number}" if wanted == "string" else _OF_TYPE.get(wanted)


def _sized(value: Json, fact: JsonFact, number: int) -> Json:
    size = int(fact.value) if fact.value.isdigit() else 1
    target = {"=": size, ">=": size, ">": size + 1, "<=": min(size, 1), "<": min(size - 1, 1), "<>": size + 1}
    items: list[Json] = list(value) if isinstance(value, list) else []
    wanted = target.get(fact.operator, size)
    return [*items, *(f"text {number} {place}" for place in range(len(items), wanted))][:wanted]


def _compared(value: Json, fact: JsonFact) -> Json:
    if fact.operator == "=":
        return _scalar(fact.value)
    if fact.operator == "<>":
        return value if str(value) != fact.value else f"{fact.value}x"
    try:
        limit = float(fact.value)
    except ValueError:
        return fact.value
    moved = limit + {">": 1, "<": -1}.get(fact.operator, 0)
    now = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if now is not None and ((fact.operator in (">", ">=")) == (now >= moved)):
        return now
    return int(moved) if moved.is_integer() else moved


def _scalar(text: str) -> Json:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"-?\d{1,15}", text) else text


def _merged(value: Json, other: Json) -> Json:
    if isinstance(value, dict) and isinstance(other, dict):
        return {**value, **{key: _merged(value.get(key), item) for key, item in other.items()}}
    if isinstance(value, list) and isinstance(other, list):
        return [*other, *(item for item in value if item not in other)]
    return other


def _of_path(path: str) -> Json:
    """A value in which a simple jsonpath finds something: `$.items[*] ? (@.id > 0)`."""
    steps, _, condition = re.sub(r'\."(\w+)"', r".\1", path).partition("?")
    value: Json = {}
    for key, operator, raw in re.findall(r"@\.(\w+)\s*(==|>=|<=|<>|!=|>|<)\s*(\"[^\"]*\"|[\w.-]+)", condition):
        fact = JsonFact((), "value", raw.strip('"'), {"==": "=", "!=": "<>"}.get(operator, operator))
        value = _merged(value, {key: _compared(None, fact)})
    for step in reversed(re.findall(r"\.(\w+)|(\[[^\]]*\])", re.sub(r"^\s*(strict|lax)", "", steps))):
        value = {step[0]: value} if step[0] else [value]
    return value
