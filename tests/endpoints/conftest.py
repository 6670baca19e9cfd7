"""A real Redis for the sample application, and one seeded database from which strange servers are asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from tenantproof.core.report import Report
from tenantproof.engine.findings import locator
from tenantproof.engine.matrix import look
from tenantproof.engine.run import prepare
from tenantproof.engine.ways import Standing
from tenantproof.engine.wire import Wire
from tenantproof.identity.signing import Signer
from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget

FIXTURES = Path(__file__).parents[2] / "fixtures" / "endpoints"
SCENARIO = FIXTURES / "notes.tenancy.yaml"

Handle = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture(scope="session")
def redis() -> Iterator[str]:
    """The address of a redis-server of our own; skips with the reason where there is none."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server on PATH (Debian: redis-server)")
    with tempfile.TemporaryDirectory(prefix="tp-") as folder:
        socket = Path(folder) / "redis.sock"
        settings = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder]
        server = subprocess.Popen([program, *settings], stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 20
            while not socket.exists():
                assert time.monotonic() < deadline, "redis-server did not come up"
                assert server.poll() is None
            yield f"unix://{socket}"
        finally:
            server.terminate()
            server.wait(10)


@pytest.fixture(scope="session")
def surroundings(redis: str) -> Iterator[None]:
    """The environment that the sample application's command needs: our Python first, and the cache."""
    before = dict(os.environ)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    os.environ["REDIS_URL"] = redis
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def standing() -> Iterator[Standing]:
    """The sample's database, seeded."""
    scenario = load_scenario(SCENARIO)
    with EmbeddedTarget(scenario.database).database() as handle:
        plan = prepare(handle, scenario, seed=20260101, signer=Signer())
        with psycopg.connect(handle.conninfo, autocommit=True) as connection, Wire(connection) as wire:
            wire.prepare(())
            yield Standing(
                handle=handle,
                plan=plan,
                wire=wire,
                ground=look(wire, plan),
                cells=(),
                signer=Signer(),
                locate=locator(handle.sources),
                neighbours=handle.conninfo,
            )


@contextmanager
def answering(handle: Handle) -> Iterator[str]:
    """A server on a free port that answers every request by *handle*."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            handle(self)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    for method in ("GET", "HEAD", "POST", "PUT"):
        setattr(Handler, f"do_{method}", Handler.answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def say(
    handler: BaseHTTPRequestHandler, status: int = 200, body: bytes = b"", headers: dict[str, str] | None = None
) -> None:
    """Read the request to its end and send one answer."""
    handler.rfile.read(int(handler.headers.get("content-length", 0)))
    handler.send_response(status)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("content-length", str(len(body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


def told(report: Report) -> set[tuple[str, str]]:
    """The findings of endpoints: which endpoint, which channel."""
    found = (finding for finding in report.findings if finding.channel.startswith("ENDPOINT-"))
    return {(finding.object.removeprefix("endpoint "), finding.channel) for finding in found}
