"""Who tries things: one persona per tenant and role, and the built-in ones."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tenantproof.core.model import Member, Persona, PersonaKind, Scenario
from tenantproof.core.seeds import child_uuid

UNNAMED = ("user1", "user2")
"""Members of a tenant where the scenario has no roles: two, so that `own` can be told from `tenant`."""


def personas(scenario: Scenario, seed: int) -> tuple[Persona, ...]:
    """The personas of a run, in the order of the matrix.

    One per tenant and role (`acme.owner`), or two per tenant where there are no roles (`acme.user1`); then `dual`,
    strongest in the first tenant and weakest in the second, since a policy that mixes up two memberships shows
    only there; then `outsider`, signed in without a tenant, and `anon`.  Ids are a function of seed and name.
    """
    return (*_members(scenario, seed), _dual(scenario, seed), _outsider(seed), ANON)


def without_dual(all_personas: Iterable[Persona]) -> tuple[Persona, ...]:
    """For databases where a user has one tenant: a setting names it, or the membership table holds one row a user."""
    return tuple(persona for persona in all_personas if persona.kind is not PersonaKind.DUAL)


ANON = Persona(name="anon", kind=PersonaKind.ANON)


def _members(scenario: Scenario, seed: int) -> tuple[Persona, ...]:
    tenants = _slugs([tenant.name for tenant in scenario.tenants], "tenant")
    locals_ = _slugs(scenario.roles or UNNAMED, "role")
    return tuple(
        Persona(
            name=f"{tenant}.{local}",
            kind=PersonaKind.MEMBER,
            user_id=child_uuid(seed, "user", f"{tenant}.{local}"),
            email=f"{mailbox}@{domain}.test",
            memberships=(Member(tenant=tenant, role=local if scenario.roles else None),),
        )
        for tenant, domain in tenants.items()
        for local, mailbox in locals_.items()
    )


def _dual(scenario: Scenario, seed: int) -> Persona:
    first, second = scenario.tenants[0].name, scenario.tenants[1].name
    strongest, weakest = (scenario.roles[0], scenario.roles[-1]) if scenario.roles else (None, None)
    return Persona(
        name="dual",
        kind=PersonaKind.DUAL,
        user_id=child_uuid(seed, "user", "dual"),
        email="dual@personas.test",
        memberships=(Member(tenant=first, role=strongest), Member(tenant=second, role=weakest)),
    )


def _outsider(seed: int) -> Persona:
    return Persona(
        name="outsider",
        kind=PersonaKind.OUTSIDER,
        user_id=child_uuid(seed, "user", "outsider"),
        email="outsider@personas.test",
    )


def _slugs(names: Sequence[str], fallback: str) -> dict[str, str]:
    """Each name with a form of its own that may stand in an e-mail address."""
    found: dict[str, str] = {}
    for place, name in enumerate(names, start=1):
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or fallback
        found[name] = slug if slug not in found.values() else f"{slug}-{place}"
    return found
