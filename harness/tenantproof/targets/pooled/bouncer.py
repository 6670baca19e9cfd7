"""
A PgBouncer of our own before a server, for as long as a block lasts.

It listens on a unix socket in a folder of its own, so nobody else reaches it and no port is taken.  Any name of a
database leads to the same database: PgBouncer keeps one pool for each pair of name and user, so a new name is a server
connection that nobody has used (https://www.pgbouncer.org/config.html, "databases": the fallback `*`).
"""

from __future__ import annotations

import os
import pwd
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tenantproof.core.errors import TargetError
from tenantproof.targets.pooled.program import Program

START_SECONDS = 15.0
STOP_SECONDS = 5.0
PORT = 6432

_POLL_SECONDS = 0.01
_ADMIN = "tenantproof_console"

_WATCHED = (
    'exec 3<&0; "$0" "$@" </dev/null 3<&- & child=$!; (read -r _ <&3; kill "$child" 2>/dev/null) & '
    'exec 3<&-; wait "$child"'
)
"""The shell reads a pipe of ours: when we die, however we die, it meets the end of it and stops PgBouncer."""

_DEFAULTS: Mapping[str, object] = {
    "listen_addr": "",
    "listen_port": PORT,
    "unix_socket_mode": "0700",
    "auth_type": "trust",
    "admin_users": _ADMIN,
    "default_pool_size": 1,
    "min_pool_size": 0,
    "reserve_pool_size": 0,
    "max_client_conn": 100,
    "query_wait_timeout": 10,
    "ignore_startup_parameters": "extra_float_digits,options",
    "log_connections": 0,
    "log_disconnections": 0,
}
"""server_reset_query is not among them: its default (DISCARD ALL, and only in session mode) is what is tested."""


@dataclass(frozen=True, slots=True)
class Bouncer:
    """A PgBouncer that answers."""

    folder: Path
    pid: int

    def conninfo(self, name: str, user: str) -> str:
        """The conninfo of a client; each *name* is a pool of its own."""
        return make_conninfo(
            host=str(self.folder),
            port=PORT,
            dbname=name,
            user=user,
            password="unused",  # noqa: S106  # nobody asks for it, and no file of the user's is looked into
            sslmode="disable",
            gssencmode="disable",
            client_encoding="UTF8",
            connect_timeout=10,
        )

    def drop(self, name: str) -> None:
        """Close the server connections of a pool, which PgBouncer would keep, with the locks that they hold."""
        with suppress(psycopg.Error), psycopg.connect(self.conninfo("pgbouncer", _ADMIN), autocommit=True) as console:
            console.execute(f"KILL {name}".encode())


@contextmanager
def serving(
    program: Program, server: str, *, mode: str, users: Mapping[str, str], **settings: object
) -> Iterator[Bouncer]:
    """Start PgBouncer before the database of the conninfo *server*, wait until it listens, stop it at the end.

    *mode* is its pool_mode; *users* are those who may connect, each with the password for the server ('' for none);
    *settings* are further ones of pgbouncer.ini.  Raises TargetError with its last words where it does not come up.
    """
    owner = _runs_as(server)
    with tempfile.TemporaryDirectory(prefix="tenantproof-pool-") as name, tempfile.TemporaryFile("w+") as log:
        folder = Path(name)
        place = _Place(folder, owner)
        known = {**users, _ADMIN: ""}
        place.write("users.txt", "".join(f"{_word(user)} {_word(secret)}\n" for user, secret in known.items()))
        place.write("pgbouncer.ini", _configuration(server, folder, mode, settings, program))
        process = _launch(program, place, log)
        try:
            _await_socket(process, folder, log)
            yield Bouncer(folder, process.pid)
        finally:
            _stop(process)


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whom PgBouncer runs as: it refuses to be root."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class _Place:
    """A folder of PgBouncer's own; `owner` None: it runs as ourselves."""

    folder: Path
    owner: _Owner | None = field(default=None)

    def __post_init__(self) -> None:
        if self.owner is not None:
            os.chown(self.folder, self.owner.uid, self.owner.gid)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        if self.owner is not None:
            os.chown(path, self.owner.uid, self.owner.gid)


def _runs_as(server: str) -> _Owner | None:
    """Root's PgBouncer runs as the owner of the server's socket, who may open it, or as nobody."""
    if os.geteuid() != 0:
        return None
    host = str(conninfo_to_dict(server).get("host") or "")
    if host.startswith("/"):
        found = os.stat(host)
        if found.st_uid != 0:
            return _Owner(found.st_uid, found.st_gid)
    nobody = pwd.getpwnam("nobody")
    return _Owner(nobody.pw_uid, nobody.pw_gid)


def _configuration(server: str, folder: Path, mode: str, settings: Mapping[str, object], program: Program) -> str:
    known = conninfo_to_dict(server)
    where = {name: known[name] for name in ("host", "port", "dbname") if known.get(name)}
    target = " ".join(f"{name}={_quoted(str(value))}" for name, value in where.items())
    prepared = {"max_prepared_statements": 100} if program.shares_prepared else {}
    given = {
        **_DEFAULTS,
        **prepared,
        "unix_socket_dir": folder,
        "auth_file": folder / "users.txt",
        "pool_mode": mode,
        **settings,
    }
    lines = [f"{name} = {value}" for name, value in given.items()]
    return "\n".join(["[databases]", f"* = {target}", "[pgbouncer]", *lines, ""])


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _word(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _launch(program: Program, place: _Place, log: IO[str]) -> subprocess.Popen[bytes]:
    owner = place.owner
    return subprocess.Popen(  # noqa: S603  # the program that the user named
        ["/bin/sh", "-c", _WATCHED, str(program.path), str(place.folder / "pgbouncer.ini")],
        env={name: value for name, value in os.environ.items() if not name.startswith("PG")},
        user=None if owner is None else owner.uid,
        group=None if owner is None else owner.gid,
        extra_groups=None if owner is None else [],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd="/",
    )


def _await_socket(process: subprocess.Popen[bytes], folder: Path, log: IO[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(folder / f".s.PGSQL.{PORT}"))
            return
        time.sleep(_POLL_SECONDS)
    raise TargetError(f"PgBouncer did not come up: {_said(log) or 'it said nothing'}")


def _said(log: IO[str]) -> str:
    log.seek(0)
    return " ".join(log.read().split()[-60:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End PgBouncer: our end of the pipe closes, and the shell that reads the other stops it."""
    assert process.stdin is not None
    process.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
