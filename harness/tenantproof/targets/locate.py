"""Finds where a policy or a relation was written, so that a finding can name file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import islice

from tenantproof.core.model import QName
from tenantproof.core.ports import Source
from tenantproof.targets.statements import BLANK, Piece, Token, statements, tokens

FILLER = frozenset({"if", "not", "exists", "only", "or", "replace"})
RELATION_KINDS = frozenset({"table", "view"})
RELATION_PREFIXES = frozenset(
    {"temp", "temporary", "unlogged", "foreign", "materialized", "recursive", "global", "local", *FILLER}
)
LONGEST_HEAD = 40
"""More than the significant tokens before a policy's or a relation's name and table can be."""


def find_policy(sources: Iterable[Source], table: QName, policy: str) -> tuple[str, int] | None:
    """(path, line) of the last CREATE or ALTER POLICY of that name on that table, or None.

    Where no statement is one, the last that mentions both names: a DO block that makes policies in a loop.
    """
    files = tuple(sources)
    return _last(files, lambda piece: _is_policy(piece, table, policy)) or _last(
        files, lambda piece: piece.body[:2].lower() == "do" and policy in piece.body and table.name in piece.body
    )


def find_relation(sources: Iterable[Source], relation: QName) -> tuple[str, int] | None:
    """(path, line) of what decides on row security of a relation: the last CREATE TABLE, VIEW or MATERIALIZED VIEW
    of that name, or a later ALTER TABLE … DISABLE ROW LEVEL SECURITY; None where there is neither."""
    return _last(tuple(sources), lambda piece: _makes(piece, relation) or _disables_rls(piece, relation))


def find_function(sources: Iterable[Source], function: QName) -> tuple[str, int] | None:
    """(path, line) of the last CREATE [OR REPLACE] FUNCTION of that name, or None."""
    return _last(tuple(sources), lambda piece: _makes_function(piece, function))


def _last(files: tuple[Source, ...], wanted: Callable[[Piece], bool]) -> tuple[str, int] | None:
    for source in reversed(files):
        for piece in reversed(_statements(source.text)):
            if wanted(piece):
                return source.path, piece.line
    return None


@lru_cache(maxsize=256)
def _statements(text: str) -> tuple[Piece, ...]:
    return tuple(statements(text))


@lru_cache(maxsize=8192)
def _head(body: str) -> tuple[Token, ...]:
    return tuple(islice((token for token in tokens(body) if token.kind not in BLANK), LONGEST_HEAD))


def _is_policy(piece: Piece, table: QName, policy: str) -> bool:
    head = _head(piece.body)
    if len(head) < 5 or head[0].word not in ("create", "alter") or head[1].word != "policy":
        return False
    if head[3].word != "on" or _qname(head, 4) != table:
        return False
    return _name(head[2]) == policy or _renamed_to(head) == policy


def _renamed_to(head: tuple[Token, ...]) -> str | None:
    words = [token.word for token in head]
    if "rename" not in words:
        return None
    return _name(head[-2] if head[-1].text == ";" else head[-1])


def _makes(piece: Piece, relation: QName) -> bool:
    head = _head(piece.body)
    if not head or head[0].word != "create":
        return False
    start = _skip(head, 1, RELATION_PREFIXES)
    if start >= len(head) or head[start].word not in RELATION_KINDS:
        return False
    return _qname(head, _skip(head, start + 1, FILLER)) == relation


def _makes_function(piece: Piece, function: QName) -> bool:
    head = _head(piece.body)
    if not head or head[0].word != "create":
        return False
    start = _skip(head, 1, FILLER)
    return start < len(head) and head[start].word == "function" and _qname(head, start + 1) == function


def _disables_rls(piece: Piece, relation: QName) -> bool:
    head = _head(piece.body)
    words = [token.word for token in head]
    if words[:2] != ["alter", "table"] or _qname(head, _skip(head, 2, FILLER)) != relation:
        return False
    wanted = ["disable", "row", "level", "security"]
    return any(words[at : at + 4] == wanted for at in range(len(words)))


def _skip(head: tuple[Token, ...], start: int, words: frozenset[str]) -> int:
    while start < len(head) and head[start].word in words:
        start += 1
    return start


def _qname(head: tuple[Token, ...], at: int) -> QName | None:
    """The relation named at a place, in schema public where the text gives none."""
    at = _skip(head, at, FILLER)
    if at >= len(head):
        return None
    if at + 2 < len(head) and head[at + 1].text == ".":
        return QName(_name(head[at]), _name(head[at + 2]))
    return QName("public", _name(head[at]))


def _name(token: Token) -> str:
    """An identifier as pg_catalog spells it."""
    if token.kind == "quoted":
        return token.text[1:-1].replace('""', '"')
    return token.text.lower()
