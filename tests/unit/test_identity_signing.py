"""Minting and verifying tokens with the three algorithms, and keys that cannot be used."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import get_args

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from jwt.algorithms import ECAlgorithm

from tenantproof.core.errors import UsageError
from tenantproof.identity.signing import LOCAL_SECRET, Algorithm, Signer, from_key_file, generated

ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)


def claims(**changes: object) -> dict[str, object]:
    now = int(time.time())
    return {"sub": "me", "aud": "authenticated", "role": "authenticated", "iat": now, "exp": now + 60, **changes}


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, lock: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock or NoEncryption())


@pytest.fixture(scope="module", params=ALGORITHMS)
def signer(request: pytest.FixtureRequest) -> Signer:
    return generated(request.param)


def test_claims_come_back_from_the_token(signer: Signer) -> None:
    expected = claims(app_metadata={"org": "ü"})
    assert signer.verify(signer.mint(expected)) == expected


def test_anybody_can_verify_by_the_published_key_set(signer: Signer) -> None:
    token = signer.mint(claims())
    keys = jwt.PyJWKSet.from_dict(json.loads(json.dumps(signer.jwks())))
    decoded = jwt.decode(token, keys.keys[0], algorithms=[signer.algorithm], audience="authenticated")
    assert decoded["sub"] == "me"
    assert jwt.get_unverified_header(token).get("kid", "") == signer.kid == (keys.keys[0].key_id or "")


def test_the_key_set_of_an_asymmetric_key_is_public(signer: Signer) -> None:
    keys = signer.jwks()["keys"]
    assert isinstance(keys, list)
    key = keys[0]
    assert ("k" in key) == (signer.algorithm == "HS256")
    assert not {"d", "p", "q", "dp", "dq", "qi"} & set(key)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"exp": 1}, jwt.ExpiredSignatureError),
        ({"aud": "anybody"}, jwt.InvalidAudienceError),
        ({"exp": None}, jwt.MissingRequiredClaimError),
        ({"aud": None}, jwt.MissingRequiredClaimError),
        ({"role": None}, jwt.MissingRequiredClaimError),
    ],
)
def test_a_token_that_is_not_good_is_refused(
    signer: Signer, changes: dict[str, object], error: type[Exception]
) -> None:
    wrong = {name: value for name, value in claims(**changes).items() if value is not None}
    with pytest.raises(error):
        signer.verify(signer.mint(wrong))


def test_a_token_of_another_key_is_refused(signer: Signer) -> None:
    with pytest.raises(jwt.InvalidSignatureError):
        signer.verify(generated(signer.algorithm).mint(claims()))


@pytest.mark.parametrize("other", ["HS512", "none"])
def test_a_token_of_another_algorithm_is_refused(other: str) -> None:
    long_secret = LOCAL_SECRET * 2
    token = jwt.encode(claims(), "" if other == "none" else long_secret, algorithm=other)
    with pytest.raises(jwt.InvalidAlgorithmError):
        Signer(key=long_secret).verify(token)


def test_the_default_is_the_local_supabase() -> None:
    assert Signer().algorithm == "HS256"
    secret = "super-secret-jwt-token-with-at-least-32-characters-long"
    assert jwt.decode(Signer().mint(claims()), secret, algorithms=["HS256"], audience="authenticated")


def test_keys_are_not_in_the_repr(signer: Signer) -> None:
    assert "key" not in repr(signer)


def test_a_secret_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("x" * 32 + "\n")
    assert from_key_file(path, "HS256").key == b"x" * 32


def test_a_pem_key_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))
    found = from_key_file(path, "ES256")
    assert found.verify(found.mint(claims()))["sub"] == "me"
    assert found.kid == from_key_file(path, "ES256").kid


def test_a_json_web_key_as_the_supabase_cli_prints_it(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "signing_keys.json"
    path.write_text(json.dumps([{**ECAlgorithm.to_jwk(key, as_dict=True), "alg": "ES256"}]))
    found = from_key_file(path, "ES256")
    assert isinstance(found.key, ec.EllipticCurvePrivateKey)
    assert found.key.private_numbers() == key.private_numbers()


EC = pem(ec.generate_private_key(ec.SECP256R1()))
P384 = pem(ec.generate_private_key(ec.SECP384R1()))
LOCKED = pem(ec.generate_private_key(ec.SECP256R1()), BestAvailableEncryption(b"pass"))
SHORT_RSA = pem(rsa.generate_private_key(public_exponent=65537, key_size=1024))
PUBLIC = ec.generate_private_key(ec.SECP256R1()).public_key()
PUBLIC_JWK = json.dumps(ECAlgorithm.to_jwk(PUBLIC, as_dict=True)).encode()


@pytest.mark.parametrize(
    ("content", "algorithm", "reason"),
    [
        (b"x" * 31, "HS256", "has 31 bytes and HS256 needs 32"),
        (b"", "HS256", "has 0 bytes"),
        (EC, "HS256", "shared secret"),
        (b"hello", "ES256", "no private key in PEM"),
        (b"", "RS256", "no private key in PEM"),
        (LOCKED, "ES256", "pass phrase"),
        (P384, "ES256", "another kind"),
        (EC, "RS256", "another kind"),
        (SHORT_RSA, "RS256", "has 1024 bits and RS256 needs 2048"),
        (b"{", "ES256", "JSON Web Key"),
        (b"[1]", "ES256", "JSON Web Key"),
        (b'{"kty": "EC", "d": "x"}', "ES256", "JSON Web Key"),
        (PUBLIC_JWK, "ES256", "JSON Web Key"),
    ],
)
def test_a_file_that_is_no_key_says_so_and_what_to_do(
    tmp_path: Path, content: bytes, algorithm: Algorithm, reason: str
) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        from_key_file(path, algorithm)
    message = str(caught.value)
    assert message.startswith(f"{path}: not a signing key for {algorithm}: ")
    assert reason in message
    assert "openssl" in message


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.pem: the signing key cannot be read: no such file"):
        from_key_file(tmp_path / "nowhere.pem", "ES256")
    with pytest.raises(UsageError, match="is a directory"):
        from_key_file(tmp_path, "ES256")
