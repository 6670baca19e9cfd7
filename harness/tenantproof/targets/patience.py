"""
Runs the statements of a dump (`dumps` says which need patience) and leaves exactly the privileges that it names.

pg_dump writes privileges as they differ from PostgreSQL's own, and takes it that no default privileges are in force
while its tables are made.  On Supabase they are: tables would come out open to roles from which they had been revoked.
So they are suspended for as long as the dump runs; afterwards the dump's own are in force, or, for a role and schema
of which it says nothing, those from before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from importlib.resources import files

import psycopg
from psycopg import sql

from tenantproof.targets import dumps
from tenantproof.targets.statements import Piece

Run = Callable[[psycopg.Connection, Piece, Piece | None], None]
"""Runs one statement, with the data of a COPY; raises psycopg.Error."""


@contextmanager
def patiently(connection: psycopg.Connection, text: str, run: Run) -> Iterator[Run]:
    """How the statements of the dump *text* run; the roles that it takes for granted are made at once."""
    make_missing_roles(connection, text)
    supabase = _one(connection, "select pg_get_userbyid(10) = 'supabase_admin'") is True

    def patient(connection: psycopg.Connection, piece: Piece, data: Piece | None) -> None:
        if dumps.concerns_no_one(piece):
            return
        piece = replace(piece, body=dumps.for_this_database(piece, connection.info.dbname))
        forgiven = dumps.forgiven(piece, supabase=supabase)
        if forgiven is not None and not forgiven:
            run(connection, piece, data)
            return
        try:
            with connection.transaction():
                run(connection, piece, data)
        except psycopg.Error as error:
            if forgiven is not None and error.sqlstate not in forgiven:
                raise

    exact = dumps.speaks_of_privileges(text) and _one(connection, "show is_superuser") == "on"
    with _without_defaults(connection, text) if exact else _as_it_is():
        yield patient


def make_missing_roles(connection: psycopg.Connection, text: str) -> None:
    """Make the roles that a dump names, that are not there, and that it does not make itself: without LOGIN."""
    named = sorted(dumps.roles_named(text) - dumps.roles_made(text))
    known = {name for (name,) in connection.execute("select rolname from pg_roles where rolname = any(%s)", [named])}
    for name in named:
        if name not in known:
            connection.execute(sql.SQL("create role {} nologin").format(sql.Identifier(name)))


@contextmanager
def _without_defaults(connection: psycopg.Connection, text: str) -> Iterator[None]:
    """Only where all goes well is there something to restore: after an error the file is rolled back."""
    held = connection.execute(_carry("suspend_defaults")).fetchall()
    yield
    connection.execute("reset session authorization")
    said = dumps.default_privileges(text, connection.info.user)
    gone = [row[0] for row in held if (row[-2], row[-1]) in said]
    connection.execute(_carry("forget_defaults"), (gone, gone))
    for row in held:
        if row[0] not in gone:
            connection.execute(_carry("restore_defaults"), row[:-2])


@contextmanager
def _as_it_is() -> Iterator[None]:
    yield


def _one(connection: psycopg.Connection, query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    return row[0] if row is not None else None


@cache
def _carry(name: str) -> bytes:
    return (files("tenantproof.targets") / "carry" / f"{name}.sql").read_bytes()
