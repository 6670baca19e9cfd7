"""A place on this machine that serves a few files and remembers who asked: for tokens that name an address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(slots=True)
class Lure:
    """The address, and the paths that were asked for so far."""

    url: str
    asked: list[str] = field(default_factory=list)


@contextmanager
def lure(files: Mapping[str, str]) -> Iterator[Lure]:
    """Serve the files (path -> content) on a free port of 127.0.0.1."""
    asked: list[str] = []
    served = type("Served", (_Handler,), {"files": dict(files), "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), served)
    server.daemon_threads = True
    placed = Lure(f"http://127.0.0.1:{server.server_address[1]}", asked)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield placed
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    files: dict[str, str]
    asked: list[str]

    def do_GET(self) -> None:  # http.server's name
        self.asked.append(self.path)
        content = self.files.get(self.path)
        self.send_response(200 if content is not None else 404)
        self.end_headers()
        self.wfile.write((content or "").encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
