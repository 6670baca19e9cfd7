"""Personas made ready to act in somebody's database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from time import time

from tenantproof.core.catalog import Catalog
from tenantproof.core.model import Persona, Scenario
from tenantproof.core.ports import Identity
from tenantproof.engine.existing.accounts import Accounts, with_metadata
from tenantproof.engine.existing.limits import Limits
from tenantproof.engine.existing.transaction import PRINTING, milliseconds
from tenantproof.identity.legacy import LegacyClaims
from tenantproof.identity.sessions import identify
from tenantproof.identity.signing import Signer

_OVERRULED = frozenset({"statement_timeout", "lock_timeout", *PRINTING})


@dataclass(frozen=True, kw_only=True)
class Identities:
    """Makes identities as the application's middleware would, within our limits."""

    catalog: Catalog
    scenario: Scenario
    signer: Signer
    accounts: Accounts
    limits: Limits
    anybody: bool
    """Whether the observer may become the login role of the application (a superuser may)."""
    legacy: LegacyClaims

    def of(self, persona: Persona, tenants: Mapping[str, str]) -> Identity:
        """The persona, ready to act, with the metadata of the account; *tenants* are ids by name."""
        identity = self.without_account(persona, tenants)
        if self.accounts.carries_metadata and persona.user_id is not None and persona.memberships:
            return with_metadata(identity, self.accounts.of(persona.user_id))
        return identity

    def without_account(self, persona: Persona, tenants: Mapping[str, str]) -> Identity:
        """As `of`, with the scenario's claims alone."""
        session = self.scenario.session
        role = session.role if persona.user_id else session.anon_role
        settings = self.catalog.roles[role].settings if role in self.catalog.roles else {}
        identity = identify(
            persona,
            scenario=self.scenario,
            tenants=tenants,
            signer=self.signer,
            now=int(time()),
            role_settings={name: value for name, value in settings.items() if name not in _OVERRULED},
            legacy=self.legacy,
        )
        bound = ("statement_timeout", milliseconds(self.limits.statement_seconds))
        login = identity.login if self.anybody else None
        return replace(identity, login=login, settings=(*identity.settings, bound, *PRINTING.items()))
