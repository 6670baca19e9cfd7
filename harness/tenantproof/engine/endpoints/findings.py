"""Sightings as findings: one for each endpoint and channel, with who saw it and a script for curl."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence

from tenantproof.channels.endpoints.catalogue import ENDPOINT_CHANNELS
from tenantproof.core.finding import Evidence, Finding, Property, Reach
from tenantproof.core.model import Command, Endpoint, Persona
from tenantproof.engine.endpoints.sightings import Sighting, called
from tenantproof.engine.plan import Plan
from tenantproof.engine.rest.replays import MARK, minting_lines
from tenantproof.identity.signing import Signer
from tenantproof.targets.endpoints.client import Ask

_SEVERAL = 5
_PROPERTIES = {
    "ENDPOINT-READ": Property.VISIBILITY,
    "ENDPOINT-CACHE": Property.VISIBILITY,
    "ENDPOINT-INFER": Property.CONFIDENTIALITY,
    "ENDPOINT-WRITE": Property.INTEGRITY,
}
_WRITES = {"POST": Command.INSERT, "PUT": Command.UPDATE, "PATCH": Command.UPDATE, "DELETE": Command.DELETE}


def findings_of(plan: Plan, signer: Signer, base: str, sightings: Sequence[Sighting]) -> Iterator[Finding]:
    """One finding for each endpoint and channel."""
    groups: dict[tuple[str, str], list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        groups[sighting.endpoint.name, sighting.channel].append(sighting)
    for (_, channel), group in groups.items():
        yield _finding(plan, signer, base, channel, group)


def _finding(plan: Plan, signer: Signer, base: str, channel: str, group: Sequence[Sighting]) -> Finding:
    kind, endpoint = ENDPOINT_CHANNELS[channel], group[0].endpoint
    severities = [sighting.severity or kind.severity for sighting in group]
    command = _WRITES.get(endpoint.method, Command.SELECT) if channel == "ENDPOINT-WRITE" else Command.SELECT
    named = {sighting.trial.persona.name for sighting in group}
    worst = max(group, key=lambda one: (one.severity or kind.severity).rank)
    return Finding(
        property=_PROPERTIES[channel],
        channel=channel,
        severity=max(severities, key=lambda severity: severity.rank),
        reach=Reach.APP,
        object=called(endpoint),
        objects=(called(endpoint),),
        command=command,
        commands=(command,),
        title=kind.title.format(object=_capital(called(endpoint))),
        cause=f"http {endpoint.method}",
        explanation=kind.explanation,
        fix=kind.fix,
        cwe=kind.cwe,
        personas=tuple(name for name in plan.identities if name in named),
        evidence=tuple(map(_evidence, _one_per_persona(group))),
        replay=_replay(plan, signer, base, worst),
        place=endpoint.place,
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _one_per_persona(group: Sequence[Sighting]) -> list[Sighting]:
    chosen: dict[str, Sighting] = {}
    for sighting in group:
        chosen.setdefault(sighting.trial.persona.name, sighting)
    return list(chosen.values())[:_SEVERAL]


def _evidence(sighting: Sighting) -> Evidence:
    first = "".join(f"{who.name}: {ask.line}; then " for who, ask in sighting.before)
    return Evidence(
        persona=sighting.trial.persona.name,
        statement=f"{first}{sighting.trial.ask.line}",
        expected=sighting.expected,
        observed=sighting.observed,
        behind=sighting.behind,
        world_1=sighting.world_1,
        world_2=sighting.world_2,
    )


def _replay(plan: Plan, signer: Signer, base: str, sighting: Sighting) -> str:
    """The requests once more, by curl; tokens are minted anew, none is in the script."""
    endpoint, trial = sighting.endpoint, sighting.trial
    lines = [
        MARK,
        ': "${BASE:?the address of the application, in place of {base}}"',
        "# The rows are those of a database that `tenantproof check --keep` has seeded.",
    ]
    for number, (who, ask) in enumerate((*sighting.before, (trial.persona, trial.ask)), 1):
        lines += [f"# {who.name}", *_asking(plan, signer, base, endpoint, who, ask, f"TOKEN_{number}")]
    if sighting.behind:
        lines.append(f"# once more after {sighting.behind.replace('were', 'have been')}:")
        lines.append(_curl(base, endpoint, trial.ask, "TOKEN_1" if trial.ask.secret else ""))
    return "\n".join([*lines, f"# LEAK: {sighting.shows}", ""])


def _asking(
    plan: Plan, signer: Signer, base: str, endpoint: Endpoint, who: Persona, ask: Ask, variable: str
) -> Iterator[str]:
    if ask.secret:
        claims = plan.identities[who.name].claims
        yield from minting_lines(variable, claims, algorithm=signer.algorithm, kid=signer.kid)
    yield _curl(base, endpoint, ask, variable if ask.secret else "")


def _curl(base: str, endpoint: Endpoint, ask: Ask, variable: str) -> str:
    told = "".join(f" -H {shlex.quote(f'{name}: {value}')}" for name, value in ask.headers)
    body = f" --data-raw {shlex.quote(ask.body.decode(errors='replace'))}" if ask.body is not None else ""
    url = f'"$BASE"{shlex.quote(ask.url.removeprefix(base))}' if ask.url.startswith(base) else shlex.quote(ask.url)
    method = "-I" if ask.method == "HEAD" else f"-X {ask.method}"
    return f"curl -sS -i -g {method} {url}{_token(endpoint, ask, variable)}{told}{body}"


def _token(endpoint: Endpoint, ask: Ask, variable: str) -> str:
    """The header with the token, read from a variable of the script."""
    if not variable:
        return ""
    name = ask.secret[0][0]
    value = {"authorization": f"Bearer ${variable}", "cookie": f"{endpoint.carrier_name}=${variable}"}
    header = f"{name}: {value.get(name, f'${variable}')}"
    return f" -H {json.dumps(header)}"
