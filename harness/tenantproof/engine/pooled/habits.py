"""What the application does on a pooled connection: the scenario's `pooled`, or what the platform itself does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import psycopg

from tenantproof.core.model import Persona, Pooled, Scenario, Snippet
from tenantproof.core.ports import Identity
from tenantproof.engine.pooled.callables import find_function
from tenantproof.engine.replay import timeless
from tenantproof.engine.scripts import as_persona
from tenantproof.identity.templates import facts
from tenantproof.targets.pooled.pools import Client, alone

Call = Callable[[object, "Acting"], object]

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")


class CannotBegin(Exception):
    """The application could not begin (or end) as a user; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acting:
    """A persona as the application's own functions get it.  Who has no tenant has None and ()."""

    name: str
    user_id: str | None
    email: str | None
    tenant_id: str | None
    tenant_name: str | None
    tenants: tuple[str, ...]
    """Ids of all tenants that the persona belongs to."""
    role: str | None
    claims: Mapping[str, object]
    token: str | None = field(default=None, repr=False)


def acting(persona: Persona, identity: Identity, tenant_ids: Mapping[str, str]) -> Acting:
    """The persona for functions."""
    known = facts(persona, tenant_ids)
    return Acting(
        name=persona.name,
        user_id=persona.user_id,
        email=persona.email,
        tenant_id=known.get("tenant.id"),
        tenant_name=known.get("tenant.name"),
        tenants=tuple(tenant_ids[name] for name in persona.tenants if name in tenant_ids),
        role=known.get("role"),
        claims=dict(identity.claims) if identity.token is not None else {},
        token=identity.token,
    )


@dataclass(frozen=True, slots=True)
class _Moment:
    """A snippet, ready: statements, or a function of the application's."""

    snippet: Snippet
    call: Call | None = None


class Habit:
    """How the application takes, begins, ends and gives back a connection as a user."""

    def __init__(self, scenario: Scenario, identities: Mapping[str, Identity], tenant_ids: Mapping[str, str]) -> None:
        """Raises UsageError for a function that cannot be found."""
        declared = scenario.pooled
        self.declared = declared is not None
        self.tokens = tuple(identity.token for identity in identities.values() if identity.token is not None)
        self._identities, self._tenant_ids = identities, tenant_ids
        told = declared or Pooled()
        self._checkout, self._begin, self._release = (
            _moment(scenario, snippet) for snippet in (told.checkout, told.begin, told.release)
        )
        self._anonymous = _moment(scenario, told.anonymous) if told.anonymous is not None else None
        self._on_error = _moment(scenario, told.on_error) if told.on_error is not None else self._release

    def take(self, client: Client, persona: Persona) -> None:
        """Once for each connection taken.  Raises CannotBegin."""
        self._on_its_own(client, persona, self._checkout)

    def begin(self, client: Client, persona: Persona) -> None:
        """First in a transaction.  Raises CannotBegin."""
        if not self.declared:
            self._send(client, self._of_the_platform(persona))
            return
        moment = self._begin
        if self._anonymous is not None and self._lacks(persona, moment):
            moment = self._anonymous
        if moment.call is not None:
            self._call(client, persona, moment)
        else:
            self._send(client, self._filled(persona, moment.snippet))

    def release(self, client: Client, persona: Persona) -> None:
        """Before the connection is given back, after the transaction.  Raises CannotBegin."""
        self._on_its_own(client, persona, self._release)

    def fail(self, client: Client, persona: Persona) -> None:
        """Before the connection is given back, after a statement failed: functions meet the failed transaction."""
        if self._on_error.call is None:
            client.rollback()
        self._on_its_own(client, persona, self._on_error)

    def _on_its_own(self, client: Client, persona: Persona, moment: _Moment) -> None:
        if moment.call is not None:
            self._call(client, persona, moment)
            return
        for statement in self._filled(persona, moment.snippet):
            try:
                alone(client, statement)
            except psycopg.Error as error:
                raise CannotBegin(_said(error)) from error

    def _of_the_platform(self, persona: Persona) -> tuple[str, ...]:
        """As PostgREST, or the scenario's session: all of it local to the transaction."""
        return as_persona(timeless(replace(self._identities[persona.name], login=None)))

    def _send(self, client: Client, statements: tuple[str, ...]) -> None:
        for statement in statements:
            try:
                client.run(statement)
            except psycopg.Error as error:
                raise CannotBegin(_said(error)) from error

    def _call(self, client: Client, persona: Persona, moment: _Moment) -> None:
        assert moment.call is not None
        try:
            moment.call(client.native, acting(persona, self._identities[persona.name], self._tenant_ids))
        except Exception as error:  # the application's own code: whatever it raises, it did not begin
            name = moment.snippet.callable
            raise CannotBegin(f"{name} raised {type(error).__name__}: {_first_line(str(error))}") from error

    def _lacks(self, persona: Persona, moment: _Moment) -> bool:
        if moment.call is not None:
            return persona.user_id is None or not persona.memberships
        return len(self._filled(persona, moment.snippet)) < len(moment.snippet.statements)

    def _filled(self, persona: Persona, snippet: Snippet) -> tuple[str, ...]:
        """The statements, without those that name what the persona lacks."""
        known = dict(facts(persona, self._tenant_ids))
        identity = self._identities[persona.name]
        if identity.token is not None:
            lasting = timeless(replace(identity, settings=(("claims", json.dumps(dict(identity.claims))),)))
            known["claims"] = lasting.settings[0][1]
        filled = (_rendered(statement, known) for statement in snippet.statements)
        return tuple(statement for statement in filled if statement is not None)


def _moment(scenario: Scenario, snippet: Snippet) -> _Moment:
    if snippet.callable is None:
        return _Moment(snippet)
    return _Moment(snippet, find_function(snippet.callable, scenario.path, snippet.place))


def _rendered(statement: str, known: Mapping[str, str]) -> str | None:
    """A quote in a value is doubled, since placeholders stand inside quotes; None where a value is lacking."""
    if any(name not in known for name in _PLACEHOLDER.findall(statement)):
        return None
    return _PLACEHOLDER.sub(lambda match: known[match[1]].replace("'", "''"), statement)


def _said(error: psycopg.Error) -> str:
    return f"{error.sqlstate or type(error).__name__} {_first_line(str(error))}"


def _first_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[0]
