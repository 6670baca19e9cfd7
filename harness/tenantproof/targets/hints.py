"""What to do about the errors that migrations commonly meet on a fresh database."""

from __future__ import annotations

import re

import psycopg

from tenantproof.core.errors import nearest

NO_EXTENSION = re.compile(r'extension "([^"]+)"')
NO_ROLE = re.compile(r'role "([^"]+)" does not exist')
UNKNOWN = {
    "25001": "put this statement into a file of its own: it then runs without a transaction",
    "55P04": "PostgreSQL cannot use a new enum value in the transaction that adds it: add the value in an earlier file",
    "42501": "migrations run as the role postgres; objects of the platform belong to other roles",
    "42P01": "is the file that creates it missing, or sorted after this one?",
    "3F000": "create the schema in an earlier file, or set search_path",
}


def hint_for(error: psycopg.Error) -> str:
    """One sentence, or '' where we know nothing better than PostgreSQL's own hint."""
    message = error.diag.message_primary or ""
    if (found := NO_EXTENSION.search(message)) and error.sqlstate in ("0A000", "58P01", "42704", "22023"):
        return _extension(found.group(1))
    if found := NO_ROLE.search(message):
        return f"create the role '{found.group(1)}' in a file that sorts first; a fresh server does not know it"
    if "ICU" in message:
        return "the embedded server is built without ICU: use a builtin or libc collation, or a container target"
    return error.diag.message_hint or UNKNOWN.get(error.sqlstate or "", "")


def _extension(name: str) -> str:
    from tenantproof.targets.shims import NAMES

    near = nearest(name, NAMES)
    start = f"did you mean '{near}'? " if near and near != name else ""
    return (
        f"{start}the embedded server has PostgreSQL's contrib modules, vector, and stand-ins for: "
        f"{', '.join(sorted(NAMES))}; for another one use a container or staging target"
    )
