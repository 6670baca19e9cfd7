"""Which rows each table should get, in the words of tenants and owners; values come later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tenantproof.core.errors import UsageError, did_you_mean
from tenantproof.core.model import Membership, Persona, QName
from tenantproof.seeding.cast import Cast
from tenantproof.seeding.plan import TablePlan
from tenantproof.seeding.rows import Want
from tenantproof.seeding.store import Store

_FEW = 3
_SYSTEM_ROWS = 2
_DRAFTS_WITHOUT_TENANT = 2
_MOST_PARTITIONS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenanted:
    """Tables whose rows hang on tenants, by declaration or by a foreign key to such a table."""

    tables: frozenset[QName]
    tenants: QName | None

    def __contains__(self, table: TablePlan) -> bool:
        return table.name in self.tables


def rows_wanted(
    table: TablePlan, cast: Cast, store: Store, tenanted: Tenanted, slots: int, variety: int
) -> Iterator[Want]:
    """The rows to seed, in a fixed order; *slots* are the table's partitions, *variety* its kinds of rows."""
    few = max(_FEW, table.tenancy.rows, min(slots, _MOST_PARTITIONS), variety) + table.only_child
    if table.memberships:
        for membership in table.memberships:
            yield from _memberships(table, membership, cast, store, tenanted)
    elif table.is_tenants:
        yield from _tenants(table, cast, store)
    elif table.user_column is not None:
        yield from _users(table, table.user_column, cast, store)
    elif _by_tenant(table, tenanted):
        yield from _tenant_rows(table, cast, few)
        yield from _system_rows(table, cast)
    elif table.by_owner:
        yield from _owner_rows(table, cast, few)
    else:
        missing = max(0, few - len(store.of(table.name)))
        for turn in range(missing):
            yield Want(turn=turn)


def drafts_wanted(table: TablePlan, cast: Cast, store: Store, tenanted: Tenanted) -> Iterator[Want]:
    """The rows that a persona may try to insert, in a fixed order."""
    if table.is_tenants and not table.memberships:
        yield from _per_actor(table, cast.users)
    elif table.memberships or _by_tenant(table, tenanted):
        role = _weakest_role(table, cast, store)
        for tenant in cast.tenant_ids:
            for want in _per_actor(table, (*cast.members(tenant), *cast.strangers(tenant))):
                yield replace(want, tenant=tenant, fixed=role)
            if table.memberships:
                yield Want(tenant=tenant, owner=cast.spares[tenant], fixed=role)
        yield from _drafts_without_tenant(table, cast)
    elif table.by_owner:
        yield from _per_actor(table, cast.users)
        if table.one_per_owner:
            yield Want(owner=cast.spares[None])
    else:
        for turn in range(_DRAFTS_WITHOUT_TENANT):
            yield Want(turn=turn)


def _by_tenant(table: TablePlan, tenanted: Tenanted) -> bool:
    if table.tenancy.tenant is not None:
        return True
    return not table.tenancy.decided and table in tenanted


def _per_actor(table: TablePlan, actors: tuple[Persona, ...]) -> Iterator[Want]:
    for turn, persona in enumerate(actors):
        yield Want(owner=persona.user_id if table.by_owner else None, actor=persona.user_id, turn=turn)


def _weakest_role(table: TablePlan, cast: Cast, store: Store) -> Mapping[str, str | None]:
    """Drafts of memberships ask for the weakest role: the one that whoever may add members may give."""
    return {m.role: role_value(table, m, cast.roles[-1], store) for m in table.memberships if m.role and cast.roles}


def _drafts_without_tenant(table: TablePlan, cast: Cast) -> Iterator[Want]:
    column = table.tenant_column
    if column is None or table.relation.column(column).not_null:
        return
    if table.by_owner:
        yield from _per_actor(table, cast.users)
    if table.owner_column is None or not table.relation.column(table.owner_column).not_null:
        # A system row may have to be nobody's.
        yield Want()


def _memberships(
    table: TablePlan, membership: Membership, cast: Cast, store: Store, tenanted: Tenanted
) -> Iterator[Want]:
    turn = 0
    for persona in cast.users:
        for member in persona.memberships:
            fixed: dict[str, str | None] = {membership.user: persona.user_id}
            if _is_tenant_id(table, membership, tenanted):
                fixed[membership.tenant] = cast.tenant_ids[member.tenant]
            if membership.role is not None and member.role is not None:
                fixed[membership.role] = role_value(table, membership, member.role, store)
            keys = {column: fixed[column] for column in (membership.user, membership.tenant) if column in fixed}
            if not store.matching(table.name, keys):
                yield Want(tenant=member.tenant, owner=persona.user_id, fixed=fixed, turn=turn)
            turn += 1


def _is_tenant_id(table: TablePlan, membership: Membership, tenanted: Tenanted) -> bool:
    keys = [key for key in table.foreign_keys if membership.tenant in key.columns]
    return not keys or tenanted.tenants is None or any(key.references == tenanted.tenants for key in keys)


def role_value(table: TablePlan, membership: Membership, role: str, store: Store) -> str:
    """What the role column holds: the role's name, or the key of the row of a roles table that bears it.

    Raises UsageError where the column's enum has no such value.
    """
    name = membership.role or ""
    column = table.relation.column(name)
    if column.enum_values and role not in column.enum_values:
        raise UsageError(
            f"the role '{role}' is not a value of {table.name}.{name}: {did_you_mean(role, column.enum_values)}"
        )
    for key in table.foreign_keys:
        if key.columns == (name,) and key.references is not None:
            named = (row for row in store.of(key.references) if role in row.values.values())
            return next((row.values[key.ref_columns[0]] or role for row in named), role)
    return role


def _tenants(table: TablePlan, cast: Cast, store: Store) -> Iterator[Want]:
    column = table.tenant_column or table.relation.primary_key[0]
    for turn, (tenant, tenant_id) in enumerate(cast.tenant_ids.items()):
        if not store.matching(table.name, {column: tenant_id}):
            first = next(iter(cast.members(tenant)), None)
            owner = first.user_id if first and table.by_owner else None
            actor = first.user_id if first else None
            yield Want(tenant=tenant, owner=owner, actor=actor, fixed={column: tenant_id}, turn=turn)


def _users(table: TablePlan, column: str, cast: Cast, store: Store) -> Iterator[Want]:
    for turn, persona in enumerate(cast.users):
        homeless = not persona.tenants and table.tenant_column is not None
        if homeless and table.relation.column(table.tenant_column or "").not_null:
            continue
        if not store.matching(table.name, {column: persona.user_id}):
            tenant = next(iter(persona.tenants), None) if table.tenancy.tenant else None
            yield Want(tenant=tenant, owner=persona.user_id, fixed={column: persona.user_id}, turn=turn)


def _tenant_rows(table: TablePlan, cast: Cast, few: int) -> Iterator[Want]:
    for tenant in cast.tenant_ids:
        members = cast.members(tenant)
        # The row that nothing refers to is one more: rows that belong to its owner need a parent of that owner.
        count = max(few, len(members) * (_FEW if table.paired else 1) + table.has_children) if table.by_owner else few
        for turn in range(count):
            owner = members[turn % len(members)].user_id if table.by_owner and members else None
            yield Want(tenant=tenant, owner=owner, turn=turn, childless=table.has_children and turn == count - 1)


def _system_rows(table: TablePlan, cast: Cast) -> Iterator[Want]:
    column = table.tenant_column or (
        table.tenancy.tenant.path[0] if _has_path(table) and table.tenancy.tenant else None
    )
    if column is None or column in table.tenancy.values or table.relation.column(column).not_null:
        return
    owner_column = table.owner_column
    required = owner_column is not None and table.relation.column(owner_column).not_null
    owner = cast.users[0].user_id if required and cast.users else None
    for turn in range(_SYSTEM_ROWS):
        yield Want(owner=owner, turn=turn, fixed={column: None})


def _has_path(table: TablePlan) -> bool:
    return table.tenancy.tenant is not None and bool(table.tenancy.tenant.path)


def _owner_rows(table: TablePlan, cast: Cast, few: int) -> Iterator[Want]:
    # Rows that are joined two by two: three of them leave pairs free for drafts, whichever way round pairs count.
    rounds = _FEW if table.paired and not table.one_per_owner else 1
    for number in range(rounds):
        for turn, persona in enumerate(cast.users):
            yield Want(owner=persona.user_id, turn=turn + number)
    for tenant in cast.tenant_ids:
        members = cast.members(tenant)
        count = max(few, len(members) + table.has_children) if members else 0
        for turn in range(len(members), count):
            owner = members[turn % len(members)].user_id
            yield Want(owner=owner, turn=turn, childless=table.has_children and turn == count - 1)
