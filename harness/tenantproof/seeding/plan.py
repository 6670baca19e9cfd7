"""Which tables get rows, in which order, and what is special about each: pure, from catalog and scenario."""

from __future__ import annotations

import graphlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tenantproof.core.catalog import Catalog, Constraint, ConstraintKind, Relation
from tenantproof.core.model import Locator, Membership, Platform, QName, Scenario, Tenancy
from tenantproof.seeding.checks import Hints, Rules, identifiers_in, merge, read_checks, read_domain_checks
from tenantproof.seeding.softkeys import keys_of
from tenantproof.seeding.store import UniqueKey

AUTH_USERS = QName("auth", "users")
AUTH_IDENTITIES = QName("auth", "identities")
Keys = Mapping[QName, Sequence[Constraint]]
"""What each table refers to."""
_SERVICE_SCHEMAS = frozenset({"auth", "storage", "realtime", "vault", "extensions"})
"""Tables of Supabase's own services: what their columns may hold together is known to the services alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePlan:
    """One table to fill."""

    relation: Relation
    tenancy: Tenancy
    early: tuple[Constraint, ...]
    """Foreign keys to tables that are filled before (or to itself)."""
    late: tuple[Constraint, ...] = ()
    """Foreign keys of a cycle: bound when all rows are made."""
    memberships: tuple[Membership, ...] = ()
    is_tenants: bool = False
    user_column: str | None = None
    """For a table of users: the column that holds the user id."""
    rules: Rules = field(default_factory=Rules)
    unique: tuple[UniqueKey, ...] = ()
    unique_columns: frozenset[str] = frozenset()
    """Columns in any unique index, expressions included."""
    apart: frozenset[str] = frozenset()
    """Columns of exclusion constraints, whose instants lie days apart so that ranges made of them do not overlap."""
    varied: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Columns that a `where:` scope names, with the literals it compares them with: their values alternate."""
    varies: bool = False
    """Whether its rows differ in their states: not rows of tenants, users and memberships, nor of platform services."""
    referenced: frozenset[str] = frozenset()
    """Columns that foreign keys refer to."""
    has_children: bool = False
    paired: bool = False
    """Whether a row of another table joins two of its rows that belong to one user."""
    only_child: bool = False
    """Whether one of its rows can have one row only in a table that refers to it."""

    @property
    def name(self) -> QName:
        return self.relation.name

    @property
    def foreign_keys(self) -> tuple[Constraint, ...]:
        return self.early + self.late

    @property
    def tenant_column(self) -> str | None:
        """The column that holds the tenant id itself."""
        return _single(self.tenancy.tenant)

    @property
    def owner_column(self) -> str | None:
        """The column that holds the owner's user id itself."""
        return _single(self.tenancy.owner) or next((m.user for m in self.memberships), None) or self.user_column

    @property
    def locating(self) -> frozenset[str]:
        """Columns that say whose a row is: where paths begin, what expressions read, what memberships name."""
        found = {column for m in self.memberships for column in (m.user, m.tenant, m.role) if column}
        for locator in (self.tenancy.tenant, self.tenancy.owner):
            if locator is not None:
                found |= {locator.path[0]} if locator.path else set(identifiers_in(locator.sql))
        found |= {column for column in (self.tenant_column, self.owner_column) if column}
        return frozenset(found)

    @property
    def one_per_owner(self) -> bool:
        """Whether a user can have one row at most (profiles)."""
        return any(key.columns == (self.owner_column,) for key in self.unique)

    @property
    def by_owner(self) -> bool:
        return self.tenancy.owner is not None or bool(self.memberships) or self.user_column is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All tables to fill, parents first; `tenants` is the tenant table, where there is one."""

    tables: tuple[TablePlan, ...]
    tenants: QName | None
    tenant_key: str | None
    tenant_type: str
    """base_type of a tenant id."""
    user_type: str
    """base_type of a user id."""
    accounts: TablePlan | None = None
    """auth.users, where it is Supabase's; its rows are made first, by sign-up."""

    def table(self, name: QName) -> TablePlan | None:
        return next((table for table in self.tables if table.name == name), None)


def make_plan(catalog: Catalog, scenario: Scenario, tenancy: Mapping[QName, Tenancy]) -> Plan:
    """The plan for a scenario; raises nothing, tables that cannot be filled are found out later."""
    users = user_columns(catalog, scenario, tenancy)
    tenants, key = tenant_table(catalog, scenario, tenancy)
    keys = {n: keys_of(r, tenancy.get(n, Tenancy()), catalog) for n, r in catalog.relations.items()}
    names = _tables_to_fill(catalog, scenario, tenants, users, keys)
    order, late = _order(catalog, names, _bound_columns(scenario, tenancy), keys)
    whole = [
        _table_plan(catalog.relations[name], scenario, tenancy.get(name, Tenancy()), keys[name], late, tenants, users)
        for name in order
    ]
    tables = tuple(_with_children(table, whole) for table in whole)
    return Plan(
        tables=tables,
        tenants=tenants,
        tenant_key=key,
        tenant_type=_tenant_type(catalog, scenario, tenancy, tenants, key),
        user_type=_user_type(catalog, scenario, users),
        accounts=next((table for table in tables if table.name == AUTH_USERS and _has_accounts(scenario)), None),
    )


def _has_accounts(scenario: Scenario) -> bool:
    """Whether auth.users would be Supabase's; anybody may have a table of that name."""
    return scenario.database.platform is Platform.SUPABASE


def can_hold_dual(catalog: Catalog, scenario: Scenario) -> bool:
    """Whether every membership table can hold one user in two tenants: no unique key on the user column alone."""
    for membership in scenario.memberships:
        relation = catalog.relations.get(membership.table)
        for index in relation.indexes if relation else ():
            if index.unique and not index.predicate and set(index.columns) == {membership.user}:
                return False
        for constraint in relation.constraints if relation else ():
            unique = constraint.kind in (ConstraintKind.PRIMARY, ConstraintKind.UNIQUE)
            if unique and set(constraint.columns) == {membership.user}:
                return False
    return True


def tenant_table(
    catalog: Catalog, scenario: Scenario, tenancy: Mapping[QName, Tenancy]
) -> tuple[QName | None, str | None]:
    """The table whose key is the tenant id, and that key column; (None, None) where tenants are in claims only."""
    for membership in scenario.memberships:
        relation = catalog.relations.get(membership.table)
        for key in relation.foreign_keys if relation else ():
            if key.columns == (membership.tenant,) and key.references in catalog.relations:
                return key.references, key.ref_columns[0]
    for name in sorted(tenancy):
        relation, column = catalog.relations.get(name), _single(tenancy[name].tenant)
        if relation and relation.is_table and column and relation.primary_key == (column,):
            return name, column
    return None, None


def user_columns(catalog: Catalog, scenario: Scenario, tenancy: Mapping[QName, Tenancy]) -> dict[QName, str]:
    """Tables that list users (auth.users, and what memberships' user columns refer to): table -> id column."""
    found: dict[QName, str] = {}
    if _has_accounts(scenario) and AUTH_USERS in catalog.relations:
        found[AUTH_USERS] = "id"
    todo = [(m.table, m.user) for m in scenario.memberships]
    todo += [(name, _single(t.owner) or "") for name, t in sorted(tenancy.items())]
    while todo:
        table, column = todo.pop()
        relation = catalog.relations.get(table)
        for key in relation.foreign_keys if relation else ():
            membership = any(m.table == key.references for m in scenario.memberships)
            if key.columns == (column,) and key.references not in found and key.references and not membership:
                found[key.references] = key.ref_columns[0]
                todo.append((key.references, key.ref_columns[0]))
    return found


def _single(locator: Locator | None) -> str | None:
    return locator.path[0] if locator is not None and len(locator.path) == 1 else None


def _tables_to_fill(
    catalog: Catalog, scenario: Scenario, tenants: QName | None, users: Mapping[QName, str], keys: Keys
) -> frozenset[QName]:
    in_scope = (r for r in catalog.in_schemas(scenario.database.schemas) if r.is_table and not r.partition_bound)
    found = {relation.name for relation in in_scope}
    found |= {m.table for m in scenario.memberships} | set(users) | ({tenants} if tenants else set())
    todo = [name for name in found if name in catalog.relations]
    found = set(todo)
    while todo:
        for key in keys[todo.pop()]:
            if key.references is not None and key.references in catalog.relations and key.references not in found:
                found.add(key.references)
                todo.append(key.references)
    return frozenset(found)


def _bound_columns(scenario: Scenario, tenancy: Mapping[QName, Tenancy]) -> frozenset[tuple[QName, str]]:
    """Columns that say whose a row is: a cycle is not broken there."""
    bound = {(m.table, column) for m in scenario.memberships for column in (m.user, m.tenant)}
    for name, known in tenancy.items():
        bound |= {(name, locator.path[0]) for locator in (known.tenant, known.owner) if locator and locator.path}
    return frozenset(bound)


def _order(
    catalog: Catalog, names: frozenset[QName], bound: frozenset[tuple[QName, str]], keys: Keys
) -> tuple[tuple[QName, ...], frozenset[tuple[QName, QName]]]:
    graph = {
        name: {key.references for key in keys[name] if key.references and key.references in names} - {name}
        for name in sorted(names)
    }
    late: set[tuple[QName, QName]] = set()
    while True:
        try:
            sorter = graphlib.TopologicalSorter({n: sorted(parents) for n, parents in graph.items()})
            return tuple(sorter.static_order()), frozenset(late)
        except graphlib.CycleError as error:
            parents_first: list[QName] = error.args[1]
            edges = [(child, parent) for parent, child in itertools.pairwise(parents_first)]
            child, parent = min(edges, key=lambda edge: (_hardness(catalog, edge, bound), edge))
            graph[child].discard(parent)
            late.add((child, parent))


def _hardness(catalog: Catalog, edge: tuple[QName, QName], bound: frozenset[tuple[QName, str]]) -> int:
    """How badly a cycle is broken at an edge: nullable, no key and telling nothing of tenant or owner is best."""
    child, parent = edge
    relation = catalog.relations[child]
    keys = [key for key in relation.foreign_keys if key.references == parent]
    says_whose = any((child, column) in bound for key in keys for column in key.columns)
    required = any(all(relation.column(c).not_null for c in key.columns) for key in keys)
    in_key = any(set(key.columns) <= set(relation.primary_key) for key in keys)
    return 4 * says_whose + 2 * in_key + required


def _table_plan(
    relation: Relation,
    scenario: Scenario,
    tenancy: Tenancy,
    keys: Sequence[Constraint],
    late: frozenset[tuple[QName, QName]],
    tenants: QName | None,
    users: Mapping[QName, str],
) -> TablePlan:
    is_late = {k.name: (relation.name, k.references) in late for k in keys}
    memberships = tuple(m for m in scenario.memberships if m.table == relation.name)
    unique, columns = _unique(relation)
    return TablePlan(
        relation=relation,
        tenancy=tenancy,
        early=tuple(k for k in keys if not is_late[k.name]),
        late=tuple(k for k in keys if is_late[k.name]),
        memberships=memberships,
        is_tenants=relation.name == tenants,
        user_column=None if memberships else users.get(relation.name),
        rules=_rules(relation),
        unique=unique,
        unique_columns=columns,
        apart=_excluding(relation),
        varied=_varied(relation, scenario),
        varies=_may_vary(relation.name, scenario) and not (memberships or relation.name in (tenants, *users)),
    )


def _with_children(table: TablePlan, tables: Sequence[TablePlan]) -> TablePlan:
    keys = [(other, key) for other in tables for key in other.foreign_keys if key.references == table.name]
    special = table.is_tenants or bool(table.memberships) or table.user_column is not None
    return replace(
        table,
        referenced=frozenset(column for _, key in keys for column in key.ref_columns),
        # A key that is implied only keeps no row from being deleted.
        has_children=any(key in other.relation.foreign_keys for other, key in keys) and not special,
        paired=not special and any(_joins_two(other, table) for other in tables),
        only_child=any(set(u.columns) <= set(key.columns) for other, key in keys for u in other.unique),
    )


def _joins_two(other: TablePlan, table: TablePlan) -> bool:
    """Whether two keys lead to the table, and share the column that says whose the rows are."""
    keys = [key for key in other.foreign_keys if key.references == table.name and other.name != table.name]
    owned = [k for k in keys if table.owner_column is not None and table.owner_column in k.ref_columns]
    return any(set(a.columns) & set(b.columns) for a, b in itertools.combinations(owned, 2))


def _rules(relation: Relation) -> Rules:
    rules = read_checks(c.definition for c in relation.constraints if c.kind is ConstraintKind.CHECK)
    for column in relation.columns:
        if column.domain_checks:
            hints = read_domain_checks(column.domain_checks)
            rules.columns[column.name] = merge(rules.columns.get(column.name, Hints()), hints)
    return rules


def _unique(relation: Relation) -> tuple[tuple[UniqueKey, ...], frozenset[str]]:
    keys: dict[tuple[str, ...], UniqueKey] = {}
    for constraint in relation.constraints:
        if constraint.kind in (ConstraintKind.PRIMARY, ConstraintKind.UNIQUE):
            keys[constraint.columns] = UniqueKey(name=constraint.name, columns=constraint.columns)
    columns = {column for key in keys for column in key}
    for index in relation.indexes:
        if not index.unique:
            continue
        words = identifiers_in(f"{index.expressions}") & set(relation.column_names)
        columns |= {column for column in index.columns if column} | words
        if "" not in index.columns and not index.predicate:
            keys[index.columns] = UniqueKey(
                name=index.name, columns=index.columns, nulls_not_distinct=index.nulls_not_distinct
            )
    return tuple(keys.values()), frozenset(columns) | _excluding(relation)


def _excluding(relation: Relation) -> frozenset[str]:
    """Columns of exclusion constraints, those inside expressions included."""
    exclusion = [c for c in relation.constraints if c.kind is ConstraintKind.EXCLUSION]
    words = frozenset(word for constraint in exclusion for word in identifiers_in(constraint.definition))
    plain = frozenset(column for constraint in exclusion for column in constraint.columns)
    times = frozenset(column.name for column in relation.columns if column.category in "DR")
    return plain | (words & times)


def _may_vary(name: QName, scenario: Scenario) -> bool:
    return name.schema in scenario.database.schemas and name.schema not in _SERVICE_SCHEMAS


def _varied(relation: Relation, scenario: Scenario) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for expectation in scenario.expectations:
        if expectation.table in (None, relation.name):
            for scope in expectation.scopes:
                compared = read_checks([scope.predicate]).columns
                for word in sorted(identifiers_in(scope.predicate) & set(relation.column_names)):
                    literals = compared[word].choices if word in compared else ()
                    found[word] = tuple(dict.fromkeys((*found.get(word, ()), *literals)))
    return found


def _tenant_type(
    catalog: Catalog,
    scenario: Scenario,
    tenancy: Mapping[QName, Tenancy],
    tenants: QName | None,
    key: str | None,
) -> str:
    if tenants is not None and key is not None:
        return catalog.relations[tenants].column(key).base_type
    places = [(m.table, m.tenant) for m in scenario.memberships]
    places += [(name, _single(tenancy[name].tenant) or "") for name in sorted(tenancy)]
    return next(_types(catalog, places), "pg_catalog.uuid")


def _user_type(catalog: Catalog, scenario: Scenario, users: Mapping[QName, str]) -> str:
    places = [*((m.table, m.user) for m in scenario.memberships), *sorted(users.items())]
    return next(_types(catalog, places), "pg_catalog.uuid")


def _types(catalog: Catalog, places: list[tuple[QName, str]]) -> Iterator[str]:
    for table, column in places:
        relation = catalog.relations.get(table)
        if relation is not None and column in relation.column_names:
            yield relation.column(column).base_type
