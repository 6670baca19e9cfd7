"""
Whose the rows of one table are: decided table by table, with the reason.

The structure is asked first (foreign keys, then paths of several), then what policies compare, then names.  A policy
that opens a table says nothing about whose its rows are: that may be the leak.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tenantproof.catalog.inference.ground import Ground, Way, is_tenants
from tenantproof.catalog.inference.lexicon import (
    INNER_WORDS,
    NOT_OWNER_WORDS,
    PRIVATE_WORDS,
    SHARED_WORDS,
    stems,
    words,
)
from tenantproof.catalog.inference.owner_ways import owner_way
from tenantproof.catalog.inference.privileges import asks_nobody
from tenantproof.catalog.inference.proposal import Decision, Kind
from tenantproof.catalog.inference.sql_text import quoted
from tenantproof.catalog.inference.tenant_ways import tenant_way
from tenantproof.core.catalog import Relation
from tenantproof.core.model import Command, Locator, QName, SystemRows, Tenancy


def decide(ground: Ground, relation: Relation) -> Decision:
    """The decision on one table (not a view, nor a partition)."""
    name = relation.name
    if name == ground.tenants and ground.tenant_key is not None:
        return _of_tenants(ground, relation, ground.tenant_key)
    for membership in ground.memberships:
        if membership.table == name:
            tenancy = Tenancy(tenant=Locator(path=(membership.tenant,)), owner=Locator(path=(membership.user,)))
            return Decision(name=name, kind=Kind.MEMBERS, tenancy=tenancy, why="says who belongs to which tenant")
    if name in ground.people.tables:
        return _of_people(ground, relation)
    tenant = tenant_way(ground, name)
    if isinstance(tenant, Way):
        return _of_tenant(ground, relation, tenant)
    owner = owner_way(ground, name)
    if isinstance(owner, Way):
        if tenant.why:
            why = f"{tenant.why}; its owner may be found by {owner.locator}"
            return _undecided(name, why)
        return _of_owner(ground, relation, owner)
    return _of_nobody(ground, relation, tenant.why or owner.why)


def _of_tenants(ground: Ground, relation: Relation, key: str) -> Decision:
    above = [
        fk.columns[0]
        for fk in relation.foreign_keys
        if fk.references == relation.name and len(fk.columns) == 1 and fk.ref_columns == (key,)
    ]
    asked = [c for c in above if any(is_tenants(ground, k) for k in ground.facts.links.get((relation.name, c), ()))]
    if asked:
        # Who may make tenants below their own makes rows whose key nobody belongs to yet: they are the parent's.
        locator = Locator(sql=f"coalesce({quoted(asked[0])}, {quoted(key)})")
        remark = f"a tenant below another, by {asked[0]}, counts as a row of the one above it"
        return Decision(
            name=relation.name,
            kind=Kind.TENANTS,
            tenancy=Tenancy(tenant=locator),
            why="the tenants themselves, in trees",
            remark=remark,
        )
    tenancy = Tenancy(tenant=Locator(path=(key,)))
    return Decision(name=relation.name, kind=Kind.TENANTS, tenancy=tenancy, why="the tenants themselves")


def _undecided(name: QName, why: str) -> Decision:
    return Decision(name=name, kind=Kind.UNDECIDED, tenancy=Tenancy(undecided=True), why=why)


def _of_people(ground: Ground, relation: Relation) -> Decision:
    key = ground.people.tables[relation.name]
    tenant = tenant_way(ground, relation.name)
    if isinstance(tenant, Way) and tenant.firm and len(tenant.path) == 1:
        tenancy = Tenancy(tenant=Locator(path=tenant.path), owner=Locator(path=(key,)))
        return Decision(
            name=relation.name, kind=Kind.TENANT, tenancy=tenancy, why=f"a user of one tenant: {tenant.why}"
        )
    tenancy = Tenancy(owner=Locator(path=(key,)))
    why = f"one row for each user, by {key}"
    remark = flag_remark(ground, relation)
    return Decision(name=relation.name, kind=Kind.OWNER, tenancy=tenancy, why=why, remark=remark)


def _of_tenant(ground: Ground, relation: Relation, way: Way) -> Decision:
    if not ground.reached(relation):
        return _private(relation.name, f"{_out_of_reach(ground, relation)} ({way.why})")
    owner = owner_way(ground, relation.name)
    locator = owner.locator if isinstance(owner, Way) and _matters(ground, relation, owner) else None
    values = platform_values(ground, relation, way)
    tenancy = Tenancy(tenant=way.locator, owner=locator, values=values)
    remark = way.remark
    if not way.firm and way.path:
        system, told = _system_rows(ground, relation, way)
        tenancy = Tenancy(tenant=tenancy.tenant, owner=locator, system_rows=system)
        remark = "; ".join(filter(None, (remark, told)))
    why = f"{way.why}" + (f"; owner: {owner.why}" if locator is not None and isinstance(owner, Way) else "")
    return Decision(
        name=relation.name, kind=Kind.TENANT, tenancy=tenancy, why=why, remark=remark or flag_remark(ground, relation)
    )


def _matters(ground: Ground, relation: Relation, owner: Way) -> bool:
    """Whether the owner means something beside the tenant: a policy or a default says so, or its name does."""
    column = owner.column
    key = (relation.name, column)
    asked = ground.people.asked((*ground.facts.equal.get(key, ()), *ground.facts.defaults.get(key, ())))
    if len(owner.path) > 1:
        members = {membership.table for membership in ground.memberships}
        asked = asked or any(table in members for table, _column in ground.facts.links.get(key, ()))
    other = not NOT_OWNER_WORDS.isdisjoint(words(column))  # who invited, approved or published: no owner
    return (asked and not other) or column in ("owner_id", "owner")


def _of_owner(ground: Ground, relation: Relation, way: Way) -> Decision:
    if not ground.reached(relation):
        return _private(relation.name, f"{_out_of_reach(ground, relation)} ({way.why})")
    tenancy = Tenancy(owner=way.locator, values=platform_values(ground, relation, way))
    remark = way.remark or flag_remark(ground, relation)
    return Decision(name=relation.name, kind=Kind.OWNER, tenancy=tenancy, why=way.why, remark=remark)


def flag_remark(ground: Ground, relation: Relation) -> str:
    """A policy that opens rows to others, by a flag or to everybody, and that `openings` does not believe."""
    fenced = any(not p.permissive and p.applies_to(Command.SELECT, ground.privileges.held) for p in relation.policies)
    for policy in () if fenced else ground.privileges.policies(relation, Command.SELECT):
        if policy.using is not None and asks_nobody(policy.using):
            said = " ".join(policy.using.split())
            rows = "all rows" if said.strip("() ") == "true" else f"rows where {said}"
            return (
                f"the policy {policy.name!r} shows {rows} to everybody; check reports that, unless you declare it"
                f" under expect"
            )
        for column in relation.columns:
            called = set(words(column.name))
            opens = column.base_type == "pg_catalog.bool" and called & _FLAGS and not called & INNER_WORDS
            if opens and column.name in (policy.using or ""):
                return (
                    f"{column.name} opens rows to others by the policy {policy.name!r}: if that is meant, declare"
                    f" under expect: {{select: [tenant, {{where: {column.name}}}]}}"
                )
    return ""


_FLAGS = frozenset(["public", "published", "shared", "visible", "listed"])


def _private(name: QName, why: str) -> Decision:
    return Decision(name=name, kind=Kind.PRIVATE, tenancy=Tenancy(private=True), why=why)


def _out_of_reach(ground: Ground, relation: Relation) -> str:
    if ground.privileges.any_granted(relation):
        return "row level security is on and no policy lets anybody in"
    return "no role of the application holds a privilege on it"


def _of_nobody(ground: Ground, relation: Relation, doubt: str) -> Decision:
    """A table with no way to a tenant or a user."""
    privileges, name = ground.privileges, relation.name
    filled = name in ground.evidence.filled
    if not any(privileges.possible(relation, command) for command in Command):
        return _private(name, f"{_out_of_reach(ground, relation)}, and nothing leads to a tenant or a user")
    if doubt:
        return _undecided(name, doubt)
    readable, writable = privileges.open_to_read(relation), privileges.writable(relation)
    seeded = "; the migrations fill it" if filled else ""
    if readable and not writable:
        why = f"reference data: everybody may read it, nobody may write it{seeded}"
        return Decision(name=name, kind=Kind.SHARED, tenancy=Tenancy(shared=True), why=why)
    if filled and privileges.possible(relation, Command.SELECT):
        why = "reference data: no way to a tenant or a user, and the migrations fill it"
        remark = "it can be written too: check reports that" if writable else "a policy shows a part of it only"
        return Decision(name=name, kind=Kind.SHARED, tenancy=Tenancy(shared=True), why=why, remark=remark)
    if privileges.possible(relation, Command.SELECT) and not writable:
        why = "nothing leads to a tenant or a user, and it can only be read, by those whom a policy lets in"
        if not set(stems(name.name)) & PRIVATE_WORDS:
            return Decision(name=name, kind=Kind.SHARED, tenancy=Tenancy(shared=True), why=why)
    verb = "written" if writable else "read"
    return _undecided(name, f"nothing leads to a tenant or a user, and it can be {verb}: shared, private, or whose?")


def _system_rows(ground: Ground, relation: Relation, way: Way) -> tuple[SystemRows, str]:
    """What rows without a tenant are, where a policy or the table's name makes it plain."""
    called = set(stems(relation.name.name))
    column = way.path[0]
    if (relation.name, column) in ground.facts.null_open:
        return SystemRows.SHARED, f"rows without a tenant are shared: a policy says {column} IS NULL"
    if called & PRIVATE_WORDS:
        return SystemRows.PRIVATE, "rows without a tenant are the backend's, as the table's name says"
    if called & SHARED_WORDS:
        return SystemRows.SHARED, "rows without a tenant are everybody's, as the table's name says"
    return SystemRows.UNDECIDED, f"{column} may be NULL: are such rows shared or private? (system_rows)"


def platform_values(ground: Ground, relation: Relation, way: Way) -> Mapping[str, str]:
    """Values for the seeder of storage.objects: a file's name carries whose it is."""
    if relation.name != STORAGE_OBJECTS or not way.sql:
        return {}
    whose = "{owner.id}" if way is owner_way(ground, relation.name) else "{tenant.id}"
    found = _FOLDER.search(way.sql)
    folders = ["files"] * (int(found.group(1)) if found else 1)
    for sql, compared in ground.facts.expressions.get(relation.name, {}).items():
        place = _FOLDER.search(sql)
        if place is not None and compared.literals and int(place.group(1)) <= len(folders):
            folders[int(place.group(1)) - 1] = next(iter(compared.literals))
    folders[-1] = whose
    bucket = next(iter(ground.facts.literals.get((relation.name, "bucket_id"), {})), "")
    values = {"bucket_id": bucket} if bucket else {}
    return {**values, "name": f"{'/'.join(folders)}/{{n}}.pdf", "owner_id": "{owner.id}"}


STORAGE_OBJECTS = QName("storage", "objects")


_FOLDER = re.compile(r"foldername\(\w+\)\)\[(\d)\]")
