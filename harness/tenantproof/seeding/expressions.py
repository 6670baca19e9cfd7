"""
SQL expressions as a tree: enough of PostgreSQL's grammar for what pg_get_constraintdef prints.

Contract: `parse` gives a tree whose nodes know the text they were read from, so that any part of an expression can be
put to the database again; it gives None where the text has another shape than it knows.  Nothing is evaluated here.
Operator precedence after PostgreSQL, "Lexical Structure", table "Operator Precedence"; PostgreSQL prints nearly all
parentheses, so little depends on it.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass


class Kind(enum.StrEnum):
    """What a node is; in brackets what its `value` and `parts` hold."""

    NAME = "name"
    """[the column, unquoted]"""
    LITERAL = "literal"
    """[the text, unquoted] of a string or a number."""
    NULL = "null"
    BOOLEAN = "boolean"
    """[true or false]"""
    CALL = "call"
    """[the function's name in lower case, without its schema] [arguments]"""
    OPERATOR = "operator"
    """[the operator] [left, right], or [operand] for a prefix."""
    AND = "and"
    OR = "or"
    NOT = "not"
    IS = "is"
    """[what follows IS, in lower case] [operand, and the other one of IS DISTINCT FROM]"""
    ANY = "any"
    """[the operator] [left, right] of `left op ANY (right)`."""
    ALL = "all"
    CASE = "case"
    """[condition, result, condition, result, …, else]"""
    ARRAY = "array"
    ROW = "row"
    CAST = "cast"
    """[the type] [operand]"""
    FIELD = "field"
    """[the field] [operand]"""
    INDEX = "index"
    """[operand, subscripts]"""


@dataclass(frozen=True, slots=True)
class Node:
    """One part of an expression; `text` is the SQL it was read from."""

    kind: Kind
    value: str = ""
    parts: tuple[Node, ...] = ()
    text: str = ""

    def walk(self) -> Iterator[Node]:
        """The node and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()

    @property
    def names(self) -> frozenset[str]:
        """The columns the expression reads."""
        return frozenset(node.value for node in self.walk() if node.kind is Kind.NAME)

    @property
    def bare(self) -> Node:
        """The node without casts around it."""
        return self.parts[0].bare if self.kind is Kind.CAST else self


_TOKEN = re.compile(
    r"""\s*(?:(?P<string>(?:[eEbBxXnN]|U&)?'(?:[^']|'')*')
    |(?P<quoted>"(?:[^"]|"")+")
    |(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)
    |(?P<word>[^\W\d][\w$]*)
    |(?P<mark>::|[()\[\],.:])
    |(?P<operator>[-+*/<>=~!@\#%^&|`?]+))""",
    re.VERBOSE,
)
_TYPE = re.compile(
    r"""\s*(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)(?:\.(?:"(?:[^"]|"")+"|[^\W\d][\w$]*))?(?:[ ](?:varying|precision))?
    (?:\(\d+(?:,\s*-?\d+)?\))?(?:[ ]with(?:out)?[ ]time[ ]zone)?(?:\[\])*""",
    re.VERBOSE,
)
_BINDING = {"OR": 1, "AND": 2, "IS": 4, "=": 5, "<": 5, ">": 5, "<=": 5, ">=": 5, "<>": 5, "!=": 5, "OPERATOR": 7,
            "+": 8, "-": 8, "*": 9, "/": 9, "%": 9, "^": 10, "AT": 11, "COLLATE": 12, "[": 13, "::": 14,
            ".": 15}  # fmt: skip
_OTHER_OPERATOR, _NOT, _SIGN = 7, 3, 12
_RANGES = 6
_MATCHES = {"LIKE": "~~", "ILIKE": "~~*"}
_SEPARATORS = frozenset({"FROM", "FOR", "IN", "USING", "PLACING"})
_SIDES = frozenset({"BOTH", "LEADING", "TRAILING", "DISTINCT", "VARIADIC"})


class _Unreadable(Exception):
    """The text has a shape that the parser does not know."""


@functools.lru_cache(maxsize=2048)
def parse(text: str) -> Node | None:
    """The tree of one expression, or None where it is not understood."""
    try:
        return _Parser(text).whole()
    except (_Unreadable, RecursionError):
        return None


def expression_of(definition: str) -> str:
    """The expression of a CHECK as pg_get_constraintdef prints it."""
    text = re.sub(r"(\s*(NO INHERIT|NOT VALID|NOT ENFORCED))+\s*$", "", definition.strip())
    return re.sub(r"^CHECK\s*", "", text)


@dataclass(frozen=True, slots=True)
class _Token:
    sort: str
    text: str
    start: int
    end: int


class _Parser:
    """Precedence climbing over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._end = text, 0, 0
        self._token = self._read(0)

    def whole(self) -> Node:
        found = self._expression(0)
        if self._token.sort != "end":
            raise _Unreadable
        return found

    def _read(self, position: int) -> _Token:
        match = _TOKEN.match(self._text, position)
        if match is None or match.lastgroup is None:
            if self._text[position:].strip():
                raise _Unreadable
            return _Token("end", "", len(self._text), len(self._text))
        found = match.group(match.lastgroup)
        return _Token(match.lastgroup, found, match.end() - len(found), match.end())

    def _next(self) -> _Token:
        token = self._token
        self._end = token.end
        self._token = self._read(token.end)
        return token

    def _sees(self, *texts: str) -> bool:
        token = self._token
        shown = token.text.upper() if token.sort == "word" else token.text
        return token.sort in ("word", "mark", "operator") and shown in texts

    def _take(self, *texts: str) -> bool:
        if self._sees(*texts):
            self._next()
            return True
        return False

    def _expect(self, *texts: str) -> None:
        if not self._take(*texts):
            raise _Unreadable

    def _node(self, start: int, kind: Kind, value: str = "", *parts: Node) -> Node:
        return Node(kind, value, parts, self._text[start : self._end])

    def _expression(self, floor: int) -> Node:
        start = self._token.start
        left = self._operand(start)
        while (binding := self._binding()) > floor:
            left = self._onward(start, left, binding)
        return left

    def _binding(self) -> int:
        token = self._token
        if token.sort == "end" or token.sort in ("string", "quoted", "number"):
            return 0
        if token.sort == "word" and token.text.upper() in ("BETWEEN", "IN", "LIKE", "ILIKE", "NOT", "SIMILAR"):
            return _RANGES
        known = _BINDING.get(token.text.upper())
        if known is not None:
            return known
        return _OTHER_OPERATOR if token.sort == "operator" else 0

    def _operand(self, start: int) -> Node:
        token = self._token
        match token.sort:
            case "string":
                self._next()
                return self._node(start, Kind.LITERAL, token.text[token.text.index("'") + 1 : -1].replace("''", "'"))
            case "number":
                self._next()
                return self._node(start, Kind.LITERAL, token.text)
            case "quoted":
                self._next()
                return self._name(start, token.text[1:-1].replace('""', '"'))
            case "word":
                return self._word(start)
            case "operator":
                return self._prefixed(start)
        if self._take("("):
            return self._parenthesis(start)
        raise _Unreadable

    def _prefixed(self, start: int) -> Node:
        sign = self._next().text
        inner = self._expression(_SIGN)
        if sign in "+-" and inner.kind is Kind.LITERAL:
            return self._node(start, Kind.LITERAL, inner.value if sign == "+" else f"-{inner.value}")
        return self._node(start, Kind.OPERATOR, sign, inner)

    def _parenthesis(self, start: int) -> Node:
        items = self._items(")")
        if len(items) != 1:
            return self._node(start, Kind.ROW, "", *items)
        only = items[0]
        return Node(only.kind, only.value, only.parts, self._text[start : self._end])

    def _items(self, closing: str) -> list[Node]:
        """Expressions up to the closing mark, with what stands between the arguments of special functions."""
        found: list[Node] = []
        while not self._take(closing):
            if self._take(",", *_SEPARATORS, *_SIDES):
                continue
            found.append(self._expression(0))
        return found

    def _word(self, start: int) -> Node:
        word = self._next().text
        match word.upper():
            case "SELECT" | "WITH" | "EXISTS":
                raise _Unreadable
            case "NULL":
                return self._node(start, Kind.NULL)
            case "TRUE" | "FALSE":
                return self._node(start, Kind.BOOLEAN, word.lower())
            case "NOT":
                inner = self._expression(_NOT)
                return self._node(start, Kind.NOT, "", inner)
            case "CASE":
                return self._case(start)
            case "ARRAY" if self._take("["):
                items = self._items("]")
                return self._node(start, Kind.ARRAY, "", *items)
            case "ROW" if self._take("("):
                items = self._items(")")
                return self._node(start, Kind.ROW, "", *items)
        return self._name(start, word)

    def _name(self, start: int, name: str) -> Node:
        """A column, or a function where a parenthesis follows (its schema is dropped)."""
        while self._sees(".") and self._qualifies():
            self._next()
            token = self._next()
            name = token.text[1:-1].replace('""', '"') if token.sort == "quoted" else token.text
        if self._take("("):
            return self._call(start, name.lower())
        if name.upper() in ("CURRENT_DATE", "CURRENT_TIMESTAMP", "LOCALTIMESTAMP", "CURRENT_USER", "SESSION_USER"):
            return self._node(start, Kind.CALL, name.lower())
        return self._node(start, Kind.NAME, name)

    def _qualifies(self) -> bool:
        return self._read(self._token.end).sort in ("word", "quoted")

    def _call(self, start: int, name: str) -> Node:
        if name == "extract":
            field = self._next().text
            items = [Node(Kind.LITERAL, field.strip("'"), (), field), *self._items(")")]
        else:
            items = self._items(")")
        return self._node(start, Kind.CALL, name, *items)

    def _case(self, start: int) -> Node:
        subject = None if self._sees("WHEN") else self._expression(0)
        parts: list[Node] = []
        while self._take("WHEN"):
            at = self._token.start
            condition = self._expression(0)
            if subject is not None:
                text = f"({subject.text}) = ({self._text[at : self._end]})"
                condition = Node(Kind.OPERATOR, "=", (subject, condition), text)
            self._expect("THEN")
            parts += [condition, self._expression(0)]
        parts += [self._expression(0)] if self._take("ELSE") else [Node(Kind.NULL, text="NULL")]
        self._expect("END")
        return self._node(start, Kind.CASE, "", *parts)

    def _onward(self, start: int, left: Node, binding: int) -> Node:
        if self._take("::"):
            return self._cast(start, left)
        if self._take("["):
            items = self._subscripts()
            return self._node(start, Kind.INDEX, "", left, *items)
        if self._take("."):
            field = self._next().text.strip('"')
            return self._node(start, Kind.FIELD, field, left)
        if self._take("COLLATE"):
            self._name(self._token.start, self._next().text)
            return left
        if self._take("IS"):
            return self._is(start, left)
        if self._take("AT"):
            self._expect("TIME")
            self._expect("ZONE")
            right = self._expression(binding)
            return self._node(start, Kind.CALL, "timezone", right, left)
        if binding == _RANGES:
            return self._written(start, left)
        return self._infix(start, left, binding)

    def _subscripts(self) -> list[Node]:
        found: list[Node] = []
        while not self._take("]"):
            if not self._take(":"):
                found.append(self._expression(0))
        return found

    def _cast(self, start: int, left: Node) -> Node:
        match = _TYPE.match(self._text, self._end)
        if match is None:
            raise _Unreadable
        self._end = match.end()
        self._token = self._read(match.end())
        return self._node(start, Kind.CAST, match.group().strip(), left)

    def _spelled_out(self) -> _Token:
        """The operator of `OPERATOR(schema.operator)`."""
        self._expect("(")
        found = self._next()
        while self._take("."):
            found = self._next()
        self._expect(")")
        return found

    def _is(self, start: int, left: Node) -> Node:
        words = ["not"] if self._take("NOT") else []
        if self._take("DISTINCT"):
            self._expect("FROM")
            right = self._expression(_BINDING["IS"])
            return self._node(start, Kind.IS, " ".join([*words, "distinct"]), left, right)
        words.append(self._next().text.lower())
        while self._token.sort == "word" and words[-1] == "json" and self._sees("OBJECT", "ARRAY", "SCALAR", "VALUE"):
            words.append(self._next().text.lower())
        return self._node(start, Kind.IS, " ".join(words), left)

    def _written(self, start: int, left: Node) -> Node:
        """What people write and PostgreSQL prints otherwise: BETWEEN, IN, LIKE, SIMILAR TO, and their negations."""
        denied = self._take("NOT")
        word = self._next().text.upper()
        match word:
            case "BETWEEN":
                low = self._expression(_RANGES)
                self._expect("AND")
                high = self._expression(_RANGES)
                bounds = ((">=", low), ("<=", high))
                sides = (
                    Node(Kind.OPERATOR, op, (left, side), f"({left.text} {op} {side.text})") for op, side in bounds
                )
                found = self._node(start, Kind.AND, "", *sides)
            case "IN":
                self._expect("(")
                listed = Node(Kind.ARRAY, "", tuple(self._items(")")))
                found = self._node(start, Kind.ANY, "=", left, listed)
            case "LIKE" | "ILIKE":
                found = self._node(start, Kind.OPERATOR, _MATCHES[word], left, self._expression(_RANGES))
            case "SIMILAR":
                self._expect("TO")
                pattern = Node(Kind.CALL, "similar_to_escape", (self._expression(_RANGES),))
                found = self._node(start, Kind.OPERATOR, "~", left, pattern)
            case _:
                raise _Unreadable
        return self._node(start, Kind.NOT, "", found) if denied else found

    def _infix(self, start: int, left: Node, binding: int) -> Node:
        operator = self._next()
        if operator.text.upper() == "OPERATOR":
            operator = self._spelled_out()
        name = operator.text.upper()
        if name in ("AND", "OR"):
            right = self._expression(binding)
            kind = Kind.AND if name == "AND" else Kind.OR
            own = tuple(part for side in (left, right) for part in (side.parts if side.kind is kind else (side,)))
            return self._node(start, kind, "", *own)
        if operator.sort != "operator":
            raise _Unreadable
        for kind in (Kind.ANY, Kind.ALL):
            if self._take(kind.value.upper()):
                self._expect("(")
                right = self._expression(0)
                self._expect(")")
                return self._node(start, kind, operator.text, left, right)
        right = self._expression(binding)
        return self._node(start, Kind.OPERATOR, operator.text, left, right)
