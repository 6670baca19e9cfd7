"""Each forged token has a verifier that it gets past, and a right one that it does not."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import time

import httpx
import pytest
from tests.rest import verifiers as wrong
from tests.rest.verifiers import Right, Verify, serving

from tenantproof.core.model import QName
from tenantproof.engine.rest.run import settings_for
from tenantproof.engine.rest.speaking import Tongue
from tenantproof.engine.rest.tokens import Assault, Witness, assault
from tenantproof.engine.ways import Standing
from tenantproof.identity.attacks import KNOWN_SECRETS
from tenantproof.identity.claims import LIFETIME
from tenantproof.identity.signing import Signer, generated
from tenantproof.properties.tokens import Reception
from tenantproof.targets.rest.client import Client
from tenantproof.targets.rest.server import Settings
from tenantproof.targets.rest.server import serving as starting

NOTES = QName("public", "notes")
TONGUE = Tongue(("public",))
ES256 = generated("ES256")
RS256 = generated("RS256")
HERE, ELSEWHERE = "http://127.0.0.1:1", "https://project.example/rest/v1"


def witness(standing: Standing, signer: Signer) -> Witness:
    """A member of each tenant with a token of *signer*."""
    people = []
    for name in ("acme.member", "globex.member"):
        identity = standing.plan.identities[name]
        now = int(time())
        claims = {**identity.claims, "iat": now, "exp": now + LIFETIME}
        people.append(replace(identity, claims=claims, token=signer.mint(claims)))
    return Witness(relation=NOTES, columns=("id",), attacker=people[0], victim=people[1])


def attack(
    standing: Standing, transport: httpx.BaseTransport | None, signer: Signer, url: str = HERE, key: str | None = None
) -> Assault:
    seen = witness(standing, signer)
    with Client(url, transport=transport, key=key) as client:
        return assault(client, TONGUE, standing.plan, signer, seen, ours=False, api_key=key)


def accepted(done: Assault) -> set[str]:
    return {one.forgery.id for one in done.tried if one.reception is Reception.ACCEPTED}


@pytest.fixture(scope="module")
def notes(safe: Standing) -> dict[str, list[str]]:
    """The ids of the notes that each user may read."""
    tenants = safe.plan.manifest.tenant_ids
    rows = safe.plan.world.rows[NOTES]
    return {
        str(who.user_id): [str(row.key[0]) for row in rows if row.tenant in {tenants[name] for name in who.tenants}]
        for who in safe.plan.manifest.personas
        if who.user_id
    }


@pytest.mark.parametrize("signer", [Signer(), ES256, RS256], ids=["HS256", "ES256", "RS256"])
def test_a_right_verifier_is_silent(safe: Standing, notes: dict[str, list[str]], signer: Signer) -> None:
    done = attack(safe, serving(Right(signer), notes), signer)

    assert done.findings == ()
    assert accepted(done) == set()
    assert len(done.tried) >= 40
    harmless = {"role-missing", "double-first", "double-second"}  # taken for nobody's, or for the attacker's own
    assert {one.reception for one in done.tried if one.forgery.id not in harmless} == {Reception.REFUSED}


def test_a_user_without_a_role_who_reads_their_own_is_no_finding(safe: Standing, notes: dict[str, list[str]]) -> None:
    done = attack(safe, serving(wrong.NobodyIsThemselves(Signer()), notes), Signer())

    assert done.findings == ()
    (one,) = (one for one in done.tried if one.forgery.id == "role-missing")
    assert one.status == 200


WEAK = Signer(key=KNOWN_SECRETS[3])

CASES: list[tuple[str, Signer, Callable[[Signer], Verify], set[str]]] = [
    ("JWT-NONE", Signer(), wrong.BelievesNone, {"none-0", "none-1", "none-2", "none-3", "none-4", "none-two-parts"}),
    ("JWT-NONE", Signer(), wrong.BelievesAMissingSignature, {"empty-signature", "no-signature"}),
    ("JWT-SIGNATURE", Signer(), wrong.DoesNotLook, {"wrong-key", "payload-changed"}),
    ("JWT-SIGNATURE", Signer(), wrong.TrustsThePowerful, {"service-role-kept"}),
    ("JWT-CONFUSION", ES256, lambda s: wrong.TakesThePublicKeyForASecret(s, "pem"), {"public-key-pem"}),
    ("JWT-CONFUSION", RS256, lambda s: wrong.TakesThePublicKeyForASecret(s, "jwk"), {"public-key-jwk"}),
    ("JWT-CONFUSION", RS256, lambda s: wrong.TakesThePublicKeyForASecret(s, "der"), {"public-key-der"}),
    ("JWT-HEADER", Signer(), wrong.KeyInAFile, {"kid-path"}),
    ("JWT-HEADER", Signer(), wrong.KeyInADatabase, {"kid-sql"}),
    ("JWT-HEADER", Signer(), wrong.KeyIsItsName, {"kid-unknown"}),
    ("JWT-HEADER", RS256, wrong.OnlyLooksAtTheKid, {"kid-foreign", "kid-missing"}),
    ("JWT-HEADER", Signer(), lambda s: wrong.KeyFromTheHeader(s, "jwk"), {"jwk"}),
    ("JWT-HEADER", Signer(), lambda s: wrong.KeyFromTheHeader(s, "jku"), {"jku"}),
    ("JWT-HEADER", Signer(), lambda s: wrong.KeyFromTheHeader(s, "x5u"), {"x5u"}),
    ("JWT-SECRET", WEAK, Right, {"secret-4"}),
    ("JWT-TIME", Signer(), lambda s: Right(s, skip="exp"), {"expired"}),
    ("JWT-TIME", Signer(), lambda s: Right(s, skip="nbf"), {"not-yet"}),
    ("JWT-TIME", Signer(), lambda s: Right(s, skip="iat"), {"from-the-future"}),
    ("JWT-AUDIENCE", Signer(), lambda s: Right(s, skip="aud"), {"aud"}),
    ("JWT-ISSUER", Signer(), lambda s: Right(s, skip="iss"), {"iss"}),
    ("JWT-ROLE", Signer(), wrong.AnyRole, {"role-postgres", "role-supabase_admin"}),
    ("JWT-ROLE", Signer(), wrong.SloppyRole, {"role-upper", "role-blank", "role-injected"}),
    ("JWT-ROLE", Signer(), wrong.NobodyIsEverybody, {"role-missing"}),
]


@pytest.mark.parametrize(
    ("channel", "signer", "verifier", "ids"), CASES, ids=[f"{case[0]}-{sorted(case[3])[0]}" for case in CASES]
)
def test_a_wrong_verifier_is_caught(
    safe: Standing,
    notes: dict[str, list[str]],
    channel: str,
    signer: Signer,
    verifier: Callable[[Signer], Verify],
    ids: set[str],
) -> None:
    url = ELSEWHERE if channel == "JWT-SECRET" else HERE
    done = attack(safe, serving(verifier(signer), notes), signer, url)

    found = {finding.channel: finding for finding in done.findings}
    assert ids <= accepted(done)
    assert channel in found
    evidence = found[channel].evidence[0]
    assert "status 200" in evidence.observed
    assert "row" in evidence.observed


@pytest.mark.parametrize(("looks_at", "believes", "id"), [(0, -1, "double-second"), (-1, 0, "double-first")])
def test_two_headers_one_verified_the_other_believed(
    safe: Standing, notes: dict[str, list[str]], looks_at: int, believes: int, id: str
) -> None:
    transport = serving(Right(Signer()), notes, looks_at=looks_at, believes=believes)
    done = attack(safe, transport, Signer())

    assert id in accepted(done)
    assert {finding.channel for finding in done.findings} == {"JWT-DOUBLE"}


def test_the_published_local_secret_is_a_finding_only_where_it_is_not_local(
    safe: Standing, notes: dict[str, list[str]]
) -> None:
    transport = serving(Right(Signer()), notes)

    assert attack(safe, transport, Signer(), HERE).findings == ()
    (finding,) = attack(safe, transport, Signer(), ELSEWHERE).findings
    assert finding.channel == "JWT-SECRET"
    assert finding.cwe == 798


def test_another_projects_token_and_the_anon_keys_signature(safe: Standing, notes: dict[str, list[str]]) -> None:
    lasting = {"aud": "authenticated", "iat": 0, "exp": 4102444800}
    anon_key = Signer().mint({"iss": "supabase", "ref": "project", "role": "anon", **lasting})
    careless = serving(wrong.DoesNotLook(Signer(), skip="iss"), notes)
    trusting = serving(wrong.TrustsThePowerful(Signer()), notes)

    assert {"other-project", "payload-changed"} <= accepted(attack(safe, careless, Signer(), key=anon_key))
    assert "service-role-kept" in accepted(attack(safe, trusting, Signer(), key=anon_key))


def test_without_an_honest_answer_nothing_is_proved(safe: Standing, notes: dict[str, list[str]]) -> None:
    done = attack(safe, serving(lambda _token: None, notes), Signer())

    assert done.tried == ()
    assert done.gaps[0].reason.startswith("no positive control")


@pytest.mark.parametrize("signer", [Signer(), ES256, RS256], ids=["HS256", "ES256", "RS256"])
def test_postgrest_accepts_none_of_them(safe: Standing, postgrest: Path, signer: Signer) -> None:
    settings = replace(settings_for(replace(safe, signer=signer), ("public",)))
    with starting(postgrest, settings) as place:
        done = attack(safe, None, signer, place.url)

    assert accepted(done) == {"iss"}  # PostgREST asks for no issuer
    assert [finding.severity.value for finding in done.findings] == ["low"]
    assert len(done.tried) >= 40


def misconfigured(safe: Standing, postgrest: Path, **changes: object) -> set[str]:
    signer = Signer()
    settings: Settings = replace(settings_for(safe, ("public",)), **changes)  # type: ignore[arg-type]
    with starting(postgrest, settings) as place:
        return accepted(attack(safe, None, signer, place.url))


def test_postgrest_without_jwt_aud_takes_any_audience(safe: Standing, postgrest: Path) -> None:
    assert misconfigured(safe, postgrest, audience=None) == {"aud", "iss"}


def test_postgrest_that_logs_in_as_a_member_of_postgres(safe: Standing, postgrest: Path) -> None:
    mighty = safe.handle.conninfo  # the observer may become anybody
    caught = misconfigured(safe, postgrest, conninfo=mighty)

    assert {"role-postgres", "role-supabase_admin"} <= caught


def test_the_replay_mints_the_token_anew_and_holds_no_secret(
    safe: Standing, notes: dict[str, list[str]], tmp_path: Path
) -> None:
    done = attack(safe, serving(wrong.BelievesNone(Signer()), notes), Signer())
    finding = next(finding for finding in done.findings if finding.channel == "JWT-NONE")
    attacker = witness(safe, Signer()).attacker

    assert attacker.token is not None
    assert attacker.token not in finding.replay
    assert "super-secret" not in finding.replay
    curl = tmp_path / "curl"
    curl.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    curl.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "API": HERE}
    shown = subprocess.run(["sh"], input=finding.replay, env=environment, capture_output=True, text=True, check=True)
    token = next(line for line in shown.stdout.splitlines() if line.startswith("Authorization: Bearer "))
    head, claims, signature = wrong.opened(token.removeprefix("Authorization: Bearer "))
    assert head["alg"] == "none"
    assert claims["sub"] == safe.plan.identities["globex.member"].persona.user_id
    assert signature == b""
