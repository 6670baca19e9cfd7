"""
A proxy on the loopback that makes a round trip take as long as over a slow line: a pipeline still flows.

It is a process of its own: in a thread it would take turns with the harness that is measured.

    python -m tests.staging.delaying SECONDS ADDRESS

A round trip takes that many seconds; the address is HOST:PORT or the path of a unix socket.  The proxy tells its port
and ends with its standard input.
"""

from __future__ import annotations

import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
_CHUNK = 65536

Pipe = queue.Queue[tuple[float, bytes]]


@contextmanager
def delayed(target: tuple[str, int] | str, round_trip: float) -> Iterator[int]:
    """A port that leads to a TCP address, or to a unix socket; bytes take half a round trip each way."""
    address = target if isinstance(target, str) else f"{target[0]}:{target[1]}"
    command = [sys.executable, "-m", "tests.staging.delaying", str(round_trip), address]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        yield int(proxy.stdout.readline())
        proxy.kill()


def main(round_trip: float, address: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listener, address, round_trip / 2), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    sys.stdin.read()


def _accept(listener: socket.socket, address: str, delay: float) -> None:
    while True:
        near, _ = listener.accept()
        far = _connect(address)
        for one in (near, far):
            if one.family == socket.AF_INET:
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for source, sink in ((near, far), (far, near)):
            pipe: Pipe = queue.Queue()
            threading.Thread(target=_read, args=(source, pipe, delay), daemon=True).start()
            threading.Thread(target=_write, args=(pipe, sink), daemon=True).start()


def _connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    if not address.startswith("/"):
        return socket.create_connection((host, int(port)))
    far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    far.connect(address)
    return far


def _read(source: socket.socket, pipe: Pipe, delay: float) -> None:
    data = b"."
    while data:
        try:
            data = source.recv(_CHUNK)
        except OSError:
            data = b""
        pipe.put((time.monotonic() + delay, data))


def _write(pipe: Pipe, sink: socket.socket) -> None:
    with suppress(OSError):
        while True:
            due, data = pipe.get()
            time.sleep(max(0.0, due - time.monotonic()))
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            sink.sendall(data)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2])
