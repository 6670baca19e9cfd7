"""
Stops a server whose users all died without stopping it (kill -9, a cancelled CI job).

Runs as a process of its own, started with each server: it waits for the lock that every user shares, which the kernel
drops when its holder dies.  Also imported, for `watch`; the process itself uses the standard library alone.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

KEPT = "kept"
"""A file in the data directory of a server that somebody asked to leave running."""

if TYPE_CHECKING:
    from tenantproof.targets.server import Server


def watch(server: Server, *, alive: Path, control: Path) -> None:
    """Start a keeper for a server that was just started."""
    pid = server.pid()
    if pid is None or not sys.executable:
        return
    detach = '"$@" >/dev/null 2>&1 </dev/null &'
    arguments = [sys.executable, "-I", "-S", __file__, str(alive), str(control), str(server.data), str(pid)]
    subprocess.run(  # noqa: S603  # this very file
        ["/bin/sh", "-c", detach, "sh", *arguments],
        cwd="/",
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )


def keep(alive: str, control: str, data: str, pid: int) -> None:
    """Wait until nobody is left, then stop the server, unless somebody came or it is another one by now."""
    while True:
        _wait_for(alive)
        control_fd, alive_fd = _opened(control), _opened(alive)
        try:
            # Control first, as everybody does; users take `alive` before it, so ours must not wait.
            fcntl.flock(control_fd, fcntl.LOCK_EX)
            if not _serves(data, pid) or os.path.exists(os.path.join(data, KEPT)):
                return
            if _try_take(alive_fd):
                _stop(data, pid)
                return
        finally:
            os.close(control_fd)
            os.close(alive_fd)


def _stop(data: str, pid: int) -> None:
    """Ask for a fast shutdown; whoever comes next must not meet a server that is about to go."""
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + 30
    while _serves(data, pid) and time.monotonic() < deadline:
        time.sleep(0.01)


def _wait_for(path: str) -> None:
    descriptor = _opened(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def _opened(path: str) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _serves(data: str, pid: int) -> bool:
    try:
        with open(os.path.join(data, "postmaster.pid")) as file:
            return file.readline().strip() == str(pid)
    except OSError:
        return False


if __name__ == "__main__":
    keep(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
