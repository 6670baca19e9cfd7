"""
A YAML file as a tree in which everything knows its place.

A path is a tuple of mapping keys and list indexes, such as `("tables", "workflows", "tenant")`.  Lines and
columns count from 1.  Keys are always the text that stands in the file, so `1:` and `on:` are names too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tenantproof.core.errors import Problem
from tenantproof.core.model import Place
from tenantproof.scenario.scalars import Value

Path = tuple[str | int, ...]

BREAKS = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""Where libyaml counts a new line."""

LONGEST_EXCERPT = 200
"""A longer source line is not printed: the caret could not be found under it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A place inside the file; `span` is how many characters the thing takes on its first line."""

    line: int
    column: int
    span: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A single value; `text` as written (without quotes), `value` as the core schema reads it."""

    spot: Spot
    text: str
    value: Value
    size: int = 1

    def plain(self) -> object:
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """A list."""

    spot: Spot
    items: tuple[Node, ...]
    size: int

    def plain(self) -> object:
        return [item.plain() for item in self.items]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dictionary:
    """A mapping; of duplicate keys the first one counts."""

    spot: Spot
    keys: Mapping[str, Spot]
    values: Mapping[str, Node]
    size: int

    def plain(self) -> object:
        return {key: node.plain() for key, node in self.values.items()}


Node = Scalar | Sequence | Dictionary


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The text of a file, for excerpts."""

    path: str
    lines: tuple[str, ...]

    @classmethod
    def of(cls, path: str, text: str) -> Source:
        return cls(path=path, lines=tuple(BREAKS.split(text)))

    def excerpt(self, line: int) -> str:
        """The line as it can be printed above a caret: one column a character, nothing that moves a terminal."""
        text = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        return "" if len(text) > LONGEST_EXCERPT else printable(text)

    def problem(self, spot: Spot, code: str, message: str, hint: str = "") -> Problem:
        """The problem at a spot, with the source line and a caret that stays on it."""
        text = self.excerpt(spot.line)
        return Problem(
            path=self.path,
            line=spot.line,
            column=spot.column,
            code=code,
            # Names out of the file or the catalog stand in both.
            message=printable(message),
            hint=printable(hint),
            source_line=text,
            span=max(1, min(spot.span, len(text) - spot.column + 1)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parsed file; `problems` are those that the tree survived (duplicate keys and the like)."""

    source: Source
    root: Dictionary
    problems: tuple[Problem, ...] = field(default=())

    def node(self, path: Path) -> Node | None:
        """What stands at a path, or None."""
        node: Node | None = self.root
        for step in path:
            node = _child(node, step)
        return node

    def value_spot(self, path: Path) -> Spot:
        """Where the value at a path stands, or the nearest thing above it that exists."""
        node = self.node(path)
        return node.spot if node else self.key_spot(path[:-1]) if path else self.root.spot

    def key_spot(self, path: Path) -> Spot:
        """Where the key (or the list item) at a path stands, or the nearest thing above it that exists."""
        if not path:
            return self.root.spot
        parent, step = self.node(path[:-1]), path[-1]
        if isinstance(parent, Dictionary) and step in parent.keys:
            return parent.keys[str(step)]
        node = _child(parent, step)
        return node.spot if node else self.key_spot(path[:-1])

    def text(self, path: Path) -> str:
        """A scalar exactly as written: `0010` and `1.10` keep their zeros."""
        node = self.node(path)
        return node.text if isinstance(node, Scalar) else ""

    def place(self, path: Path) -> Place:
        """The place of the value of a scalar, of the key of anything larger."""
        at_value = isinstance(self.node(path), Scalar)
        return self._place(self.value_spot(path) if at_value else self.key_spot(path))

    def key_place(self, path: Path) -> Place:
        """The place of a key or list item."""
        return self._place(self.key_spot(path))

    def _place(self, spot: Spot) -> Place:
        return Place(self.source.path, spot.line, spot.column)

    def walk(self) -> Iterator[Path]:
        """Every path of the file, in order."""
        yield from _paths(self.root, ())


def _child(node: Node | None, step: str | int) -> Node | None:
    if isinstance(node, Dictionary):
        return node.values.get(str(step))
    if isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
        return node.items[step]
    return None


def _paths(node: Node, path: Path) -> Iterator[Path]:
    if path:
        yield path
    if isinstance(node, Dictionary):
        for key, child in node.values.items():
            yield from _paths(child, (*path, key))
    elif isinstance(node, Sequence):
        for index, child in enumerate(node.items):
            yield from _paths(child, (*path, index))


def printable(text: str) -> str:
    """The text without characters that a terminal would obey; tabs become one space, so that columns hold."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def shown(name: object) -> str:
    """A name from the file as it goes into a message: printable, quoted, at most 60 characters."""
    text = printable(str(name))
    return f"'{text if len(text) <= 60 else text[:57] + '...'}'"


def dotted(path: Path) -> str:
    """A path as people read it: `tables.workflows.tenant`."""
    return printable(".".join(map(str, path)))
