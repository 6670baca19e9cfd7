"""The real `supabase` client before a real PostgREST: it comes to what plain HTTP comes to, or the run says so."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest
from tests.rest.conftest import FIXTURES, standing_on

from tenantproof.core.attempt import Form
from tenantproof.core.errors import MissingExtra
from tenantproof.core.model import Command
from tenantproof.engine.rest import run as rest
from tenantproof.engine.rest.bench import RestBench, Stage
from tenantproof.engine.rest.confirming import confirm, worth_confirming
from tenantproof.engine.rest.keeping import Keeper
from tenantproof.engine.rest.matrix import Pair, sweep_by_http
from tenantproof.engine.rest.speaking import Tongue
from tenantproof.engine.ways import Found, Standing
from tenantproof.identity.signing import Signer
from tenantproof.reports.unknown import is_undecided
from tenantproof.targets.rest.client import Client
from tenantproof.targets.rest.server import serving
from tenantproof.targets.rest.supabase import Relay, supabase_client

PUBLIC = ("public",)
ANON_KEY = Signer().mint({"role": "anon", "exp": 4102444800})


class ForTheClientOnly(httpx.BaseTransport):
    """A gateway that answers the supabase client's reads with nothing, and everybody else as it should."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET" and "x-client-info" in request.headers:
            return httpx.Response(200, json=[], headers={"content-range": "*/0"})
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


@pytest.fixture(scope="module")
def leaky(postgrest: Path) -> Iterator[Standing]:
    with standing_on([FIXTURES / "leaky.sql"], personas=["acme.member", "globex.admin", "anon"]) as standing:
        yield standing


@contextmanager
def talking(
    standing: Standing, postgrest: Path, transport: httpx.BaseTransport | None = None
) -> Iterator[tuple[list[Pair], dict[str, RestBench]]]:
    """The cells by plain HTTP, and a bench for each persona whose connections the client uses."""
    plan = standing.plan
    with ExitStack() as stack:
        place = stack.enter_context(serving(postgrest, rest.settings_for(standing, PUBLIC)))
        client = stack.enter_context(Client(place.url, transport=transport))
        connection = stack.enter_context(psycopg.connect(standing.handle.conninfo, autocommit=True))
        stage = Stage(plan, Keeper(connection))
        benches = {
            name: RestBench(client, Tongue(PUBLIC), plan, identity, stage) for name, identity in plan.identities.items()
        }
        who = ("acme.member", "globex.admin", "anon")
        cells = [cell for cell in standing.cells if cell.stand.persona.name in who]
        swept = sweep_by_http(standing.wire, plan, standing.ground, cells, lambda who: benches[who.name])
        yield list(swept.pairs), benches


def test_the_client_comes_to_what_plain_http_comes_to(leaky: Standing, postgrest: Path) -> None:
    """Reads, inserts, upserts, updates and deletes, blind and filtered, leaks and refusals: all the same."""
    with talking(leaky, postgrest) as (pairs, benches):
        chosen = worth_confirming(pairs)
        done = confirm(chosen, lambda pair: benches[pair.by_http.stand.persona.name], api_key=ANON_KEY)
    made = {(said.attempt.command, said.attempt.form) for _, said in chosen}

    assert [doubt.words for doubt in done.doubts] == []
    assert (done.asked, done.unsaid) == (len(chosen), 0)
    assert {form for _, form in made} >= {Form.READ, Form.FILTERED, Form.BLIND, Form.VALUES, Form.UPSERT}
    assert {command for command, _ in made} == set(Command)
    assert any(said.changes for _, said in chosen)
    assert any(said.observation.denied for _, said in chosen)
    violating = [one for pair, said in chosen for one in pair.by_http.judgement.violations if one.outcome is said]
    assert len(violating) > 5


def test_a_gateway_that_answers_the_client_otherwise_is_told(safe: Standing, postgrest: Path) -> None:
    with talking(safe, postgrest, ForTheClientOnly()) as (pairs, benches):
        done = confirm(worth_confirming(pairs), lambda pair: benches[pair.by_http.stand.persona.name], api_key=ANON_KEY)
    assert done.doubts
    assert all(doubt.by_http.attempt.command is Command.SELECT for doubt in done.doubts)
    assert any("select on public.notes as acme.member" in doubt.words for doubt in done.doubts)


def gap_about_the_client(found: Found) -> str:
    (gap,) = [gap for gap in found.gaps if gap.object == rest.CLIENT]
    return f"{is_undecided(gap)}: {gap.reason}"


def test_without_the_package_it_is_a_gap_with_what_to_install(
    safe: Standing, postgrest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "supabase", None)
    told = gap_about_the_client(rest.over_http(safe, rest.Api()))

    assert told.startswith("False: not asked")
    assert "tenantproof[supabase]" in told
    with pytest.raises(MissingExtra):
        supabase_client(Relay(Client("http://127.0.0.1:1")), "http://127.0.0.1:1", key="k", authorization=None)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://project.supabase.co/rest/v1", "https://project.supabase.co/rest/v1/notes?select=id"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000/notes?select=id"),
        ("https://example.test/api", "https://example.test/api/notes?select=id"),
    ],
)
def test_the_client_asks_where_the_api_is(url: str, asked: str) -> None:
    """With and without /rest/v1; the preference stands beside the client's own, and so does the persona's token."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json=[])

    with Client(url, transport=httpx.MockTransport(answer)) as client:
        relay = Relay(client, ["tx=rollback"])
        made = supabase_client(relay, url, key="sb_publishable_x", authorization="Bearer a.b.c")
        made.table("notes").select("id").execute()
        made.table("notes").insert({"id": 1}).execute()
    read, write = seen

    assert str(read.url) == asked
    assert (read.headers["authorization"], read.headers["apikey"]) == ("Bearer a.b.c", "sb_publishable_x")
    assert write.headers["prefer"] == "return=representation, tx=rollback"
