"""Connects to a server that somebody named by a DSN, and says plainly why it cannot be done."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tenantproof.core.errors import TargetError, UsageError

if TYPE_CHECKING:
    from pybreaker import CircuitBreaker

CONNECT_SECONDS = 10

_PORTS = 65536

TRIES = 4
"""Attempts at one connection; the waits between them double, from a quarter of a second on, with some chance."""

GIVES_UP_AFTER, RESTS_SECONDS = 3, 60
"""Connections in a row that failed for good, and how long nobody then knocks at that server."""

_PASSING = (
    "Connection refused",
    "too many clients",
    "remaining connection slots",
    "the database system is starting up",
    "the database system is in recovery mode",
    "server closed the connection unexpectedly",
    "Connection reset by peer",
    "Temporary failure in name resolution",
    "no more connections allowed",
    "server login failed",
    "query_wait_timeout",
)
"""What may be otherwise a moment later.  A wrong password is not: it is asked once."""

Session = TypeVar("Session", bound="psycopg.Connection[Any]")

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
    if not os.environ.get(name, "").strip():
        empty = "holds nothing but spaces" if os.environ.get(name) else "is not set"
        raise UsageError(f"{option} {given}: the environment variable {name} {empty}")
    return os.environ[name]


def readable_dsn(given: str, option: str) -> str:
    """As `dsn_of`, of a database.  Raises UsageError for what is no DSN, too."""
    dsn = dsn_of(given, option)
    require_dsn(dsn, f"{option} {given}" if given.startswith("env:") else option)
    return dsn


def connect_or_explain(conninfo: str) -> psycopg.Connection:
    """An autocommit connection.  Raises TargetError in one sentence, never with the password; UsageError for no DSN."""
    return connect_as(psycopg.Connection[Any], conninfo)


def connect_as(kind: type[Session], conninfo: str) -> Session:
    """An autocommit connection of a class of its own, nothing prepared on it; else as `connect_or_explain`.

    What may pass is tried again, with a growing wait; a server that failed too often in a row is left in peace.
    """
    from pybreaker import CircuitBreakerError
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

    place = describe(conninfo)
    patiently = Retrying(
        stop=stop_after_attempt(TRIES),
        wait=wait_random_exponential(multiplier=0.25, max=5),
        retry=retry_if_exception(_may_pass),
        reraise=True,
    )
    bounded = _bounded(conninfo)
    try:
        opened: Session = _breaker(place).call(
            patiently, lambda: kind.connect(bounded, autocommit=True, prepare_threshold=None)
        )
        return opened
    except CircuitBreakerError:
        raise TargetError(
            f"cannot use the database at {place}: it failed {GIVES_UP_AFTER} times in a row and is left in peace for "
            f"{RESTS_SECONDS} seconds"
        ) from None
    except psycopg.Error as error:
        raise TargetError(f"cannot use the database at {place}: {reason_of(conninfo, error)}") from None


@cache
def _breaker(place: str) -> CircuitBreaker:
    """One for each place, for as long as the program runs."""
    from pybreaker import CircuitBreaker

    return CircuitBreaker(
        fail_max=GIVES_UP_AFTER, reset_timeout=RESTS_SECONDS, throw_new_error_on_trip=False, name=place
    )


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, psycopg.OperationalError) and any(one in str(error) for one in _PASSING)


def describe(conninfo: str) -> str:
    """user@host:port/dbname of a DSN: what may be shown.  Raises UsageError for what is no DSN."""
    require_dsn(conninfo)
    parts = conninfo_to_dict(conninfo)
    user = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"{user}{parts.get('host') or parts.get('hostaddr') or 'localhost'}{port}/{parts.get('dbname') or ''}"


def require_dsn(conninfo: str, given: str = "") -> None:
    """Raise UsageError for what is no DSN, never with any of it: *given* is how somebody named it.

    A password with a slash or an @ that is not percent-encoded is read as a host, a port or a database
    (libpq, "Connection URIs"): what then is none of that would be shown, and is a password.
    """
    try:
        parts = conninfo_to_dict(conninfo)
    except psycopg.Error:
        parts = None
    if parts is None or not _ports_are(str(parts.get("port") or "")) or _has_stray_at(conninfo, parts):
        raise UsageError(
            f"{given}{': ' if given else ''}the DSN cannot be read: expected postgresql://user@host:5432/dbname or "
            "host=… dbname=… (a password with special characters must be percent-encoded)"
        )


def _ports_are(said: str) -> bool:
    """Whether each is a port, or left out: a DSN may have several."""
    return all(not one or (one.isdecimal() and 0 < int(one) < _PORTS) for one in said.split(","))


def _has_stray_at(conninfo: str, parts: Mapping[str, object]) -> bool:
    """Whether an @ stands where a host or a database is."""
    hosts = str(parts.get("host") or "").split(",")
    path = conninfo.partition("://")[2].partition("?")[0].partition("/")[2]
    return "@" in path or any("@" in host for host in hosts if not host.startswith("/"))


def place_of(conninfo: str) -> str:
    """host:port/dbname of a DSN: which database it is, whoever connects.  Raises UsageError for what is no DSN."""
    return describe(conninfo).rpartition("@")[2]


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
