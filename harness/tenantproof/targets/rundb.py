"""
The database of one run: a copy of the cluster's template, dropped at the end.

CREATE DATABASE … TEMPLATE copies what is in the database, not what is said of it: settings (ALTER DATABASE … SET) and
grants on the database itself are carried over here.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.resources import files
from typing import Protocol

import psycopg
from psycopg import sql

TEMPLATE = "postgres"
"""The name that Supabase's migrations give their database: `alter database postgres set …`."""

MAINTENANCE = "template1"


class Connects(Protocol):
    """A server that is ours: whoever asks gets an autocommit connection to a database, as any role."""

    def connect(self, dbname: str, user: str | None = None) -> psycopg.Connection:
        """As *user*; None: as the bootstrap superuser."""
        ...


@contextmanager
def run_database(server: Connects, *, keep: bool) -> Iterator[str]:
    """The name of a fresh copy of the template; dropped afterwards with all its sessions, unless *keep*."""
    name = f"{'kept' if keep else 'run'}_{secrets.token_hex(6)}"
    try:
        with server.connect(MAINTENANCE) as connection:
            create(connection, name)
        yield name
    finally:
        if not keep:
            # A server that is gone took the database out of reach; the next start drops it.
            with suppress(psycopg.OperationalError), server.connect(MAINTENANCE) as connection:
                drop(connection, name)


def create(connection: psycopg.Connection, name: str) -> None:
    """Copy the template, with its settings and its grants."""
    template, copy = sql.Identifier(TEMPLATE), sql.Identifier(name)
    owner = connection.execute(_carry("owner"), {"template": TEMPLATE}).fetchone()
    assert owner is not None
    connection.execute(
        sql.SQL("create database {} template {} owner {} strategy file_copy").format(
            copy, template, sql.Identifier(owner[0])
        )
    )
    for script in ("settings", "grants"):
        connection.execute(_carry(script), {"template": TEMPLATE, "copy": name})


def drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def drop_leftovers(server: Connects) -> None:
    """Drop the databases of runs that died; the caller is the server's only user."""
    with server.connect(MAINTENANCE) as connection:
        for (name,) in connection.execute(r"select datname from pg_database where datname ~ '^run_[0-9a-f]{12}$'"):
            drop(connection, name)


@cache
def _carry(name: str) -> bytes:
    return (files("tenantproof.targets") / "carry" / f"{name}.sql").read_bytes()
