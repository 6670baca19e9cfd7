"""
The user's application, started before a database of ours for as long as a block lasts.

It runs in a process group of its own, which ends with the block, and also when we are killed: the shell that started it
reads a pipe of ours, and meets its end.  What is secret goes by environment variables, never by the command line.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import quote

import httpx
from psycopg.conninfo import conninfo_to_dict

from tenantproof.core.errors import TargetError, UsageError

START_SECONDS = 60.0
STOP_SECONDS = 10.0

_POLL_SECONDS = 0.02
_SHOWN_WORDS = 60
_PLACEHOLDER = re.compile(r"\{([a-z]+(?:\.[a-z]+)?)\}")

_WATCHED = """\
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
trap '' TERM
( read -r _ <&3
  kill -s TERM -- -$$ 2>/dev/null
  tries=0
  while kill -0 "$child" 2>/dev/null && [ "$tries" -lt 50 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -s KILL -- -$$ 2>/dev/null ) &
exec 3<&-
wait "$child"
"""
"""The shell that leads the group lets TERM pass it by, so that it can wait for the application to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How to start an application, in `folder`.

    `line`, `ready` and `environment` are templates; `known` fills them, but for the port.
    """

    line: str
    folder: Path
    ready: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict, repr=False)


def facts_of_database(conninfo: str, login: str) -> dict[str, str]:
    """What {database.…} stands for: the database of *conninfo*, as the role *login*."""
    parts = {name: str(value) for name, value in conninfo_to_dict(conninfo).items() if value}
    host, port = parts.get("host", "localhost"), parts.get("port", "5432")
    password = parts.get("password", "")  # of databases that are ours: all roles have the same, or none
    facts = {"host": host, "port": port, "name": parts.get("dbname", login), "user": login, "password": password}
    signed_in = quote(login, safe="") + (f":{quote(password, safe='')}" if password else "")
    name = quote(facts["name"], safe="")
    if host.startswith("/"):
        url = f"postgresql://{signed_in}@/{name}?host={quote(host, safe='/')}&port={port}"
    else:
        url = f"postgresql://{signed_in}@{host}:{port}/{name}"
    return {f"database.{key}": value for key, value in {**facts, "url": url}.items()}


def require_program(line: str, folder: Path) -> list[str]:
    """The words of a command line.  Raises UsageError where its program is not there."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise UsageError(f"endpoints_app.command: cannot be read as a command: {error}") from None
    if not words or not (shutil.which(words[0]) or os.access(folder / words[0], os.X_OK)):
        name = words[0] if words else ""
        raise UsageError(f"endpoints_app.command: there is no program '{name}', neither on PATH nor in {folder}")
    return words


@contextmanager
def running(command: Command, seconds: float = START_SECONDS) -> Iterator[str]:
    """Start the application, wait until it is ready, yield its address, stop it.

    Raises TargetError with its last words where it does not come up in time.
    """
    port = _free_port()
    base = f"http://127.0.0.1:{port}"
    known = {**command.known, "port": str(port), "base": base}
    environment = {name: _filled(text, known) for name, text in command.environment.items()}
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = _launch(command, known, environment, log)
        try:
            ready = _filled(command.ready, known) if command.ready is not None else None
            _await(process, ready, port, log, environment, seconds)
            yield base
        finally:
            _stop(process)


def _launch(
    command: Command, known: Mapping[str, str], environment: Mapping[str, str], log: IO[str]
) -> subprocess.Popen[bytes]:
    words = [_filled(word, known) for word in require_program(command.line, command.folder)]
    return subprocess.Popen(  # noqa: S603  # the program that the user named
        ["/bin/sh", "-c", _WATCHED, "sh", *words],
        env={**_ours(), **environment},
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        cwd=command.folder,
    )


def _ours() -> dict[str, str]:
    """Our environment without what would lead libpq to another database."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def _filled(template: str, known: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: known.get(match[1], match[0]), template)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await(
    process: subprocess.Popen[bytes],
    ready: str | None,
    port: int,
    log: IO[str],
    environment: Mapping[str, str],
    seconds: float,
) -> None:
    deadline = time.monotonic() + seconds
    last = "its port does not listen"
    while time.monotonic() < deadline and process.poll() is None:
        last = _listens(port) if ready is None else _answers(ready)
        if not last:
            return
        time.sleep(_POLL_SECONDS)
    why = f"it ended with {process.returncode}" if process.poll() is not None else f"after {seconds:g} s {last}"
    said = _said(log, environment)
    raise TargetError(f"the application did not come up: {why}; it said: {said or 'nothing'}")


def _listens(port: int) -> str:
    with suppress(OSError), closing(socket.create_connection(("127.0.0.1", port), timeout=1.0)):
        return ""
    return "its port does not listen"


def _answers(url: str) -> str:
    try:
        status = httpx.get(url, timeout=2.0, trust_env=False).status_code
    except (httpx.HTTPError, httpx.InvalidURL):
        return f"{url} does not answer"
    return "" if httpx.codes.is_success(status) else f"{url} answers {status}"


def _said(log: IO[str], environment: Mapping[str, str]) -> str:
    """The application's last words, without what was secret of its environment."""
    log.seek(0)
    text = log.read()
    for value in sorted(environment.values(), key=len, reverse=True):
        if len(value) >= 8:
            text = text.replace(value, "***")
    return " ".join(text.split()[-_SHOWN_WORDS:])


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the group: our end of the pipe closes; the shell that reads the other asks all to end, then makes them."""
    assert process.stdin is not None
    process.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError, PermissionError):  # children that outlived the command itself
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
