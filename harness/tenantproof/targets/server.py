"""
One data directory, and the server on it: initialize, start, stop, connect.

Callers hold the cluster's control lock.  The server listens on a unix socket only, in a folder that nobody but the
server's OS user (and root) may enter; that is why it can trust whoever connects.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from tenantproof.core.errors import TargetError
from tenantproof.targets.processes import is_alive, is_server, kill_servers
from tenantproof.targets.programs import Programs

START_SECONDS = 60.0
STOP_SECONDS = 20.0
LONGEST_SOCKET_PATH = 100

_ENDS = re.compile(r"terminated by signal|exited with exit code|Failed process was running|shutdown request|PANIC")
_TOLD = 4
"""Lines of the log that are told of a server that went away."""

INITDB = (
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--wal-segsize=1",
    "--no-sync",
    "--no-instructions",
)

SETTINGS = """\
# Written by tenantproof at every start.  The data is disposable: durability is off.
listen_addresses = ''
port = 5432
max_connections = 200
shared_buffers = 64MB
fsync = off
full_page_writes = off
synchronous_commit = off
wal_level = logical
min_wal_size = 4MB
max_wal_size = 512MB
checkpoint_timeout = 1h
autovacuum = off
jit = off
io_method = sync
max_parallel_workers_per_gather = 0
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
log_min_messages = log
log_min_error_statement = panic
log_checkpoints = off
unix_socket_permissions = 0700
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A data directory at `home`/data with its socket and its log."""

    programs: Programs
    home: Path
    superuser: str
    extensions: Path | None = None

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.data / "server.log"

    @property
    def log_before(self) -> Path:
        """The log of the start before the last."""
        return self.data / "server.log.before"

    @property
    def socket_folder(self) -> Path:
        """In the data directory, unless that path is too long for a socket (sockaddr_un holds 108 bytes)."""
        if len(os.fsencode(self.data / ".s.PGSQL.5432.lock")) < LONGEST_SOCKET_PATH:
            return self.data
        name = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"tenantproof-{name}"

    def conninfo(self, dbname: str, user: str | None = None) -> str:
        """A conninfo that no PG* variable of the environment can bend."""
        return make_conninfo(
            host=str(self.socket_folder),
            port=5432,
            user=user or self.superuser,
            dbname=dbname,
            options="",
            client_encoding="UTF8",
            sslmode="disable",
            gssencmode="disable",
            channel_binding="disable",
            application_name="tenantproof",
        )

    def connect(self, dbname: str, user: str | None = None) -> psycopg.Connection:
        """An autocommit connection."""
        return psycopg.connect(self.conninfo(dbname, user), autocommit=True, prepare_threshold=None)

    def initialize(self) -> None:
        """Make `home` and an empty cluster in it."""
        self.home.mkdir(mode=0o755, exist_ok=True)
        self.programs.give(self.home)
        self.programs.run("initdb", "-D", self.data, "-U", self.superuser, *INITDB)

    def start(self) -> None:
        """Start the server and wait until it accepts connections.  Raises TargetError with its last words."""
        self._forget_stale_pid()
        self._make_socket_folder()
        self._write_settings()
        try:
            pid = self._launch()
            _wait(START_SECONDS, lambda: self.is_ready(pid) or not is_alive(pid))
            if not self.is_ready(pid):
                raise TargetError(f"the embedded PostgreSQL server did not start: {self._last_words()}")
        except BaseException:
            kill_servers(self.data)
            raise

    def stop(self) -> None:
        """Stop the server if it runs: roll back what is open and disconnect everybody."""
        pid = self.pid()
        if pid is not None:
            _stop(pid)
        if self.socket_folder != self.data:
            shutil.rmtree(self.socket_folder, ignore_errors=True)

    def is_running(self) -> bool:
        """Whether a server answers on our socket, which nobody else's server can use."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(self.socket_folder / ".s.PGSQL.5432"))
            except OSError:
                return False
        return True

    def pid(self) -> int | None:
        """The process on this data directory, if it lives."""
        lines = self._pid_file()
        pid = int(lines[0]) if lines and lines[0].strip().isdigit() else None
        return pid if pid is not None and is_server(pid, self.data) else None

    def is_ready(self, pid: int) -> bool:
        """postmaster.pid's eighth line says "ready" once connections are accepted."""
        lines = self._pid_file()
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def _pid_file(self) -> list[str]:
        try:
            return (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _forget_stale_pid(self) -> None:
        # PostgreSQL refuses to start while the number in an old postmaster.pid belongs to any living process
        # of the same user, which after a reboot may be anything.
        if self.pid() is None:
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _make_socket_folder(self) -> None:
        folder = self.socket_folder
        if folder == self.data:
            return
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:  # somebody else's is in the way: we would not trust it
            raise TargetError(f"the socket's folder {folder} cannot be made: {error.strerror}") from error
        self.programs.give(folder)

    def _write_settings(self) -> None:
        lines = [SETTINGS, f"unix_socket_directories = {_quoted(self.socket_folder)}\n"]
        if self.extensions is not None:
            lines.append(f"extension_control_path = {_quoted(f'{self.extensions}:$system')}\n")
        path = self.data / "postgresql.conf"
        path.write_text("".join(lines))
        self.programs.give(path)

    def _launch(self) -> int:
        with suppress(FileNotFoundError):
            self.log.replace(self.log_before)
        # The shell detaches the server from us and tells its number; exec keeps that number.
        detach = 'log=$1; shift; "$@" >"$log" 2>&1 </dev/null & echo $!'
        command = ["/bin/sh", "-c", detach, "sh", str(self.log)]
        done = self.programs.spawn([*command, str(self.programs.bin / "postgres"), "-D", str(self.data)])
        return int(done.stdout)

    def why_it_went(self) -> str:
        """What the server's log says of a crash or of being stopped; empty where it says nothing."""
        lines = [*_lines(self.log_before), *_lines(self.log)]
        return "\n".join([line for line in lines if _ENDS.search(line)][-_TOLD:])

    def _last_words(self) -> str:
        return " ".join(_lines(self.log)[-3:]) or "it said nothing"


def _lines(log: Path) -> list[str]:
    try:
        return log.read_text(errors="replace").strip().splitlines()
    except OSError:
        return []


def _quoted(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _wait(seconds: float, done: Callable[[], bool]) -> bool:
    """Poll every few milliseconds; PostgreSQL's own pg_ctl looks ten times a second, which costs more than a start."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if done():
            return True
        time.sleep(0.004)
    return done()


def _stop(pid: int) -> None:
    """Fast shutdown, then immediate, then none: each when the one before did not work in time."""
    for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, how)
        if _wait(STOP_SECONDS, lambda: not is_alive(pid)):
            return
