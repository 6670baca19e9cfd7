"""Which table says who belongs to which tenant: found by shape, weighed by what policies ask and by names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tenantproof.catalog.inference.keys import PLATFORM_SCHEMAS, above, single_targets, unique_keys
from tenantproof.catalog.inference.lexicon import (
    MEMBERSHIP_WORDS,
    NOT_MEMBERSHIP,
    NOT_OWNER_WORDS,
    SHARED_WORDS,
    TENANT_WORDS,
    is_pointer,
    names_key_of,
    stems,
    words,
)
from tenantproof.catalog.inference.people import People
from tenantproof.catalog.inference.proposal import Evidence
from tenantproof.catalog.inference.reading import Facts
from tenantproof.catalog.inference.roles import Roles, find_roles
from tenantproof.core.catalog import Catalog, Relation
from tenantproof.core.model import QName

ENOUGH = 5
"""Points from which on a table is taken for a membership."""

CLEARLY = 3
"""Points by which one has to lead to be chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A table that may be the membership; `tenants` is None where the tenant column refers to nothing."""

    table: QName
    user: str
    tenant: str
    tenants: QName | None
    key: str | None
    roles: Roles | None
    points: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What the search for memberships rests on."""

    catalog: Catalog
    facts: Facts
    people: People
    evidence: Evidence
    referring: Mapping[QName, frozenset[QName]]
    """Table -> tables that refer to it."""
    above: Mapping[QName, frozenset[QName]]
    """Table -> tables that its NOT NULL foreign keys lead to, by however many steps."""


def search_of(catalog: Catalog, facts: Facts, people: People, evidence: Evidence) -> Search:
    """The search's ground, computed once."""
    referring: dict[QName, set[QName]] = {}
    for name, relation in catalog.relations.items():
        for key in relation.foreign_keys:
            if key.references is not None and key.references != name:
                referring.setdefault(key.references, set()).add(name)
    return Search(
        catalog=catalog,
        facts=facts,
        people=people,
        evidence=evidence,
        referring={name: frozenset(tables) for name, tables in referring.items()},
        above=above(catalog),
    )


def memberships(search: Search) -> tuple[Found, ...]:
    """What may be the membership, the likeliest first: one alone where it is clear, none where nothing is likely."""
    likely = [found for found in _candidates(search) if found.points >= ENOUGH]
    best: dict[QName | None, Found] = {}
    for found in sorted(likely, key=lambda f: (-f.points, f.table in search.people.tables, f.table)):
        best.setdefault(found.tenants, found)
    outer = [
        f for f in best.values() if not any(_inside(search, f, other) for other in best.values() if other is not f)
    ]
    ranked = sorted(outer or best.values(), key=lambda f: (-_weight(search, f), f.table))
    if len(ranked) > 1 and _weight(search, ranked[0]) - _weight(search, ranked[1]) >= CLEARLY:
        return (ranked[0],)
    return tuple(ranked)


def others(search: Search, certain: Found) -> tuple[QName, ...]:
    """Further tables in which policies look the caller up as in a membership; only people can say what they mean.

    Groups inside a tenant, people of a client, badges that copy a role: shaped alike, and no two meant alike.
    """
    asked = {
        found.table
        for found in _candidates(search)
        if found.table != certain.table
        and found.table in search.facts.asked
        and search.people.asked(search.facts.equal.get((found.table, found.user), ()))
        and (set(stems(found.table.name)) & MEMBERSHIP_WORDS or found.points >= ENOUGH)
    }
    return tuple(sorted(asked - set(search.people.tables)))


def _inside(search: Search, found: Found, other: Found) -> bool:
    """Whether the tenants of one belong to the tenants of the other (groups inside organizations)."""
    if found.tenants is None or other.tenants is None:
        return False
    below = other.tenants in search.above.get(found.tenants, frozenset())
    return below and found.tenants not in search.above.get(other.tenants, frozenset())


def _weight(search: Search, found: Found) -> float:
    if found.tenants is None:
        return found.points
    below = sum(1 for tables in search.above.values() if found.tenants in tables)
    return found.points + 4 * below / max(1, len(search.above))


def _candidates(search: Search) -> Iterator[Found]:
    for name, relation in search.catalog.relations.items():
        if not relation.is_table or name.schema in PLATFORM_SCHEMAS or relation.partition_bound:
            continue
        if name in search.people.tables:
            yield from _of_users(search, relation)
        else:
            yield from _of_junction(search, relation)


def _of_junction(search: Search, relation: Relation) -> Iterator[Found]:
    users = search.people.among(relation)
    if not users and set(stems(relation.name.name)) & MEMBERSHIP_WORDS:
        users = _users_by_name(search, relation)
    for column in relation.columns:
        if column.name in users or is_pointer(column.name) or not users:
            continue
        target = _tenants_of(search, relation, column.name)
        if target is None and _tenant_by_name(relation, column.name, users):
            target = _soft_tenants(search, relation, column.name)
        if target is not None or _tenant_by_name(relation, column.name, users):
            user = max(users, key=lambda u: (_of_user(search, relation, u, column.name), -users.index(u)))
            yield _found(search, relation, user, column.name, target)


def _users_by_name(search: Search, relation: Relation) -> tuple[str, ...]:
    """Columns without a foreign key that hold a user's id, by what policies compare or by name."""
    referring = {column for key in relation.foreign_keys for column in key.columns}
    return tuple(
        column.name
        for column in relation.columns
        if column.name not in referring
        and (
            "".join(words(column.name)) in _USER_COLUMNS
            or search.people.asked(search.facts.equal.get((relation.name, column.name), ()))
        )
    )


_USER_COLUMNS = frozenset({"userid", "memberid", "personid", "accountuserid", "useruuid"})


def _of_users(search: Search, relation: Relation) -> Iterator[Found]:
    """A table of users whose rows name the one tenant of each user."""
    key = search.people.tables[relation.name]
    for column in relation.columns:
        if column.name == key or is_pointer(column.name):
            continue
        target = _tenants_of(search, relation, column.name)
        asked = relation.name in search.facts.asked
        if target is not None and (column.not_null or asked):
            yield _found(search, relation, key, column.name, target)


def _tenants_of(search: Search, relation: Relation, column: str) -> tuple[QName, str] | None:
    """The table (not of users) whose whole key a column refers to."""
    for table, key in single_targets(relation, column):
        target = search.catalog.relations.get(table)
        if (
            target is None
            or table == relation.name
            or table in search.people.tables
            or table.schema in PLATFORM_SCHEMAS
        ):
            continue
        if frozenset({key}) in set(unique_keys(target)):
            return table, key
    return None


def _soft_tenants(search: Search, relation: Relation, column: str) -> tuple[QName, str] | None:
    """The table whose key a column without a foreign key holds: policies look for it there, or it is called so."""
    linked = {
        (table, key)
        for table, key in search.facts.links.get((relation.name, column), ())
        if search.catalog.relations[table].primary_key == (key,) and table not in search.people.tables
    }
    if len(linked) == 1:
        return linked.pop()
    kind = relation.column(column).base_type
    named = [
        (name, other.primary_key[0])
        for name, other in search.catalog.relations.items()
        if len(other.primary_key) == 1
        and names_key_of(column, name.name)
        and name not in search.people.tables
        and other.column(other.primary_key[0]).base_type == kind
    ]
    return named[0] if len(named) == 1 else None


def _tenant_by_name(relation: Relation, column: str, users: tuple[str, ...]) -> bool:
    """Whether a column without a foreign key is the tenant's by its name, in a key together with a user."""
    referring = any(column in key.columns for key in relation.foreign_keys)
    called = not TENANT_WORDS.isdisjoint(stems(column))
    return called and not referring and any(column in key and key & set(users) for key in unique_keys(relation))


def _of_user(search: Search, relation: Relation, user: str, tenant: str) -> int:
    """How likely a column is the member, and not who invited the member."""
    keyed = any({user, tenant} <= key for key in unique_keys(relation))
    asked = search.people.asked(search.facts.equal.get((relation.name, user), ()))
    other = not NOT_OWNER_WORDS.isdisjoint(words(user)) or user == "created_by"
    return 3 * keyed + 2 * asked - 4 * other


def _found(search: Search, relation: Relation, user: str, tenant: str, target: tuple[QName, str] | None) -> Found:
    tenants, key = target or (None, None)
    roles = find_roles(relation, search.facts, search.evidence, {user, tenant})
    points, why = _points(search, relation, user, tenant, tenants, roles)
    return Found(
        table=relation.name,
        user=user,
        tenant=tenant,
        tenants=tenants,
        key=key,
        roles=roles,
        points=points,
        why="; ".join(why),
    )


def _points(
    search: Search, relation: Relation, user: str, tenant: str, tenants: QName | None, roles: Roles | None
) -> tuple[int, list[str]]:
    """The points of a candidate with the reasons worth telling."""
    name, asked = relation.name, search.people.asked(search.facts.equal.get((relation.name, user), ()))
    called = set(stems(name.name))
    is_users = name in search.people.tables
    tenantlike = tenants is None or bool(set(stems(tenants.name)) & TENANT_WORDS)
    if not (tenantlike or called & MEMBERSHIP_WORDS or roles is not None or (asked and not _owned(search, tenants))):
        return 0, []
    told = [
        (
            3,
            not is_users and any({user, tenant} <= key for key in unique_keys(relation)),
            "one row for each user and tenant",
        ),
        (2, is_users, "each user has one tenant"),
        (2, roles is not None, f"has a role column, {roles.column}" if roles else ""),
        (3, asked and name in search.facts.asked, "policies look the caller up in it"),
        (3, bool(called & MEMBERSHIP_WORDS), "called like a membership"),
        (2, tenants is not None and bool(set(stems(tenants.name)) & TENANT_WORDS), f"{tenants} is called like tenants"),
        (min(3, _referring(search, tenants, name)), tenants is not None, "other tables refer to it"),
        (-4, bool(called & NOT_MEMBERSHIP) and not called & {"member", "membership"}, ""),
        (-4, tenants is not None and bool(set(stems(tenants.name)[-1:]) & SHARED_WORDS), ""),
        (-3, not NOT_OWNER_WORDS.isdisjoint(words(user)) or user == "created_by", ""),
        (-4, not tenantlike and _owned(search, tenants), ""),
        (-2, not relation.column(tenant).not_null, ""),
        (-4, not relation.column(user).not_null and not is_users, ""),
        (-3, tenants is None, ""),
    ]
    return sum(points for points, holds, _why in told if holds), [why for points, holds, why in told if holds and why]


def _owned(search: Search, tenants: QName | None) -> bool:
    """Whether rows of what may be the tenants belong to one user each: then they are things, not tenants."""
    relation = search.catalog.relations.get(tenants) if tenants is not None else None
    return relation is not None and any(relation.column(c).not_null for c in search.people.among(relation))


def _referring(search: Search, tenants: QName | None, name: QName) -> int:
    return len(search.referring.get(tenants, frozenset()) - {name}) if tenants is not None else 0
