"""Claims, templates, and what a session sets."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

import jwt
import pytest

from tenantproof.core.errors import UsageError
from tenantproof.core.model import Database, Persona, Platform, Scenario, Session, Tenant
from tenantproof.core.ports import Identity
from tenantproof.identity.becoming import become, pre_request, unbecome
from tenantproof.identity.claims import merge, session_id
from tenantproof.identity.personas import personas
from tenantproof.identity.sessions import identify
from tenantproof.identity.signing import Signer
from tenantproof.identity.templates import fill

TENANTS = {"acme": "11111111-1111-4111-8111-111111111111", "globex": "22222222-2222-4222-8222-222222222222"}

SUPABASE = Session(login="authenticator", role="authenticated", anon_role="anon")


def scenario(
    *,
    platform: Platform = Platform.SUPABASE,
    session: Session = SUPABASE,
    claims: Mapping[str, object] | None = None,
    schemas: tuple[str, ...] = ("public",),
) -> Scenario:
    return Scenario(
        name="sessions",
        path="sessions.tenancy.yaml",
        database=Database(platform=platform, migrations=(), schemas=schemas),
        tenants=(Tenant(name="acme"), Tenant(name="globex")),
        roles=("owner", "viewer"),
        session=session,
        claims=claims or {},
    )


def persona(name: str) -> Persona:
    return next(found for found in personas(scenario(), 1) if found.name == name)


def identity(name: str, declared: Scenario, role_settings: dict[str, str] | None = None) -> Identity:
    return identify(
        persona(name),
        scenario=declared,
        tenants=TENANTS,
        signer=Signer(),
        # The time of the call, not of the import: a token lives five minutes, and a suite may take longer than that.
        now=int(time.time()),
        role_settings=role_settings,
    )


def lifetime(claims: Mapping[str, Any]) -> int:
    seconds: int = claims["exp"] - claims["iat"]
    return seconds


def test_the_claims_are_those_of_a_gotrue_access_token() -> None:
    found = identity("acme.owner", scenario())
    assert set(found.claims) == {
        *("iss", "sub", "aud", "exp", "iat", "email", "phone", "app_metadata", "user_metadata"),
        *("role", "aal", "amr", "session_id", "is_anonymous"),
    }
    assert found.claims["sub"] == found.persona.user_id
    assert found.claims["email"] == "owner@acme.test"
    assert found.claims["app_metadata"] == {"provider": "email", "providers": ["email"]}
    assert lifetime(found.claims) == 300
    assert found.claims["session_id"] == session_id(found.persona.user_id or "")
    assert uuid.UUID(session_id(found.persona.user_id or "")).version == 5


def test_users_who_are_numbered_have_sessions_too() -> None:
    assert uuid.UUID(session_id("1001")).version == 5
    assert session_id("1001") != session_id("1002")


def test_the_session_sets_the_decoded_verified_token() -> None:
    found = identity("acme.owner", scenario())
    assert found.token is not None
    assert dict(found.settings)["request.jwt.claims"] == json.dumps(
        jwt.decode(found.token, options={"verify_signature": False}), separators=(",", ":")
    )


def test_a_token_that_expired_never_reaches_a_session() -> None:
    with pytest.raises(jwt.ExpiredSignatureError):
        identify(
            persona("acme.owner"), scenario=scenario(), tenants=TENANTS, signer=Signer(), now=int(time.time()) - 301
        )


def test_declared_claims_are_merged_deeply() -> None:
    declared = {
        "app_metadata": {"org_id": "{tenant.id}", "orgs": [{"id": "{tenant.id}", "as": "{role}"}], "level": 3},
        "aal": "aal2",
        "exp": 9999999999,
    }
    found = identity("globex.viewer", scenario(claims=declared)).claims
    assert found["app_metadata"] == {
        "provider": "email",
        "providers": ["email"],
        "org_id": TENANTS["globex"],
        "orgs": [{"id": TENANTS["globex"], "as": "viewer"}],
        "level": 3,
    }
    assert (found["aal"], lifetime(found)) == ("aal2", 300)


def test_claims_that_name_what_the_persona_lacks_are_left_out() -> None:
    declared = {"org": "{tenant.id}", "app_metadata": {"org_id": "{tenant.id}", "mail": "{user.email}"}}
    found = identity("outsider", scenario(claims=declared)).claims
    assert "org" not in found
    assert found["app_metadata"] == {"provider": "email", "providers": ["email"], "mail": "outsider@personas.test"}


def test_dual_takes_the_tenant_of_its_first_membership() -> None:
    assert identity("dual", scenario(claims={"org": "{tenant.id}"})).claims["org"] == TENANTS["acme"]


def test_anon_has_no_token_and_the_claims_that_postgrest_sets() -> None:
    found = identity("anon", scenario(claims={"org": "x"}))
    assert (found.token, found.role, found.login) == (None, "anon", "authenticator")
    assert dict(found.settings)["request.jwt.claims"] == '{"role":"anon"}'


def test_the_role_is_the_tokens() -> None:
    assert identity("acme.owner", scenario(claims={"role": "app_{role}"})).role == "app_owner"


def test_settings_are_postgrests_in_its_order() -> None:
    declared = scenario(
        schemas=('we"ird', "storage"),
        session=Session(
            login="authenticator",
            headers={"X-Org": "{tenant.name}", "Authorization": "Bearer x", "apikey": "k"},
            settings={"app.org": "{tenant.id}"},
        ),
    )
    found = identity("acme.owner", declared, {"statement_timeout": "8s", "session_preload_libraries": "x"})
    settings = dict(found.settings)
    assert list(settings)[:2] == ["search_path", "statement_timeout"]
    assert settings["search_path"] == '"we""ird", "public", "extensions"'
    assert settings["request.method"] == "GET"
    assert settings["request.path"] == "/"
    assert settings["request.cookies"] == "{}"
    headers = json.loads(settings["request.headers"])
    assert headers["x-org"] == "acme"
    assert not {"authorization", "apikey"} & set(headers)
    assert not [name for name in settings if name.startswith("request.jwt.claim.") or name == "request.jwt.claim"]
    assert settings["storage.allow_delete_query"] == "true"
    assert settings["app.org"] == TENANTS["acme"]
    assert "session_preload_libraries" not in settings


def test_storage_settings_only_where_storage_is_in_scope() -> None:
    assert not [name for name, _ in identity("acme.owner", scenario()).settings if name.startswith("storage.")]


def test_plain_postgres_sets_only_what_is_declared() -> None:
    session = Session(
        role="app", anon_role="web", settings={"app.tenant_id": "{tenant.id}", "app.kind": "a", "app.me": "u:{user.id}"}
    )
    declared = scenario(platform=Platform.POSTGRES, session=session, claims={"role": "owner"})
    owner = identity("acme.owner", declared)
    assert (owner.role, owner.login) == ("app", None)
    assert owner.settings == (
        ("app.tenant_id", TENANTS["acme"]),
        ("app.kind", "a"),
        ("app.me", f"u:{owner.persona.user_id}"),
    )
    anon = identity("anon", declared)
    assert anon.role == "web"
    assert anon.settings == (("app.tenant_id", ""), ("app.kind", "a"), ("app.me", ""))


def test_json_in_a_template_is_text() -> None:
    assert fill('{"a": 1, "org": "{tenant.name}"}', {"tenant.name": "acme"}) == '{"a": 1, "org": "acme"}'


def test_an_unknown_placeholder_is_named_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown placeholder \{tenant\.ids\}.*did you mean 'tenant\.id'"):
        fill("{tenant.ids}", {})


def test_merging_replaces_lists_and_keeps_what_is_not_named() -> None:
    assert merge({"a": {"b": 1, "c": [1]}, "d": 1}, {"a": {"c": [2]}}) == {"a": {"b": 1, "c": [2]}, "d": 1}


def test_become_is_one_statement_with_the_login_first() -> None:
    found = identity("acme.owner", scenario(claims={"quote": "it's; \\ "}))
    text = become(found).as_string()
    assert text.startswith(
        "SELECT pg_catalog.set_config('session_authorization', 'authenticator', true), "
        "pg_catalog.set_config('role', 'authenticated', true), "
    )
    assert unbecome().as_string() == "SET LOCAL SESSION AUTHORIZATION DEFAULT"


def test_a_pre_request_function_is_called_by_its_quoted_name() -> None:
    session = Session(login="authenticator", pre_request="api.Check")
    call = pre_request(identity("acme.owner", scenario(session=session)))
    assert call is not None
    assert call.as_string() == 'SELECT "api"."Check"()'
    assert pre_request(identity("acme.owner", scenario())) is None


def test_secrets_are_not_in_the_repr_of_an_identity() -> None:
    found = identity("acme.owner", scenario())
    assert (found.token or "") not in repr(found)
