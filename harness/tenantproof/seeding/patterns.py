"""Strings that match a regular expression: enough of the language for the CHECKs that people write."""

from __future__ import annotations

import importlib
import random
import re
import string
from typing import Any

# The standard library's own parser; hypothesis builds its from_regex strategy on it too, but draws are not
# reproducible outside a test and its import would cost a third of the seeding time.
_parser: Any = importlib.import_module("re._parser")

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
_ROOM = 12
"""How many repetitions an open-ended quantifier gets at most: room enough for unique values."""


def matching(pattern: str, rng: random.Random) -> str | None:
    """A string that matches *pattern* (PostgreSQL's flavour), or None where it cannot be made."""
    for posix, plain in _POSIX.items():
        pattern = pattern.replace(posix, plain)
    pattern = re.sub(r"^\(\?[a-z]+\)", "", pattern)
    pattern = pattern.replace(r"\m", "").replace(r"\M", "").replace(r"\y", "")
    try:
        tree = _parser.parse(pattern)
        for _ in range(20):
            text = _sequence(tree, rng, {})
            if re.search(pattern, text):
                return text
    except (re.error, KeyError, IndexError, OverflowError, ValueError):
        return None
    return None


def _sequence(items: Any, rng: random.Random, groups: dict[int, str]) -> str:
    return "".join(_node(str(op), argument, rng, groups) for op, argument in items)


def _node(op: str, argument: Any, rng: random.Random, groups: dict[int, str]) -> str:
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


def _repeat(argument: Any, rng: random.Random, groups: dict[int, str]) -> str:
    low, high, inner = int(argument[0]), int(argument[1]), argument[2]
    ceiling = min(high, max(low, _ROOM))
    floor = low if high <= 1 else min(ceiling, max(low, 4))
    return "".join(_sequence(inner, rng, groups) for _ in range(rng.randint(floor, ceiling)))


def _members(items: Any) -> str:
    negated = bool(items) and str(items[0][0]) == "NEGATE"
    found = "".join(_member(str(op), argument) for op, argument in items)
    return "".join(c for c in _PRINTABLE if c not in found) if negated else found


def _member(op: str, argument: Any) -> str:
    match op:
        case "LITERAL":
            return chr(argument)
        case "RANGE":
            return "".join(map(chr, range(argument[0], min(argument[1], argument[0] + 128) + 1)))
        case "CATEGORY":
            return _CLASSES[str(argument)]
        case _:
            return ""
