"""Cuts a Prisma schema into tokens.  Comments go; line breaks stay, since they end a field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r]+)
  | (?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<newline>\n)
  | (?P<string>"(?:[^"\\\n]|\\.)*")
  | (?P<word>[^\W\d][\w-]*)
  | (?P<number>-?\d[\d.]*)
  | (?P<mark>@@|[@(){}\[\]?,:=.!])
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """One token and where it stands; `kind` is a group of the pattern, or "end"."""

    kind: str
    text: str
    line: int
    column: int

    @property
    def string(self) -> str:
        """The content of a string literal."""
        return re.sub(r"\\(.)", r"\1", self.text[1:-1])


def tokens(text: str) -> Iterator[Token]:
    """All tokens but spaces and comments, and "end" last."""
    line, start = 1, 0
    for match in _TOKEN.finditer(text):
        kind, said = match.lastgroup or "other", match.group()
        if kind not in ("space", "comment"):
            yield Token(kind, said, line, match.start() - start + 1)
        if "\n" in said:
            line += said.count("\n")
            start = match.start() + said.rindex("\n") + 1
    yield Token("end", "", line, len(text) - start + 1)
