"""Strings that match a regular expression: enough of the language for the CHECKs that people write."""

from __future__ import annotations

import importlib
import random
import re
import string
from collections.abc import Sequence
from typing import Any, TypeAlias

# The standard library's own parser; hypothesis builds its from_regex strategy on it too, but draws are not
# reproducible outside a test and its import would cost a third of the seeding time.
_parser: Any = importlib.import_module("re._parser")

Argument: TypeAlias = Any
"""What an operation applies to: its type depends on the operation."""
Items: TypeAlias = Sequence[tuple[object, Argument]]
"""A parsed pattern: pairs of operation and argument."""

_CLASSES = {
    "CATEGORY_DIGIT": string.digits,
    "CATEGORY_WORD": string.ascii_lowercase + string.digits,
    "CATEGORY_SPACE": " ",
    "CATEGORY_NOT_DIGIT": string.ascii_lowercase,
    "CATEGORY_NOT_SPACE": string.ascii_lowercase + string.digits,
    "CATEGORY_NOT_WORD": "-",
}
_POSIX = {
    "[:alnum:]": "a-zA-Z0-9", "[:alpha:]": "a-zA-Z", "[:digit:]": "0-9", "[:lower:]": "a-z",
    "[:upper:]": "A-Z", "[:space:]": " ", "[:xdigit:]": "0-9a-f", "[:punct:]": "!.,;:",
}  # fmt: skip
_PRINTABLE = string.ascii_lowercase + string.digits + string.ascii_uppercase + "-_. @/:"
_TRIES = 20
_ROOM = 12
"""How many repetitions an open-ended quantifier gets at most: room enough for unique values."""


def matching(pattern: str, rng: random.Random) -> str | None:
    """A string that matches *pattern* (PostgreSQL's flavour), or None where it cannot be made."""
    plain = _to_python(pattern)
    try:
        tree = _parser.parse(plain)
        made = (_sequence(tree, rng, {}) for _ in range(_TRIES))
        return next((text for text in made if re.search(plain, text)), None)
    except (re.error, KeyError, IndexError, OverflowError, ValueError):
        return None


def accepts(pattern: str, text: str) -> bool:
    """Whether *text* matches *pattern*, as far as Python's expressions agree with PostgreSQL's."""
    try:
        return re.search(_to_python(pattern), text) is not None
    except re.error:
        return False


def _to_python(pattern: str) -> str:
    for posix, plain in _POSIX.items():
        pattern = pattern.replace(posix, plain)
    pattern = re.sub(r"^\(\?[a-z]+\)|^\*\*\*:", "", pattern)
    return pattern.replace(r"\m", r"\b").replace(r"\M", r"\b").replace(r"\y", r"\b")


def _sequence(items: Items, rng: random.Random, groups: dict[int, str]) -> str:
    return "".join(_node(str(op), argument, rng, groups) for op, argument in items)


def _node(op: str, argument: Argument, rng: random.Random, groups: dict[int, str]) -> str:
    match op:
        case "LITERAL":
            return chr(argument)
        case "NOT_LITERAL":
            return "a" if argument != ord("a") else "b"
        case "ANY":
            return rng.choice(string.ascii_lowercase)
        case "IN":
            return rng.choice(_members(argument))
        case "BRANCH":
            return _sequence(rng.choice(argument[1]), rng, groups)
        case "SUBPATTERN":
            groups[argument[0]] = _sequence(argument[3], rng, groups)
            return groups[argument[0]]
        case "GROUPREF":
            return groups[argument]
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return _repeat(argument, rng, groups)
        case _:
            return ""


def _repeat(argument: Argument, rng: random.Random, groups: dict[int, str]) -> str:
    low, high, inner = int(argument[0]), int(argument[1]), argument[2]
    ceiling = min(high, max(low, _ROOM))
    floor = low if high <= 1 else min(ceiling, max(low, 4))
    return "".join(_sequence(inner, rng, groups) for _ in range(rng.randint(floor, ceiling)))


def _members(items: Items) -> str:
    negated = bool(items) and str(items[0][0]) == "NEGATE"
    found = "".join(_member(str(op), argument) for op, argument in items)
    return "".join(c for c in _PRINTABLE if c not in found) if negated else found


def _member(op: str, argument: Argument) -> str:
    match op:
        case "LITERAL":
            return chr(argument)
        case "RANGE":
            return "".join(map(chr, range(argument[0], min(argument[1], argument[0] + 128) + 1)))
        case "CATEGORY":
            return _CLASSES[str(argument)]
        case _:
            return ""
