"""Requests to endpoints: templates filled with a persona's own ids, or with those of another tenant."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from tenantproof.core.model import Carrier, Endpoint, Persona
from tenantproof.core.ports import Identity
from tenantproof.engine.endpoints.rows import Rows
from tenantproof.engine.plan import Plan
from tenantproof.identity.templates import Facts, Lacking, facts
from tenantproof.targets.endpoints.client import Ask

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")
_GROUPS = {"tenant.id": "tenant", "tenant.name": "tenant", "user.id": "user", "user.email": "user"}
"""Placeholders that say the same in two ways are foreign together.  A role is nobody's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One request of a persona; `victim` is the tenant whose ids it carries, None where all are the persona's own.

    `said` are the ids that stand in it: an answer that repeats them tells nothing.
    """

    endpoint: Endpoint
    persona: Persona
    victim: str | None
    ask: Ask
    said: tuple[str, ...] = ()
    words: str = ""


class CannotAsk(Exception):
    """The persona, or the tenant, lacks what the endpoint's templates name; the text says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Makes the requests of one run."""

    plan: Plan
    rows: Rows
    base: str

    def own(self, endpoint: Endpoint, persona: Persona) -> Trial:
        """The request with the persona's own ids.  Raises CannotAsk."""
        known = self._own_facts(endpoint, persona)
        missing = sorted(_named(endpoint) - known.keys() - {"base"})
        if missing and not set(missing) <= _left_out(endpoint):
            raise CannotAsk(f"has no {{{missing[0]}}} of their own")
        return self._trial(endpoint, persona, None, known, "with their own ids")

    def foreign(self, endpoint: Endpoint, persona: Persona, victim: str) -> Iterator[Trial]:
        """The requests with ids of *victim*: all of them, then each kind alone among the persona's own.

        Raises CannotAsk where the tenant has nothing that the templates ask for; yields nothing where they name no id.
        """
        groups = sorted({_group(name) for name in _ids(endpoint)} - {"base", "role"})
        if not groups:
            return
        own, other = self._own_facts(endpoint, persona), self._facts_of(endpoint, persona, victim)
        missing = sorted(name for name in _named(endpoint) - other.keys() - {"base"})
        if missing and not set(missing) <= _left_out(endpoint):
            raise CannotAsk(f"there is no {{{missing[0]}}} of {victim} that they may not see")
        yield self._trial(endpoint, persona, victim, {**own, **other}, f"with ids of {victim}")
        if len(groups) == 1 or _named(endpoint) - own.keys() - {"base"}:
            return
        for group in groups:
            mixed = {name: (other if _group(name) == group else own)[name] for name in own.keys() & other.keys()}
            yield self._trial(endpoint, persona, victim, mixed, f"with the {group} of {victim} among their own ids")

    def _trial(self, endpoint: Endpoint, persona: Persona, victim: str | None, known: Facts, words: str) -> Trial:
        said = tuple(dict.fromkeys(value for name, value in known.items() if name in _named(endpoint)))
        mine = self._own_facts(endpoint, persona) if endpoint.carrier is Carrier.NONE else known
        ask = request(endpoint, self.plan.identities[persona.name], {**known, "base": self.base}, mine)
        return Trial(endpoint=endpoint, persona=persona, victim=victim, ask=ask, said=said, words=words)

    def _own_facts(self, endpoint: Endpoint, persona: Persona) -> dict[str, str]:
        known = dict(facts(persona, self.plan.manifest.tenant_ids))
        for placeholder, (relation, column) in endpoint.row_columns.items():
            row = self.rows.own(persona, relation)
            value = self.rows.value(relation, column, row) if row is not None else None
            if value is not None:
                known[placeholder] = value
        return known

    def _facts_of(self, endpoint: Endpoint, persona: Persona, victim: str) -> dict[str, str]:
        member = next((who for who in self.plan.manifest.personas if who.tenants == (victim,)), None)
        known = dict(facts(member, self.plan.manifest.tenant_ids)) if member is not None else {}
        for placeholder, (relation, column) in endpoint.row_columns.items():
            row = self.rows.foreign(persona, relation, victim)
            value = self.rows.value(relation, column, row) if row is not None else None
            if value is not None:
                known[placeholder] = value
        return known


def request(endpoint: Endpoint, identity: Identity, known: Facts, in_headers: Facts) -> Ask:
    """The endpoint's request as a persona makes it.  Raises Lacking for what stands in the URL and nobody knows."""
    body, kind = _body(endpoint, known)
    headers = list(_headers(endpoint, in_headers))
    if kind and not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("content-type", kind))
    return Ask(
        method=endpoint.method,
        url=_url(endpoint.url, known),
        headers=tuple(headers),
        secret=_secret(endpoint, identity.token),
        body=body,
    )


def _url(template: str, known: Mapping[str, str]) -> str:
    return _filled(template, known, lambda name, value: value if name == "base" else quote(value, safe=""))


def _headers(endpoint: Endpoint, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Headers that name what the persona lacks are left out."""
    for name, template in endpoint.headers.items():
        try:
            yield name, _filled(template, known)
        except Lacking:
            continue


def _secret(endpoint: Endpoint, token: str | None) -> tuple[tuple[str, str], ...]:
    if token is None or endpoint.carrier is Carrier.NONE:
        return ()
    if endpoint.carrier is Carrier.HEADER:
        return ((endpoint.carrier_name, token),)
    if endpoint.carrier is Carrier.COOKIE:
        return (("cookie", f"{endpoint.carrier_name}={token}"),)
    return (("authorization", f"Bearer {token}"),)


def _body(endpoint: Endpoint, known: Mapping[str, str]) -> tuple[bytes | None, str]:
    if endpoint.body is None:
        return None, ""
    if isinstance(endpoint.body, str):
        return _filled(endpoint.body, known).encode(), "text/plain; charset=utf-8"
    return json.dumps(_nested(endpoint.body, known), ensure_ascii=False).encode(), "application/json"


def _nested(template: object, known: Mapping[str, str]) -> object:
    if isinstance(template, str):
        return _filled(template, known)
    if isinstance(template, Mapping):
        return {name: _nested(part, known) for name, part in template.items()}
    if isinstance(template, list | tuple):
        return [_nested(part, known) for part in template]
    return template


def _filled(
    template: str, known: Mapping[str, str], spelled: Callable[[str, str], str] = lambda _name, value: value
) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in known:
            raise Lacking(match[1])
        return spelled(match[1], known[match[1]])

    return _PLACEHOLDER.sub(value, template)


def _named(endpoint: Endpoint) -> frozenset[str]:
    return frozenset(name for text in _templates(endpoint) for name in _PLACEHOLDER.findall(text))


def _ids(endpoint: Endpoint) -> frozenset[str]:
    """Placeholders that may be somebody else's.  Without a token the headers say who asks, so theirs may not."""
    return _named(endpoint) - _left_out(endpoint) if endpoint.carrier is Carrier.NONE else _named(endpoint)


def _left_out(endpoint: Endpoint) -> frozenset[str]:
    """Placeholders that stand in headers alone, which may be left out."""
    elsewhere = {name for text in (endpoint.url, *_of(endpoint.body)) for name in _PLACEHOLDER.findall(text)}
    return _named(endpoint) - elsewhere


def _templates(endpoint: Endpoint) -> Iterator[str]:
    yield endpoint.url
    yield from endpoint.headers.values()
    yield from _of(endpoint.body)


def _of(body: object) -> Iterator[str]:
    if isinstance(body, str):
        yield body
    elif isinstance(body, Mapping):
        for part in body.values():
            yield from _of(part)
    elif isinstance(body, list | tuple):
        for part in body:
            yield from _of(part)


def _group(name: str) -> str:
    return _GROUPS.get(name, name)
