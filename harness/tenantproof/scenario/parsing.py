"""
Bytes of a scenario file to a `Document`.

The tree is built from libyaml's events and not by `yaml.compose`, so that nesting and aliases have a limit, keys
stay text, duplicates are seen and every node keeps its mark.  What the tree cannot survive raises ScenarioError
with one problem; the rest is collected in `Document.problems`.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

import yaml
from yaml.events import CollectionStartEvent, Event, NodeEvent, SequenceStartEvent

from tenantproof.core.errors import Problem, ScenarioError
from tenantproof.scenario.positions import Dictionary, Document, Node, Scalar, Sequence, Source, Spot, shown
from tenantproof.scenario.scalars import describe, resolve

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DEEPEST = 40
LARGEST_FILE = 5_000_000
LARGEST_TREE = 250_000
"""Nodes after aliases are followed: a "billion laughs" file stops here."""

_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_TEXT_TAGS = (None, "!", "tag:yaml.org,2002:str")


def parse(path: str, data: bytes) -> Document:
    """The document in *data*; *path* is for messages.  Raises ScenarioError where there is none."""
    source = Source.of(path, _decode(path, data))
    composer = _Composer(source)
    try:
        root = composer.document(yaml.parse(_whole(source), Loader=LOADER))
    except yaml.YAMLError as error:
        raise ScenarioError([_syntax_problem(source, error)]) from None
    if not isinstance(root, Dictionary):
        raise ScenarioError([_no_mapping(source, root)])
    return Document(source=source, root=root, problems=tuple(composer.problems))


def _whole(source: Source) -> str:
    return "\n".join(source.lines)


def _decode(path: str, data: bytes) -> str:
    if len(data) > LARGEST_FILE:
        raise ScenarioError([Problem(path, 1, 1, "too-large", f"larger than {LARGEST_FILE} bytes: not a scenario")])
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ScenarioError([Problem(path, 1, 1, "encoding", "encoded as UTF-16", "save the file as UTF-8")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ScenarioError([_undecodable(path, data, error)]) from None
    if bad := _NOT_TEXT.search(text):
        raise ScenarioError([_control_character(path, text, bad.start())])
    return text


def _undecodable(path: str, data: bytes, error: UnicodeDecodeError) -> Problem:
    # error.start counts from after a byte order mark that utf-8-sig has taken off.
    before = data.removeprefix(codecs.BOM_UTF8)[: error.start].decode("utf-8", "replace")
    line, column = _position(before, len(before))
    byte = error.object[error.start]
    return Problem(path, line, column, "encoding", f"byte 0x{byte:02x} is not UTF-8", "save the file as UTF-8")


def _control_character(path: str, text: str, offset: int) -> Problem:
    line, column = _position(text, offset)
    message = f"character U+{ord(text[offset]):04X} does not belong in a text file"
    return Problem(path, line, column, "not-text", message, "is this a YAML file?")


def _position(text: str, offset: int) -> tuple[int, int]:
    rows = Source.of("", text[:offset]).lines
    return len(rows), len(rows[-1]) + 1


def _no_mapping(source: Source, root: Node | None) -> Problem:
    spot = root.spot if root else Spot(line=1, column=1)
    if root is None or (isinstance(root, Scalar) and root.value is None):
        return source.problem(spot, "empty-file", "the file is empty", "a scenario starts with: version: 1")
    message = f"a scenario is a mapping, and this file holds {describe(root.plain())}"
    return source.problem(spot, "not-a-mapping", message, "a scenario starts with: version: 1")


_HINTS = (
    ("scanning an alias", "'*' starts an alias in YAML: put it in quotes"),
    ("mapping values are not allowed", "a value that holds ': ' needs quotes"),
    ("block collection", "the lines of one block must be indented alike"),
    ("block mapping", "the lines of one block must be indented alike, and quotes must close"),
    ("flow mapping", "a '{' needs its '}', and a comma between its entries"),
    ("flow sequence", "a '[' needs its ']', and a comma between its entries"),
    ("quoted scalar", "a quote was opened and never closed"),
)


_TOO_DEEP = "maximum nesting depth"
"""Newer libyaml looks ahead so far that it meets a limit of its own before an event of ours comes."""


def too_deep() -> str:
    """What is said of a file that is nested without end."""
    return f"nested more than {DEEPEST} levels deep"


def _syntax_problem(source: Source, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    if mark and not "".join(source.lines[mark.line :]).strip():
        # At the end of the file nothing can be seen: show what was opened and never closed.
        mark = getattr(error, "context_mark", None) or mark
    line = min(mark.line + 1 if mark else 1, len(source.lines))
    column = min(mark.column if mark else 0, len(source.lines[line - 1])) + 1
    problem, context = getattr(error, "problem", None) or "not YAML", getattr(error, "context", None) or ""
    if _TOO_DEEP in problem:
        return source.problem(Spot(line=line, column=column), "too-deep", too_deep())
    message = f"{problem} ({context})" if context else str(problem)
    return source.problem(Spot(line=line, column=column), "yaml-syntax", message, _hint(source, message, line, column))


def _hint(source: Source, message: str, line: int, column: int) -> str:
    at = source.lines[line - 1][column - 1 : column]
    if at == "\t":
        return "YAML is indented with spaces, never with tabs"
    if at and at in "@`%":
        return f"a value that starts with '{at}' needs quotes"
    return next((hint for words, hint in _HINTS if words in message), "")


class _Composer:
    """Builds the tree from a stream of events; one use."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self._anchors: dict[str, Node | None] = {}
        """None while the anchored node is still being built: an alias to it would never end."""

    def document(self, events: Iterator[Event]) -> Node | None:
        """The root of the only document, None for an empty stream."""
        root: Node | None = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self._fatal(event, "documents", "a second document starts; a scenario file holds one")
                root = self._node(next(events), events, 0)
        return root

    def _node(self, event: Event, events: Iterator[Event], depth: int) -> Node:
        if depth > DEEPEST:
            raise self._fatal(event, "too-deep", too_deep())
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        anchor = event.anchor if isinstance(event, NodeEvent) else None
        if anchor:
            self._anchors[anchor] = None
        node = self._build(event, events, depth)
        if node.size > LARGEST_TREE:
            raise self._fatal(event, "too-large", f"more than {LARGEST_TREE} values once aliases are followed")
        if anchor:
            self._anchors[anchor] = node
        return node

    def _build(self, event: Event, events: Iterator[Event], depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, CollectionStartEvent):
            self._check_tag(event, event.tag, (None, "!"))
        if isinstance(event, SequenceStartEvent):
            return self._sequence(event, events, depth)
        return self._dictionary(event, events, depth)

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        self._check_tag(event, event.tag, _TEXT_TAGS)
        if "\0" in event.value:
            raise self._fatal(event, "not-text", "a text with the character U+0000, which no database can hold")
        # implicit[0]: written plain, without quotes and without a tag that says what it is.
        plain = event.implicit[0] and event.tag is None
        value = resolve(event.value) if plain else event.value
        return Scalar(spot=self._spot(event), text=event.value, value=value)

    def _sequence(self, event: Event, events: Iterator[Event], depth: int) -> Sequence:
        items: list[Node] = []
        while not isinstance(item := next(events), yaml.SequenceEndEvent):
            items.append(self._node(item, events, depth + 1))
        return Sequence(spot=self._spot(event), items=tuple(items), size=1 + sum(item.size for item in items))

    def _dictionary(self, event: Event, events: Iterator[Event], depth: int) -> Dictionary:
        keys: dict[str, Spot] = {}
        values: dict[str, Node] = {}
        while not isinstance(key_event := next(events), yaml.MappingEndEvent):
            key = self._node(key_event, events, depth + 1)
            value = self._node(next(events), events, depth + 1)
            if self._accepts(key, keys):
                keys[key.text], values[key.text] = key.spot, value  # type: ignore[union-attr]
        size = 1 + sum(value.size for value in values.values())
        return Dictionary(spot=self._spot(event), keys=keys, values=values, size=size)

    def _accepts(self, key: Node, known: dict[str, Spot]) -> bool:
        """Whether a key may enter a mapping; complains where it may not."""
        if not isinstance(key, Scalar):
            hint = 'quote a text that starts with a brace or bracket: "{tenant.id}"'
            self._complain(key.spot, "bad-key", f"a key must be text, and this is {describe(key.plain())}", hint)
        elif not key.text:
            self._complain(key.spot, "bad-key", "a key is empty", "write a name before the colon")
        elif key.text == "<<":
            hint = "write the keys out, or give each whole value an &anchor and an *alias"
            self._complain(key.spot, "merge-key", "merge keys ('<<') are not part of YAML 1.2", hint)
        elif key.text in known:
            first = known[key.text].line
            message = f"duplicate key {shown(key.text)}: it stands at line {first} and again at line {key.spot.line}"
            self._complain(key.spot, "duplicate-key", message, "keep one of the two")
        else:
            return True
        return False

    def _alias(self, event: yaml.AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            hint = "put the text in quotes if no alias is meant"
            raise self._fatal(event, "alias", f"no anchor '&{event.anchor}' stands before this alias", hint)
        node = self._anchors[event.anchor]
        if node is None:
            raise self._fatal(event, "alias", f"'*{event.anchor}' stands inside the value it refers to")
        return node

    def _check_tag(self, event: Event, tag: str | None, allowed: tuple[str | None, ...]) -> None:
        if tag not in allowed:
            message = f"YAML tags such as {shown(tag)} are not supported"
            self._complain(self._spot(event), "tag", message, "remove the tag, or quote a text that starts with '!'")

    def _complain(self, spot: Spot, code: str, message: str, hint: str) -> None:
        self.problems.append(self.source.problem(spot, code, message, hint))

    def _fatal(self, event: Event, code: str, message: str, hint: str = "") -> ScenarioError:
        return ScenarioError([*self.problems, self.source.problem(self._spot(event), code, message, hint)])

    def _spot(self, event: Event) -> Spot:
        start, end = event.start_mark, event.end_mark
        assert start is not None
        assert end is not None
        # libyaml may put a mark on the line after the last one, or after the last column.
        line = min(start.line, len(self.source.lines) - 1)
        width = len(self.source.lines[line])
        column = min(start.column, width)
        span = (end.column if end.line == start.line else width) - column
        return Spot(line=line + 1, column=column + 1, span=max(1, span))
