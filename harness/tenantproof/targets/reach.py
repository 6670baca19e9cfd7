"""Connects to a server that somebody named by a DSN, and says plainly why it cannot be done."""

from __future__ import annotations

import os

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tenantproof.core.errors import TargetError, UsageError

CONNECT_SECONDS = 10

_KNOWN = (
    ("Connection refused", "nothing listens there (connection refused)"),
    ("No such file or directory", "there is no server's socket there"),
    ("could not translate host name", "its host name is not known to DNS"),
    ("failed to resolve host", "its host name is not known to DNS"),
    ("Name or service not known", "its host name is not known to DNS"),
    ("timeout expired", "it did not answer in time"),
    ("timed out", "it did not answer in time"),
    ("password authentication failed", "it refuses this user or password"),
    ("no password supplied", "it wants a password and the DSN has none"),
    ("no pg_hba.conf entry", "its pg_hba.conf admits nobody from here as this user"),
    ("too many clients", "it has no connection left to give (too many clients)"),
    ("no more connections allowed", "the pooler takes no more clients (max_client_conn)"),
    ("pgbouncer cannot connect to server", "the pooler cannot reach the server behind it"),
    ("server_login_retry", "the pooler cannot reach the server behind it"),
    ("server login failed", "the server behind the pooler refuses the pooler's login"),
    ("SASL authentication failed", "it refuses this user or password"),
    ("no such user", "the pooler does not know this user"),
    ("no such database", "the pooler does not know this database"),
    ("query_wait_timeout", "the pooler had no server connection left in time (query_wait_timeout)"),
    ("server closed the connection unexpectedly", "what answers there does not speak PostgreSQL's protocol"),
    ("received invalid response to", "what answers there does not speak PostgreSQL's protocol"),
    ("expected authentication request from server", "what answers there does not speak PostgreSQL's protocol"),
    ("SSL", "the two sides do not agree on encryption (sslmode)"),
)


def dsn_of(given: str, option: str) -> str:
    """The DSN itself, or that of the variable in `env:NAME`.  Raises UsageError for a variable that is not set."""
    if not given.startswith("env:"):
        return given
    name = given.removeprefix("env:")
    if not os.environ.get(name):
        raise UsageError(f"{option} {given}: the environment variable {name} is not set")
    return os.environ[name]


def connect_or_explain(conninfo: str) -> psycopg.Connection:
    """An autocommit connection.  Raises TargetError in one sentence, never with the password."""
    place = describe(conninfo)
    try:
        return psycopg.connect(_bounded(conninfo), autocommit=True)
    except psycopg.Error as error:
        raise TargetError(f"cannot use the database at {place}: {reason_of(conninfo, error)}") from None


def describe(conninfo: str) -> str:
    """user@host:port/dbname of a DSN: what may be shown.  Raises TargetError for what is no DSN."""
    try:
        parts = conninfo_to_dict(conninfo)
    except psycopg.Error:
        raise TargetError(
            "the DSN cannot be read: expected postgresql://user@host:5432/dbname or host=… dbname=… "
            "(a password with special characters must be percent-encoded)"
        ) from None
    user = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"{user}{parts.get('host') or parts.get('hostaddr') or 'localhost'}{port}/{parts.get('dbname') or ''}"


def _bounded(conninfo: str) -> str:
    known = conninfo_to_dict(conninfo)
    return conninfo if "connect_timeout" in known else make_conninfo(conninfo, connect_timeout=CONNECT_SECONDS)


def reason_of(conninfo: str, error: psycopg.Error) -> str:
    """Why it cannot be done, in one sentence without the password."""
    said = str(error)
    for pattern, reason in _KNOWN:
        if pattern in said:
            return reason
    return _without_secrets(conninfo, said.strip().splitlines()[-1])


def _without_secrets(conninfo: str, text: str) -> str:
    for key in ("password", "sslpassword"):
        secret = conninfo_to_dict(conninfo).get(key)
        if secret:
            text = text.replace(str(secret), "***")
    return text
