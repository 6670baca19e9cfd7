"""
Dumps of pg_dump, pg_dumpall and `supabase db dump`: what they take for granted that a fresh server lacks or has.

A dump is known by its first statements, not by its name.  Its statements keep their order; a few are read with more
patience than those of migrations, because the dump's author did not choose them:

* roles that it names (owners, grantees) and that nobody made are made, without LOGIN, before it runs;
* CREATE SCHEMA, ROLE, EXTENSION, PUBLICATION or EVENT TRIGGER of what is there already is passed over;
* on Supabase so is what it says of the platform's own schemas, save policies and triggers, which are the project's;
* its database is the one it is replayed into: CREATE and DROP DATABASE are passed over, others speak of `postgres`;
* SET of a parameter that this server does not have is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from tenantproof.targets.statements import BLANK, Piece, Token, name_of, tokens

HEAD = 16_384
MARKS = re.compile(
    r"^-- PostgreSQL database (?:cluster )?dump$"
    r"|^\s*select\s+pg_catalog\.set_config\('search_path',\s*'',\s*false\)",
    re.IGNORECASE | re.MULTILINE,
)
PLATFORM_SCHEMAS = frozenset(
    {"auth", "storage", "realtime", "_realtime", "extensions", "graphql", "graphql_public", "vault", "pgbouncer"}
    | {"supabase_functions", "supabase_migrations", "cron", "net", "pgsodium", "pgsodium_masks", "pgmq", "pgtle"}
    | {"_analytics", "_supavisor"}
)
ALREADY_THERE = frozenset({"42710", "42P06", "42P07", "42723", "42P16", "42701", "42P04"})
"""Duplicate object, schema, table, function, a second primary key, column, database."""

UNKNOWN_PARAMETER = frozenset({"42704"})
SHARED_THINGS = frozenset({"schema", "role", "user", "extension", "publication", "event"})
NOBODY = frozenset({"public", "current_user", "session_user", "current_role", "none"})


def is_dump(text: str) -> bool:
    """Whether a file was written by pg_dump, or by what calls it."""
    return MARKS.search(text, 0, HEAD) is not None


def roles_named(text: str) -> frozenset[str]:
    """The roles that the statements of a dump take for granted."""
    return frozenset(
        name
        for found in _NAMING.finditer(text)
        for name in _roles(_significant(found.group()))
        if name not in NOBODY and not name.startswith("pg_")
    )


_NAMING = re.compile(
    r"^(?:alter|grant|revoke|create\s+(?:policy|schema)|set\s+session\s+authorization)\b[^;]*;",
    re.IGNORECASE | re.MULTILINE,
)
"""Statements that can name roles; pg_dump begins each on a line of its own."""


def roles_made(text: str) -> frozenset[str]:
    """The roles that a file makes with CREATE ROLE, USER or GROUP; also inside quotes."""
    return frozenset(quoted or word.lower() for quoted, word in _MADE.findall(text))


_MADE = re.compile(r'create\s+(?:role|user|group)\s+(?:if\s+not\s+exists\s+)?(?:"((?:[^"]|"")+)"|(\w+))', re.IGNORECASE)


def speaks_of_privileges(text: str) -> bool:
    """Whether a dump has privileges at all: pg_dump -x leaves them out."""
    return _PRIVILEGE.search(text) is not None


def default_privileges(text: str, role: str) -> frozenset[tuple[str, str]]:
    """(role, schema) for which a dump says which default privileges were in force; '' stands for every schema.

    *role* is meant where it names none.
    """
    return frozenset(
        (_identifier(found["role"]) or role, _identifier(found["schema"])) for found in _DEFAULT.finditer(text)
    )


def _identifier(text: str | None) -> str:
    return "" if text is None else next((name_of(token) for token in tokens(text)), "")


_PRIVILEGE = re.compile(r"^(?:grant|revoke)\s", re.IGNORECASE | re.MULTILINE)
_DEFAULT = re.compile(
    r"""^alter\s+default\s+privileges
        (?:\s+for\s+(?:role|user)\s+(?P<role>"(?:[^"]|"")+"|\w+))?
        (?:\s+in\s+schema\s+(?P<schema>"(?:[^"]|"")+"|\w+))?""",
    re.IGNORECASE | re.MULTILINE | re.VERBOSE,
)


def concerns_no_one(piece: Piece) -> bool:
    """Whether a statement of a dump makes or drops a whole database: here it is another one."""
    words = [token.word for token in _significant(piece.body)[:2]]
    return words in (["create", "database"], ["drop", "database"])


def for_this_database(piece: Piece, name: str) -> str:
    """The statement, speaking of the database *name* where it speaks of the dumped one; positions may move."""
    found = _significant(piece.body)
    for keyword, target in pairwise(found):
        if keyword.word == "database" and found[0].word in ("alter", "grant", "revoke", "comment"):
            return f'{piece.body[: target.start]}"{name}"{piece.body[target.end :]}'
    return piece.body


def forgiven(piece: Piece, *, supabase: bool) -> frozenset[str] | None:
    """The SQLSTATEs with which a statement of a dump may fail: none, some, or (None) any."""
    found = _significant(piece.body)
    words = [token.word for token in found]
    if words[:1] == ["set"]:
        return UNKNOWN_PARAMETER
    if words[:1] == ["create"] and SHARED_THINGS.intersection(words[1:2]):
        return ALREADY_THERE
    if supabase and (_sequence_schema(piece.body) or _schema(found)) in PLATFORM_SCHEMAS:
        return ALREADY_THERE if words[:2] in (["create", "policy"], ["create", "trigger"]) else None
    return frozenset()


def speaks_of_the_platform(text: str) -> bool:
    """Whether a dump holds the platform's own tables: one of a whole Supabase database."""
    return re.search(r'^create table "?auth"?\."?users"?\b', text, re.IGNORECASE | re.MULTILINE) is not None


def _significant(text: str) -> list[Token]:
    return [token for token in tokens(text) if token.kind not in BLANK]


def _roles(found: list[Token]) -> Iterator[str]:
    """Names after OWNER TO, GRANT … TO, REVOKE … FROM, CREATE POLICY … TO, FOR ROLE and AUTHORIZATION."""
    words = [token.word for token in found]
    depth = 0
    for at, token in enumerate(found):
        depth += (token.text == "(") - (token.text == ")")
        if depth == 0 and _introduces_roles(words, at):
            yield from _listed(found[at + 1 :])
    if words[0] in ("grant", "revoke") and "on" not in words:
        yield from _listed(found[1:])


def _introduces_roles(words: list[str], at: int) -> bool:
    word, before = words[at], words[at - 1] if at else ""
    if word == "to":
        return before == "owner" or words[0] == "grant" or words[:2] == ["create", "policy"] or _is_default(words)
    if word == "from":
        return words[0] == "revoke" or _is_default(words)
    if word == "role":
        return before == "for"
    return word == "authorization" and words[:2] in (["create", "schema"], ["set", "session"])


def _is_default(words: list[str]) -> bool:
    return words[:3] == ["alter", "default", "privileges"]


def _listed(found: Iterable[Token]) -> Iterator[str]:
    """The names of a list separated by commas; a word after a name ends it."""
    expected = True
    for token in found:
        if not expected:
            if token.text != ",":
                return
            expected = True
        elif token.kind in ("word", "quoted"):
            yield name_of(token)
            expected = False
        else:
            return


def _schema(found: list[Token]) -> str:
    """The schema of the first qualified name of a statement, which is what it is about; '' where there is none."""
    start = next((at + 1 for at, token in enumerate(found) if token.word == "on"), 1)
    words = [token.word for token in found[:2]]
    # What a policy, a trigger, an index, a grant or a comment is about stands after ON.
    if words[:1] in (["create"], ["grant"], ["revoke"], ["comment"]) and words[1:] not in (["table"], ["view"]):
        return _first_qualified(found, start) or _first_qualified(found, 1)
    return _first_qualified(found, 1)


def _sequence_schema(body: str) -> str:
    """The schema of the sequence that SELECT pg_catalog.setval('…') is about."""
    found = _SETVAL.match(body)
    return found.group(1) if found else ""


_SETVAL = re.compile(r"select\s+pg_catalog\.setval\('\"?(\w+)\"?\.", re.IGNORECASE)


def _first_qualified(found: list[Token], start: int) -> str:
    for name, dot in zip(found[start:], found[start + 1 :], strict=False):
        if dot.text == "." and name.kind in ("word", "quoted"):
            return name_of(name)
        if name.text in ("(", "as"):
            break
    return ""
