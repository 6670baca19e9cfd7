"""
Signing in at Supabase Auth with e-mail and password, as an application does.

The endpoint is `POST /token?grant_type=password` of supabase/auth (internal/api/token.go).  Passwords come from the
environment.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import time

import jwt

from tenantproof.core.errors import TargetError
from tenantproof.targets.rest.client import Client, Request, described

VARIABLE = "TENANTPROOF_PASSWORD"
"""Everybody's password; with _ACME_MEMBER behind it, that of acme.member."""

_SPARE_SECONDS = 60
"""A token that ends sooner is not begun with."""


class NotSignedIn(TargetError):
    """A persona could not sign in; the message says who and why, never with the password."""


def password_of(persona: str) -> str | None:
    """The password of a persona; None where the environment has none."""
    return os.environ.get(variable_of(persona)) or os.environ.get(VARIABLE)


def variable_of(persona: str) -> str:
    """The variable of one persona's own password."""
    return f"{VARIABLE}_{re.sub(r'[^A-Za-z0-9]', '_', persona).upper()}"


@dataclass(frozen=True, slots=True)
class Session:
    """An access token, the claims in it, and when it ends (seconds since the epoch)."""

    token: str = field(repr=False)
    claims: Mapping[str, object]
    ends: float


class Auth:
    """Sessions of personas, each made when it is first asked for and kept until its token ends."""

    def __init__(self, client: Client, now: Callable[[], float] = time) -> None:
        self._client, self._now = client, now
        self._sessions: dict[str, Session] = {}

    def session(self, persona: str, email: str, user_id: str) -> Session:
        """The persona's session.  Raises NotSignedIn, ServerGone."""
        known = self._sessions.get(persona)
        if known is None or known.ends < self._now() + _SPARE_SECONDS:
            known = self._sessions[persona] = self._signed_in(persona, email, user_id)
        return known

    def _signed_in(self, persona: str, email: str, user_id: str) -> Session:
        password = password_of(persona)
        if password is None:
            raise NotSignedIn(f"{persona} has no password: set {variable_of(persona)} or {VARIABLE}")
        answer = self._client.ask(
            Request(
                method="POST",
                path="/token",
                query=(("grant_type", "password"),),
                body={"email": email, "password": password},
            )
        )
        content = answer.content if isinstance(answer.content, dict) else {}
        token = content.get("access_token")
        if not answer.ok or not isinstance(token, str):
            told = str(content.get("msg") or content.get("error_description") or f"status {answer.status}")
            place = described(self._client.url)
            raise NotSignedIn(f"{persona} ({email}) cannot sign in at {place}: {told.replace(password, '…')}")
        return self._session(persona, token, user_id)

    def _session(self, persona: str, token: str, user_id: str) -> Session:
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except jwt.InvalidTokenError:
            raise NotSignedIn(f"{persona}: what answers is not Supabase Auth: its access token is no JWT") from None
        if claims.get("sub") != user_id:
            raise NotSignedIn(f"{persona} signed in as another user than the run's: the id {user_id} was expected")
        return Session(token, claims, float(claims.get("exp", 0)))
