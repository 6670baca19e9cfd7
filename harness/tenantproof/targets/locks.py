"""
Locks between processes: flock on small files that are never deleted.

The kernel drops a lock when its holder dies, however it dies, so nothing here needs repair after a crash.
A lock file outlives what it guards; deleting it would let two processes hold "the same" lock on two inodes.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class Lock:
    """One open lock file.  Not shared between threads: each user opens its own."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def share(self) -> None:
        """Hold it together with other sharers; waits for an exclusive holder."""
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def take(self) -> None:
        """Hold it alone; waits."""
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def try_take(self) -> bool:
        """Hold it alone if nobody else holds it at all."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Release and close."""
        os.close(self._fd)


@contextmanager
def exclusive(path: Path, *, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock file at *path* alone; *waiting* is called once when somebody else has it."""
    lock = Lock(path)
    try:
        if not lock.try_take():
            waiting()
            lock.take()
        yield
    finally:
        lock.close()


@contextmanager
def exclusive_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock file at *path* alone if it is free; yields whether it was."""
    lock = Lock(path)
    try:
        yield lock.try_take()
    finally:
        lock.close()
