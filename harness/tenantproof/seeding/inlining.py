"""Functions of the user's inside conditions, written out, so that what they ask for can be read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tenantproof.core.catalog import Catalog, Function
from tenantproof.seeding.expressions import Kind, Node, parse

_DEPTH = 3
_TOKENS = re.compile(r"('(?:[^']|'')*'|\"(?:[^\"]|\"\")+\"|\$\d+|[^\W\d][\w$]*)")
_SELECT = re.compile(r"^\s*(?:select|return)\s+(.*?);?\s*$", re.IGNORECASE | re.DOTALL)
_BLOCK = re.compile(r"^\s*begin\s+return\s+(.*?);\s*end\s*;?\s*$", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Body:
    """A function: its source, and where it is one expression, that and the names of its arguments."""

    source: str
    expression: str = ""
    arguments: tuple[str, ...] = ()


def bodies_of(catalog: Catalog) -> dict[str, Body]:
    """The functions of the database by name."""
    return {function.name.name: _body(function) for function in catalog.functions if function.source}


def _body(function: Function) -> Body:
    text = ""
    if function.language == "sql":
        text = _matched(_SELECT, function.source)
    elif function.language == "plpgsql":
        text = _matched(_BLOCK, function.source)
    names = tuple(argument.name for argument in function.arguments if argument.mode in "ib")
    return Body(source=function.source, expression=text if parse(text) is not None else "", arguments=names)


def _matched(shape: re.Pattern[str], source: str) -> str:
    match = shape.match(source)
    return match.group(1) if match else ""


def written_out(text: str, bodies: Mapping[str, Body]) -> str:
    """The condition with calls of such functions replaced by what they return."""
    for _ in range(_DEPTH):
        tree = parse(text)
        call = next(_inlinable(tree, bodies), None) if tree is not None else None
        if call is None:
            break
        text = text.replace(call.text, f"({_applied(call, bodies[call.value])})", 1)
    return text


def _inlinable(tree: Node, bodies: Mapping[str, Body]) -> Iterator[Node]:
    return (
        node
        for node in tree.walk()
        if node.kind is Kind.CALL and node.value in bodies and bodies[node.value].expression
        and len(node.parts) == len(bodies[node.value].arguments)
    )  # fmt: skip


def _applied(call: Node, body: Body) -> str:
    """The function's expression with the call's arguments in the places of its own."""
    given: dict[str, str] = {}
    for number, (name, part) in enumerate(zip(body.arguments, call.parts, strict=True), 1):
        given[f"${number}"] = given[name.lower()] = f"({part.text})"
    pieces = _TOKENS.split(body.expression)
    return "".join(given.get(piece.lower(), piece) if n % 2 else piece for n, piece in enumerate(pieces))
