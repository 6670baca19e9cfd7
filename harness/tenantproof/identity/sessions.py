"""
A persona made ready to act: its token minted, verified and decoded, and what a session sets for it.

The session settings are those that PostgREST sends before each request (SUPABASE.md 7.1; PostgREST's
Query/PreQuery.hs), or, on plain PostgreSQL, what the scenario says the application's middleware sets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tenantproof.core.model import Persona, Platform, Scenario
from tenantproof.core.ports import Identity
from tenantproof.identity.claims import access_claims
from tenantproof.identity.legacy import CLAIMS, LegacyClaims, as_json
from tenantproof.identity.signing import Signer
from tenantproof.identity.templates import Facts, Lacking, facts, fill, fill_or_empty

Pairs = Iterator[tuple[str, str]]

SERVICE_SCHEMAS = frozenset({"auth", "storage", "realtime", "extensions", "vault"})
"""Schemas of Supabase's own services, which PostgREST does not expose."""

EXTRA_SEARCH_PATH = ("public", "extensions")
"""Supabase's db-extra-search-path."""

NOT_IN_A_SESSION = frozenset({"session_preload_libraries", "local_preload_libraries"})
"""Role settings that act at login and cannot be set later."""

SECRET_HEADERS = frozenset({"authorization", "apikey", "cookie"})

STORAGE_OPERATION = "storage.object.get_authenticated"

NO_LEGACY = LegacyClaims()
"""A database that reads claims as PostgREST sets them since its release 9."""


def identify(
    persona: Persona,
    *,
    scenario: Scenario,
    tenants: Mapping[str, str],
    signer: Signer,
    now: int,
    role_settings: Mapping[str, str] | None = None,
    legacy: LegacyClaims = NO_LEGACY,
) -> Identity:
    """The persona with its token, the verified claims, and what a session sets to be it.

    *tenants* maps tenant names to ids (the manifest's); *now* is the time in seconds, which must be the real
    one, since verification rejects an expired token; *role_settings* are the settings of the role it becomes
    (`Catalog.roles[role].settings`), which PostgREST applies on impersonation; the role must be allowed to set
    them; *legacy* are the settings for single claims that the database depends on.  What the session sets comes
    from the decoded token, so nothing gets into it that a signed token could not carry.  Raises UsageError for an
    unknown placeholder and jwt.InvalidTokenError where the token does not verify.
    """
    known = facts(persona, tenants)
    session = scenario.session
    token = None
    claims: Mapping[str, object] = {"role": session.anon_role}
    if persona.user_id is not None:
        token = signer.mint(access_claims(persona, scenario=scenario, known=known, now=now))
        claims = signer.verify(token)
    if scenario.database.platform is Platform.SUPABASE:
        role = str(claims["role"])
        settings = tuple(_postgrest(scenario, known, claims, role_settings or {}, legacy))
    else:
        role = session.anon_role if token is None else session.role
        settings = tuple(_declared(scenario, known))
    return Identity(
        persona=persona,
        login=session.login,
        role=role,
        settings=settings,
        claims=claims,
        token=token,
        pre_request=session.pre_request,
    )


def _postgrest(
    scenario: Scenario,
    known: Facts,
    claims: Mapping[str, object],
    role_settings: Mapping[str, str],
    legacy: LegacyClaims,
) -> Pairs:
    yield "search_path", _search_path(scenario)
    yield from ((name, value) for name, value in role_settings.items() if name not in NOT_IN_A_SESSION)
    yield from legacy.settings(claims)
    yield CLAIMS, as_json(claims)
    yield "request.method", "GET"
    yield "request.path", "/"
    yield "request.headers", as_json(_headers(scenario, known))
    yield "request.cookies", "{}"
    if "storage" in scenario.database.schemas:
        # As the Storage API does; without the first, a trigger refuses every DELETE and looks like a policy.
        yield "storage.allow_delete_query", "true"
        yield "storage.operation", STORAGE_OPERATION
    yield from _declared(scenario, known)


def _declared(scenario: Scenario, known: Facts) -> Pairs:
    yield from ((name, fill_or_empty(template, known)) for name, template in scenario.session.settings.items())


def _search_path(scenario: Scenario) -> str:
    exposed = [schema for schema in scenario.database.schemas if schema not in SERVICE_SCHEMAS]
    return ", ".join('"{}"'.format(schema.replace('"', '""')) for schema in (*exposed, *EXTRA_SEARCH_PATH))


def _headers(scenario: Scenario, known: Facts) -> dict[str, str]:
    """Lower-case names, as PostgREST hands them over; never credentials, which it does hand over."""
    headers = {"accept": "*/*", "host": "127.0.0.1", "user-agent": "tenantproof"}
    for name, template in scenario.session.headers.items():
        if name.lower() in SECRET_HEADERS:
            continue
        try:
            headers[name.lower()] = fill(template, known)
        except Lacking:
            continue
    return headers
