"""Which objects of the two sides are compared with each other, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tenantproof.core.catalog import Function, Relation
from tenantproof.core.finding import Severity
from tenantproof.core.model import Platform, QName, Scenario
from tenantproof.drift.names import BOOKKEEPING, MIGRATOR, PLATFORM_SCHEMAS, is_platform_role
from tenantproof.drift.side import Side

PUBLIC = "public"


@dataclass(frozen=True, slots=True)
class Both:
    """A relation as either side has it."""

    ours: Relation
    live: Relation

    @property
    def name(self) -> QName:
        return self.ours.name


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The two sides, spelled alike: `live` by our server, with our name for the role that migrates.

    `schemas` are those whose objects are compared whole; in `platform_schemas` only what a project adds to the
    platform's tables is: policies, row level security, triggers that call its own functions.
    """

    ours: Side
    live: Side
    schemas: frozenset[str]
    platform_schemas: frozenset[str]
    anonymous: frozenset[str]
    """Grantees that nobody has to sign in for: the anonymous role, and PUBLIC."""
    signed_in: frozenset[str]

    @cached_property
    def relations(self) -> tuple[Both, ...]:
        """What both sides have, platform's tables included, sorted by name."""
        names = sorted(self.ours.catalog.relations.keys() & self.live.catalog.relations.keys())
        return tuple(
            Both(self.ours.catalog.relations[name], self.live.catalog.relations[name])
            for name in names
            if name.schema in self.schemas or name.schema in self.platform_schemas
        )

    @cached_property
    def own_relations(self) -> tuple[Both, ...]:
        """What both sides have in the project's schemas."""
        return tuple(both for both in self.relations if both.name.schema in self.schemas)

    @cached_property
    def only_ours(self) -> tuple[Relation, ...]:
        return tuple(_alone(self.ours, self.live, self.schemas))

    @cached_property
    def only_live(self) -> tuple[Relation, ...]:
        found = _alone(self.live, self.ours, self.schemas)
        return tuple(relation for relation in found if relation.name.name not in BOOKKEEPING)

    def functions(self, side: Side) -> dict[tuple[QName, tuple[str, ...]], Function]:
        """Functions of the project's schemas by name and types of what callers supply."""
        return {
            (function.name, tuple(argument.type for argument in function.arguments if argument.mode in "ibv")): function
            for function in side.catalog.functions
            if function.name.schema in self.schemas
        }

    @property
    def oldest(self) -> int:
        """The lower of the two server versions, as server_version_num."""
        return min(self.ours.catalog.server_version, self.live.catalog.server_version)

    def judged_grantee(self, grantee: str, owner: str) -> bool:
        """Whether a grant to the role says anything: not the owner's own, not the server's or the platform's."""
        return grantee not in (owner, MIGRATOR) and not is_platform_role(grantee)

    def exposure(self, grantee: str) -> Severity:
        """How bad it is that a role holds more in the live database."""
        if self.trusted(grantee):
            return Severity.LOW
        if grantee in self.anonymous:
            return Severity.CRITICAL
        return Severity.HIGH if grantee in self.signed_in else Severity.MEDIUM

    def trusted(self, grantee: str) -> bool:
        """Whether policies do not apply to the role by design: the backend's own, which reaches every row anyway."""
        role = self.ours.catalog.roles.get(grantee)
        return role is not None and role.bypass_rls

    def reachable(self, relation: Relation) -> frozenset[str]:
        """Those of the API's roles that hold a privilege by which rows are read or written."""
        return frozenset(
            grant.grantee
            for grant in relation.grants
            if grant.grantee in self.anonymous | self.signed_in and grant.privilege in DATA
        )


DATA = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
"""Privileges that reach rows, and that PostgREST can use."""


def _alone(side: Side, other: Side, schemas: frozenset[str]) -> Iterator[Relation]:
    relations = side.catalog.relations
    for name in sorted(relations.keys() - other.catalog.relations.keys()):
        if name.schema in schemas:
            yield relations[name]


def make_pair(ours: Side, live: Side, scenario: Scenario) -> Pair:
    """The pair for a scenario: its schemas, and the others that its migrations make."""
    supabase = scenario.database.platform is Platform.SUPABASE
    platform = PLATFORM_SCHEMAS if supabase else frozenset[str]()
    made = {schema for schema in ours.schema_owners if _has_objects(ours, schema)}
    return Pair(
        ours=ours,
        live=live,
        schemas=frozenset({*scenario.database.schemas, *made} - platform),
        platform_schemas=frozenset(platform & ours.schema_owners.keys()),
        anonymous=frozenset({PUBLIC, scenario.session.anon_role}),
        signed_in=frozenset({scenario.session.role}),
    )


def _has_objects(side: Side, schema: str) -> bool:
    relations = any(name.schema == schema for name in side.catalog.relations)
    return relations or any(function.name.schema == schema for function in side.catalog.functions)


def left_out(pair: Pair) -> tuple[str, ...]:
    """What was not compared, in sentences."""
    live = pair.live.schema_owners.keys()
    said = []
    if platform := sorted(pair.platform_schemas):
        said.append(
            f"of the platform's schemas ({', '.join(platform)}) only policies, row level security and triggers that "
            "call the project's functions were compared"
        )
    if others := sorted(live - pair.schemas - pair.platform_schemas - PLATFORM_SCHEMAS):
        said.append(f"schemas that neither the scenario nor the migrations name: {', '.join(others)}")
    alone = _alone(pair.live, pair.ours, pair.schemas)
    if notes := sorted(str(r.name) for r in alone if r.name.name in BOOKKEEPING):
        said.append(f"tables in which migration tools note what they applied: {', '.join(notes)}")
    said.append("roles of the server and the platform, objects of extensions, contents of tables")
    return tuple(said)
