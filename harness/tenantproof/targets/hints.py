"""What to do about the errors that migrations commonly meet on a fresh database."""

from __future__ import annotations

import re

import psycopg

from tenantproof.core.errors import nearest

NO_EXTENSION = re.compile(r'extension "([^"]+)"')
NO_ROLE = re.compile(r'role "([^"]+)" does not exist')
NO_TYPE = re.compile(r'type "(?:[^"]+\.)?([^".]+)" does not exist')
NO_FUNCTION = re.compile(r"function (?:[\w]+\.)?([\w]+)\(.*\) does not exist")
PROVIDED = {
    "citext": "citext",
    "hstore": "hstore",
    "ltree": "ltree",
    "vector": "vector",
    "halfvec": "vector",
    "cube": "cube",
    "geometry": "postgis",
    "geography": "postgis",
    "uuid_generate_v4": "uuid-ossp",
    "uuid_generate_v1": "uuid-ossp",
    "gen_random_bytes": "pgcrypto",
    "digest": "pgcrypto",
    "hmac": "pgcrypto",
    "crypt": "pgcrypto",
    "gen_salt": "pgcrypto",
    "pgp_sym_encrypt": "pgcrypto",
    "unaccent": "unaccent",
    "similarity": "pg_trgm",
    "moddatetime": "moddatetime",
}
"""Types and functions that migrations take for granted, and the extension that has them."""

UNKNOWN = {
    "25001": "put this statement into a file of its own: it then runs without a transaction",
    "55P04": "PostgreSQL cannot use a new enum value in the transaction that adds it: add the value in an earlier file",
    "42501": "migrations run as the role postgres; objects of the platform belong to other roles",
    "42P01": "is the file that creates it missing, or sorted after this one?",
    "3F000": "create the schema in an earlier file, or set search_path",
}
LEFT_OUT = frozenset({"42P01", "3F000", "42883", "42704"})


def hint_for(error: psycopg.Error, *, in_dump: bool = False) -> str:
    """One sentence, or '' where we know nothing better than PostgreSQL's own hint."""
    message = error.diag.message_primary or ""
    state = error.sqlstate or ""
    if (found := NO_EXTENSION.search(message)) and state in ("0A000", "58P01", "42704", "22023"):
        return _extension(found.group(1))
    if (found := NO_TYPE.search(message) or NO_FUNCTION.search(message)) and found.group(1) in PROVIDED:
        return _provided(found.group(1))
    if found := NO_ROLE.search(message):
        return f"create the role '{found.group(1)}' in a file that sorts first; a fresh server does not know it"
    if "ICU" in message:
        return "the embedded server is built without ICU: use a builtin or libc collation, or a container target"
    if in_dump and state in LEFT_OUT:
        return "the dump leaves out what it needs (another schema?): dump that too, or list a file that makes it first"
    return error.diag.message_hint or UNKNOWN.get(state, "")


def _provided(name: str) -> str:
    extension = PROVIDED[name]
    return (
        f"{name} is of the extension {extension}: create it in a file that sorts first, in a schema of the search_path"
    )


def _extension(name: str) -> str:
    from tenantproof.targets.shims import NAMES

    near = nearest(name, NAMES)
    start = f"did you mean '{near}'? " if near and near != name else ""
    return (
        f"{start}the embedded server has PostgreSQL's contrib modules, vector, and stand-ins for: "
        f"{', '.join(sorted(NAMES))}\n"
        f"  to go on: write a stand-in of your own ({name}.control and {name}--1.0.sql, SQL only) into a folder and"
        " name that: database.shims; or wait for the container target, which takes an image that has the extension"
    )
