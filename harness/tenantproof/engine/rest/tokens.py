"""The attacks on tokens: every forgery against one table that shows something to members and nothing to nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from time import time

from tenantproof.channels.rest.catalogue import REST_CHANNELS
from tenantproof.core.attempt import Form
from tenantproof.core.finding import Evidence, Finding, Property, Reach, Severity, Verdict
from tenantproof.core.model import Command, QName
from tenantproof.core.ports import Identity
from tenantproof.core.report import Gap
from tenantproof.engine.plan import Plan
from tenantproof.engine.rest.hearing import observed
from tenantproof.engine.rest.matrix import Pair
from tenantproof.engine.rest.replays import of_forgery
from tenantproof.engine.rest.speaking import Tongue
from tenantproof.identity.attacks import KNOWN_SECRETS, Claimed, Forgery, Material, Seal, forgeries
from tenantproof.identity.forging import authorizations
from tenantproof.identity.signing import Signer
from tenantproof.properties.tokens import Reception, Rows, reception
from tenantproof.targets.rest.client import Client, Request, is_local
from tenantproof.targets.rest.lure import Lure, lure

OBJECT = "api.tokens"
"""What findings about tokens are about: no table, but the door to all of them."""

_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """A table, and two members of different tenants who read rows of it that the other does not."""

    relation: QName
    columns: tuple[str, ...]
    attacker: Identity
    victim: Identity


@dataclass(frozen=True, slots=True)
class Tried:
    """One forgery, how it was taken, the status of the answer, and how many rows came that must not."""

    forgery: Forgery
    reception: Reception
    status: int
    rows: int = 0


@dataclass(frozen=True, slots=True)
class Assault:
    """What became of all forgeries."""

    tried: tuple[Tried, ...] = ()
    findings: tuple[Finding, ...] = ()
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()


def witness_of(plan: Plan, pairs: Sequence[Pair]) -> Witness | None:
    """The table to try tokens on; None where none shows something to two tenants and nothing to nobody."""
    reads: dict[QName, list[Pair]] = {}
    for pair in pairs:
        if pair.by_http.command is Command.SELECT and pair.by_http.judgement.verdict is Verdict.ISOLATED:
            reads.setdefault(pair.by_http.object.name, []).append(pair)
    for name, found in reads.items():
        seen = {pair.by_http.stand.persona.name: _rows_of(pair) for pair in found if _keyed(pair)}
        if seen.get("anon"):
            continue
        members = [plan.identities[who] for who, rows in seen.items() if rows and plan.identities[who].token]
        for attacker in members:
            for victim in members:
                if _apart(attacker, victim) and seen[victim.persona.name] - seen[attacker.persona.name]:
                    columns = plan.catalog.relations[name].primary_key
                    return Witness(relation=name, columns=columns, attacker=attacker, victim=victim)
    return None


def _keyed(pair: Pair) -> bool:
    return pair.by_http.outcomes[0].attempt.form is Form.READ and bool(pair.by_http.object.primary_key)


def _rows_of(pair: Pair) -> Rows:
    return frozenset(pair.by_http.outcomes[0].observation.rows)


def _apart(one: Identity, other: Identity) -> bool:
    mine, theirs = set(one.persona.tenants), set(other.persona.tenants)
    return bool(mine and theirs) and not mine & theirs


def assault(
    client: Client,
    tongue: Tongue,
    plan: Plan,
    signer: Signer,
    witness: Witness,
    *,
    ours: bool,
    api_key: str | None,
    signed_in: bool = False,
) -> Assault:
    """Try every forgery.

    *ours* tells that we started the server, whose settings then say nothing about anybody's; *signed_in* that honest
    tokens are of an Auth server, whose key *signer* does not have.
    """
    request = tongue.reading(witness.relation, witness.columns)
    width = len(witness.columns)

    def seen(headers: Iterable[str]) -> tuple[int, Rows]:
        answer = client.send(request, tuple(headers))
        return answer.status, frozenset(observed(answer, width).rows)

    _, nobody = seen(client.anonymous())
    _, mine = seen((f"Bearer {witness.attacker.token}",))
    status, theirs = seen((f"Bearer {witness.victim.token}",))
    if not (mine - nobody and theirs - mine - nobody):
        reason = f"no positive control for tokens: an honest one of {witness.victim.persona.name} got status {status}"
        return Assault(gaps=(Gap(object=OBJECT, reason=reason),))
    with ExitStack() as stack:
        placed, material = _armed(stack, plan, signer, witness, client.url, ours=ours, api_key=api_key)
        chosen = [one for one in _applicable(material, ours=ours) if not (signed_in and one.seal is Seal.RIGHT)]
        tried = [_try(forgery, material, seen, nobody, mine) for forgery in chosen]
        fetched = tuple(placed.asked) if placed is not None else ()
    findings = _findings(tried, material, witness, request)
    if fetched and not any(one.reception is Reception.ACCEPTED and one.forgery.id in ("jku", "x5u") for one in tried):
        findings += _fetches(fetched, witness)
    gaps = (*_gaps(tried, placed), *_unsigned(signed_in=signed_in))
    return Assault(tuple(tried), tuple(findings), gaps, tuple(_notes(tried, ours=ours)))


def _armed(
    stack: ExitStack, plan: Plan, signer: Signer, witness: Witness, url: str, *, ours: bool, api_key: str | None
) -> tuple[Lure | None, Material]:
    """The attacker's material; a place that serves their key only for a server on this machine, which can reach it."""
    local = ours or is_local(url)
    secrets = tuple(secret for secret in KNOWN_SECRETS if not (local and secret == signer.key))
    assert witness.attacker.token is not None
    material = Material(
        signer=signer,
        attacker=witness.attacker.claims,
        victim=witness.victim.claims,
        attacker_token=witness.attacker.token,
        anon_role=plan.scenario.session.anon_role,
        roles=tuple(role for role in ("postgres", "supabase_admin", "authenticator") if role in plan.catalog.roles),
        api_key=api_key,
        known_secrets=secrets,
    )
    if not local:
        return None, material
    placed = stack.enter_context(lure(material.served()))
    return placed, replace(material, lure=placed.url)


def _applicable(material: Material, *, ours: bool) -> list[Forgery]:
    """Whether aud and iss are asked for is a matter of settings: on a server of ours they are ours."""
    found = forgeries(material)
    return [forgery for forgery in found if not (ours and forgery.channel == "JWT-ISSUER")]


def _try(
    forgery: Forgery,
    material: Material,
    seen: Callable[[Iterable[str]], tuple[int, Rows]],
    nobody: Rows,
    mine: Rows,
) -> Tried:
    status, rows = seen(authorizations(forgery, material, int(time())))
    # What the attacker's own token opens is theirs, whichever role the server gives them; but a token that should no
    # longer open anything must not.
    harmless = nobody if forgery.claimed is Claimed.SELF else nobody | mine
    return Tried(forgery, reception(status, rows, harmless), status, len(rows - harmless))


def _findings(tried: Sequence[Tried], material: Material, witness: Witness, request: Request) -> list[Finding]:
    accepted: dict[str, list[Tried]] = {}
    for one in tried:
        if one.reception is Reception.ACCEPTED:
            accepted.setdefault(one.forgery.channel, []).append(one)
    return [_finding(channel, ones, material, witness, request) for channel, ones in accepted.items()]


def _finding(channel: str, ones: Sequence[Tried], material: Material, witness: Witness, request: Request) -> Finding:
    first, kind = ones[0], REST_CHANNELS[channel]
    return _about_tokens(
        channel,
        kind.severity,
        cause=first.forgery.id,
        persona=witness.attacker.persona.name,
        evidence=tuple(_evidence(one, witness, request) for one in ones[:_SHOWN]),
        replay=of_forgery(first.forgery, material, request),
        more="" if len(ones) == 1 else " Accepted: " + "; ".join(one.forgery.words for one in ones) + ".",
    )


def _about_tokens(
    channel: str,
    severity: Severity,
    *,
    cause: str,
    persona: str,
    evidence: tuple[Evidence, ...],
    replay: str,
    more: str = "",
) -> Finding:
    kind = REST_CHANNELS[channel]
    return Finding(
        property=Property.CONFIDENTIALITY,
        channel=channel,
        severity=severity,
        reach=Reach.API,
        object=OBJECT,
        objects=(OBJECT,),
        command=Command.SELECT,
        commands=(Command.SELECT,),
        title=kind.title,
        cause=cause,
        explanation=kind.explanation + more,
        fix=kind.fix,
        cwe=kind.cwe,
        personas=(persona,),
        evidence=evidence,
        replay=replay,
    )


_CLAIMED: Mapping[Claimed, str] = {
    Claimed.SELF: "their own user",
    Claimed.VICTIM: "a user of another tenant",
    Claimed.POWER: "a role that sees every tenant",
    Claimed.NOBODY: "nobody",
}


def _evidence(one: Tried, witness: Witness, request: Request) -> Evidence:
    forgery = one.forgery
    victim = witness.victim.persona.name if forgery.claimed is Claimed.VICTIM else _CLAIMED[forgery.claimed]
    return Evidence(
        persona=witness.attacker.persona.name,
        statement=f"{request.line}\n-- the token: {forgery.words}; it claims to be {victim}",
        expected="401, or what a client without a token gets",
        observed=f"status {one.status}, {one.rows} row{'' if one.rows == 1 else 's'} of {witness.relation}",
        rows=tuple(f"a row that only {victim} may read" for _ in range(min(one.rows, 1))),
    )


def _fetches(fetched: Sequence[str], witness: Witness) -> list[Finding]:
    evidence = Evidence(
        persona=witness.attacker.persona.name,
        statement="-- a token whose header names an address (jku, x5u)",
        expected="no request to the address",
        observed=f"the server fetched {', '.join(sorted(set(fetched)))} from the attacker's address",
    )
    replay = "#!/bin/sh\n# send a token whose header holds jku with an address of yours, and watch its log\n"
    return [
        _about_tokens(
            "JWT-HEADER",
            Severity.MEDIUM,
            cause="fetches-keys",
            persona=witness.attacker.persona.name,
            evidence=(evidence,),
            replay=replay,
        )
    ]


def _gaps(tried: Sequence[Tried], placed: Lure | None) -> Iterable[Gap]:
    unclear = [one for one in tried if one.reception is Reception.UNCLEAR]
    if unclear:
        told = ", ".join(f"{one.forgery.id} (status {one.status})" for one in unclear[:_SHOWN])
        yield Gap(object=OBJECT, reason=f"{len(unclear)} forged tokens met a server that failed: {told}")
    if placed is None:
        reason = "tokens whose header names an address (jku, x5u): the API is not on this machine and cannot reach us"
        yield Gap(object=OBJECT, reason=reason)


def _unsigned(*, signed_in: bool) -> Iterable[Gap]:
    if signed_in:
        reason = "tokens that only the signing key makes (their times, aud, iss, roles): the personas signed in"
        yield Gap(object=OBJECT, reason=reason)


def _notes(tried: Sequence[Tried], *, ours: bool) -> Iterable[str]:
    refused = sum(one.reception is Reception.REFUSED for one in tried)
    nobody = sum(one.reception is Reception.AS_NOBODY for one in tried)
    yield f"{len(tried)} forged tokens over HTTP: {refused} refused, {nobody} taken for nobody's"
    if ours:
        yield (
            "PostgREST was started by tenantproof, with its own settings: whether yours asks for aud and iss, only your"
            " own API can tell (--api)"
        )
