"""What the body of a function says, without what only its author sees: comments, spaces, upper and lower case."""

from __future__ import annotations

from functools import lru_cache

from tenantproof.core.catalog import Function
from tenantproof.targets.statements import BLANK, tokens

_SQL_LIKE = frozenset({"sql", "plpgsql"})


def meaning(function: Function) -> str:
    """The body in a form that two spellings of one function share; other languages' as it is, but for the ends."""
    if function.language not in _SQL_LIKE:
        return function.source.replace("\r\n", "\n").strip()
    return _plain(function.source)


@lru_cache(maxsize=4096)
def _plain(source: str) -> str:
    """Names and keywords fold to lower case (PostgreSQL docs, Identifiers and Key Words); quoted text stays."""
    parts: list[str] = []
    glue = ""
    for token in tokens(source):
        if token.kind in BLANK:
            glue = " "
            continue
        parts += [glue if parts else "", token.text.lower() if token.kind == "word" else token.text]
        glue = ""
    return "".join(parts).rstrip("; ")
