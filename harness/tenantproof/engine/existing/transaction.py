"""The one transaction in which everything is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from tenantproof.core.errors import TargetError
from tenantproof.engine.existing.limits import Limits
from tenantproof.targets.reach import connect_or_explain

Connection = psycopg.Connection[tuple[Any, ...]]

_BEGIN = "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_LOCK_PATIENCE = "1s"
_GRACE = 30
"""Seconds after which a server ends the transaction of a harness that hangs."""

_WHO = """
SELECT pg_catalog.current_setting('transaction_read_only') = 'on', rolsuper, rolsuper OR rolbypassrls, rolname::text
  FROM pg_catalog.pg_roles WHERE rolname = current_user
"""


@contextmanager
def read_only(conninfo: str, limits: Limits) -> Iterator[tuple[Connection, bool]]:
    """A connection in one READ ONLY transaction, and whether the observer may become any session user.

    REPEATABLE READ: persona and observer look at the same rows, whatever others commit meanwhile.  Everything is set
    inside the transaction and nothing is prepared, so that it works behind a pooler of transactions.  The connection is
    closed without a word at the end, and the server rolls back: the same as after kill -9.
    Raises TargetError where the server is out of reach or the observer does not see every row.
    """
    connection = connect_or_explain(conninfo)
    try:
        connection.prepare_threshold = None
        connection.execute(_BEGIN)
        connection.execute(_bounds(connection.info, limits))
        answer = connection.execute(_WHO).fetchone()
        if answer is None or not answer[0]:
            raise TargetError("the server did not begin a READ ONLY transaction; nothing was asked")
        if not answer[2]:
            raise TargetError(
                f"the role {answer[3]} does not see every row, so nobody can tell what others see too much of: connect "
                "as a superuser or as a role with BYPASSRLS (Supabase: postgres)"
            )
        yield connection, bool(answer[1])
    except psycopg.errors.IdleInTransactionSessionTimeout:
        raise TargetError("the server ended the transaction because it was idle for too long") from None
    finally:
        connection.close()


def _bounds(info: psycopg.ConnectionInfo, limits: Limits) -> str:
    """SELECT that sets what bounds the transaction, and how values are printed: keys are compared as text."""
    named = (info.parameter_status("application_name") or "").startswith("tenantproof")
    whole = f"{limits.seconds + _GRACE:.0f}s"
    settings = {
        **({} if named else {"application_name": "tenantproof --writes never"}),
        "statement_timeout": milliseconds(limits.statement_seconds),
        "lock_timeout": _LOCK_PATIENCE,
        "idle_in_transaction_session_timeout": whole,
        **({"transaction_timeout": whole} if info.server_version >= 170000 else {}),
        **PRINTING,
    }
    calls = ", ".join(f"pg_catalog.set_config('{name}', '{value}', true)" for name, value in settings.items())
    return f"SELECT {calls}"


PRINTING = {"TimeZone": "UTC", "DateStyle": "ISO, MDY", "IntervalStyle": "postgres", "bytea_output": "hex"}


def milliseconds(seconds: float) -> str:
    """A duration as PostgreSQL's settings take it; never 0, which would mean without a bound."""
    return f"{max(1, round(seconds * 1000))}ms"
