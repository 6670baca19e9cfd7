"""The claims of an access token, as Supabase Auth (GoTrue) issues it, with what the scenario adds."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from tenantproof.core.model import Persona, Scenario
from tenantproof.identity.templates import Facts, fill_nested

LIFETIME = 300
"""Seconds that a token is good for."""

ISSUER = "http://127.0.0.1:54321/auth/v1"
"""Issuer of a local Supabase project."""

AUDIENCE = "authenticated"

Claims = Mapping[str, object]


def session_id(user_id: str) -> str:
    """The id of the one session a persona has: a function of the user, so that rows about it can be seeded.

    *user_id* is any text: plain PostgreSQL numbers its users.
    """
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"session/{user_id}"))


def access_claims(persona: Persona, *, scenario: Scenario, known: Facts, now: int) -> dict[str, object]:
    """The claims of a signed-in persona's token, not signed yet.

    The set of GoTrue's internal/tokens/service.go for a user who signed in with a password, deeply merged with
    the scenario's `claims:`, which win but never lengthen its life.  *known* fills its templates; *now* is in
    seconds since the epoch.
    Raises ValueError for a persona without a user.
    """
    if persona.user_id is None:
        raise ValueError(f"{persona.name} has no user, so no token")
    standard = _standard(persona.user_id, persona.email or "", scenario.session.role, now)
    lifetime = {"iat": now, "exp": now + LIFETIME}
    return merge(standard, _filled(scenario.claims, known)) | lifetime


def anon_key(role: str, now: int) -> dict[str, object]:
    """The claims of a legacy API key for nobody in particular: the key that a project gives to every client."""
    return {"iss": "supabase", "ref": "tenantproof", "role": role, "iat": now, "exp": now + LIFETIME}


def _standard(user_id: str, email: str, role: str, now: int) -> dict[str, object]:
    return {
        "iss": ISSUER,
        "sub": user_id,
        "aud": AUDIENCE,
        "exp": now + LIFETIME,
        "iat": now,
        "email": email,
        "phone": "",
        "app_metadata": {"provider": "email", "providers": ["email"]},
        "user_metadata": {"sub": user_id, "email": email, "email_verified": True, "phone_verified": False},
        "role": role,
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": now}],
        "session_id": session_id(user_id),
        "is_anonymous": False,
    }


def _filled(templates: Claims, known: Facts) -> dict[str, object]:
    filled = fill_nested(templates, known)
    return filled if isinstance(filled, dict) else {}


def merge(base: Claims, over: Claims) -> dict[str, object]:
    """*base* with *over* laid on it; objects are merged, everything else is replaced."""
    merged = dict(base)
    for key, value in over.items():
        mine = merged.get(key)
        if isinstance(mine, Mapping) and isinstance(value, Mapping):
            merged[key] = merge(mine, value)
        else:
            merged[key] = value
    return merged


def with_second_factor(claims: Claims) -> dict[str, object]:
    """The claims of the same session after a second factor was verified (GoTrue: aal2, and totp among the methods)."""
    methods = claims.get("amr")
    known = list(methods) if isinstance(methods, list) else []
    return {**claims, "aal": "aal2", "amr": [{"method": "totp", "timestamp": claims.get("iat", 0)}, *known]}


def of_an_anonymous_user(claims: Claims) -> dict[str, object]:
    """The claims of somebody who signed in anonymously: the role stays `authenticated` (GoTrue: is_anonymous)."""
    method = {"method": "anonymous", "timestamp": claims.get("iat", 0)}
    nobody = {"email": "", "phone": "", "app_metadata": {}, "user_metadata": {}}
    return {**claims, **nobody, "is_anonymous": True, "aal": "aal1", "amr": [method]}
