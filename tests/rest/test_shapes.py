"""The further shapes of PostgREST: each is really asked, and an answer that shows more in one of them is a finding."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
from tests.rest.conftest import FIXTURES, standing_on

from tenantproof.core.model import Command, QName
from tenantproof.core.ports import Identity
from tenantproof.core.world import Key
from tenantproof.engine.rest import run as rest
from tenantproof.engine.rest.bench import RestBench, Stage
from tenantproof.engine.rest.findings import Author
from tenantproof.engine.rest.keeping import Keeper
from tenantproof.engine.rest.matrix import Pair, sweep_by_http
from tenantproof.engine.rest.shapes import Excess, links_of, look_at_shapes
from tenantproof.engine.rest.speaking import Tongue
from tenantproof.engine.rest.writing import first_of_each, returned_by, together_of
from tenantproof.engine.ways import Found, Standing
from tenantproof.identity.signing import Signer
from tenantproof.targets.rest.client import Client
from tenantproof.targets.rest.server import Serving, serving

PUBLIC = ("public",)
NOTES, TEAMS = QName("public", "notes"), QName("public", "teams")
SOMEBODYS = "00000000-0000-4000-8000-00000000f0f0"

Doctor = Callable[[httpx.Request, httpx.Response], httpx.Response]


class Gateway(httpx.BaseTransport):
    """What stands between the client and PostgREST: remembers each request, and may change each answer."""

    def __init__(self, doctor: Doctor = lambda _request, answer: answer) -> None:
        self._inner, self._doctor = httpx.HTTPTransport(), doctor
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        told = [f"{name}: {value}" for name, value in request.headers.items() if name != "authorization"]
        path = bytes(request.url.raw_path).decode()
        self.asked.append("\n".join([f"{request.method} {path}", *told, request.read().decode()]))
        answer = self._inner.handle_request(request)
        answer.read()
        return self._doctor(request, answer)

    def close(self) -> None:
        self._inner.close()


@dataclass
class Talk:
    """acme.member before the API, after the matrix of that persona."""

    standing: Standing
    place: Serving
    stage: Stage

    def bench(self, gateway: Gateway, persona: str) -> RestBench:
        client = Client(self.place.url, transport=gateway)
        plan = self.standing.plan
        return RestBench(client, Tongue(PUBLIC), plan, plan.identities[persona], self.stage)

    def pairs(self, gateway: Gateway, persona: str = "acme.member") -> list[Pair]:
        standing = self.standing
        cells = [cell for cell in standing.cells if cell.stand.persona.name == persona]
        bench = self.bench(gateway, persona)
        with bench.client:
            return list(sweep_by_http(standing.wire, standing.plan, standing.ground, cells, lambda _who: bench).pairs)


@pytest.fixture(scope="module")
def talk(safe: Standing, postgrest: Path) -> Iterator[Talk]:
    with (
        serving(postgrest, rest.settings_for(safe, PUBLIC)) as place,
        psycopg.connect(safe.handle.conninfo, autocommit=True) as connection,
    ):
        yield Talk(safe, place, Stage(safe.plan, Keeper(connection)))


@pytest.fixture(scope="module")
def honest(talk: Talk) -> list[Pair]:
    return talk.pairs(Gateway())


def reads_of(pairs: list[Pair]) -> dict[QName, frozenset[Key]]:
    return {
        pair.by_http.object.name: frozenset(pair.by_http.outcomes[0].observation.rows)
        for pair in pairs
        if pair.by_http.command is Command.SELECT and not pair.by_http.outcomes[0].observation.refused
    }


def looked(talk: Talk, pairs: list[Pair], doctor: Doctor) -> list[tuple[Identity, Excess]]:
    """What the shapes of reading and writing show beyond the plain reads, behind a gateway."""
    bench, reads = talk.bench(Gateway(doctor), "acme.member"), reads_of(pairs)
    with bench.client:
        found = list(look_at_shapes(bench, links_of(talk.standing.plan.relations), reads).excesses)
        for pair in first_of_each(pairs, Command.UPDATE, Command.DELETE):
            if (excess := returned_by(bench, talk.stage, pair, reads)) is not None:
                found.append(excess)
    return [(bench.identity, excess) for excess in found]


def changed(where: Callable[[httpx.Request], bool], change: Callable[[str], str], **headers: str) -> Doctor:
    def doctor(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if not where(request) or not answer.is_success:
            return answer
        kept = {name: value for name, value in answer.headers.items() if name in ("content-type", "content-range")}
        return httpx.Response(answer.status_code, headers={**kept, **headers}, text=change(answer.text))

    return doctor


def shows(text: str) -> Callable[[httpx.Request], bool]:
    return lambda request: re.search(text, bytes(request.url.raw_path).decode()) is not None


def prefers(text: str) -> Callable[[httpx.Request], bool]:
    return lambda request: text in str(request.headers.get("prefer", ""))


def is_csv(request: httpx.Request) -> bool:
    return str(request.headers.get("accept")) == "text/csv"


def widened(key: str, value: object) -> Callable[[str], str]:
    """The first row of an answer with another value in it."""

    def change(text: str) -> str:
        rows = json.loads(text)
        return json.dumps([{**rows[0], key: value}, *rows[1:]] if rows else rows)

    return change


MANY = r"^/teams\?.*e0:"
ONE = r"^/notes\?.*e0:"

SHAPES = [
    ("to many", changed(shows(MANY), widened("e1", [{"c0": SOMEBODYS}])), "embedded in public.teams"),
    ("to one", changed(shows(ONE), widened("e0", {"c0": SOMEBODYS})), "embedded in public.notes"),
    ("spread", changed(shows(ONE), widened("s0", SOMEBODYS)), "spread"),
    ("aggregate", changed(shows(MANY), widened("n1", [{"count": 99}])), "counted"),
    ("csv", changed(is_csv, lambda text: f"{text}\n{SOMEBODYS}"), "as CSV"),
    ("exact count", changed(is_csv, str, **{"content-range": "0-0/99"}), "counted exactly"),
    ("returned", changed(prefers("return=representation"), widened("c0", SOMEBODYS)), "returned by"),
]


@pytest.mark.parametrize(("doctor", "words"), [case[1:] for case in SHAPES], ids=[case[0] for case in SHAPES])
def test_a_shape_that_shows_more_is_found(talk: Talk, honest: list[Pair], doctor: Doctor, words: str) -> None:
    found = looked(talk, honest, doctor)
    findings = Author(talk.standing.plan, Tongue(PUBLIC), Signer()).of_excesses(found)

    assert found
    assert all(words in excess.words for _, excess in found)
    assert {finding.channel for finding in findings} == {"API-EMBED"}
    assert all("curl" in finding.replay for finding in findings)


def test_honest_shapes_are_silent(talk: Talk, honest: list[Pair]) -> None:
    assert looked(talk, honest, lambda _request, answer: answer) == []


def test_rows_for_others_in_the_company_of_ones_own(talk: Talk, honest: list[Pair], postgrest: Path) -> None:
    with standing_on([FIXTURES / "bulk.sql"]) as standing:
        found = rest.over_http(standing, rest.Api())
    (bulk,) = found.findings
    assert (bulk.channel, bulk.object, bulk.command.value) == ("API-BULK", "public.notes", "insert")
    assert "a row of globex" in bulk.evidence[0].rows[0]

    (pair,) = first_of_each(honest, Command.INSERT)
    gateway = Gateway()
    bench = talk.bench(gateway, "acme.member")
    with bench.client:
        assert together_of(bench, talk.stage, pair) is None
    (asked,) = gateway.asked
    assert "columns=" in asked
    assert asked.count('"team_id"') == 2


ASKED = {
    "exact count": r"count=exact",
    "planned count": r"count=planned",
    "estimated count": r"count=estimated",
    "plan": r"accept: application/vnd\.pgrst\.plan\+json",
    "csv and range": r"accept: text/csv\n(?s:.*)range: 0-",
    "embedded to many": r"GET /teams\?select=.*e\d:notes!",
    "embedded to one": r"GET /notes\?select=.*e\d:teams!",
    "aggregates": r"n\d:notes!\w+\(count\)",
    "spread": r"\.\.\.teams!",
    "root": r"GET /\naccept|GET /\n(?s:.*)accept: application/openapi\+json",
    "function by GET": r"GET /rpc/safe_team_notes\?team=",
    "function by POST": r"POST /rpc/team_notes",
    "computed column": r"GET /teams\?select=.*first_body",
    "computed relationship": r"GET /notes\?select=.*siblings\(\*\)",
    "upsert": r"on_conflict=(?s:.*)resolution=merge-duplicates",
    "several rows": r"POST /notes\?columns=(?s:.*)\},\s*\{",
    "return=representation": r"PATCH /notes(?s:.*)return=representation",
    "blind": r"DELETE /notes\n",
}


def client_words(found: Found) -> list[int]:
    """How many attempts the supabase client made, and how many of them came to the same."""
    told = next(note for note in found.notes if note.startswith("the supabase client"))
    return [int(word) for word in re.findall(r"\d+", told.replace(",", ""))]


def test_every_shape_is_really_asked_and_what_only_functions_show_is_found(
    postgrest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway()
    monkeypatch.setattr(rest, "Client", lambda url, key=None: Client(url, key=key, transport=gateway))
    with standing_on([FIXTURES / "shapes.sql"]) as standing:
        found: Found = rest.over_http(standing, rest.Api())

    assert found.findings

    assert [name for name, pattern in ASKED.items() if not any(re.search(pattern, one) for one in gateway.asked)] == []
    assert not any("eyJ" in one for one in gateway.asked if "apikey" not in one)
