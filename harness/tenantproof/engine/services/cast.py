"""Who tries to reach whom: the people of one tenant and the strangers, before somebody of another tenant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tenantproof.core.model import Persona, PersonaKind
from tenantproof.engine.plan import Plan


@dataclass(frozen=True, slots=True)
class Pair:
    """Somebody, and a member of a tenant that is not theirs.  `home` is None for people without a tenant."""

    attacker: Persona
    home: str | None
    victim: Persona
    foreign: str


def pairs(plan: Plan) -> Iterator[Pair]:
    """Everybody of the first tenant, and everybody who is in no single tenant, each before one other tenant."""
    first = next(iter(plan.manifest.tenant_ids))
    for persona in plan.manifest.personas:
        home = persona.tenants[0] if persona.tenants else None
        if persona.kind is PersonaKind.MEMBER and home != first:
            continue
        foreign = next((name for name in plan.manifest.tenant_ids if name not in persona.tenants), None)
        victim = strongest(plan, foreign) if foreign is not None else None
        if foreign is not None and victim is not None:
            yield Pair(persona, home, victim, foreign)


def strongest(plan: Plan, tenant: str) -> Persona | None:
    """The first member of a tenant: roles are listed from the strongest."""
    return next(iter(members(plan, tenant)), None)


def members(plan: Plan, tenant: str) -> list[Persona]:
    """The members of one tenant."""
    return [who for who in plan.manifest.personas if who.kind is PersonaKind.MEMBER and who.tenants == (tenant,)]


def bystanders(plan: Plan, pair: Pair) -> list[Persona]:
    """People to whom nothing of the pair's is addressed: a stranger, and a member of a third tenant."""
    third = next((name for name in plan.manifest.tenant_ids if name not in (pair.home, pair.foreign)), None)
    found = (stranger(plan), strongest(plan, third) if third is not None else None)
    return [persona for persona in found if persona is not None]


def stranger(plan: Plan) -> Persona | None:
    """Somebody who is signed in and in no tenant."""
    return next((who for who in plan.manifest.personas if who.kind is PersonaKind.OUTSIDER), None)
