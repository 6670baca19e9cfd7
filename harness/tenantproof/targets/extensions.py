"""
Statements about extensions, as our server takes them: any version is the one that is there.

Old dumps pin versions (`CREATE EXTENSION pgcrypto VERSION '1.3'`), which fail where another one is installed; hosted
platforms pass the clause over as well (supautils: restrict_extension_versions).  And they name a schema that the
platform made for the extension (`pg_graphql WITH SCHEMA graphql`), which must be there before.
"""

from __future__ import annotations

import re

from tenantproof.targets.statements import BLANK, Token, name_of, tokens

CREATES = re.compile(r"create\s+extension\b", re.IGNORECASE)
PINNED = re.compile(r"(?:create|alter)\s+extension\b.*\b(?:version|to)\b", re.IGNORECASE | re.DOTALL)


def without_version(body: str) -> str:
    """The statement without its VERSION (or UPDATE TO) clause; every other character stays at its place."""
    if PINNED.match(body) is None:
        return body
    found = [token for token in tokens(body) if token.kind not in BLANK]
    for at, token in enumerate(found[3:-1], start=3):
        if token.word == "version" or (token.word == "to" and found[at - 1].word == "update"):
            return _blanked(body, token, found[at + 1])
    return body


def wanted_schema(body: str) -> tuple[str, str] | None:
    """(extension, schema) of a CREATE EXTENSION … SCHEMA …, else None."""
    if CREATES.match(body) is None:
        return None
    found = [token for token in tokens(body) if token.kind not in BLANK]
    names = [name_of(token) for token in found]
    at = next((at for at, token in enumerate(found) if token.word == "schema"), len(found))
    start = 5 if names[2:5] == ["if", "not", "exists"] else 2
    return (names[start], names[at + 1]) if start < at < len(found) - 1 else None


def _blanked(body: str, first: Token, last: Token) -> str:
    return body[: first.start] + " " * (last.end - first.start) + body[last.end :]
