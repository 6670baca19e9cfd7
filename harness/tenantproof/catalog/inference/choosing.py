"""Of several foreign keys that lead to a tenant, the one that says whose the row is."""

from __future__ import annotations

from collections.abc import Sequence

from tenantproof.catalog.inference.ground import Doubt, Ground, Way
from tenantproof.catalog.inference.keys import unique_keys
from tenantproof.catalog.inference.lexicon import stems
from tenantproof.core.catalog import Constraint, Relation


def step(ground: Ground, relation: Relation, key: Constraint) -> str | None:
    """The column of a key that a path can follow: its only one, or of several the one that names a row alone."""
    if len(key.columns) == 1:
        return key.columns[0]
    target = ground.catalog.relations.get(key.references) if key.references is not None else None
    alone = {column for columns in unique_keys(target) if len(columns) == 1 for column in columns} if target else set()
    pairs = zip(key.columns, key.ref_columns, strict=True)
    naming = [column for column, referred in pairs if referred in alone]
    naming = [column for column in naming if column not in ground.tenant_columns.get(relation.name, ())]
    return naming[0] if len(naming) == 1 else None


def chosen_way(ground: Ground, relation: Relation, ways: Sequence[tuple[Constraint, Way]]) -> Way | Doubt:
    """The one way, or of several the one that policies follow or that the table is a part of."""
    if len(ways) == 1:
        return ways[0][1]
    found = list(ways)
    for keep in (_is_not_a_person, is_followed, _is_firm, _is_cascading, _is_namesake):
        kept = [pair for pair in found if keep(ground, relation, pair)]
        found = kept or found
        if len(found) == 1:
            break
    if len(found) > 1:
        found = _without_detours(found) or found
    together = " and ".join(".".join(way.path) for _key, way in ways)
    if len(found) > 1 and not _joins(relation, found):
        return Doubt(why=f"several ways lead to a tenant: {together}")
    way = found[0][1]
    others = " and ".join(".".join(other.path) for _key, other in ways if other is not way)
    remark = f"{others} leads to a tenant too; in a healthy database it is the same"
    return Way(path=way.path, firm=way.firm, why=way.why, remark=remark)


def _is_not_a_person(ground: Ground, _relation: Relation, pair: tuple[Constraint, Way]) -> bool:
    return pair[0].references not in ground.people.tables and all(
        m.table != pair[0].references for m in ground.memberships
    )


def is_followed(ground: Ground, relation: Relation, pair: tuple[Constraint, Way]) -> bool:
    linked = ground.facts.links.get((relation.name, pair[1].path[0]), set())
    return any(table == pair[0].references for table, _column in linked)


def _is_firm(_ground: Ground, _relation: Relation, pair: tuple[Constraint, Way]) -> bool:
    return pair[1].firm


def _is_cascading(_ground: Ground, _relation: Relation, pair: tuple[Constraint, Way]) -> bool:
    return pair[0].on_delete == "c"


def _is_namesake(_ground: Ground, relation: Relation, pair: tuple[Constraint, Way]) -> bool:
    """Whether the table is called after the one it refers to: order_items after orders."""
    target = pair[0].references
    return target is not None and stems(relation.name.name)[: len(stems(target.name))] == stems(target.name)


def _without_detours(ways: Sequence[tuple[Constraint, Way]]) -> list[tuple[Constraint, Way]]:
    """The shortest way where it is shorter than all others."""
    shortest = min(len(way.path) for _key, way in ways)
    kept = [pair for pair in ways if len(pair[1].path) == shortest]
    return kept if len(kept) == 1 else []


def _joins(relation: Relation, ways: Sequence[tuple[Constraint, Way]]) -> bool:
    """Whether the table does nothing but join: all the ways' first columns are in its key."""
    return all(way.path[0] in relation.primary_key for _key, way in ways)
