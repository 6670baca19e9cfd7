"""
Cuts a SQL file into statements, as psql does, keeping every character and every position.

Follows PostgreSQL's lexical rules (https://www.postgresql.org/docs/current/sql-syntax-lexical.html) and psql's three
additions: semicolons inside parentheses (CREATE RULE … DO (a; b)) or inside BEGIN ATOMIC … END do not end a statement,
a backslash at the start of a line is a command to psql, and the lines after COPY … FROM stdin are data.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<line_comment>--[^\n]*)
  | (?P<block_comment>/\*)
  | (?P<string>[eE]'[^'\\]*(?:(?:\\.|'')[^'\\]*)*(?:'|\\?\Z) | '[^']*(?:''[^']*)*(?:'|\Z))
  | (?P<quoted>"[^"]*(?:""[^"]*)*(?:"|\Z))
  | (?P<dollar>\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\$)
  | (?P<word>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*)
  | (?P<number>[0-9][A-Za-z0-9_.]*)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
COMMENT_EDGE = re.compile(r"/\*|\*/")
DATA_END = re.compile(r"^\\\.[ \t\r]*(?:\n|\Z)", re.MULTILINE)
LINE_END = re.compile(r"\n|\Z")
BLANK = frozenset({"space", "line_comment", "block_comment"})


@dataclass(frozen=True, slots=True)
class Token:
    """One lexical unit: its kind (a group of TOKEN), its text and where it starts."""

    kind: str
    text: str
    start: int

    @property
    def word(self) -> str:
        """The keyword in lower case, or '' for what cannot be one."""
        return self.text.lower() if self.kind == "word" else ""

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class Kind(enum.StrEnum):
    SQL = "sql"
    COMMAND = "psql command"
    DATA = "data of a COPY"
    BLANK = "blank"


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a file; the pieces of a file, joined, are the file.

    `line` is that of the first character that is neither blank nor comment (`body` starts there).
    """

    kind: Kind
    text: str
    body: str
    line: int

    def line_at(self, position: int) -> int:
        """The file's line of the 1-based character *position* of `body`, as PostgreSQL reports errors."""
        return self.line + self.body.count("\n", 0, max(position - 1, 0))


def tokens(text: str, start: int = 0) -> Iterator[Token]:
    """The lexical units of *text* from *start* on; an unclosed quote or comment reaches to the end."""
    while start < len(text):
        match = TOKEN.match(text, start)
        assert match is not None  # `other` takes any character
        kind = match.lastgroup or ""
        end = match.end()
        if kind == "block_comment":
            end = _comment_end(text, end)
        elif kind == "dollar":
            end = _dollar_end(text, match.group(), end)
        yield Token(kind, text[start:end], start)
        start = end


def name_of(token: Token) -> str:
    """An identifier as pg_catalog spells it."""
    return token.text[1:-1].replace('""', '"') if token.kind == "quoted" else token.text.lower()


def without_comments(text: str) -> str:
    """*text* with each comment replaced by a space; quoted text stays as it is."""
    return "".join(" " if token.kind.endswith("comment") else token.text for token in tokens(text))


def split(text: str) -> Iterator[Piece]:
    """The pieces of a file in order."""
    start, line = 0, 1
    while start < len(text):
        end, kind, first = _next_piece(text, start)
        piece = text[start:end]
        yield Piece(kind, piece, text[first:end], line + text.count("\n", start, first))
        line += piece.count("\n")
        start = end
        if kind is Kind.SQL and reads_data(piece):
            rest = _data_end(text, start)
            if rest > start:
                yield Piece(Kind.DATA, text[start:rest], text[start:rest], line)
                line += text.count("\n", start, rest)
                start = rest


def statements(text: str) -> Iterator[Piece]:
    """The pieces that are SQL."""
    return (piece for piece in split(text) if piece.kind is Kind.SQL)


def _next_piece(text: str, start: int) -> tuple[int, Kind, int]:
    """Where the piece that starts at *start* ends, what it is, and its first significant character."""
    first = -1
    nesting = Nesting()
    for token in tokens(text, start):
        if token.kind in BLANK:
            continue
        if token.text == "\\" and _starts_line(text, token.start):
            if first >= 0:
                return token.start, Kind.SQL, first
            return _line_end(text, token.start), Kind.COMMAND, token.start
        if first < 0:
            first = token.start
        nesting.enter(token)
        if token.text == ";" and nesting.outside:
            return token.end, Kind.SQL, first
    return (len(text), Kind.SQL, first) if first >= 0 else (len(text), Kind.BLANK, len(text))


class Nesting:
    """Whether a semicolon at this point ends the statement: psql's own rules (psqlscan.l)."""

    def __init__(self) -> None:
        self._parentheses = 0
        self._blocks = 0
        self._words: list[str] = []

    @property
    def outside(self) -> bool:
        return self._parentheses == 0 and self._blocks == 0

    def enter(self, token: Token) -> None:
        """Take note of the next significant token."""
        if token.text == "(":
            self._parentheses += 1
        elif token.text == ")":
            self._parentheses = max(0, self._parentheses - 1)
        elif token.kind == "word":
            self._enter_word(token.word)

    def _enter_word(self, word: str) -> None:
        if len(self._words) < 4:
            self._words.append(word)
        if self._parentheses or not self._defines_routine():
            return
        if word == "begin" or (word == "case" and self._blocks):
            self._blocks += 1
        elif word == "end" and self._blocks:
            self._blocks -= 1

    def _defines_routine(self) -> bool:
        words = self._words
        return words[:1] == ["create"] and (
            words[1:2] in (["function"], ["procedure"])
            or (words[1:3] == ["or", "replace"] and words[3:4] in (["function"], ["procedure"]))
        )


def _comment_end(text: str, position: int) -> int:
    depth = 1
    for edge in COMMENT_EDGE.finditer(text, position):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(text)


def _dollar_end(text: str, tag: str, position: int) -> int:
    end = text.find(tag, position)
    return len(text) if end < 0 else end + len(tag)


def _starts_line(text: str, position: int) -> bool:
    return not text[text.rfind("\n", 0, position) + 1 : position].strip()


def _line_end(text: str, position: int) -> int:
    match = LINE_END.search(text, position)
    return match.end() if match else len(text)


def reads_data(piece: str) -> bool:
    """Whether a statement is a COPY … FROM stdin."""
    words = (token.word for token in tokens(piece) if token.kind not in BLANK)
    # The first word decides for nearly all: a long INSERT is not read to its end.
    return next(words, "") == "copy" and ("from", "stdin") in pairwise(words)


def _data_end(text: str, position: int) -> int:
    """The data of a COPY starts on the next line and ends with a line that holds only a backslash and a dot."""
    match = DATA_END.search(text, _line_end(text, position))
    return match.end() if match else len(text)
