"""
Roles by another name: who applied the migrations is `postgres` on our server, and anybody on the live one.

Where the objects that `postgres` owns here belong to one other role there, the two are taken for the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from tenantproof.core.catalog import Catalog, Function, Grant, Relation, Role
from tenantproof.drift.names import MIGRATOR, is_platform_role
from tenantproof.drift.side import Held, Sequence, Side


def migrator_of(ours: Side, live: Side) -> str:
    """The live role that owns most of what `postgres` owns here; `postgres` where that is not another's name here."""
    owners = Counter(
        there.owner
        for name, here in ours.catalog.relations.items()
        if here.owner == MIGRATOR and (there := live.catalog.relations.get(name)) is not None
    )
    if not owners:
        return MIGRATOR
    most = owners.most_common(1)[0][0]
    known_here = most in ours.catalog.roles or is_platform_role(most)
    return MIGRATOR if known_here else most


def renamed(side: Side, old: str, new: str) -> Side:
    """The side with one role called otherwise, everywhere."""
    if old == new:
        return side

    def name(role: str) -> str:
        return new if role == old else role

    return replace(
        side,
        catalog=_catalog(side.catalog, name),
        sequences={key: Sequence(owner=name(s.owner), held=_held(s.held, name)) for key, s in side.sequences.items()},
        schema_owners={schema: name(owner) for schema, owner in side.schema_owners.items()},
        creators={schema: _all(names, name) for schema, names in side.creators.items()},
        defaults=_united(((name(role), *rest), _held(held, name)) for (role, *rest), held in side.defaults.items()),
    )


def _catalog(catalog: Catalog, name: Callable[[str], str]) -> Catalog:
    return replace(
        catalog,
        relations={key: _relation(relation, name) for key, relation in catalog.relations.items()},
        functions=tuple(_function(function, name) for function in catalog.functions),
        roles={name(role.name): _role(role, name) for role in catalog.roles.values()},
        schema_usage={schema: _all(names, name) for schema, names in catalog.schema_usage.items()},
    )


def _relation(relation: Relation, name: Callable[[str], str]) -> Relation:
    grants = (Grant(grantee=name(g.grantee), privilege=g.privilege, column=g.column) for g in relation.grants)
    policies = (replace(policy, roles=tuple(sorted(map(name, policy.roles)))) for policy in relation.policies)
    return replace(relation, owner=name(relation.owner), grants=tuple(grants), policies=tuple(policies))


def _function(function: Function, name: Callable[[str], str]) -> Function:
    return replace(function, owner=name(function.owner), executable_by=_all(function.executable_by, name))


def _role(role: Role, name: Callable[[str], str]) -> Role:
    return replace(role, name=name(role.name), member_of={name(up): how for up, how in role.member_of.items()})


def _all(names: Iterable[str], name: Callable[[str], str]) -> frozenset[str]:
    return frozenset(map(name, names))


def _held(held: Held, name: Callable[[str], str]) -> Held:
    return frozenset((name(grantee), privilege) for grantee, privilege in held)


def _united(pairs: Iterable[tuple[tuple[str, ...], Held]]) -> Mapping[tuple[str, str, str], Held]:
    found: dict[tuple[str, str, str], Held] = {}
    for (role, schema, kind), held in pairs:
        found[role, schema, kind] = found.get((role, schema, kind), frozenset()) | held
    return found
