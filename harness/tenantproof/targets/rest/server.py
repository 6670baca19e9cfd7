"""
A PostgREST of our own before a database, for as long as a block lasts.

Its settings go by environment variables (https://docs.postgrest.org/en/v12/references/configuration.html): the JWT
secret then stands in no file.
"""

from __future__ import annotations

import os
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

import httpx

from tenantproof.core.errors import TargetError

START_SECONDS = 20.0
STOP_SECONDS = 5.0

_POLL_SECONDS = 0.01
_PORTS_TRIED = 3

_WATCHED = (
    'exec 3<&0; "$0" </dev/null 3<&- & child=$!; (read -r _ <&3; kill "$child" 2>/dev/null) & exec 3<&-; wait "$child"'
)
"""The shell reads a pipe of ours: when we die, however we die, it meets the end of it and stops PostgREST."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How PostgREST serves a database: by default as Supabase configures it.

    `conninfo` is that of the login role (authenticator); `verifier` what jwt-secret takes: a secret or a JWK set.
    """

    conninfo: str = field(repr=False)
    verifier: str = field(repr=False)
    schemas: tuple[str, ...] = ("public",)
    extra_search_path: tuple[str, ...] = ("public", "extensions")
    anon_role: str = "anon"
    audience: str | None = "authenticated"
    pre_request: str | None = None
    tx_end: str = "commit-allow-override"
    max_rows: int | None = 1000
    plans: bool = False
    openapi_mode: str = "follow-privileges"

    def environment(self) -> dict[str, str]:
        """The settings as PostgREST's environment variables."""
        given = {
            "PGRST_DB_URI": self.conninfo,
            "PGRST_JWT_SECRET": self.verifier,
            "PGRST_DB_SCHEMAS": ",".join(self.schemas),
            "PGRST_DB_EXTRA_SEARCH_PATH": ",".join(self.extra_search_path),
            "PGRST_DB_ANON_ROLE": self.anon_role,
            "PGRST_JWT_AUD": self.audience,
            "PGRST_DB_PRE_REQUEST": self.pre_request,
            "PGRST_DB_TX_END": self.tx_end,
            "PGRST_DB_MAX_ROWS": None if self.max_rows is None else str(self.max_rows),
            "PGRST_DB_PLAN_ENABLED": str(self.plans).lower(),
            "PGRST_OPENAPI_MODE": self.openapi_mode,
            "PGRST_DB_POOL": "2",
            "PGRST_SERVER_HOST": "127.0.0.1",
            "PGRST_LOG_LEVEL": "crit",
        }
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Serving:
    """A PostgREST that answers, and the number of its process."""

    url: str
    admin_url: str
    pid: int


@contextmanager
def serving(program: Path, settings: Settings) -> Iterator[Serving]:
    """Start PostgREST, wait until it has read the schema, stop it at the end.

    Raises TargetError with its last words where it does not come up.
    """
    with tempfile.TemporaryFile("w+") as log:
        process, place = _started(program, settings, log)
        try:
            yield place
        finally:
            _stop(process)


def _started(program: Path, settings: Settings, log: IO[str]) -> tuple[subprocess.Popen[bytes], Serving]:
    """On ports that are free; another program may take one in between, so more than one pair is tried."""
    for attempt in range(1, _PORTS_TRIED + 1):
        port, admin = _free_ports()
        process = _launch(program, {**settings.environment(), **_listening(port, admin)}, log)
        place = Serving(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{admin}", process.pid)
        try:
            _await_ready(process, place.admin_url, log)
        except BaseException as error:
            _stop(process)
            taken = "in use" in _said(log)
            if attempt == _PORTS_TRIED or not (taken and isinstance(error, TargetError)):
                raise
        else:
            return process, place
    raise AssertionError("the last attempt returns or raises")


def _listening(port: int, admin: int) -> dict[str, str]:
    return {"PGRST_SERVER_PORT": str(port), "PGRST_ADMIN_SERVER_PORT": str(admin)}


def _launch(program: Path, settings: Mapping[str, str], log: IO[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # the program that the user named
        ["/bin/sh", "-c", _WATCHED, str(program)],
        env={**_environment(), **settings},
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd="/",
    )


def _environment() -> dict[str, str]:
    """Ours without what would configure PostgREST or libpq behind our back."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "PGRST_"))}


def _free_ports() -> tuple[int, int]:
    with socket.socket() as first, socket.socket() as second:
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


def _await_ready(process: subprocess.Popen[bytes], admin_url: str, log: IO[str]) -> None:
    """Poll /ready of the admin server, which says 200 once the schema is read."""
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(base_url=admin_url, trust_env=False, timeout=1.0) as client:
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(httpx.TransportError):
                if client.get("/ready").status_code == httpx.codes.OK:
                    return
            time.sleep(_POLL_SECONDS)
    raise TargetError(f"PostgREST did not come up: {_said(log) or 'it said nothing'}")


def _said(log: IO[str]) -> str:
    log.seek(0)
    return " ".join(log.read().split()[-60:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End PostgREST: our end of the pipe closes, and the shell that reads the other stops it."""
    assert process.stdin is not None
    process.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
