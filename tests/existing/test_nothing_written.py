"""Nothing is written, and no function that may write is called."""

from __future__ import annotations

import subprocess
from pathlib import Path

import psycopg
import pytest
from tests.existing.looking import Stranger

from tenantproof.core.ports import Handle
from tenantproof.engine.existing.limits import Limits
from tenantproof.engine.existing.transaction import read_only

_COUNTED = """
SELECT tup_inserted, tup_updated, tup_deleted, xact_commit FROM pg_stat_database WHERE datname = current_database()
"""


def _dump(handle: Handle) -> str:
    assert handle.psql is not None
    program = Path(handle.psql).with_name("pg_dump")
    done = subprocess.run([program, "--dbname", handle.conninfo], capture_output=True, text=True, check=True)
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict")))


def _counted(handle: Handle) -> tuple[int, ...]:
    with psycopg.connect(handle.conninfo, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        row = connection.execute(_COUNTED).fetchone()
    assert row is not None
    return tuple(row)


def test_the_database_is_the_same_afterwards(clinic: Stranger) -> None:
    """What pg_dump tells of rows and sequences; and what the server counted: one session, which committed nothing."""
    with clinic.policy("public.patients", "true"):
        dumped, idle, before = _dump(clinic.handle), _counted(clinic.handle), _counted(clinic.handle)
        assert clinic.check().findings
        after = _counted(clinic.handle)

        assert after[:3] == before[:3]
        looking, opening_a_session = before[3] - idle[3], 1
        assert after[3] - before[3] == looking + opening_a_session
        assert _dump(clinic.handle) == dumped


def test_the_transaction_is_read_only_and_bounded(clinic: Stranger) -> None:
    with read_only(clinic.handle.conninfo, Limits(statement_seconds=1.5)) as (connection, anybody):
        settings = [
            connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
            for name in (
                "transaction_read_only",
                "transaction_isolation",
                "application_name",
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
            )
        ]
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), connection.transaction():
            connection.execute("INSERT INTO public.clinics (name) VALUES ('x')")
        with pytest.raises(psycopg.errors.ActiveSqlTransaction), connection.transaction():
            connection.execute("SET TRANSACTION READ WRITE")

    assert anybody
    assert settings == [
        ("on",),
        ("repeatable read",),
        ("tenantproof",),  # the name that the DSN gives stays
        ("1500ms",),
        ("1s",),
        ("330s",),
    ]
