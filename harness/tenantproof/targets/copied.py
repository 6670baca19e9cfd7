"""
The database of somebody's test suite: a copy of it on the same server, dropped at the end.

The original is never written to.  CREATE DATABASE … TEMPLATE copies files, so nobody may be connected to the original
meanwhile (PostgreSQL, "Template Databases").
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tenantproof.core.errors import TargetError
from tenantproof.core.ports import Handle
from tenantproof.targets.reach import require_dsn

MAINTENANCE = ("postgres", "template1")


class CopiedTarget:
    """Copies of the database at *dsn*, whose role must be a superuser (a test server's own)."""

    notes: tuple[str, ...] = ()

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    @contextmanager
    def database(self) -> Iterator[Handle]:
        """A copy, ready for a run; dropped afterwards.  Raises TargetError, and UsageError for what is no DSN."""
        require_dsn(self._dsn, "tenantproof_dsn")
        original = conninfo_to_dict(self._dsn).get("dbname") or conninfo_to_dict(self._dsn).get("user") or "postgres"
        name = f"tenantproof_{secrets.token_hex(6)}"
        server = next((base for base in MAINTENANCE if base != original), "template1")
        with self._connect(server) as connection:
            version = connection.info.parameter_status("server_version") or ""
            self._require_superuser(connection)
            self._copy(connection, str(original), name)
            try:
                yield Handle(
                    conninfo=make_conninfo(self._dsn, dbname=name),
                    label=f"a copy of {original}, PostgreSQL {version}",
                    server_version=version,
                    owned=True,
                )
            finally:
                with suppress(psycopg.OperationalError):
                    connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def _connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        try:
            return psycopg.connect(self._dsn, dbname=database, autocommit=True)
        except psycopg.OperationalError as error:
            raise TargetError(f"cannot connect to the database of tenantproof_dsn: {error}") from None

    @staticmethod
    def _require_superuser(connection: psycopg.Connection[tuple[object, ...]]) -> None:
        if connection.info.parameter_status("is_superuser") != "on":
            raise TargetError(
                f"the role '{connection.info.user}' of tenantproof_dsn is no superuser: personas are acted by SET "
                "SESSION AUTHORIZATION, which needs one; hand over the superuser of your test server"
            )

    @staticmethod
    def _copy(connection: psycopg.Connection[tuple[object, ...]], original: str, name: str) -> None:
        try:
            connection.execute(
                sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(original))
            )
        except psycopg.errors.ObjectInUse as error:
            raise TargetError(
                f"'{original}' cannot be copied while somebody is connected to it ({error.diag.message_detail}): "
                "return the DSN of a template database from tenantproof_dsn, or close the connections first"
            ) from None
        except psycopg.Error as error:
            raise TargetError(f"'{original}' cannot be copied: {error}") from None
