"""Attributes of fields and blocks: `@map("name")`, `@relation(fields: [a], references: [b])`, `@db.VarChar(20)`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tenantproof.drift.prisma.tokens import Token


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One argument: its name, empty where it has none, and the tokens of its value."""

    name: str
    value: tuple[Token, ...]

    @property
    def string(self) -> str:
        """The value where it is one string literal, else empty."""
        return self.value[0].string if len(self.value) == 1 and self.value[0].kind == "string" else ""

    @property
    def names(self) -> tuple[str, ...]:
        """The names in a list."""
        return tuple(token.text for token in self.value if token.kind == "word")

    @property
    def text(self) -> str:
        return "".join(token.text for token in self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute; `name` without the at signs, dots included."""

    name: str
    line: int
    arguments: tuple[Argument, ...] = ()

    def argument(self, name: str) -> Argument | None:
        return next((argument for argument in self.arguments if argument.name == name), None)

    @property
    def first(self) -> Argument | None:
        """The argument without a name, or the one called `name`."""
        return self.argument("") or self.argument("name")


def arguments(inside: Sequence[Token]) -> tuple[Argument, ...]:
    """The arguments between an attribute's parentheses."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in inside:
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.text, 0) if token.kind == "mark" else 0
        if token.text == "," and token.kind == "mark" and depth == 0:
            parts.append([])
        elif token.kind != "newline":
            parts[-1].append(token)
    return tuple(_argument(part) for part in parts if part)


def _argument(part: Sequence[Token]) -> Argument:
    if len(part) > 2 and part[0].kind == "word" and part[1].text == ":":
        return Argument(name=part[0].text, value=tuple(part[2:]))
    return Argument(name="", value=tuple(part))
