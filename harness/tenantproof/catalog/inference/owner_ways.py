"""How the rows of a table lead to the user they belong to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tenantproof.catalog.inference.choosing import step
from tenantproof.catalog.inference.ground import NO_WAY, Doubt, Ground, Way, means_owner
from tenantproof.catalog.inference.keys import firm_keys, single_targets
from tenantproof.catalog.inference.lexicon import NOT_OWNER_WORDS, OWNER_COLUMNS, is_pointer, stems, words
from tenantproof.catalog.inference.tenant_ways import tenant_way
from tenantproof.core.catalog import Column, Relation
from tenantproof.core.model import QName


def owner_way(ground: Ground, name: QName) -> Way | Doubt:
    """How rows of a table lead to the user they belong to; remembered."""
    if name not in ground.owner_ways:
        ground.owner_ways[name] = NO_WAY
        ground.owner_ways[name] = _owner_way(ground, ground.catalog.relations[name])
    return ground.owner_ways[name]


def _owner_way(ground: Ground, relation: Relation) -> Way | Doubt:
    if relation.name in ground.people.tables:
        return Way(path=(ground.people.tables[relation.name],), firm=True, why="one row for each user")
    pointers = [relation.column(column) for column in ground.people.among(relation)]
    soft = [column for column in relation.columns if column not in pointers and means_owner(ground, relation, column)]
    columns = [column for column in (*pointers, *soft) if not is_pointer(column.name)]
    chosen = _owner_column(ground, relation, columns)
    if chosen is not None:
        why = f"{chosen.name} names a user"
        return Way(path=(chosen.name,), firm=chosen.not_null, why=why)
    for sql, compared in ground.facts.expressions.get(relation.name, {}).items():
        if ground.people.asked(compared.principals):
            return Way(path=(), sql=sql, firm=True, why=f"policies compare {sql} with the caller")
    ways = list(_owner_paths(ground, relation))
    if len(ways) > 1:
        ways = [way for way in ways if _leads_to_parent(ground, relation, way)] or ways
    if len(ways) == 1:
        return ways[0]
    if ways:
        return Doubt(why="several ways lead to a user: " + " and ".join(".".join(way.path) for way in ways))
    if columns:
        names = " and ".join(column.name for column in columns)
        return Doubt(why=f"{names} name users, and nothing tells which of them owns the row")
    return NO_WAY


def _owner_column(ground: Ground, relation: Relation, columns: Sequence[Column]) -> Column | None:
    """The column that names the owner: what policies compare with the caller, then names, then the only one."""
    owning = [c for c in columns if NOT_OWNER_WORDS.isdisjoint(words(c.name))]
    asked = [c for c in columns if means_owner(ground, relation, c)]
    both = [c for c in asked if c in owning]
    if len(both) == 1:
        return both[0]
    for name in OWNER_COLUMNS:
        for column in both or owning:
            if "".join(words(column.name)) == "".join(words(name)):
                return column
    if len(asked) == 1 and not owning:
        return asked[0]
    firm = [c for c in owning if c.not_null]
    return firm[0] if len(firm) == 1 else owning[0] if len(owning) == 1 else None


def _owner_paths(ground: Ground, relation: Relation) -> Iterator[Way]:
    """Along foreign keys to tables whose rows have an owner: a membership row, or in a world without tenants any."""
    for key in firm_keys(relation):
        target = key.references
        if target is None or target not in ground.catalog.relations:
            continue
        if any(is_pointer(column) for column in key.columns) or not _leads_to_owner(ground, target):
            continue
        column = step(ground, relation, key)
        onward = _membership_way(ground, target) or owner_way(ground, target)
        if column is not None and isinstance(onward, Way) and onward.path:
            yield Way(path=(column, *onward.path), firm=onward.firm, why=f"along {column} to {target}")


def _membership_way(ground: Ground, target: QName) -> Way | None:
    for membership in ground.memberships:
        if membership.table == target:
            return Way(path=(membership.user,), firm=True, why="the member")
    return None


def _leads_to_owner(ground: Ground, target: QName) -> bool:
    if any(membership.table == target for membership in ground.memberships):
        return True
    # With tenants, whose child a row is says where it belongs, not who owns it.
    without_tenants = not ground.memberships and not ground.tenant_principals
    return without_tenants or not isinstance(tenant_way(ground, target), Way)


def _leads_to_parent(ground: Ground, relation: Relation, way: Way) -> bool:
    targets = single_targets(relation, way.path[0])
    linked = ground.facts.links.get((relation.name, way.path[0]), set())
    called = stems(relation.name.name)
    return any(
        target in {table for table, _column in linked} or called[: len(stems(target.name))] == stems(target.name)
        for target, _key in targets
    )
