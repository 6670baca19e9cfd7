"""How the rows of a table lead to their tenant: by a column, along foreign keys, or by an expression."""

from __future__ import annotations

from collections.abc import Sequence

from tenantproof.catalog.inference.choosing import chosen_way, is_followed, step
from tenantproof.catalog.inference.ground import NO_WAY, Doubt, Ground, Way, answers, is_asked, is_compared, is_tenants
from tenantproof.catalog.inference.keys import PLATFORM_SCHEMAS, firm_keys
from tenantproof.catalog.inference.lexicon import is_pointer, names_key_of
from tenantproof.catalog.inference.sql_text import looked_up, quoted, value_at
from tenantproof.core.catalog import Column, Constraint, ConstraintKind, Relation
from tenantproof.core.model import QName


def tenant_way(ground: Ground, name: QName) -> Way | Doubt:
    """How rows of a table lead to their tenant; remembered, since other tables pass through it."""
    if name not in ground.tenant_ways:
        ground.tenant_ways[name] = Doubt(why="its foreign keys run in a circle")  # until it is known
        ground.tenant_ways[name] = _tenant_way(ground, ground.catalog.relations[name])
    return ground.tenant_ways[name]


def _tenant_way(ground: Ground, relation: Relation) -> Way | Doubt:
    name = relation.name
    if name == ground.tenants and ground.tenant_key is not None:
        return Way(path=(ground.tenant_key,), firm=True, why="the tenants themselves")
    for membership in ground.memberships:
        if membership.table == name:
            return Way(path=(membership.tenant,), firm=True, why="the membership")
    if name.schema in PLATFORM_SCHEMAS:
        return _by_expression(ground, relation) or NO_WAY
    held = [column for column in relation.columns if column.name in ground.tenant_columns.get(name, ())]
    held = [column for column in held if not is_pointer(column.name)]
    firm = [column for column in held if column.not_null]
    if firm:
        direct = _by_column(ground, relation, firm, "foreign key to the tenant")
        torn = None if _is_usual(ground, direct) else _through_undecided(ground, relation)
        return torn or direct
    soft = _soft_columns(ground, relation)
    if firm_soft := [column for column in soft if column.not_null]:
        return _by_soft(ground, relation, firm_soft)
    if (either := _either(ground, relation, held)) is not None:
        return either
    used = [column for column in held if is_asked(ground, relation, column)]
    if len(used) == 1:
        return Way(path=(used[0].name,), firm=False, why=f"policies compare {used[0].name}")
    ways = _ways(ground, relation, list(firm_keys(relation)))
    torn = _through_undecided(ground, relation)
    if torn is not None and not any(is_followed(ground, relation, pair) for pair in ways):
        return torn
    if ways:
        return chosen_way(ground, relation, ways)
    if name in ground.people.tables:
        return NO_WAY  # a nullable column in a table of users is a pointer
    if held:
        way = _by_column(ground, relation, held, "foreign key to the tenant, which may be NULL")
        return Way(path=way.path, firm=False, why=way.why) if isinstance(way, Way) else way
    if soft:
        return _by_soft(ground, relation, soft)
    for found in (_by_expression(ground, relation), _by_soft_parent(ground, relation)):
        if found is not None:
            return found
    return _by_nullable_key(ground, relation)


def _by_soft_parent(ground: Ground, relation: Relation) -> Way | None:
    """A column without a foreign key that policies look for among the keys of a table that leads to a tenant."""
    referring = {column for key in relation.foreign_keys for column in key.columns}
    for column in relation.columns:
        if column.name in referring or not column.not_null:
            continue
        for table, key in sorted(ground.facts.links.get((relation.name, column.name), ())):
            target = ground.catalog.relations[table]
            if target.primary_key != (key,) or table in ground.people.tables or table == relation.name:
                continue
            onward = tenant_way(ground, table)
            value = (
                value_at(ground.catalog, target, onward.path, "t0") if isinstance(onward, Way) and onward.path else ""
            )
            if value:
                source = f"{quoted(table.schema)}.{quoted(table.name)} t0"
                return Way(
                    path=(),
                    sql=looked_up(value, source, f"t0.{quoted(key)}", quoted(column.name)),
                    firm=True,
                    why=f"policies look {column.name} up in {table}",
                    remark=f"{column.name} has no foreign key: look whether the seeded rows belong together",
                )
    return None


def _either(ground: Ground, relation: Relation, held: Sequence[Column]) -> Way | None:
    """Several ways that may each be NULL, and a CHECK over their columns that one of them is there."""
    optional = [key for key in relation.foreign_keys if key.references != relation.name and len(key.columns) == 1]
    paths: list[tuple[str, ...]] = [(column.name,) for column in held]
    paths += [way.path for _key, way in _ways(ground, relation, optional) if way.path[:1] not in paths]
    first = {path[0] for path in paths}
    checks = (c for c in relation.constraints if c.kind is ConstraintKind.CHECK)
    if len(first) < 2 or len(first) != len(paths) or not any(first <= set(check.columns) for check in checks):
        return None
    values = [value_at(ground.catalog, relation, path, "") for path in paths]
    if not all(values):
        return None
    why = f"one of {', '.join(sorted(first))} leads to the tenant, as a CHECK says"
    return Way(path=(), sql=f"coalesce({', '.join(values)})", firm=True, why=why)


def _by_expression(ground: Ground, relation: Relation) -> Way | None:
    """An expression over the row that policies compare with the caller's tenants: the first folder of a file's name."""
    members = {membership.table for membership in ground.memberships}
    for sql, other in ground.facts.expressions.get(relation.name, {}).items():
        named = other.principals & ground.tenant_principals
        if named or any(is_tenants(ground, key) and key[0] in members for key in other.keys):
            return Way(path=(), sql=sql, firm=True, why=f"policies compare {sql} with the caller's tenants")
    return None


def _is_usual(ground: Ground, way: Way | Doubt) -> bool:
    if not isinstance(way, Way):
        return True
    called = ground.tenants is not None and names_key_of(way.column, ground.tenants.name)
    return called or way.column in ground.usual


def _through_undecided(ground: Ground, relation: Relation) -> Doubt | None:
    """A table that must be decided first: this one's rows belong to its rows."""
    for key in firm_keys(relation):
        target = key.references
        if target is None or target not in ground.catalog.relations or target in ground.people.tables:
            continue
        onward = tenant_way(ground, target)
        if isinstance(onward, Doubt) and onward.why and key.on_delete == "c":
            return Doubt(why=f"{' and '.join(key.columns)} leads to {target}, which is undecided itself")
    return None


def _by_column(ground: Ground, relation: Relation, columns: Sequence[Column], why: str) -> Way | Doubt:
    if not columns:
        return NO_WAY
    chosen = _narrowed(ground, relation, columns)
    if len(chosen) == 1:
        others = [column.name for column in columns if column is not chosen[0]]
        remark = f"a second key to a tenant: {', '.join(others)}" if others else ""
        return Way(path=(chosen[0].name,), firm=chosen[0].not_null, why=f"{chosen[0].name}: {why}", remark=remark)
    names = " and ".join(column.name for column in chosen)
    return Doubt(why=f"{names} lead to a tenant, and nothing tells which one owns the row")


def _narrowed(ground: Ground, relation: Relation, columns: Sequence[Column]) -> list[Column]:
    """The columns that are named as usual; of several, those that policies compare."""
    compared = [column for column in columns if is_compared(ground, relation, column)]
    if len(compared) > 1 and len(compared) == len(columns):
        return [column for column in columns if answers(ground, relation, column)] or compared
    usual = [column for column in columns if column.name in ground.usual]
    named = [c for c in columns if ground.tenants is not None and names_key_of(c.name, ground.tenants.name)]
    found = list(columns)
    for kept in (usual, compared, named):
        both = [column for column in found if column in kept]
        found = both if both and len(found) > 1 else found
    return found


def _soft_columns(ground: Ground, relation: Relation) -> list[Column]:
    """Columns without a foreign key that hold a tenant's id, by what policies compare or by name and type."""
    referring = {column for key in relation.foreign_keys for column in key.columns}
    held = ground.tenant_columns.get(relation.name, frozenset()) | ground.people.columns.get(relation.name, frozenset())
    found = []
    for column in relation.columns:
        if column.name in referring or column.name in held or is_pointer(column.name):
            continue
        if column.base_type == "pg_catalog.bool" or relation.primary_key == (column.name,):
            continue
        key = (relation.name, column.name)
        linked = is_asked(ground, relation, column) or any(
            is_tenants(ground, other) for other in ground.facts.links.get(key, ())
        )
        default = bool(ground.facts.defaults.get(key, set()) & ground.tenant_principals)
        named = column.base_type == ground.tenant_type and (
            column.name in ground.usual
            or (ground.tenants is not None and names_key_of(column.name, ground.tenants.name))
        )
        if linked or default or named:
            found.append(column)
    return found


def _by_soft(ground: Ground, relation: Relation, columns: Sequence[Column]) -> Way | Doubt:
    way = _by_column(ground, relation, columns, "called or used as the tenant's id, without a foreign key")
    if not isinstance(way, Way):
        return way
    # Where tenants are not a table at all, no column can have a foreign key to them.
    remark = "no foreign key says so" if ground.tenants is not None else ""
    return Way(path=way.path, firm=way.firm, why=way.why, remark=remark)


def _ways(ground: Ground, relation: Relation, keys: Sequence[Constraint]) -> list[tuple[Constraint, Way]]:
    """The foreign keys to tables that lead to a tenant, with the whole way."""
    found = []
    for key in keys:
        target = key.references
        if target is None or target not in ground.catalog.relations or target == relation.name:
            continue
        if any(is_pointer(column) for column in key.columns):
            continue
        if target in ground.people.tables and not any(m.table == target for m in ground.memberships):
            continue
        column = step(ground, relation, key)
        onward = tenant_way(ground, target)
        if column is not None and isinstance(onward, Way) and onward.path:
            way = Way(
                path=(column, *onward.path),
                firm=onward.firm and relation.column(column).not_null,
                why=f"along {column} to {target}",
            )
            found.append((key, way))
    return found


def _by_nullable_key(ground: Ground, relation: Relation) -> Way | Doubt:
    """A foreign key that may be NULL leads to a tenant: believed where policies follow it."""
    optional = [key for key in relation.foreign_keys if key.references != relation.name]
    ways = _ways(ground, relation, optional)
    followed = [pair for pair in ways if is_followed(ground, relation, pair)]
    if len(followed) == 1:
        return followed[0][1]
    if not ways or ground.people.among(relation):
        return NO_WAY
    if len(ways) == 1:
        return ways[0][1]
    together = " and ".join(".".join(way.path) for _key, way in ways)
    return Doubt(why=f"only keys that may be NULL lead to a tenant: {together}")
