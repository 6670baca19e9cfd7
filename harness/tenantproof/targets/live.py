"""A database of somebody's, to be read and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tenantproof.core.errors import TargetError
from tenantproof.targets.reach import connect_or_explain, describe

OLDEST = 150000
"""server_version_num of the oldest PostgreSQL whose catalog the queries know."""

PATIENCE = "30s"
"""For one statement; a catalog of thousands of tables takes less than a second."""

LOCK_PATIENCE = "2s"


def has_password(dsn: str) -> bool:
    """Whether a DSN tells a password, which `ps` shows to everybody on the machine."""
    try:
        return bool(conninfo_to_dict(dsn).get("password"))
    except psycopg.Error:
        return "@" in dsn or "password" in dsn


@contextmanager
def read_only(dsn: str) -> Iterator[psycopg.Connection]:
    """A connection in one READ ONLY transaction, which ends with the block; nothing is left behind.

    Statements and waits for locks are bounded, and the session is named, so that whoever looks after the server sees
    who it is; names mean pg_catalog's alone, whatever the role's search_path.  Works behind poolers of transactions:
    nothing is prepared and nothing is set outside the transaction.
    Raises TargetError where the server cannot be used or is too old, never with the password.
    """
    connection = connect_or_explain(_named(dsn))
    try:
        connection.prepare_threshold = None
        with connection.pipeline():
            connection.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute(
                "SELECT pg_catalog.set_config('search_path', 'pg_catalog', true),"
                " pg_catalog.set_config('statement_timeout', %s, true),"
                " pg_catalog.set_config('lock_timeout', %s, true),"
                " pg_catalog.set_config('idle_in_transaction_session_timeout', '60s', true)",
                (PATIENCE, LOCK_PATIENCE),
            )
        if connection.info.server_version < OLDEST:
            version = connection.info.parameter_status("server_version")
            raise TargetError(f"{describe(dsn)} is PostgreSQL {version}; 15 or later is needed")
        yield connection
    except psycopg.Error as error:
        raise TargetError(f"{describe(dsn)} cannot be read: {_first_line(error)}") from None
    finally:
        connection.close()


def _named(dsn: str) -> str:
    try:
        known = conninfo_to_dict(dsn)
    except psycopg.Error:
        return dsn  # whoever connects says what is wrong with it
    return dsn if "application_name" in known else make_conninfo(dsn, application_name="tenantproof drift")


def _first_line(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).strip().splitlines()[0]
