"""A proxy on the loopback that makes a round trip take as long as over a slow line: a pipeline still flows."""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK = 65536

Pipe = queue.Queue[tuple[float, bytes]]


@contextmanager
def delayed(target: tuple[str, int] | str, round_trip: float) -> Iterator[int]:
    """A port that leads to a TCP address, or to a unix socket; bytes take half a round trip each way."""
    listener = socket.create_server(("127.0.0.1", 0))
    opened = [listener]
    accepting = threading.Thread(target=_accept, args=(listener, target, round_trip / 2, opened), daemon=True)
    accepting.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
        accepting.join(timeout=5)
        for one in opened:
            one.close()


def _accept(listener: socket.socket, target: tuple[str, int] | str, delay: float, opened: list[socket.socket]) -> None:
    with suppress(OSError):  # closed: nobody else will come
        while True:
            near, _ = listener.accept()
            far = _connect(target)
            opened += [near, far]
            for one in (near, far):
                if one.family == socket.AF_INET:
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for source, sink in ((near, far), (far, near)):
                pipe: Pipe = queue.Queue()
                threading.Thread(target=_read, args=(source, pipe, delay), daemon=True).start()
                threading.Thread(target=_write, args=(pipe, sink), daemon=True).start()


def _connect(target: tuple[str, int] | str) -> socket.socket:
    if not isinstance(target, str):
        return socket.create_connection(target)
    far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    far.connect(target)
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
    while True:
        due, data = pipe.get()
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            sink.sendall(data)
        except OSError:
            return
