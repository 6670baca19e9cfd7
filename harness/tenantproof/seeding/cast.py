"""Who exists in the seeded world: tenants with their ids, personas with theirs, and who belongs where."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tenantproof.core.model import Persona, Scenario
from tenantproof.core.seeds import child_seed, child_uuid

_FIRST_TENANT, _FIRST_USER, _FIRST_SPARE = 101, 1001, 901
TOPS = {"pg_catalog.int2": 32_000, "pg_catalog.int4": 2_147_000_000, "pg_catalog.int8": 9_007_000_000_000_000}
"""Where numbers begin that nobody else's sequence comes to; below 2^53, which JavaScript can count to."""
_WHOLE_TYPES = frozenset(TOPS)
_SOME = 500
"""Room for tenants, users and spare users below the top, each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Tenants and personas, ready to be written into rows."""

    seed: int
    tenant_ids: Mapping[str, str]
    canaries: Mapping[str, str]
    personas: tuple[Persona, ...]
    spares: Mapping[str | None, str]
    """Ids of users who are no personas and have nothing, one per tenant and one more: drafts can be theirs."""
    roles: tuple[str, ...] = ()
    """From strongest to weakest."""
    beside: bool = False
    """Whether rows of others are there, from whose keys ours must keep away."""

    @property
    def users(self) -> tuple[Persona, ...]:
        """Everybody who has a user id."""
        return tuple(persona for persona in self.personas if persona.user_id is not None)

    def members(self, tenant: str) -> tuple[Persona, ...]:
        """The users of a tenant, in the personas' order."""
        return tuple(persona for persona in self.users if tenant in persona.tenants)

    def strangers(self, tenant: str) -> tuple[Persona, ...]:
        """Users who are not in a tenant: those of no tenant, and the first of each other tenant."""
        homeless = [persona for persona in self.users if not persona.tenants]
        firsts = [next(iter(self.members(other)), None) for other in self.tenant_ids if other != tenant]
        return tuple(dict.fromkeys(p for p in [*homeless, *firsts] if p is not None and tenant not in p.tenants))

    def name_of(self, tenant_id: str | None) -> str | None:
        return next((name for name, known in self.tenant_ids.items() if known == tenant_id), None)


def make_cast(
    scenario: Scenario,
    personas: Iterable[Persona],
    *,
    tenant_type: str,
    user_type: str,
    seed: int,
    beside: bool = False,
) -> Cast:
    """Ids by the type of the tenant key and of the user key; declared ids stand as they are."""
    away = TOPS.get(tenant_type, 0) - 3 * _SOME if beside else 0
    far = TOPS.get(user_type, 0) - 4 * _SOME if beside else 0
    ids = {
        tenant.name: tenant.id or _tenant_id(tenant.name, number + away, tenant_type, seed, beside=beside)
        for number, tenant in enumerate(scenario.tenants)
    }
    canaries = {name: f"canary-{slug(name)}-{_hex(seed, name)}" for name in ids}
    return Cast(
        seed=seed,
        tenant_ids=ids,
        canaries=canaries,
        personas=tuple(_with_ids(personas, user_type, far)),
        spares={
            name: str(_FIRST_SPARE + number + far)
            if user_type in _WHOLE_TYPES
            else child_uuid(seed, "spare user", name)
            for number, name in enumerate((None, *ids))
        },
        roles=scenario.roles,
        beside=beside,
    )


def slug(name: str) -> str:
    """A name in lower case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "tenant"


def _hex(seed: int, name: str) -> str:
    return f"{child_seed(seed, 'canary', name):016x}"[:8]


def _tenant_id(name: str, number: int, base_type: str, seed: int, *, beside: bool) -> str:
    if base_type in _WHOLE_TYPES:
        return str(_FIRST_TENANT + number)
    if base_type == "pg_catalog.uuid":
        return child_uuid(seed, "tenant", name)
    return f"{slug(name)}-{_hex(seed, name)}" if beside else slug(name)


def _with_ids(personas: Iterable[Persona], base_type: str, far: int) -> Iterable[Persona]:
    """Personas carry uuids; a database whose users are numbered needs numbers."""
    for number, persona in enumerate(personas):
        if persona.user_id is not None and base_type in _WHOLE_TYPES:
            yield replace(persona, user_id=str(_FIRST_USER + number + far))
        else:
            yield persona
