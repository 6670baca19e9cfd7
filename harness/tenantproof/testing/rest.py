"""The supabase client as a persona, for tests of one's own, before a PostgREST or an API of the suite."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import time
from typing import TYPE_CHECKING

import psycopg

from tenantproof.engine.rest.keeping import Keeper
from tenantproof.engine.rest.run import exposed, settings_of
from tenantproof.identity.claims import LIFETIME, anon_key
from tenantproof.identity.signing import Signer
from tenantproof.targets.rest.client import Client, checked
from tenantproof.targets.rest.program import find_postgrest
from tenantproof.targets.rest.server import serving
from tenantproof.targets.rest.supabase import Relay, supabase_client
from tenantproof.testing.tenancy import Tenancy

if TYPE_CHECKING:
    import supabase


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """An API before the database of a tenancy: its address, the key that its gateway asks for, and who signs tokens."""

    url: str
    key: str | None = field(default=None, repr=False)
    signer: Signer = field(default_factory=Signer)


class Served:
    """A tenancy's database behind an API."""

    def __init__(self, tenancy: Tenancy, client: Client, signer: Signer) -> None:
        self._tenancy, self._client, self._signer = tenancy, client, signer

    @property
    def url(self) -> str:
        return self._client.url

    def client(self, persona: str) -> supabase.Client:
        """The client of a persona, signed in for five minutes.  Raises UsageError for an unknown name, MissingExtra."""
        identity, now = self._tenancy.identity(persona), int(time())
        role = self._tenancy.plan.scenario.session.anon_role
        key = self._client.key or self._signer.mint(anon_key(role, now))
        token = None
        if identity.token is not None:
            token = "Bearer " + self._signer.mint({**identity.claims, "iat": now, "exp": now + LIFETIME})
        return supabase_client(Relay(self._client), self._client.url, key=key, authorization=token)

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Put back at the end what all tables held at the beginning."""
        with psycopg.connect(self._tenancy.conninfo, autocommit=True) as connection:
            keeper = Keeper(connection)
            try:
                yield
            finally:
                keeper.restore()


@contextmanager
def served(tenancy: Tenancy, api: Api | None) -> Iterator[Served]:
    """The tenancy behind *api*, or behind a PostgREST for as long as the block lasts.

    Raises UsageError for a scenario that PostgREST cannot serve, TargetError where none comes up.
    """
    schemas = exposed(tenancy.plan.scenario)
    if api is not None:
        with Client(checked(api.url), key=api.key) as client:
            yield Served(tenancy, client, api.signer)
        return
    signer = Signer()
    settings = settings_of(tenancy.plan.scenario, tenancy.conninfo, signer, schemas)
    with serving(find_postgrest(), settings) as place, Client(place.url) as client:
        yield Served(tenancy, client, signer)
