"""docs/rest.md: every channel over HTTP has its section; of its two examples the first leaks, the second does not."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_bytes
from time import time
from typing import Any

import httpx
import psycopg
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.rest import verifiers
from tests.rest.conftest import FIXTURES, standing_on
from tests.rest.test_shapes import Gateway
from tests.rest.test_tokens import attack
from tests.rest.verifiers import Claims, Right

from tenantproof.channels.rest.catalogue import REST_CHANNELS
from tenantproof.core.model import Command, QName
from tenantproof.engine.rest import run as rest
from tenantproof.engine.rest.bench import RestBench, Stage
from tenantproof.engine.rest.calls import calls_of
from tenantproof.engine.rest.differences import Side, differences
from tenantproof.engine.rest.guesses import described_to, guesses_at, told_too_much
from tenantproof.engine.rest.keeping import Keeper
from tenantproof.engine.rest.matrix import Pair, sweep_by_http
from tenantproof.engine.rest.shapes import Excess, links_of, look_at_shapes
from tenantproof.engine.rest.speaking import Tongue
from tenantproof.engine.rest.writing import first_of_each, together_of
from tenantproof.engine.ways import Standing
from tenantproof.identity.signing import Signer, generated
from tenantproof.targets.rest.client import Client
from tenantproof.targets.rest.server import serving

PAGE = (Path(__file__).parents[2] / "docs" / "rest.md").read_text(encoding="utf-8")
NOTES = QName("public", "notes")
PUBLIC = ("public",)
LEAKY, SAFE = 0, 1
BOTH = pytest.mark.parametrize("example", [LEAKY, SAFE], ids=["leaky", "safe"])
ES256 = generated("ES256")


def section(channel: str) -> str:
    found = re.search(rf"^### {channel}\n(.*?)(?=^### |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None, f"docs/rest.md has no section on {channel}"
    return found.group(1)


def examples(channel: str) -> list[str]:
    return re.findall(r"^```(?:sql|python|ini)\n(?:--|#) (?:leaky|safe)\n(.*?)^```", section(channel), re.M | re.S)


@pytest.mark.parametrize("channel", list(REST_CHANNELS))
def test_channels_are_documented(channel: str) -> None:
    known = REST_CHANNELS[channel]
    assert f"| [`{channel}`](#{channel.lower()}) | {known.severity} | {known.cwe} |" in PAGE
    assert len(examples(channel)) == 2
    assert known.fix in section(channel)


def test_all_sections_of_channels_are_channels() -> None:
    assert re.findall(r"^### ([A-Z]+-[A-Z]+)$", PAGE, re.MULTILINE) == list(REST_CHANNELS)


# Tokens: parts of a verifier


def head(token: str) -> dict[str, Any]:
    return verifiers.opened(token)[0]


class Example(Right):
    """A right verifier with the parts that an example defines in the place of its own."""

    def __init__(self, signer: Signer, code: str) -> None:
        super().__init__(signer)
        self.parts: dict[str, Any] = {"head": head, "hs256": verifiers.hs256, "es256": self.es256}
        exec(code, self.parts)

    def es256(self, token: str, _key: bytes) -> bool:
        return Right.signed(self, token)

    def signed(self, token: str) -> bool:
        own = self.parts.get("signed")
        if own is None:
            return super().signed(token)
        key = self.signer.key
        pem = (
            key
            if isinstance(key, bytes)
            else key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
        return bool(own(token, pem))

    def __call__(self, token: str) -> Claims | None:
        timely, ours = self.parts.get("timely"), self.parts.get("ours")
        self.skip = "iss" if ours else ""
        claims = self.untimely(token) if timely else super().__call__(token)
        if claims and timely and not timely(claims, time()):
            return None
        return None if claims and ours and not ours(claims) else claims

    def untimely(self, token: str) -> Claims | None:
        return self.roles(verifiers.opened(token)[1]) if self.signed(token) and self.audience(token) else None

    def audience(self, token: str) -> bool:
        claims = verifiers.opened(token)[1]
        return claims.get("aud") == "authenticated" and str(claims.get("iss", "")).startswith("http://127.0.0.1")

    def roles(self, claims: Claims) -> Claims | None:
        role = self.parts.get("role")
        if role is None or "role" not in claims:
            return super().roles(claims)
        known = role(claims)
        return None if known is None else {**claims, "role": known}


@pytest.fixture(scope="module")
def notes(safe: Standing) -> dict[str, list[str]]:
    tenants, rows = safe.plan.manifest.tenant_ids, safe.plan.world.rows[NOTES]
    return {
        str(who.user_id): [str(row.key[0]) for row in rows if row.tenant in {tenants[name] for name in who.tenants}]
        for who in safe.plan.manifest.personas
        if who.user_id
    }


@BOTH
@pytest.mark.parametrize(
    "channel", ["JWT-NONE", "JWT-SIGNATURE", "JWT-CONFUSION", "JWT-HEADER", "JWT-TIME", "JWT-ISSUER", "JWT-ROLE"]
)
def test_parts_of_verifiers(safe: Standing, notes: dict[str, list[str]], channel: str, example: int) -> None:
    signer = ES256 if channel == "JWT-CONFUSION" else Signer()
    done = attack(safe, verifiers.serving(Example(signer, examples(channel)[example]), notes), signer)
    channels = {finding.channel for finding in done.findings}

    assert len(done.tried) >= 40
    assert channel in channels if example == LEAKY else channels == set()


@BOTH
def test_two_headers(safe: Standing, notes: dict[str, list[str]], example: int) -> None:
    parts: dict[str, Any] = {}
    exec(examples("JWT-DOUBLE")[example], parts)
    right, inner = Right(Signer()), verifiers.serving(lambda token: verifiers.opened(token)[1], notes)

    def answer(request: httpx.Request) -> httpx.Response:
        headers = request.headers.get_list("authorization")
        chosen = parts["chosen"](headers) if headers else None
        if headers and (chosen is None or right(chosen[0].removeprefix("Bearer ")) is None):
            return httpx.Response(401, json={"code": "PGRST301", "message": "no"})
        token = {"authorization": chosen[1]} if chosen else {}
        return inner.handle_request(httpx.Request("GET", request.url, headers=token))

    done = attack(safe, httpx.MockTransport(answer), Signer())
    assert {finding.channel for finding in done.findings} == ({"JWT-DOUBLE"} if example == LEAKY else set())


@BOTH
def test_the_secret(safe: Standing, notes: dict[str, list[str]], example: int) -> None:
    (secret,) = re.findall(r'jwt-secret = "(.*)"', examples("JWT-SECRET")[example])
    signer = Signer(key=token_bytes(48) if secret.startswith("$(openssl rand") else secret.encode())
    done = attack(safe, verifiers.serving(Right(signer), notes), signer, "https://project.example/rest/v1")
    assert {finding.channel for finding in done.findings} == ({"JWT-SECRET"} if example == LEAKY else set())


# Settings of PostgREST, gateways and functions, before the real program


@contextmanager
def bench_before(
    standing: Standing, postgrest: Path, gateway: Gateway | None = None, **changes: object
) -> Iterator[Callable[[str], RestBench]]:
    """Benches of personas before a PostgREST with these settings, behind a gateway."""
    with ExitStack() as stack:
        settings = replace(rest.settings_for(standing, PUBLIC), **changes)  # type: ignore[arg-type]
        place = stack.enter_context(serving(postgrest, settings))
        client = stack.enter_context(Client(place.url, transport=gateway))
        connection = stack.enter_context(psycopg.connect(standing.handle.conninfo, autocommit=True))
        stage = Stage(standing.plan, Keeper(connection))
        stage.keeper.analyze([NOTES])
        plan = standing.plan
        yield lambda who: RestBench(client, Tongue(PUBLIC), plan, plan.identities[who], stage)


def swept(standing: Standing, bench: RestBench, *commands: Command, among: Collection[QName] = (NOTES,)) -> list[Pair]:
    cells = [
        cell
        for cell in standing.cells
        if cell.stand.persona == bench.identity.persona and cell.command in commands and cell.object.name in among
    ]
    return list(sweep_by_http(standing.wire, standing.plan, standing.ground, cells, lambda _who: bench).pairs)


def guessed(safe: Standing, postgrest: Path, gateway: Gateway | None = None, **changes: object) -> set[str]:
    with bench_before(safe, postgrest, gateway, **changes) as become:
        bench = become("acme.member")
        return {guess.channel for guess in guesses_at(bench, safe.plan.catalog.relations[NOTES])}


@BOTH
def test_plans(safe: Standing, postgrest: Path, example: int) -> None:
    plans = "= true" in examples("API-PLAN")[example]
    assert ("API-PLAN" in guessed(safe, postgrest, plans=plans)) == (example == LEAKY)


@BOTH
def test_the_root(with_a_policy_for_the_backend: Standing, postgrest: Path, example: int) -> None:
    standing = with_a_policy_for_the_backend
    (mode,) = re.findall(r'openapi-mode = "(.*)"', examples("API-ROOT")[example])
    with bench_before(standing, postgrest, openapi_mode=mode) as become:
        bench = become("anon")
        described = described_to(bench, "public")
    assert described is not None
    too_much = told_too_much(standing.plan, bench.identity.role, "public", described)
    assert (NOTES in too_much) == (example == LEAKY)


@BOTH
def test_estimated_counts(safe: Standing, postgrest: Path, example: int) -> None:
    parts: dict[str, Any] = {}
    exec(examples("API-COUNT")[example], parts)

    class Passing(Gateway):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            if "prefer" in request.headers:
                request.headers["prefer"] = parts["passed_on"](request.headers["prefer"])
            return super().handle_request(request)

    assert ("API-COUNT" in guessed(safe, postgrest, Passing())) == (example == LEAKY)


@BOTH
def test_the_audience(safe: Standing, postgrest: Path, example: int) -> None:
    named = re.findall(r'jwt-aud = "(.*)"', examples("JWT-AUDIENCE")[example])
    settings = replace(rest.settings_for(safe, PUBLIC), audience=named[0] if named else None)
    with serving(postgrest, settings) as place:
        done = attack(safe, None, Signer(), place.url)
    channels = {finding.channel for finding in done.findings} - {"JWT-ISSUER"}
    assert channels == ({"JWT-AUDIENCE"} if example == LEAKY else set())


@pytest.fixture(scope="module")
def with_a_policy_for_the_backend(postgrest: Path) -> Iterator[Standing]:
    with standing_on([FIXTURES / "backend.sql"], personas=["acme.member"]) as standing:
        yield standing


@BOTH
def test_the_login_role(with_a_policy_for_the_backend: Standing, postgrest: Path, example: int) -> None:
    standing = with_a_policy_for_the_backend
    (login,) = re.findall(r"postgresql://(\w+)@", examples("API-MORE")[example])
    conninfo = psycopg.conninfo.make_conninfo(standing.handle.conninfo, user=login)
    with bench_before(standing, postgrest, conninfo=conninfo) as become:
        found = differences(swept(standing, become("acme.member"), Command.SELECT))
    assert [one.side for one in found] == ([Side.MORE] if example == LEAKY else [])


@BOTH
def test_a_cache(safe: Standing, postgrest: Path, example: int) -> None:
    parts: dict[str, Any] = {}
    exec(examples("API-EMBED")[example], parts)
    kept: dict[object, httpx.Response] = {}

    class Caching(Gateway):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            address = bytes(request.url.raw_path).decode()
            key = parts["kept_as"](address, request.headers.get("authorization"))
            if key is None or key not in kept:
                answer = super().handle_request(request)
                if key is None:
                    return answer
                kept[key] = answer
            return httpx.Response(200, headers={"content-type": "application/json"}, text=kept[key].text)

    teams = QName("public", "teams")
    links = [link for link in links_of(safe.plan.relations) if {link.here, link.there} == {NOTES, teams}]
    found: list[Excess] = []
    with bench_before(safe, postgrest, Caching()) as become:
        for who in ("globex.member", "acme.member"):
            bench = become(who)
            read = [pair.by_http for pair in swept(safe, bench, Command.SELECT, among={NOTES, teams})]
            reads = {cell.object.name: frozenset(cell.outcomes[0].observation.rows) for cell in read}
            found += look_at_shapes(bench, links, reads).excesses
    assert bool(found) == (example == LEAKY)


@BOTH
@pytest.mark.parametrize("channel", ["API-BULK", "API-RPC"])
def test_functions(postgrest: Path, tmp_path: Path, channel: str, example: int) -> None:
    patch = tmp_path / "example.sql"
    patch.write_text(examples(channel)[example])
    with standing_on([patch], personas=["acme.member"]) as standing, bench_before(standing, postgrest) as become:
        bench = become("acme.member")
        found: list[object] = list(calls_of(bench, PUBLIC))
        for pair in first_of_each(swept(standing, bench, Command.INSERT), Command.INSERT):
            assert bench.stage is not None
            taken = together_of(bench, bench.stage, pair)
            found += [taken] if taken is not None else []
    assert len(found) == (1 if example == LEAKY else 0)
