"""
Signing and verifying access tokens, by PyJWT.

HS256 with the secret of a local Supabase by default; ES256 and RS256 with a key from a file or a generated one.
A signer verifies only its own algorithm: choosing it by the token's header is the classic hole.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, RSAAlgorithm

from tenantproof.core.errors import UsageError
from tenantproof.identity.claims import AUDIENCE

Algorithm: TypeAlias = Literal["HS256", "ES256", "RS256"]
Key: TypeAlias = bytes | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

LOCAL_SECRET = b"super-secret-jwt-token-with-at-least-32-characters-long"
"""The published default of `supabase start`: no secret."""

SHORTEST_SECRET = 32
"""Bytes: RFC 7518 section 3.2 wants a key as long as the hash."""

SHORTEST_RSA = 2048
"""Bits: RFC 7518 section 3.3."""

REMEDIES: Mapping[Algorithm, str] = {
    "HS256": "openssl rand -base64 48 > FILE (or copy the project's JWT secret into it)",
    "ES256": "openssl ecparam -genkey -name prime256v1 -noout -out FILE",
    "RS256": "openssl genrsa -out FILE 2048",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """One signing key.  `Signer()` signs as a local Supabase does."""

    algorithm: Algorithm = "HS256"
    key: Key = field(default=LOCAL_SECRET, repr=False)

    def mint(self, claims: Mapping[str, object]) -> str:
        """The signed token.  An asymmetric one names its key (`kid`), which PostgREST 13 and later asks for."""
        headers = {"kid": self.kid} if self.algorithm != "HS256" else None
        return jwt.encode(dict(claims), self.key, algorithm=self.algorithm, headers=headers)

    def verify(self, token: str) -> dict[str, object]:
        """The claims of a token that this signer signed.

        Raises jwt.InvalidTokenError where it is expired, forged, of another algorithm, not for the audience
        `authenticated`, or lacks exp, aud or role.
        """
        options: Any = {"require": ["exp", "aud", "role"]}
        return jwt.decode(token, self._verifying_key(), algorithms=[self.algorithm], audience=AUDIENCE, options=options)

    def jwks(self) -> dict[str, object]:
        """A JWK set for PostgREST's jwt-secret.  With HS256 it holds the secret itself."""
        usage = {"alg": self.algorithm, "use": "sig"}
        named = {"kid": self.kid} if self.algorithm != "HS256" else {}
        return {"keys": [{**self._jwk(), **usage, **named}]}

    @property
    def kid(self) -> str:
        """A name for an asymmetric key: its thumbprint (RFC 7638); '' for a secret, which must not be hashed out."""
        if isinstance(self.key, bytes):
            return ""
        jwk = self._jwk()
        required = {name: jwk[name] for name in ("crv", "e", "kty", "n", "x", "y") if name in jwk}
        text = json.dumps(required, sort_keys=True, separators=(",", ":"))
        return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")

    def _verifying_key(self) -> bytes | ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
        return self.key if isinstance(self.key, bytes) else self.key.public_key()

    def _jwk(self) -> dict[str, object]:
        match self._verifying_key():
            case ec.EllipticCurvePublicKey() as key:
                found = ECAlgorithm.to_jwk(key, as_dict=True)
            case rsa.RSAPublicKey() as key:
                found = RSAAlgorithm.to_jwk(key, as_dict=True)
            case secret:
                found = HMACAlgorithm.to_jwk(secret, as_dict=True)
        return {name: value for name, value in found.items() if name != "key_ops"}


def generated(algorithm: Algorithm) -> Signer:
    """A signer with a fresh key, for targets that take our JWK set."""
    if algorithm == "ES256":
        return Signer(algorithm=algorithm, key=ec.generate_private_key(ec.SECP256R1()))
    if algorithm == "RS256":
        return Signer(algorithm=algorithm, key=rsa.generate_private_key(public_exponent=65537, key_size=SHORTEST_RSA))
    return Signer(key=secrets.token_bytes(2 * SHORTEST_SECRET))


def from_key_file(path: Path, algorithm: Algorithm) -> Signer:
    """A signer with the key in a file.

    For ES256 and RS256 the file holds a private key: PEM without a pass phrase, or a JWK (or a list of them) as
    `supabase gen signing-key` prints.  For HS256 it holds the secret, as text.  Raises UsageError, naming the
    path and the remedy, where the file is missing, holds no such key, or one that is too short.
    """
    content = _read(path)
    if algorithm == "HS256":
        return Signer(key=_secret(path, content))
    key = _from_jwk(path, content, algorithm) if content[:1] in (b"{", b"[") else _from_pem(path, content, algorithm)
    if algorithm == "ES256" and isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp256r1":
        return Signer(algorithm=algorithm, key=key)
    if algorithm == "RS256" and isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < SHORTEST_RSA:
            raise _unusable(path, algorithm, f"its key has {key.key_size} bits and RS256 needs {SHORTEST_RSA}")
        return Signer(algorithm=algorithm, key=key)
    raise _unusable(path, algorithm, f"it holds a key of another kind than {algorithm} signs with")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes().strip()
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise UsageError(f"{path}: the signing key cannot be read: {reason}; check the path") from None


def _secret(path: Path, content: bytes) -> bytes:
    if content.startswith(b"-----BEGIN"):
        raise _unusable(path, "HS256", "it holds a PEM key, and HS256 signs with a shared secret")
    if len(content) < SHORTEST_SECRET:
        raise _unusable(path, "HS256", f"the secret has {len(content)} bytes and HS256 needs {SHORTEST_SECRET}")
    return content


def _from_pem(path: Path, content: bytes, algorithm: Algorithm) -> object:
    try:
        return load_pem_private_key(content, password=None)
    except TypeError:
        raise _unusable(path, algorithm, "the key has a pass phrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable(path, algorithm, "it is no private key in PEM format") from None


def _from_jwk(path: Path, content: bytes, algorithm: Algorithm) -> object:
    try:
        parsed = json.loads(content)
        candidates = parsed if isinstance(parsed, list) else [parsed]
        kind = "EC" if algorithm == "ES256" else "RSA"
        return next(jwt.PyJWK(jwk).key for jwk in candidates if jwk["kty"] == kind and "d" in jwk)
    except (ValueError, LookupError, TypeError, StopIteration, jwt.PyJWTError):
        raise _unusable(path, algorithm, "it is no private JSON Web Key of that kind") from None


def _unusable(path: Path, algorithm: Algorithm, reason: str) -> UsageError:
    return UsageError(f"{path}: not a signing key for {algorithm}: {reason}\n  to make one: {REMEDIES[algorithm]}")
