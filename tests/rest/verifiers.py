"""
Small APIs with one thing wrong in how they verify tokens, and one with nothing wrong.

Each turns a token into claims (None: refused, {}: nobody).  They serve the notes of the small application to the user
that they believe to be asking.
"""

from __future__ import annotations

import base64
import hmac
import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import httpx
import jwt
from cryptography import x509
from jwt.algorithms import RSAAlgorithm

from tenantproof.identity.attacks import public_forms
from tenantproof.identity.signing import Signer

Claims = Mapping[str, object]
Verify = Callable[[str], Claims | None]

ALL = ("service_role", "postgres", "supabase_admin", "authenticator")


def part(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def opened(token: str) -> tuple[dict[str, object], dict[str, object], bytes]:
    head, body, *rest = token.split(".")
    return json.loads(part(head)), json.loads(part(body)), part(rest[0]) if rest else b""


def body_of(token: str) -> bytes:
    return token.rpartition(".")[0].encode() if token.count(".") == 2 else token.encode()


def hs256(token: str, key: bytes) -> bool:
    return hmac.compare_digest(hmac.digest(key, body_of(token), "sha256"), opened(token)[2])


def in_time(claims: Claims) -> bool:
    now = time.time()
    early = any(float(str(claims.get(name, 0))) > now + 60 for name in ("nbf", "iat"))
    return not early and float(str(claims.get("exp", 0))) > now


class Right:
    """Verifies everything, with one key."""

    def __init__(self, signer: Signer, *, skip: str = "") -> None:
        self.signer, self.skip = signer, skip

    def __call__(self, token: str) -> Claims | None:
        try:
            _, claims, _ = opened(token)
        except ValueError:
            return None
        if not self.signed(token):
            return None
        for name in ("exp", "nbf", "iat"):
            if name != self.skip and not in_time({"exp": time.time() + 9, name: claims.get(name, 0)}):
                return None
        if self.skip != "aud" and claims.get("aud") != "authenticated":
            return None
        if self.skip != "iss" and not str(claims.get("iss", "")).startswith("http://127.0.0.1"):
            return None
        return self.roles(claims)

    def roles(self, claims: Claims) -> Claims | None:
        return {} if "role" not in claims else claims if claims["role"] in ("authenticated", "anon") else None

    def signed(self, token: str) -> bool:
        algorithm = self.signer.algorithm
        key = self.signer.key if isinstance(self.signer.key, bytes) else self.signer.key.public_key()
        unasked: Any = {f"verify_{name}": False for name in ("exp", "nbf", "iat", "aud")}
        try:
            jwt.decode(token, key, algorithms=[algorithm], options=unasked)
        except jwt.InvalidTokenError:
            return False
        return True


class BelievesNone(Right):
    def signed(self, token: str) -> bool:
        return str(opened(token)[0].get("alg", "")).lower() in ("none", "") or super().signed(token)


class BelievesAMissingSignature(Right):
    def signed(self, token: str) -> bool:
        return not opened(token)[2] or super().signed(token)


class DoesNotLook(Right):
    def signed(self, token: str) -> bool:
        return True


class TrustsThePowerful(Right):
    """Compares signatures, but not for the backend's own role, which "comes from inside"."""

    def signed(self, token: str) -> bool:
        return opened(token)[1].get("role") == "service_role" or super().signed(token)

    def __call__(self, token: str) -> Claims | None:
        claims = opened(token)[1]
        return claims if claims.get("role") == "service_role" else super().__call__(token)


class TakesThePublicKeyForASecret(Right):
    def __init__(self, signer: Signer, form: str) -> None:
        super().__init__(signer)
        self.secret = public_forms(signer)[form]

    def signed(self, token: str) -> bool:
        return hs256(token, self.secret) or super().signed(token)


class KeyByKid(Right):
    """Looks the key up as the token says."""

    def signed(self, token: str) -> bool:
        head = opened(token)[0]
        return ("kid" in head and hs256(token, self.key(str(head["kid"])))) or super().signed(token)

    def key(self, kid: str) -> bytes:
        raise NotImplementedError


class KeyInAFile(KeyByKid):
    def key(self, kid: str) -> bytes:
        path = Path("/usr/lib") / kid
        return path.read_bytes() if path.exists() and path.name == "null" else b"\0nothing"


class KeyInADatabase(KeyByKid):
    def key(self, kid: str) -> bytes:
        with sqlite3.connect(":memory:") as connection:
            connection.execute("create table keys (kid text, secret text)")
            found = connection.execute(f"select secret from keys where kid = '{kid}'").fetchone()
        connection.close()
        return str(found[0]).encode() if found else b"\0nothing"


class KeyIsItsName(KeyByKid):
    def key(self, kid: str) -> bytes:
        return kid.encode()


class OnlyLooksAtTheKid(Right):
    def signed(self, token: str) -> bool:
        return opened(token)[0].get("kid") in (self.signer.kid or "current", None) or super().signed(token)


class KeyFromTheHeader(Right):
    def __init__(self, signer: Signer, name: str) -> None:
        super().__init__(signer)
        self.name = name

    def signed(self, token: str) -> bool:
        offered = opened(token)[0].get(self.name)
        if offered is None:
            return super().signed(token)
        try:
            jwt.decode(token, self.key(offered), algorithms=["RS256"], options={"verify_aud": False})
        except jwt.InvalidTokenError:
            return False
        return True

    def key(self, offered: object):
        if self.name == "jwk":
            return RSAAlgorithm.from_jwk(json.dumps(offered))
        with urlopen(str(offered)) as reply:
            content = reply.read()
        if self.name == "jku":
            return RSAAlgorithm.from_jwk(json.dumps(json.loads(content)["keys"][0]))
        return x509.load_pem_x509_certificate(content).public_key()


class AnyRole(Right):
    """Becomes whatever the claim names, as a login role that is a member of everything."""

    def roles(self, claims: Claims) -> Claims | None:
        return {} if "role" not in claims else claims


class SloppyRole(Right):
    def roles(self, claims: Claims) -> Claims | None:
        role = str(claims.get("role", "")).strip().lower().split(" ")[-1]
        return {**claims, "role": "service_role"} if role in ("service_role", "--") else super().roles(claims)


class NobodyIsThemselves(Right):
    """Right: without a role a user is anon, whom policies to public let read what is the user's."""

    def roles(self, claims: Claims) -> Claims | None:
        return {**claims, "role": "authenticated"} if "role" not in claims else super().roles(claims)


class NobodyIsEverybody(Right):
    def roles(self, claims: Claims) -> Claims | None:
        return {**claims, "role": "service_role"} if "role" not in claims else super().roles(claims)


def serving(
    verify: Verify, notes: Mapping[str, list[str]], *, believes: int = 0, looks_at: int = 0
) -> httpx.MockTransport:
    """The API: verifies one of several Authorization headers, and believes one (0: the first, -1: the last)."""

    def answer(request: httpx.Request) -> httpx.Response:
        tokens = [value.removeprefix("Bearer ") for value in request.headers.get_list("authorization")]
        if not tokens:
            return httpx.Response(200, json=[])
        claims = verify(tokens[looks_at])
        if claims is None:
            return httpx.Response(401, json={"code": "PGRST301", "message": "JWT cryptographic operation failed"})
        if believes != looks_at:
            claims = opened(tokens[believes])[1]
        return httpx.Response(200, json=[{"c0": id} for id in shown(claims)])

    def shown(claims: Claims) -> list[str]:
        if claims.get("role") in ALL:
            return sorted({id for ids in notes.values() for id in ids})
        return notes.get(str(claims.get("sub")), []) if claims.get("role") == "authenticated" else []

    return httpx.MockTransport(answer)
