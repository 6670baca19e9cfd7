"""What decisions on tables rest on, and what they weigh: ways to a tenant or a user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tenantproof.catalog.inference.keys import Key
from tenantproof.catalog.inference.people import People
from tenantproof.catalog.inference.principals import Principal
from tenantproof.catalog.inference.privileges import Privileges
from tenantproof.catalog.inference.proposal import Evidence
from tenantproof.catalog.inference.reading import Facts
from tenantproof.core.catalog import Catalog, Column, Relation
from tenantproof.core.model import Command, Locator, Membership, QName


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a row leads to a tenant or a user: columns along foreign keys, and whether it always does."""

    path: tuple[str, ...]
    firm: bool
    why: str
    remark: str = ""
    sql: str = ""
    """An expression in place of a path."""

    @property
    def locator(self) -> Locator:
        return Locator(sql=self.sql) if self.sql else Locator(path=self.path)

    @property
    def column(self) -> str:
        """The column that the way begins at; empty for an expression."""
        return self.path[0] if self.path else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """That a way could not be told, and why."""

    why: str


NO_WAY = Doubt(why="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """All that decisions rest on; the two memos keep the ways of tables that others pass through."""

    catalog: Catalog
    facts: Facts
    people: People
    evidence: Evidence
    privileges: Privileges
    tenants: QName | None
    tenant_key: str | None
    tenant_type: str
    """base_type of a tenant's id; empty where nothing says it."""
    memberships: tuple[Membership, ...]
    tenant_columns: Mapping[QName, frozenset[str]]
    tenant_principals: frozenset[Principal]
    usual: frozenset[str]
    """Names of columns that hold the tenant's id: in the membership table, and in most others."""
    shown: frozenset[QName]
    """Tables that views read, or that functions select from."""
    tenant_ways: dict[QName, Way | Doubt] = field(default_factory=dict)
    owner_ways: dict[QName, Way | Doubt] = field(default_factory=dict)

    def reached(self, relation: Relation) -> bool:
        """Whether the application's roles get at the rows: by themselves, or by what views and functions show."""
        return relation.name in self.shown or any(self.privileges.possible(relation, command) for command in Command)


def is_tenants(ground: Ground, key: Key) -> bool:
    return key[1] in ground.tenant_columns.get(key[0], ())


def is_asked(ground: Ground, relation: Relation, column: Column) -> bool:
    """Whether policies compare a column with the caller's tenant, or with the membership's tenants."""
    key = (relation.name, column.name)
    if ground.facts.equal.get(key, set()) & ground.tenant_principals:
        return True
    return any(
        is_tenants(ground, other) and any(other[0] == m.table for m in ground.memberships)
        for other in ground.facts.links.get(key, ())
    )


def is_compared(ground: Ground, relation: Relation, column: Column) -> bool:
    """Whether a policy compares a column with whatever leads to the caller's tenants."""
    key = (relation.name, column.name)
    return is_asked(ground, relation, column) or any(is_tenants(ground, k) for k in ground.facts.links.get(key, ()))


def answers(ground: Ground, relation: Relation, column: Column) -> bool:
    """Whether the tenants themselves are looked for among a column's values: a helper answers them."""
    if ground.tenants is None or ground.tenant_key is None:
        return False
    return (relation.name, column.name) in ground.facts.links.get((ground.tenants, ground.tenant_key), ())


def means_owner(ground: Ground, relation: Relation, column: Column) -> bool:
    """Whether a policy or a default compares a column with the caller's user id."""
    key = (relation.name, column.name)
    if column.name in ground.tenant_columns.get(relation.name, ()):
        return False
    return ground.people.asked((*ground.facts.equal.get(key, ()), *ground.facts.defaults.get(key, ())))
