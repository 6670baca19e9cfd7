"""Applications that do not come up, do not answer, or answer strangely: said plainly, never green."""

from __future__ import annotations

import base64
import gzip
import io
import json
import time
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.endpoints.conftest import SCENARIO, Handle, answering, say

from tenantproof.api import check
from tenantproof.core.errors import TargetError, UsageError
from tenantproof.core.model import Carrier, Endpoint, EndpointsApp, Scenario
from tenantproof.core.ports import Writes
from tenantproof.engine.endpoints.run import Application, application_of, ask_endpoints, endpoint_ways
from tenantproof.engine.ways import Found, Standing
from tenantproof.scenario import load_scenario
from tenantproof.targets.endpoints import client as clients
from tenantproof.targets.endpoints.app import Command, facts_of_database, running
from tenantproof.targets.endpoints.client import AppGone, Ask, Client

NOTES = Endpoint(name="notes", method="GET", url="{base}/notes")


def asked(standing: Standing, base: str, *endpoints: Endpoint, timeout: float = 5.0) -> Found:
    """What is found at a server that runs already."""
    scenario = replace(standing.plan.scenario, endpoints=endpoints or (NOTES,), endpoints_app=None)
    there = replace(standing, plan=replace(standing.plan, scenario=scenario))
    return ask_endpoints(there, Application(base=base, timeout=timeout))


def reasons(found: Found) -> str:
    return "\n".join(f"{gap.object}: {gap.reason}" for gap in found.gaps)


def who(handler: BaseHTTPRequestHandler) -> str:
    """The tenant in the token's e-mail address; '' without a token."""
    token = handler.headers.get("authorization", "").removeprefix("Bearer ")
    if not token:
        return ""
    part = token.split(".")[1]
    email = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["email"]
    return str(email).partition("@")[2].removesuffix(".test")


def of(status: int, body: bytes, **headers: str) -> Handle:
    return lambda handler: say(handler, status, body, {name.replace("_", "-"): text for name, text in headers.items()})


@pytest.mark.parametrize(
    ("handle", "why"),
    [
        (of(500, b"<html>Internal Server Error</html>", content_type="text/html"), "500 text/html"),
        (of(302, b"", location="https://elsewhere.example/"), "a redirect to another origin, which is not followed"),
        (of(302, b"", location="/notes"), "it redirects without end"),
        (of(200, b"not gzip", content_encoding="gzip"), "its content encoding is broken"),
        (of(429, b"", retry_after="86400"), "429"),
    ],
    ids=["html", "elsewhere", "loop", "encoding", "busy"],
)
def test_what_is_no_answer_is_no_control(standing: Standing, handle: Handle, why: str) -> None:
    with answering(handle) as base:
        found = asked(standing, base)
    assert found.findings == ()
    assert "endpoint notes: no positive control" in reasons(found)
    assert why in reasons(found)


def test_nobody_listens(standing: Standing) -> None:
    found = asked(standing, "http://127.0.0.1:9")
    assert "endpoints: no positive control: the application at 127.0.0.1:9 does not answer" in reasons(found)


def test_an_endpoint_that_is_too_slow_is_left_alone(standing: Standing) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("content-length", "1000000")
        handler.end_headers()
        try:
            for _ in range(200):
                handler.wfile.write(b".")
                time.sleep(0.01)
        except OSError:
            handler.close_connection = True

    with answering(drip) as base:
        found = asked(standing, base, timeout=0.1)
    assert "it took longer than 0.1 s; it was left alone after 2 such answers" in reasons(found)


def test_a_server_that_is_busy_is_waited_for(standing: Standing) -> None:
    waited: list[float] = []
    answers = iter([429, 429, 200])

    with (
        answering(lambda handler: say(handler, next(answers), b"{}", {"retry-after": "7"})) as base,
        Client(base, wait=waited.append) as client,
    ):
        assert client.ask(Ask(method="GET", url=f"{base}/")).status == 200
    assert waited == [7.0, 7.0]


def test_huge_answers_are_read_up_to_a_size(standing: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "MOST_BYTES", 10_000)
    with answering(of(200, b"x" * 100_000, content_type="text/plain")) as base:
        found = asked(standing, base)
    assert "answers are longer than was read" in reasons(found)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda mark: (mark.encode("utf-16"), {"content-type": "text/csv; charset=utf-16"}),
        lambda mark: (b"\xff\xfe\xfa " + mark.encode() + b" \x80", {"content-type": "text/html"}),
        lambda mark: (mark.replace("-", "&#45;").encode(), {"content-type": "text/html"}),
        lambda mark: (json.dumps({"a": json.dumps({mark: 1})}).encode(), {"content-type": "application/json"}),
        lambda mark: (json.dumps([mark]).replace("-", "\\u002d").encode(), {"content-type": "application/json"}),
        lambda mark: (base64.b64encode(f"id,note\n1,{mark}\n".encode()), {"content-type": "text/plain"}),
        lambda mark: (f"data: {json.dumps({'n': mark})}\n\n".encode(), {"content-type": "text/event-stream"}),
        lambda mark: (("\\x" + mark.encode().hex()).encode(), {"content-type": "text/plain"}),
        lambda mark: (gzip.compress(mark.encode()), {"content-type": "application/gzip"}),
        lambda mark: (gzip.compress(mark.encode()), {"content-encoding": "gzip"}),
        lambda mark: (zipped(mark), {"content-type": "application/zip"}),
        lambda mark: (b"{}", {"content-disposition": f'attachment; filename="{mark}.csv"'}),
    ],
    ids=["utf-16", "latin", "html", "nested", "escaped", "base64", "events", "hex", "gzip", "encoded", "zip", "header"],
)
def test_marks_are_found_however_they_are_wrapped(standing: Standing, wrap: object) -> None:
    """An answer with another tenant's mark is a leak; the same with the own one is not."""
    assert callable(wrap)
    marks = standing.plan.manifest.canaries

    def other(handler: BaseHTTPRequestHandler) -> None:
        say(handler, 200, *wrap(marks["globex"] if who(handler) == "acme" else "nothing"))

    def own(handler: BaseHTTPRequestHandler) -> None:
        say(handler, 200, *wrap(marks.get(who(handler), "nothing")))

    with answering(other) as base:
        found = asked(standing, base, replace(NOTES, cache=False))
    assert [(finding.channel, finding.personas) for finding in found.findings] == [
        ("ENDPOINT-READ", ("acme.admin", "acme.member"))
    ]
    with answering(own) as base:
        found = asked(standing, base, replace(NOTES, cache=False))
    assert found.findings == ()
    assert found.gaps == ()


def zipped(text: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sheet1.xml", f"<t>{text}</t>")
    return held.getvalue()


def test_tokens_in_cookies_and_headers_of_ones_own(standing: Standing) -> None:
    """The token is sent where the scenario says and nowhere else, and cookies are never kept."""
    seen: list[tuple[str, str, str]] = []

    def listen(handler: BaseHTTPRequestHandler) -> None:
        headers = handler.headers
        seen.append(
            (handler.path, headers.get("cookie", ""), headers.get("x-key", "") + headers.get("authorization", ""))
        )
        say(handler, 200, b"{}", {"set-cookie": "sid=1; Path=/"})

    by_cookie = replace(NOTES, name="c", url="{base}/c", carrier=Carrier.COOKIE, carrier_name="sess", cache=False)
    by_header = replace(NOTES, name="h", url="{base}/h", carrier=Carrier.HEADER, carrier_name="x-key", cache=False)
    by_nothing = replace(
        NOTES, name="n", url="{base}/n", carrier=Carrier.NONE, headers={"x-user": "{user.id}"}, cache=False
    )
    with answering(listen) as base:
        found = asked(standing, base, by_cookie, by_header, by_nothing)
    assert found.findings == ()
    assert {(path, cookie[:8], key[:3]) for path, cookie, key in seen} == {
        ("/c", "sess=eyJ", ""),
        ("/c", "", ""),
        ("/h", "", "eyJ"),
        ("/h", "", ""),
        ("/n", "", ""),
    }


def test_requests_that_write_need_a_database_that_can_be_put_back(standing: Standing) -> None:
    with answering(of(200, b"{}")) as base:
        refused = asked(standing, base, replace(NOTES, method="POST", body={"q": "x"}))
        safe = asked(standing, base, replace(NOTES, method="POST", body={"q": "x"}, safe=True))
    assert "not asked: POST writes" in reasons(refused)
    assert safe.gaps == ()


@pytest.mark.parametrize(
    ("writes", "why"),
    [(Writes.ROLLBACK, "stay in one transaction"), (Writes.NEVER, "no rows were seeded")],
)
def test_rows_that_no_application_can_see(standing: Standing, writes: Writes, why: str) -> None:
    there = replace(standing, handle=replace(standing.handle, writes=writes))
    found = ask_endpoints(there, Application(base="http://127.0.0.1:9"))
    assert [gap.reason.startswith("no positive control") and why in gap.reason for gap in found.gaps] == [True]


# Where the application is


@pytest.fixture
def scenario(monkeypatch: pytest.MonkeyPatch) -> Scenario:
    monkeypatch.delenv("TENANTPROOF_ENDPOINT_BASE", raising=False)
    return replace(load_scenario(SCENARIO), endpoints_app=None)


def test_the_address_is_given_by_option_variable_or_scenario(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = replace(scenario, endpoints_app=EndpointsApp(base="env:APP_URL"))
    monkeypatch.setenv("APP_URL", "http://declared.example/")
    assert application_of(declared).base == "http://declared.example"
    monkeypatch.setenv("TENANTPROOF_ENDPOINT_BASE", "http://variable.example")
    assert application_of(declared).base == "http://variable.example"
    assert application_of(declared, "env:APP_URL").base == "http://declared.example"


def test_without_an_address_nothing_is_asked_and_that_is_said(scenario: Scenario, standing: Standing) -> None:
    (way,) = endpoint_ways(scenario, None)
    (gap,) = way.go(standing).gaps
    assert gap.reason.startswith("not asked: no base URL (--endpoint-base")


def test_addresses_and_commands_that_cannot_be_used(scenario: Scenario) -> None:
    for address in ("app.example.com", "http://", "http://a:b@c", "http://x:99999", "ftp://x"):
        with pytest.raises(UsageError, match="the endpoints' base: "):
            endpoint_ways(scenario, address)
    with pytest.raises(UsageError, match="declares no endpoints"):
        endpoint_ways(replace(scenario, endpoints=()), "http://127.0.0.1:9")
    missing = EndpointsApp(command="no-such-program --port {port}")
    with pytest.raises(UsageError, match="there is no program 'no-such-program'"):
        endpoint_ways(replace(scenario, endpoints_app=missing), None)


def test_an_application_that_does_not_come_up(tmp_path: Path) -> None:
    secret = "postgresql://app:very-secret-word@/x"
    ends = Command(line='sh -c "echo cannot reach $DATABASE_URL; exit 3"', folder=tmp_path)
    ends = replace(ends, environment={"DATABASE_URL": "{database.url}"}, known={"database.url": secret})
    with pytest.raises(TargetError, match=r"it ended with 3; it said: cannot reach \*\*\*"), running(ends):
        pass
    with (
        pytest.raises(TargetError, match=r"after 0\.2 s its port does not listen"),
        running(Command(line="sleep 600", folder=tmp_path), seconds=0.2),
    ):
        pass


def test_the_database_in_words_for_an_application() -> None:
    local = facts_of_database("host=/tmp/s port=5432 dbname=run_1 user=admin", "authenticator")
    assert local["database.url"] == "postgresql://authenticator@/run_1?host=/tmp/s&port=5432"
    there = facts_of_database("host=127.0.0.1 port=4444 dbname=x user=admin password='p/w'", "app")
    assert there["database.url"] == "postgresql://app:p%2Fw@127.0.0.1:4444/x"


def test_an_application_that_goes_away_in_the_middle() -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(AppGone, match="nobody listens there"):
        client.ask(Ask(method="GET", url="http://127.0.0.1:9/"))


def test_the_python_interface_takes_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """`endpoint_base` wins over the scenario's command."""
    with answering(of(404, b"")) as base:
        report = check(SCENARIO, attempts=0, endpoint_base=base)
    gaps = [gap for gap in report.gaps if gap.object.startswith("endpoint")]
    assert len([gap for gap in gaps if "no positive control" in gap.reason]) == 17  # all but the two that write
    assert "endpoints" in report.timing.phases


def test_the_command_line_takes_an_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tenantproof.cli.main import cli

    with pytest.raises((SystemExit, UsageError)) as ended:
        cli.main(["check", str(SCENARIO), "--endpoint-base", "ftp://x"], standalone_mode=False)
    assert "expected an address" in str(ended.value) + capsys.readouterr().err
