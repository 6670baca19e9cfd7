"""
SQL expressions as tokens, as far as telling what is compared with what needs it.

Not a parser: PostgreSQL has checked the text already.  Works on what pg_get_expr prints (every name with its schema)
and on the bodies of functions, which are as people write them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tenantproof.catalog.inference.vocabulary import vocabulary

_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d]\w*)'
_TOKEN = re.compile(
    rf"""(?P<space>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<text>[eE]?'(?:[^']|'')*')
    |(?P<body>\$(?P<tag>[^\W\d]\w*|)\$.*?\$(?P=tag)\$)
    |(?P<parameter>\$\d+)
    |(?P<name>{_NAME}(?:\.(?:{_NAME}|\*))*)
    |(?P<number>\d[\w.]*)
    |(?P<cast>::)
    |(?P<assign>:=)
    |(?P<open>[(\[])
    |(?P<close>[)\]])
    |(?P<mark>[,;:{{}}\\])
    |(?P<operator>[-+*/<>=~!@#%^&|?`]+)""",
    re.VERBOSE | re.DOTALL,
)
_PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')

KEYWORDS = vocabulary("""
    select distinct from where and or not in any all some exists is null true false case when then else end as
    on join left right inner outer full cross lateral group order by having limit union with returning values
    into using like ilike between begin declare return returns if array row set update delete insert only end
    loop for do
    """)


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is a group's name of the expression above; `parts` are the identifiers of a dotted name."""

    kind: str
    text: str
    parts: tuple[str, ...] = ()

    def says(self, *keywords: str) -> bool:
        """Whether it is one of these keywords."""
        return self.kind == "name" and len(self.parts) == 1 and self.parts[0] in keywords and '"' not in self.text

    @property
    def literal(self) -> str:
        """What a text constant stands for."""
        return self.text[self.text.index("'") + 1 : -1].replace("''", "'")


def tokenize(source: str) -> tuple[Token, ...]:
    """The tokens of a text without blanks and comments.  What is no token is left out."""
    return tuple(
        Token(kind, match.group(), _parts(match.group()) if kind == "name" else ())
        for match in _TOKEN.finditer(source)
        if (kind := _kind(match)) != "space"
    )


def _kind(match: re.Match[str]) -> str:
    return next(name for name in _KINDS if match.group(name) is not None)


_KINDS = (
    "space",
    "text",
    "body",
    "parameter",
    "name",
    "number",
    "cast",
    "assign",
    "open",
    "close",
    "mark",
    "operator",
)


def _parts(name: str) -> tuple[str, ...]:
    return tuple(
        quoted.replace('""', '"') if quoted else plain.strip().lower() for quoted, plain in _PART.findall(name)
    )


def closing(tokens: Sequence[Token], start: int) -> int:
    """The place of the bracket that closes the one at *start*; the end where it stays open."""
    depth = 0
    for place in range(start, len(tokens)):
        depth += (tokens[place].kind == "open") - (tokens[place].kind == "close")
        if depth == 0:
            return place
    return len(tokens) - 1


def opening(tokens: Sequence[Token], end: int) -> int:
    """The place of the bracket that the one at *end* closes; 0 where there is none."""
    depth = 0
    for place in range(end, -1, -1):
        depth += (tokens[place].kind == "close") - (tokens[place].kind == "open")
        if depth == 0:
            return place
    return 0


def after(tokens: Sequence[Token], start: int) -> tuple[Token, ...]:
    """The operand that begins at *start*: a value with its casts, subscripts and JSON steps."""
    place = start
    while place < len(tokens) and (tokens[place].says("any", "all", "some", "array", "not", "row")):
        place += 1
    if place < len(tokens) and tokens[place].kind == "name":
        place += 1
        if place < len(tokens) and tokens[place].kind == "open":
            place = closing(tokens, place) + 1
    elif place < len(tokens) and tokens[place].kind == "open":
        place = closing(tokens, place) + 1
    else:
        place += 1
    return tuple(tokens[start : _trailing(tokens, place)])


def _trailing(tokens: Sequence[Token], place: int) -> int:
    while place + 1 < len(tokens):
        token = tokens[place]
        if token.kind == "cast" or (token.kind == "operator" and token.text in _STEPS):
            place += 2
        elif token.kind == "open" and (token.text == "[" or tokens[place - 2].kind == "cast"):
            place = closing(tokens, place) + 1
        else:
            break
    return place


_STEPS = frozenset({"->", "->>", "#>", "#>>"})


def before(tokens: Sequence[Token], end: int) -> tuple[Token, ...]:
    """The operand that ends before *end*."""
    place = end
    while place > 0:
        place = _value_before(tokens, place)
        if place > 0 and (tokens[place - 1].kind == "cast" or tokens[place - 1].text in _STEPS):
            place -= 1
        else:
            break
    return tuple(tokens[place:end])


def _value_before(tokens: Sequence[Token], end: int) -> int:
    place = end - 1
    while place >= 0 and tokens[place].kind == "close" and tokens[place].text == "]":
        place = opening(tokens, place) - 1
    if place >= 0 and tokens[place].kind == "close":
        place = opening(tokens, place)
        called = place > 0 and tokens[place - 1].kind == "name" and not (set(tokens[place - 1].parts) & KEYWORDS)
        return place - 1 if called else place
    return max(place, 0)


def arguments(tokens: Sequence[Token], opened: int) -> Iterator[tuple[Token, ...]]:
    """The comma-separated parts between the bracket at *opened* and its closing one."""
    end, depth, start = closing(tokens, opened), 0, opened + 1
    for place in range(opened + 1, end):
        depth += (tokens[place].kind == "open") - (tokens[place].kind == "close")
        if depth == 0 and tokens[place].text == ",":
            yield tuple(tokens[start:place])
            start = place + 1
    if start < end:
        yield tuple(tokens[start:end])


def bare(operand: Sequence[Token]) -> tuple[str, ...]:
    """The name that an operand consists of, without brackets and casts; empty where it is more than a name."""
    found: tuple[str, ...] = ()
    place = 0
    while place < len(operand):
        token = operand[place]
        if token.kind == "cast":
            place += 2
            while place < len(operand) and operand[place].kind == "open":
                place = closing(operand, place) + 1
            continue
        if token.kind == "name":
            called = place + 1 < len(operand) and operand[place + 1].kind == "open"
            if found or called or (len(token.parts) == 1 and token.says(*KEYWORDS)):
                return ()
            found = token.parts
        elif token.kind not in ("open", "close") or token.text in "[]":
            return ()
        place += 1
    return found
