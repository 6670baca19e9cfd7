"""
What a platform gives a database before the first migration: roles, schemas, grants.

`platform: supabase` gets the end state of Supabase's own migrations as far as SQL can tell, `platform: postgres` what
the official Docker image gives.  The scripts run as the bootstrap superuser, in order.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files

import psycopg

from tenantproof.core.model import Platform
from tenantproof.targets import shims
from tenantproof.targets.server import INITDB
from tenantproof.targets.statements import statements

OBSERVER = {Platform.SUPABASE: "supabase_admin", Platform.POSTGRES: "tenantproof_admin"}
"""The bootstrap superuser of each platform: a name that migrations do not run as."""

MIGRATOR = "postgres"

REVISION = "1"
"""Raise it when code, not a script, changes what a prepared cluster holds."""

_THERE = (
    psycopg.errors.DuplicateObject,
    psycopg.errors.DuplicateTable,
    psycopg.errors.DuplicateSchema,
    psycopg.errors.DuplicateFunction,
    psycopg.errors.DuplicateColumn,
    psycopg.errors.DuplicateAlias,
)

_SUPABASE = ("roles", "schemas", "extensions", "auth", "storage", "realtime", "platform")


def scripts(platform: Platform, *, auto_expose: bool) -> tuple[str, ...]:
    """The SQL scripts that dress an empty cluster."""
    if platform is Platform.POSTGRES:
        return (_script("plain", "roles"),)
    mode = "grants_legacy" if auto_expose else "grants"
    return tuple(_script("supabase", name) for name in (*_SUPABASE, mode))


@cache
def fingerprint(platform: Platform, auto_expose: bool, release: str) -> str:
    """A hash over everything that decides what a dressed cluster looks like."""
    parts = (
        REVISION,
        release,
        platform.value,
        shims.fingerprint(),
        *INITDB,
        *scripts(platform, auto_expose=auto_expose),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def put_on(connection: psycopg.Connection, platform: Platform, *, auto_expose: bool) -> None:
    """Run the scripts, as the bootstrap superuser in the database `postgres`."""
    for script in scripts(platform, auto_expose=auto_expose):
        for statement in statements(script):
            connection.execute(statement.body)


def lay_over(connection: psycopg.Connection, platform: Platform, *, auto_expose: bool) -> list[str]:
    """Run the scripts where a part of what they make is there already, or another release lacks something.

    What is there stays; what else a statement fails of is told, one line for each kind of error.
    """
    left: dict[str, str] = {}
    for script in scripts(platform, auto_expose=auto_expose):
        for statement in statements(script):
            try:
                connection.execute(statement.body)
            except _THERE:
                continue
            except psycopg.Error as error:
                left.setdefault(str(error.diag.message_primary or error), " ".join(statement.body.split())[:60])
    return [f"{message} ({statement} …)" for message, statement in left.items()]


def _script(folder: str, name: str) -> str:
    return (files("tenantproof.targets") / folder / f"{name}.sql").read_text(encoding="utf-8")
