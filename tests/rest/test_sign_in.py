"""Personas sign in at a small server that speaks as Supabase Auth does: GoTrue itself is in no package registry."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from tests.rest.conftest import SMALL_APP
from tests.rest.test_bad_input import Reply, answering, only_trouble, run

from tenantproof.engine.rest import run as rest
from tenantproof.engine.ways import Found, Standing
from tenantproof.identity.signing import generated
from tenantproof.targets.rest.auth import Auth, variable_of
from tenantproof.targets.rest.client import Client
from tenantproof.targets.rest.server import serving

PASSWORD = "correct horse battery staple"
THEIRS = generated("ES256")
"""The key of the Auth server, which the run does not have."""


@dataclass
class FakeAuth:
    """`POST /token?grant_type=password`: the users of a run, one password, tokens of an hour."""

    claims: dict[str, dict[str, object]]
    password: str = PASSWORD
    busy: int = 0
    asked: list[str] = field(default_factory=list)

    def __call__(self, handler: BaseHTTPRequestHandler) -> Reply:
        kind = {"content-type": "application/json"}
        given = json.loads(handler.body)  # type: ignore[attr-defined]
        self.asked.append(f"{handler.command} {handler.path} {given['email']}")
        if len(self.asked) <= self.busy:
            return 429, {**kind, "retry-after": "0"}, '{"code": 429, "error_code": "over_request_rate_limit"}'
        known = self.claims.get(given["email"])
        if known is None or given["password"] != self.password:
            refused = {"code": 400, "error_code": "invalid_credentials", "msg": "Invalid login credentials"}
            return 400, kind, json.dumps(refused)
        now = int(time.time())
        token = THEIRS.mint({**known, "iat": now, "exp": now + 3600})
        return 200, kind, json.dumps({"access_token": token, "token_type": "bearer", "expires_in": 3600})


def auth_of(standing: Standing, **changes: object) -> FakeAuth:
    identities = standing.plan.identities.values()
    claims = {who.persona.email: dict(who.claims) for who in identities if who.persona.email and who.token}
    return replace(FakeAuth(claims), **changes)  # type: ignore[arg-type]


@contextmanager
def before(standing: Standing, postgrest: Path) -> Iterator[str]:
    """A PostgREST that knows the Auth server's key and no other."""
    settings = rest.settings_for(replace(standing, signer=THEIRS), ("public",))
    with serving(postgrest, settings) as place:
        yield place.url


def visit(standing: Standing, postgrest: Path, auth: FakeAuth) -> Found:
    with before(standing, postgrest) as url, answering(auth) as place:
        return rest.over_http(standing, rest.Api(url=url, auth=place))


def test_with_sessions_nobody_needs_the_signing_key(
    safe: Standing, postgrest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole visit with tokens of an hour that another key signed; each persona signs in once."""
    monkeypatch.setenv("TENANTPROOF_PASSWORD", PASSWORD)
    auth = auth_of(safe, busy=2)
    found = visit(safe, postgrest, auth)

    assert [finding.channel for finding in found.findings if finding.severity.value != "low"] == []
    assert any("0 cells leak over HTTP" in note for note in found.notes)
    assert any("supabase client made" in note for note in found.notes)
    assert not [gap for gap in found.gaps if gap.object == "api"]
    assert any("the personas signed in" in gap.reason for gap in found.gaps)
    users = len([who for who in safe.plan.identities.values() if who.token])
    assert len(auth.asked) == users + 2
    assert all(line.startswith("POST /token?grant_type=password ") for line in auth.asked)


def test_without_sessions_that_api_accepts_nobody(safe: Standing, postgrest: Path) -> None:
    with before(safe, postgrest) as url:
        assert "does not accept our tokens" in only_trouble(rest.over_http(safe, rest.Api(url=url)))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "another"}, "cannot sign in at 127.0.0.1"),
        ({"claims": {}}, "Invalid login credentials"),
        ({"busy": 10**6}, "status 429"),
    ],
    ids=["wrong password", "no such user", "429 without end"],
)
def test_who_cannot_sign_in_is_told(
    safe: Standing, postgrest: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object], words: str
) -> None:
    monkeypatch.setenv("TENANTPROOF_PASSWORD", PASSWORD)
    monkeypatch.setattr("tenantproof.targets.rest.client.PATIENCE_SECONDS", 0.5)
    told = only_trouble(visit(safe, postgrest, auth_of(safe, **change)))
    assert words in told
    assert "acme.admin" in told
    assert PASSWORD not in told


def test_a_user_with_another_id_is_refused(safe: Standing, postgrest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANTPROOF_PASSWORD", PASSWORD)
    auth = auth_of(safe)
    first = next(iter(auth.claims))
    auth.claims[first] = {**auth.claims[first], "sub": "00000000-0000-4000-8000-000000000000"}
    assert "signed in as another user than the run's" in only_trouble(visit(safe, postgrest, auth))


def test_a_persona_without_a_password_is_told_its_variable(
    safe: Standing, postgrest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TENANTPROOF_PASSWORD", raising=False)
    for name in safe.plan.identities:
        monkeypatch.setenv(variable_of(name), PASSWORD)
    monkeypatch.delenv("TENANTPROOF_PASSWORD_GLOBEX_MEMBER")
    told = only_trouble(visit(safe, postgrest, auth_of(safe)))
    assert "globex.member has no password: set TENANTPROOF_PASSWORD_GLOBEX_MEMBER" in told


def test_a_session_that_ends_is_begun_anew(safe: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENANTPROOF_PASSWORD", PASSWORD)
    fake, who = auth_of(safe), safe.plan.identities["acme.member"].persona
    clock = [time.time()]
    with answering(fake) as url, Client(url) as client:
        auth = Auth(client, now=lambda: clock[0])
        for gone in (0, 600, 3600):
            clock[0] = time.time() + gone
            auth.session(who.name, str(who.email), str(who.user_id))
    assert len(fake.asked) == 2


def test_the_command_line_signs_in(safe: Standing, postgrest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--sign-in` the whole way through: a password stands in no output; without `--via rest` it is refused."""
    monkeypatch.setenv("TENANTPROOF_PASSWORD", "wrong and secret")
    with answering(auth_of(safe)) as url:
        code, told, noise = run("check", SMALL_APP, "--attempts", 0, "--via", "rest", "--sign-in", url)
    assert (code, "cannot sign in" in told) == (4, True), told + noise
    assert "wrong and secret" not in told + noise
    assert run("check", SMALL_APP, "--sign-in", url)[0] == 2
    assert "--sign-in" in run("check", SMALL_APP, "--via", "rest", "--sign-in", "project")[2]
