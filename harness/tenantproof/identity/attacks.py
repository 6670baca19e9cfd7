"""
Tokens that must not be accepted, or that must not entitle to anything.

Each forgery is a specification: header, claims and how it is sealed; `tenantproof.identity.forging` makes the token.
Sources: RFC 8725 (JWT best current practices), RFC 7515 section 4.1 (header parameters), RFC 7519 section 4.1 (claims).
"""

from __future__ import annotations

import enum
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from jwt.algorithms import RSAAlgorithm

from tenantproof.identity.claims import LIFETIME
from tenantproof.identity.signing import LOCAL_SECRET, Signer

Claims = Mapping[str, object]

LONG_AGO, LATER = -3600, 3600
"""Seconds from now: well beyond the leeway that verifiers grant for clocks (PostgREST: 30 seconds)."""

KNOWN_SECRETS = (
    LOCAL_SECRET,
    b"your-super-secret-jwt-token-with-at-least-32-characters-long",
    b"reallyreallyreallyreallyverysafe",
    b"a-string-secret-at-least-256-bits-long",
    b"your-256-bit-secret",
    b"secret",
    b"changeme",
)
"""Secrets that anybody can read: Supabase's local and self-hosted examples, PostgREST's tutorial, jwt.io's defaults."""

NONES = ("none", "None", "NONE", "nOnE", "")


class Claimed(enum.StrEnum):
    """Who a forged token says its bearer is."""

    SELF = "self"
    VICTIM = "victim"
    POWER = "power"
    """A role that sees every tenant."""
    NOBODY = "nobody"


class Seal(enum.StrEnum):
    """How a forged token is signed."""

    EMPTY = "empty"
    """A third part without anything in it."""
    STRIPPED = "stripped"
    """No third part."""
    KEPT = "kept"
    """The signature of another token: that of the attacker, or the API key's."""
    SECRET = "secret"  # noqa: S105  # a word
    """HS256 with the forgery's own key, which is no secret."""
    PUBLIC = "public"
    """HS256 with the verifier's public key as the secret."""
    RIGHT = "right"
    """The real key: only the claims are wrong."""
    STRANGER = "stranger"
    """A key of the same kind that nobody told the verifier about."""
    OWN = "own"
    """RS256 with a key of the attacker's, which the header offers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgery:
    """One token that is wrong in one way.

    `times` are claims in seconds from now; `key` is what Seal.SECRET and Seal.PUBLIC sign with; `after` tells that
    the attacker's own token goes before it (or, if False, behind it) in a second Authorization header.
    """

    id: str
    channel: str
    words: str
    claimed: Claimed
    seal: Seal
    claims: Claims = field(repr=False)
    head: Mapping[str, object] = field(default_factory=dict)
    times: Mapping[str, int] = field(default_factory=dict)
    key: bytes = field(default=b"", repr=False)
    form: str = ""
    """For Seal.PUBLIC: how the public key is written down."""
    after: bool | None = None


def _key_pair() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True, kw_only=True)
class Material:
    """What the attacker has: a token of their own, the victim's claims (names and ids are no secrets), and the address
    of a place that serves files of theirs, where there is one.

    `signer` is the real key, for the tokens whose claims alone are wrong.
    """

    signer: Signer
    attacker: Claims
    victim: Claims
    attacker_token: str = field(repr=False)
    anon_role: str = "anon"
    roles: tuple[str, ...] = ("postgres", "supabase_admin")
    powerful: str = "service_role"
    api_key: str | None = field(default=None, repr=False)
    known_secrets: tuple[bytes, ...] = KNOWN_SECRETS
    lure: str | None = None
    own_key: rsa.RSAPrivateKey = field(default_factory=_key_pair, repr=False)
    """A key pair of the attacker's."""

    @cached_property
    def stranger(self) -> Signer:
        """Somebody else's signer of the same algorithm."""
        if self.signer.algorithm == "HS256":
            return Signer(key=secrets.token_bytes(64))
        from tenantproof.identity.signing import generated

        return generated(self.signer.algorithm)

    def jwk(self) -> dict[str, object]:
        """The attacker's public key as a JWK."""
        return {**RSAAlgorithm.to_jwk(self.own_key.public_key(), as_dict=True), "kid": "own", "alg": "RS256"}

    def served(self) -> Mapping[str, str]:
        """What the attacker's place must serve: path -> content."""
        return {"/jwks.json": json.dumps({"keys": [self.jwk()]}), "/cert.pem": self._certificate()}

    def _certificate(self) -> str:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tenantproof")])
        start = datetime.now(UTC) - timedelta(days=1)
        built = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.own_key.public_key())
            .serial_number(1)
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=30))
            .sign(self.own_key, hashes.SHA256())
        )
        return built.public_bytes(Encoding.PEM).decode()


def forgeries(material: Material) -> list[Forgery]:
    """Every forgery that the material allows, each wrong in one way."""
    return [
        *_unsigned(material),
        *_wrongly_signed(material),
        *_confused(material),
        *_by_the_header(material),
        *_guessed(material),
        *_at_the_wrong_time(material),
        *_for_others(material),
        *_roles(material),
        *_doubled(material),
    ]


def _unsigned(m: Material) -> Iterator[Forgery]:
    for number, spelling in enumerate(NONES):
        yield _victims(
            m, f"none-{number}", "JWT-NONE", f"alg {spelling!r}, no signature", Seal.EMPTY, head={"alg": spelling}
        )
    yield _victims(m, "none-two-parts", "JWT-NONE", "alg 'none', no third part", Seal.STRIPPED, head={"alg": "none"})
    yield _victims(m, "empty-signature", "JWT-NONE", f"alg {m.signer.algorithm}, an empty signature", Seal.EMPTY)
    yield _victims(m, "no-signature", "JWT-NONE", f"alg {m.signer.algorithm}, the signature cut off", Seal.STRIPPED)


def _wrongly_signed(m: Material) -> Iterator[Forgery]:
    yield _victims(m, "wrong-key", "JWT-SIGNATURE", "signed with another key", Seal.STRANGER)
    yield _victims(m, "payload-changed", "JWT-SIGNATURE", "the own token with another user in it", Seal.KEPT)
    powerful = {"iss": "supabase", "role": m.powerful}
    words = f"the role {m.powerful} with the signature of the anon key (or of the own token)"
    yield Forgery(
        id="service-role-kept",
        channel="JWT-SIGNATURE",
        words=words,
        claimed=Claimed.POWER,
        seal=Seal.KEPT,
        claims=powerful,
        times={"iat": 0, "exp": LIFETIME},
    )
    elsewhere = {**m.victim, "iss": "https://another-project.supabase.co/auth/v1", "ref": "another-project"}
    yield _victims(m, "other-project", "JWT-SIGNATURE", "another project's token", Seal.STRANGER, claims=elsewhere)


def _confused(m: Material) -> Iterator[Forgery]:
    """An asymmetric key's public half is public: who takes it for an HMAC secret lets everybody sign."""
    for form, content in public_forms(m.signer).items():
        words = f"HS256 with the public {m.signer.algorithm} key ({form}) as the secret"
        yield replace(
            _victims(m, f"public-key-{form}", "JWT-CONFUSION", words, Seal.PUBLIC, head={"alg": "HS256"}),
            key=content,
            form=form,
        )


def public_forms(signer: Signer) -> dict[str, bytes]:
    """The signer's public key as a verifier may hold it; nothing for a shared secret."""
    if isinstance(signer.key, bytes):
        return {}
    public = signer.key.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    jwks = signer.jwks()
    keys = jwks["keys"]
    assert isinstance(keys, list)
    only = keys[0]
    return {
        "pem": pem,
        "pem-stripped": pem.strip(),
        "der": der,
        "jwk": json.dumps(only).encode(),
        "jwk-compact": json.dumps(only, separators=(",", ":")).encode(),
        "jwks": json.dumps(jwks).encode(),
    }


def _by_the_header(m: Material) -> Iterator[Forgery]:
    """Header parameters are the attacker's: whoever lets them choose the key is told which to choose."""
    hs256 = {"alg": "HS256"}
    for id, kid, key, words in (
        ("kid-path", "../../../../../../../../dev/null", b"", "kid is the path of an empty file, signed with nothing"),
        ("kid-sql", "x' UNION SELECT 'tenantproof' -- ", b"tenantproof", "kid is SQL that answers with our key"),
        ("kid-unknown", "nobody-has-this-key", b"nobody-has-this-key", "kid of no key, and its name as the secret"),
    ):
        kids = {**hs256, "kid": kid}
        yield replace(_victims(m, id, "JWT-HEADER", words, Seal.SECRET, head=kids), key=key)
    foreign = {"kid": m.signer.kid or "current"}
    words = "the real kid on a token of another key"
    yield _victims(m, "kid-foreign", "JWT-HEADER", words, Seal.STRANGER, head=foreign)
    yield _victims(m, "kid-missing", "JWT-HEADER", "no kid, another key", Seal.STRANGER, head={"kid": None})
    own = {"alg": "RS256"}
    words = "the header brings the key (jwk)"
    yield _victims(m, "jwk", "JWT-HEADER", words, Seal.OWN, head={**own, "jwk": m.jwk()})
    if m.lure is not None:
        for name, file in (("jku", "jwks.json"), ("x5u", "cert.pem")):
            words = f"the header says where the key is ({name})"
            head = {**own, "kid": "own", name: f"{m.lure}/{file}"}
            yield _victims(m, name, "JWT-HEADER", words, Seal.OWN, head=head)


def _guessed(m: Material) -> Iterator[Forgery]:
    for number, secret in enumerate((b"", *m.known_secrets)):
        words = f"signed with {'the empty secret' if not secret else f'the published secret {secret.decode()!r}'}"
        forgery = _victims(m, f"secret-{number}", "JWT-SECRET", words, Seal.SECRET, head={"alg": "HS256"})
        yield replace(forgery, key=secret)


def _at_the_wrong_time(m: Material) -> Iterator[Forgery]:
    for id, words, times in (
        ("expired", "expired an hour ago", {"iat": 2 * LONG_AGO, "exp": LONG_AGO}),
        ("not-yet", "not valid before an hour from now (nbf)", {"iat": 0, "nbf": LATER, "exp": 2 * LATER}),
        ("from-the-future", "issued an hour from now (iat)", {"iat": LATER, "exp": 2 * LATER}),
    ):
        yield Forgery(
            id=id,
            channel="JWT-TIME",
            words=words,
            claimed=Claimed.SELF,
            seal=Seal.RIGHT,
            claims=m.attacker,
            times=times,
        )


def _for_others(m: Material) -> Iterator[Forgery]:
    for id, channel, words, claims in (
        ("aud", "JWT-AUDIENCE", "meant for another service (aud)", {"aud": "another-service"}),
        (
            "iss",
            "JWT-ISSUER",
            "issued by another project (iss)",
            {"iss": "https://another-project.supabase.co/auth/v1"},
        ),
    ):
        yield Forgery(
            id=id,
            channel=channel,
            words=words,
            claimed=Claimed.SELF,
            seal=Seal.RIGHT,
            claims={**m.attacker, **claims},
            times={"iat": 0, "exp": LIFETIME},
        )


def _roles(m: Material) -> Iterator[Forgery]:
    """Tokens with the right signature: what the role claim may reach if somebody gets to choose it."""
    named = {f"role-{role}": (role, f"the role {role}, which no user has") for role in m.roles}
    role = str(m.attacker.get("role", "authenticated"))
    named["role-upper"] = (m.powerful.upper(), f"the role {m.powerful.upper()}, in capitals")
    named["role-blank"] = (f" {m.powerful}", f"the role {m.powerful} with a blank before it")
    named["role-injected"] = (f'{role}"; SET ROLE {m.powerful}; --', "a role that goes on with SQL")
    for id, (role, words) in named.items():
        yield _with_role(id, words, {**m.attacker, "role": role}, Claimed.POWER)
    lacking = {name: value for name, value in m.attacker.items() if name != "role"}
    yield _with_role("role-missing", "no role at all", lacking, Claimed.NOBODY)


def _with_role(id: str, words: str, claims: Claims, claimed: Claimed) -> Forgery:
    return Forgery(
        id=id,
        channel="JWT-ROLE",
        words=words,
        claimed=claimed,
        seal=Seal.RIGHT,
        claims=claims,
        times={"iat": 0, "exp": LIFETIME},
    )


def _doubled(m: Material) -> Iterator[Forgery]:
    for after in (True, False):
        words = f"two Authorization headers: the own token {'before' if after else 'behind'} an unsigned one"
        id = f"double-{'second' if after else 'first'}"
        yield replace(
            _victims(m, id, "JWT-DOUBLE", words, Seal.EMPTY, head={"alg": "none"}),
            after=after,
        )


def _victims(
    m: Material,
    id: str,
    channel: str,
    words: str,
    seal: Seal,
    *,
    head: Mapping[str, object] | None = None,
    claims: Claims | None = None,
) -> Forgery:
    return Forgery(
        id=id,
        channel=channel,
        words=words,
        claimed=Claimed.VICTIM,
        seal=seal,
        claims=claims or m.victim,
        head=head or {},
        times={"iat": 0, "exp": LIFETIME},
    )
