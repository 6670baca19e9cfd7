"""
What the structure alone says about whose rows are whose: tenancy of relations the scenario does not declare.

Only foreign keys, NOT NULL and names that the scenario itself gives are believed; policies never are, since they
are what is being tested.  Where there are two ways, or a doubt, a relation is left out, which makes it undecided:
a wrong guess would report leaks that do not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tenantproof.catalog.inference.keys import Key, carriers, firm_keys, links
from tenantproof.core.catalog import Catalog, Constraint, Relation, RelationKind
from tenantproof.core.model import Locator, Membership, QName, Scenario, Tenancy

AUTH_USERS = QName("auth", "users")

OWNER_NAMES = frozenset({"user_id", "owner_id", "created_by", "author_id"})
"""Columns that name a row's owner where several columns point to users."""

VIEWS = frozenset({RelationKind.VIEW, RelationKind.MATVIEW})


def infer_tenancy(catalog: Catalog, scenario: Scenario) -> dict[QName, Tenancy]:
    """Tenancy of every relation for which it is declared or certain, sorted by name.

    A relation that is missing from the answer is undecided, and so is one that the scenario calls so.  Declared ones
    come through unchanged; a declaration that only says how to seed (`rows`, `values`) is completed.  Looked at are
    the relations in the scenario's schemas, the membership tables, and the tenants' and users' tables wherever they
    are.
    """
    structure = _structure(catalog, scenario)
    found = {name: _decide(structure, name) for name in _looked_at(structure, scenario)}
    decided = {name: tenancy for name, tenancy in found.items() if tenancy is not None}
    completed = {name: _with_seeding(scenario.tables.get(name), tenancy) for name, tenancy in decided.items()}
    return dict(sorted({**scenario.tables, **completed}.items()))


def _with_seeding(declared: Tenancy | None, decided: Tenancy) -> Tenancy:
    """A declaration that names neither tenant nor owner, with what was inferred; any other is the decision."""
    if declared is None or declared.decided:
        return decided
    return replace(declared, tenant=decided.tenant, owner=decided.owner)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Structure:
    """The facts that decisions rest on.

    `tenant_columns` and `user_columns` hold, by relation, the columns whose value is a tenant's or a user's id
    because a chain of foreign keys ends in the tenants' or users' table; `reaching` are tables from which NOT
    NULL foreign keys lead to a tenant, by whatever way.
    """

    catalog: Catalog
    declared: Mapping[QName, Tenancy]
    anchors: Mapping[QName, str]
    """Relation -> its tenant column, where the scenario says so: the tenants' table, membership tables."""
    memberships: tuple[Membership, ...]
    tenant_columns: Mapping[QName, frozenset[str]]
    user_columns: Mapping[QName, frozenset[str]]
    user_tables: frozenset[QName]
    reaching: frozenset[QName]
    undecided: frozenset[QName]
    """Relations that the scenario calls so: they are no step of a path either."""


def _structure(catalog: Catalog, scenario: Scenario) -> _Structure:
    declared = {name: tenancy for name, tenancy in scenario.tables.items() if tenancy.decided}
    tenants = _referenced(catalog, ((m.table, m.tenant) for m in scenario.memberships[:1]))
    users = _referenced(catalog, ((m.table, m.user) for m in scenario.memberships))
    if AUTH_USERS in catalog.relations:
        users |= {(AUTH_USERS, "id")}
    # Memberships after the first may be of groups inside a tenant: their column is then a group's id.
    anchors = dict([*tenants, *((m.table, m.tenant) for m in scenario.memberships[:1])])
    said = {(name, t.tenant.path[0]) for name, t in declared.items() if t.tenant and len(t.tenant.path) == 1}
    structure = _Structure(
        catalog=catalog,
        declared=declared,
        anchors=anchors,
        memberships=scenario.memberships,
        tenant_columns=carriers(catalog, {*anchors.items(), *said}),
        user_columns=carriers(catalog, users),
        user_tables=frozenset(name for name, _column in users),
        reaching=frozenset(),
        undecided=frozenset(name for name, tenancy in scenario.tables.items() if tenancy.undecided),
    )
    return replace(structure, reaching=_reaching(structure))


def _looked_at(structure: _Structure, scenario: Scenario) -> Iterator[QName]:
    schemas = set(scenario.database.schemas)
    always = {*structure.anchors, *structure.user_tables, *(m.table for m in scenario.memberships)}
    return (name for name in structure.catalog.relations if name.schema in schemas or name in always)


def _referenced(catalog: Catalog, columns: Iterable[Key]) -> set[Key]:
    """The columns that these columns reference."""
    wanted = set(columns)
    return {target for source, target in links(catalog) if source in wanted}


def _reaching(structure: _Structure) -> frozenset[QName]:
    tables = structure.catalog.relations
    found = {*structure.anchors, *(n for n, tenancy in structure.declared.items() if tenancy.tenant is not None)}
    found |= {name for name, table in tables.items() if _firm_columns(structure, table)}
    found |= {name for name, table in tables.items() if _nullable_column(structure, table)}
    grown = True
    while grown:
        fresh = {
            name
            for name, table in tables.items()
            if name not in found
            and name not in structure.declared
            and name not in structure.undecided
            and any(key.references in found for key in firm_keys(table))
        }
        found |= fresh
        grown = bool(fresh)
    return frozenset(found - structure.undecided)


def _decide(structure: _Structure, name: QName) -> Tenancy | None:
    if name in structure.declared:
        return structure.declared[name]
    relation = structure.catalog.relations.get(name)
    if relation is None or name in structure.undecided:
        return None
    if relation.parent is not None and relation.partition_bound:
        return _decide(structure, relation.parent)
    if relation.kind in VIEWS:
        tenant, owner = _of_view(structure, relation)
    else:
        tenant, owner = _tenant_path(structure, name), _owner(structure, relation)
    if not tenant and (not owner or _ways(structure, relation)):
        return None  # no way to a tenant and no owner; or several ways, and then an owner alone would mislead
    return Tenancy(tenant=Locator(path=tenant) if tenant else None, owner=Locator(path=owner) if owner else None)


def _tenant_path(structure: _Structure, name: QName) -> tuple[str, ...]:
    """The columns that lead from a table's row to its tenant, empty where that is not certain.

    Ends because a step goes to the one table that leads further: a circle without an exit is not `reaching`,
    and a circle with one has two ways at the exit.
    """
    if name in structure.declared:
        declared = structure.declared[name].tenant
        return declared.path if declared is not None else ()
    if name in structure.anchors:
        return (structure.anchors[name],)
    table = structure.catalog.relations.get(name)
    if table is None or table.kind in VIEWS:
        return ()
    firm = _firm_columns(structure, table)
    if firm:
        return firm if len(firm) == 1 else ()
    ways = _ways(structure, table)
    return _along(structure, ways) if ways else _nullable_column(structure, table)


def _ways(structure: _Structure, table: Relation) -> list[Constraint]:
    """The NOT NULL foreign keys that lead towards a tenant.  A table whose tenant is an expression is no step."""
    return [
        key
        for key in firm_keys(table)
        if key.references in structure.reaching and not _by_expression(structure, key.references)
    ]


def _by_expression(structure: _Structure, name: QName | None) -> bool:
    declared = structure.declared.get(name) if name is not None else None
    return declared is not None and declared.tenant is not None and not declared.tenant.path


def _along(structure: _Structure, ways: Sequence[Constraint]) -> tuple[str, ...]:
    """The path by the only foreign key that leads to a tenant; of several, or by a composite one, none."""
    target = ways[0].references
    if len(ways) != 1 or len(ways[0].columns) != 1 or target is None:
        return ()
    rest = _tenant_path(structure, target)
    return (*ways[0].columns, *rest) if rest else ()


def _firm_columns(structure: _Structure, table: Relation) -> tuple[str, ...]:
    """The NOT NULL columns of a table that hold a tenant's id."""
    held = structure.tenant_columns.get(table.name, frozenset())
    return tuple(column.name for column in table.columns if column.name in held and column.not_null)


def _nullable_column(structure: _Structure, table: Relation) -> tuple[str, ...]:
    """A column that may be NULL, only if it is called as in the membership table: rows of no tenant are common.

    In a table of users it is a pointer (the organization that is open now) and says nothing.
    """
    if structure.user_columns.get(table.name, frozenset()).intersection(table.primary_key):
        return ()
    usual = {membership.tenant for membership in structure.memberships[:1]}
    return tuple(usual & structure.tenant_columns.get(table.name, frozenset()))


def _owner(structure: _Structure, table: Relation) -> tuple[str, ...]:
    """The column that names the user a row belongs to, empty where that is not certain."""
    for membership in structure.memberships:
        if membership.table == table.name:
            return (membership.user,)
    pointers = structure.user_columns.get(table.name, frozenset())
    firm = [column.name for column in table.columns if column.name in pointers and column.not_null]
    named = [name for name in firm if name in OWNER_NAMES]
    chosen = firm if len(firm) == 1 else named
    return tuple(chosen) if len(chosen) == 1 else ()


def _of_view(structure: _Structure, view: Relation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A view's tenant and owner columns: those called as in the relations it reads, where they agree."""
    bases = [(structure.catalog.relations[name], _decide(structure, name)) for name in view.base_relations]
    tenants = [(base, tenancy.tenant if tenancy else None) for base, tenancy in bases]
    owners = [(base, tenancy.owner if tenancy else None) for base, tenancy in bases]
    return _shown(view, tenants), _shown(view, owners)


def _shown(view: Relation, bases: Sequence[tuple[Relation, Locator | None]]) -> tuple[str, ...]:
    """The one column that some bases are located by and that no other base has in another meaning."""
    located = {locator.path[0] for _base, locator in bases if locator is not None and len(locator.path) == 1}
    certain = [
        name
        for name in located.intersection(view.column_names)
        if all(
            name not in base.column_names or (locator is not None and locator.path == (name,))
            for base, locator in bases
        )
    ]
    return (certain[0],) if len(certain) == 1 else ()
