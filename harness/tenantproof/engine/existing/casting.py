"""Real tenants and users that stand in for the scenario's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg

from tenantproof.core.catalog import Catalog
from tenantproof.core.errors import NothingToCheck, TargetError
from tenantproof.core.model import Member, Persona, PersonaKind, QName, Scenario, Tenancy
from tenantproof.engine.existing.accounts import Accounts
from tenantproof.engine.existing.discreet import said_of
from tenantproof.engine.existing.hashes import short
from tenantproof.engine.existing.limits import Limits
from tenantproof.engine.existing.members import MOST, Belonging, Members
from tenantproof.engine.existing.presence import holding_data, outsider_id, tenants_of_tables
from tenantproof.engine.existing.transaction import Connection
from tenantproof.identity.personas import UNNAMED, personas, without_dual
from tenantproof.seeding import can_hold_dual

_LOOKED_AT = 8
"""Tenants that are compared by how much there is of them, for each that is needed."""

Working = Callable[[Persona, Mapping[str, str]], bool]
"""Whether the database lets the persona see anything of its tenant; the mapping holds ids by name of tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Who stands for whom."""

    personas: tuple[Persona, ...]
    tenant_ids: Mapping[str, str]
    """Name of the scenario's, or `tenant#hash` for others whom a persona belongs to, -> id as text."""
    people: Mapping[str | None, frozenset[str]]
    """User -> ids of the tenants among these that they belong to."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Name of a persona for whom there is nobody -> why."""
    notes: tuple[str, ...] = ()


def choose(
    connection: Connection,
    catalog: Catalog,
    scenario: Scenario,
    tenancy: Mapping[QName, Tenancy],
    *,
    seed: int,
    limits: Limits,
    accounts: Accounts,
    working: Working,
) -> Cast:
    """Choose from what is there.

    *accounts* tell people's e-mail; *working* tells users whom the database takes for members from rows that only look
    like a membership.
    Raises NothingToCheck where nobody belongs to any tenant, TargetError where the memberships cannot be read.
    """
    try:
        if not scenario.memberships:
            return _without_members(connection, catalog, scenario, tenancy, seed)
        return _Casting(connection, catalog, scenario, tenancy, seed, limits, accounts, working).choose()
    except psycopg.Error as error:
        tables = ", ".join(str(membership.table) for membership in scenario.memberships) or "the tables"
        said = said_of(error.sqlstate, (error.diag.message_primary or "").strip())
        raise TargetError(f"the observer cannot read who belongs to which tenant in {tables}: {said}") from None


def _without_members(
    connection: Connection, catalog: Catalog, scenario: Scenario, tenancy: Mapping[QName, Tenancy], seed: int
) -> Cast:
    """Where no table says who belongs where, made-up users stand for roles in tenants that have rows."""
    found = tenants_of_tables(connection, catalog, scenario, tenancy, most=len(scenario.tenants))
    if not found:
        raise NothingToCheck(
            "the scenario declares no membership, and no table holds a row of a tenant by column: "
            "nobody can stand in for its tenants\n  declare `membership:`, or use --writes rollback, which seeds"
        )
    ids = dict(zip((tenant.name for tenant in scenario.tenants), found, strict=False))
    everybody = personas(scenario, seed)
    there = tuple(who for who in everybody if set(who.tenants) <= ids.keys())
    return Cast(
        personas=there,
        tenant_ids=ids,
        people={who.user_id: frozenset(ids[name] for name in who.tenants) for who in there if who.user_id},
        missing={who.name: _NO_TENANT for who in everybody if who not in there},
        notes=("the scenario declares no membership, so the users are made up and only the tenants are real",),
    )


_NO_TENANT = "there is no further tenant to stand for this one"


class _Casting:
    def __init__(
        self,
        connection: Connection,
        catalog: Catalog,
        scenario: Scenario,
        tenancy: Mapping[QName, Tenancy],
        seed: int,
        limits: Limits,
        accounts: Accounts,
        working: Working,
    ) -> None:
        self._connection, self._catalog, self._scenario = connection, catalog, scenario
        self._tenancy, self._limits = tenancy, limits
        self._accounts, self._working = accounts, working
        self._members = Members(connection, catalog, scenario)
        everybody = personas(scenario, seed)
        self._wanted = everybody if can_hold_dual(catalog, scenario) else without_dual(everybody)
        self._seed = seed
        self._ids: dict[str, str] = {}
        self._missing: dict[str, str] = {}
        self._notes: list[str] = []

    def choose(self) -> Cast:
        self._ids.update(self._tenants())
        groups = self._candidates()
        users = {user for group in groups.values() for user in group}
        duals = self._members.duals(list(self._ids.values()), self._limits.candidates)
        belongings = self._belongings({*users, *duals})
        self._accounts.learn({*users, *duals})
        self._name_others(belongings)
        found: list[Persona] = []
        for wanted in self._wanted:
            persona = self._stand_in(wanted, groups, duals, belongings, found)
            if persona is not None:
                found.append(persona)
        used = {name for persona in found for name in persona.tenants}
        first = {tenant.name for tenant in self._scenario.tenants}
        ids = {name: known for name, known in self._ids.items() if name in used or name in first}
        return Cast(
            personas=tuple(found),
            tenant_ids=ids,
            people=self._people(ids),
            missing=self._missing,
            notes=tuple(self._notes),
        )

    def _tenants(self) -> Mapping[str, str]:
        """The scenario's names, each for a tenant: those first with members of the most roles, and then most data."""
        names = [tenant.name for tenant in self._scenario.tenants]
        declared = [tenant.id for tenant in self._scenario.tenants if tenant.id is not None]
        known = self._members.tenants(declared, most=_LOOKED_AT * len(names))
        if not known:
            tables = ", ".join(str(membership.table) for membership in self._scenario.memberships)
            raise NothingToCheck(f"nobody belongs to any tenant in {tables}: there is nothing to compare")
        ids = [tenant for tenant, _ in known]
        data = holding_data(self._connection, self._catalog, self._tenancy, ids)
        ranked = sorted(known, key=lambda item: (-item[1], -data[item[0]], item[0]))
        free = [tenant for tenant, _ in ranked if tenant not in declared]
        chosen: dict[str, str] = {}
        for tenant in self._scenario.tenants:
            real = tenant.id if tenant.id in ids else (free.pop(0) if free else None)
            if real is not None:
                chosen[tenant.name] = real
        return chosen

    def _candidates(self) -> Mapping[tuple[str, str | None], list[str]]:
        most = self._limits.candidates * (1 if self._scenario.roles else len(UNNAMED))
        groups: dict[tuple[str, str | None], list[str]] = defaultdict(list)
        for found in self._members.candidates(list(self._ids.values()), most):
            groups[found.tenant, found.role].append(found.user)
        return groups

    def _belongings(self, users: Iterable[str]) -> Mapping[str, list[Belonging]]:
        found: dict[str, list[Belonging]] = defaultdict(list)
        for belonging in self._members.of_users(users):
            found[belonging.user].append(belonging)
        return found

    def _name_others(self, belongings: Mapping[str, Sequence[Belonging]]) -> None:
        known = set(self._ids.values())
        others = {belonging.tenant for found in belongings.values() for belonging in found} - known
        self._ids.update({f"tenant#{short(tenant)}": tenant for tenant in sorted(others)})

    def _stand_in(
        self,
        wanted: Persona,
        groups: Mapping[tuple[str, str | None], list[str]],
        duals: Sequence[str],
        belongings: Mapping[str, Sequence[Belonging]],
        found: Sequence[Persona],
    ) -> Persona | None:
        if wanted.kind is PersonaKind.OUTSIDER:
            return replace(wanted, user_id=outsider_id(self._connection, self._catalog, self._scenario, self._seed))
        if wanted.kind is PersonaKind.ANON:
            return wanted
        taken = {persona.user_id for persona in found}
        if wanted.kind is PersonaKind.DUAL:
            users = sorted(duals, key=lambda user: user in taken)  # one user may stand for two personas
            return self._first_working(wanted, users, None, belongings, "nobody belongs to two tenants")
        member = wanted.memberships[0]
        if member.tenant not in self._ids:
            self._missing[wanted.name] = _NO_TENANT
            return None
        home = self._ids[member.tenant]
        users = [user for user in groups.get((home, member.role), ()) if user not in taken]
        role = f" has the role {member.role}" if member.role else " is left"
        nobody = f"nobody of this tenant{role} (and no membership that may have ended)"
        return self._first_working(wanted, users, home, belongings, nobody)

    def _first_working(
        self,
        wanted: Persona,
        users: Sequence[str],
        home: str | None,
        belongings: Mapping[str, Sequence[Belonging]],
        otherwise: str,
    ) -> Persona | None:
        personas_ = [self._as(wanted, user, home, belongings[user]) for user in users]
        if not personas_:
            self._missing[wanted.name] = otherwise
            return None
        for passed, persona in enumerate(personas_):
            if self._working(persona, self._ids):
                if passed:
                    self._notes.append(
                        f"{wanted.name}: of the users in this role {passed} see nothing of their tenant; the next one "
                        "stands for it"
                    )
                return persona
        self._notes.append(
            f"{wanted.name}: no user in this role sees a row of their tenant in a table that has it by column"
        )
        return personas_[0]

    def _as(self, wanted: Persona, user: str, home: str | None, belongings: Sequence[Belonging]) -> Persona:
        """The persona as this user, with all their memberships; that of the tenant at home is the first."""
        names = {known: name for name, known in self._ids.items()}
        wanted_role = wanted.memberships[0].role if home is not None else None
        ordered = sorted(belongings, key=lambda b: (b.tenant != home, b.role != wanted_role))
        memberships = tuple(Member(tenant=names[b.tenant], role=b.role) for b in ordered)
        return replace(wanted, user_id=user, email=self._accounts.of(user).email, memberships=memberships)

    def _people(self, ids: Mapping[str, str]) -> Mapping[str | None, frozenset[str]]:
        pairs = self._members.people(ids.values())
        if len(pairs) == MOST:
            self._notes.append(f"only {MOST:,} memberships were read: further colleagues are taken for strangers")
        found: dict[str | None, set[str]] = defaultdict(set)
        for user, tenant in pairs:
            found[user].add(tenant)
        return {user: frozenset(tenants) for user, tenants in found.items()}


def introduction(cast: Cast, *, include_data: bool) -> Iterator[str]:
    """Who stands for whom, for a report: ids are told as hashes unless data is to be included."""

    def shown(known: str) -> str:
        return known if include_data else f"#{short(known)}"

    named = [f"{name} is {shown(known)}" for name, known in cast.tenant_ids.items() if "#" not in name]
    people = [f"{who.name} is {shown(who.user_id)}" for who in cast.personas if who.user_id and who.memberships]
    yield f"real tenants and users stand in{'' if include_data else ' (ids as hashes)'}: {', '.join([*named, *people])}"
