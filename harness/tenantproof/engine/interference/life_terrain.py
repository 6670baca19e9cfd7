"""What of the schema takes part in membership life: membership tables, invitations, marks of deletion, children."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tenantproof.channels.columns import settable
from tenantproof.core.catalog import Column, Constraint, Relation
from tenantproof.core.model import Membership, QName
from tenantproof.core.world import Draft, Key
from tenantproof.engine.interference.facts import contents_of, contents_query
from tenantproof.engine.plan import Plan
from tenantproof.engine.wire import Wire

Values = Mapping[str, str | None]

_DELETION = frozenset({"deleted_at", "archived_at", "is_deleted", "is_archived", "deleted", "archived"})
_INVITEE = ("user_id", "invitee_id", "invited_user_id", "recipient_id", "profile_id")
_ACCEPTANCE: Mapping[str, str] = {
    "accepted_at": "2026-01-02 00:00:00+00",
    "accepted": "true",
    "is_accepted": "true",
    "status": "accepted",
    "state": "accepted",
}
_SHOWN_ROWS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """One membership table: which role a value of its role column means, and rows to make new ones after."""

    membership: Membership
    relation: Relation
    roles: Mapping[str, str]
    """Role of the scenario -> what the column holds."""
    templates: Mapping[tuple[str, str | None], Values]
    """(tenant id, user id or None) -> the columns of a membership row of that tenant."""
    seat: bool
    """Whether the row is the user's own: then people are moved and put out, and their row stays."""

    def role_of(self, value: str | None) -> str | None:
        """The scenario's name for what stands in the role column."""
        return next((role for role, held in self.roles.items() if held == value), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitations:
    """A table of invitations, recognised by its name and by a column that names who is invited."""

    relation: Relation
    invitee: Column
    tenant: str
    drafts: Mapping[str, Draft]
    """Tenant id -> a valid row."""
    acceptance: Values
    """What is written into an invitation that is accepted; empty where there is nothing to write."""
    accepted_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A row that can be marked as deleted."""

    relation: Relation
    column: Column
    key: Key
    tenant: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moving:
    """A row that can be hung on another parent; `changes` are all columns that say so."""

    relation: Relation
    parent: QName
    key: Key
    changes: Values
    source: str
    """Name of its tenant."""
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Terrain:
    """Everything that the moves need to know."""

    rolls: tuple[Roll, ...]
    invitations: Invitations | None
    marked: tuple[Marked, ...]
    moving: tuple[Moving, ...]
    tenants: tuple[Relation, ...]
    """The tables of the tenants themselves."""


def survey(wire: Wire, plan: Plan) -> Terrain:
    """Read what is needed.  The wire's session must be the observer."""
    wire.restart(())
    names = sorted({*plan.watches, *(m.table for m in plan.scenario.memberships)})
    relations = [plan.catalog.relations[name] for name in names if plan.catalog.relations[name].is_table]
    answers = wire.run([(contents_query(relation),) for relation in relations])
    contents = {
        relation.name: {
            key: dict(zip(relation.column_names, values, strict=True))
            for key, values in contents_of(said[-1].rows).items()
        }
        for relation, said in zip(relations, answers, strict=True)
    }
    return Terrain(
        rolls=tuple(_rolls(plan, contents)),
        invitations=next(_invitations(plan), None),
        marked=tuple(_marked(plan)),
        moving=tuple(_moving(plan, contents)),
        tenants=tuple(_tenant_tables(plan)),
    )


_Contents = Mapping[QName, Mapping[Key, Values]]


def _rolls(plan: Plan, contents: _Contents) -> Iterator[Roll]:
    ids = set(plan.manifest.tenant_ids.values())
    for membership in plan.scenario.memberships:
        relation = plan.catalog.relations[membership.table]
        rows = list(contents.get(membership.table, {}).values())
        if not any(row[membership.tenant] in ids for row in rows):
            continue
        templates: dict[tuple[str, str | None], Values] = {}
        for row in rows:
            copied = _copied(relation, membership, row)
            tenant = row[membership.tenant] or ""
            templates.setdefault((tenant, None), copied)
            templates[tenant, row[membership.user]] = copied
        yield Roll(
            membership=membership,
            relation=relation,
            roles=_roles(plan, membership, rows),
            templates=templates,
            seat=relation.primary_key == (membership.user,),
        )


def _roles(plan: Plan, membership: Membership, rows: Sequence[Values]) -> Mapping[str, str]:
    """Learned from the rows of the personas, since a column may hold the key of a roles table."""
    if membership.role is None:
        return {}
    found: dict[str, str] = {}
    for persona in plan.manifest.personas:
        for member in persona.memberships:
            tenant = plan.manifest.tenant_ids[member.tenant]
            for row in rows:
                held = row[membership.role]
                if (
                    row[membership.user] == persona.user_id
                    and row[membership.tenant] == tenant
                    and member.role
                    and held
                ):
                    found.setdefault(member.role, held)
    return {role: found[role] for role in plan.scenario.roles if role in found}


def _copied(relation: Relation, membership: Membership, row: Values) -> Values:
    """The columns of a row that a new membership may share with it: not keys that the database makes."""
    bound = {membership.user, membership.tenant}
    alone = {
        name
        for index in relation.indexes
        if index.unique and membership.user not in index.columns
        for name in index.columns
        if name and name not in bound
    }
    return {
        column.name: row[column.name]
        for column in relation.columns
        if settable(column) and not column.identity and not (column.name in alone and _optional(column))
    }


def _optional(column: Column) -> bool:
    return column.default is not None or not column.not_null


def _invitations(plan: Plan) -> Iterator[Invitations]:
    for relation in plan.relations:
        tenancy = plan.tenancy_of(relation.name)
        tenant = tenancy.tenant.path if tenancy.tenant is not None else ()
        by_tenant: dict[str, Draft] = {}
        for draft in plan.manifest.drafts.get(relation.name, ()):
            if draft.tenant is not None and draft.replaces is None:
                by_tenant.setdefault(draft.tenant, draft)
        invitee = _invitee(relation)
        if "invit" not in relation.name.name.lower() or len(tenant) != 1 or invitee is None or not by_tenant:
            continue
        if relation.is_table and not any(m.table == relation.name for m in plan.scenario.memberships):
            yield Invitations(
                relation=relation,
                invitee=invitee,
                tenant=tenant[0],
                drafts=by_tenant,
                acceptance=_acceptance(relation),
                accepted_by="accepted_by" if "accepted_by" in relation.column_names else None,
            )


def _invitee(relation: Relation) -> Column | None:
    by_mail = (column for column in relation.columns if "email" in column.name.lower())
    by_user = (column for column in relation.columns if column.name.lower() in _INVITEE)
    return next(by_mail, None) or next(by_user, None)


def _acceptance(relation: Relation) -> Values:
    found: dict[str, str | None] = {}
    for column in relation.columns:
        value = _ACCEPTANCE.get(column.name)
        if value is not None and settable(column) and (not column.enum_values or value in column.enum_values):
            found[column.name] = value
    return found


def _marked(plan: Plan) -> Iterator[Marked]:
    rolls = {membership.table for membership in plan.scenario.memberships}
    for relation in plan.relations:
        column = next((c for c in relation.columns if c.name in _DELETION and c.category in "DB"), None)
        if column is None or relation.name in rolls or not relation.is_table or not relation.primary_key:
            continue
        seen: dict[str, int] = {}
        for row in plan.world.rows.get(relation.name, ()):
            name = plan.world.tenant_name(row.tenant)
            if name is not None and row.seeded and seen.setdefault(name, 0) < _SHOWN_ROWS:
                seen[name] += 1
                yield Marked(relation=relation, column=column, key=row.key, tenant=name)


def _moving(plan: Plan, contents: _Contents) -> Iterator[Moving]:
    for relation in plan.relations:
        locator = plan.tenancy_of(relation.name).tenant
        if not relation.is_table or not relation.primary_key or locator is None or not locator.path:
            continue
        if relation.name in contents and _alone(plan, relation):
            for foreign_key in relation.foreign_keys:
                follows = locator.path[0] in foreign_key.columns and len(locator.path) > 1
                if follows or len(locator.path) == 1:
                    carried = "" if follows else locator.path[0]
                    yield from _moves_along(plan, contents, relation, foreign_key, carried)


def _alone(plan: Plan, relation: Relation) -> bool:
    """Whether moving a row leaves nothing behind: rows that refer to it have their tenant from it, or none."""
    if any(relation.name == m.table for m in plan.scenario.memberships) or _is_tenants(plan, relation):
        return False
    for other in plan.catalog.relations.values():
        for key in other.foreign_keys:
            if key.references != relation.name:
                continue
            locator = plan.tenancy_of(other.name).tenant
            if locator is None:
                continue
            through = len(locator.path) > 1 and locator.path[0] in key.columns
            if other.name == relation.name or not through or not _alone(plan, other):
                return False
    return True


def _moves_along(
    plan: Plan, contents: _Contents, relation: Relation, key: Constraint, tenant_column: str
) -> Iterator[Moving]:
    """The first row of each tenant, to another parent of its tenant and to the first parent of each other tenant."""
    parent = plan.catalog.relations.get(key.references) if key.references is not None else None
    if parent is None or plan.tenancy_of(parent.name).tenant is None or parent.name not in contents:
        return
    if _is_tenants(plan, parent) or any(parent.name == m.table for m in plan.scenario.memberships):
        return
    children = _by_tenant(plan, relation)
    parents = _by_tenant(plan, parent)
    for source, keys in children.items():
        now = contents[relation.name][keys[0]]
        for target, others in parents.items():
            for other in others[:_SHOWN_ROWS]:
                row = contents[parent.name][other]
                given = {own: row[theirs] for own, theirs in zip(key.columns, key.ref_columns, strict=True)}
                if tenant_column:
                    given[tenant_column] = plan.manifest.tenant_ids[target]
                if any(now[column] != value for column, value in given.items()):
                    yield Moving(
                        relation=relation, parent=parent.name, key=keys[0], changes=given, source=source, target=target
                    )
                    break


def _by_tenant(plan: Plan, relation: Relation) -> Mapping[str, list[Key]]:
    found: dict[str, list[Key]] = {}
    for row in sorted(plan.world.rows.get(relation.name, ()), key=lambda row: tuple(map(str, row.key))):
        name = plan.world.tenant_name(row.tenant)
        if name is not None and row.seeded:
            found.setdefault(name, []).append(row.key)
    return {name: found[name] for name in plan.manifest.tenant_ids if name in found}


def _is_tenants(plan: Plan, relation: Relation) -> bool:
    tenant = plan.tenancy_of(relation.name).tenant
    return tenant is not None and len(relation.primary_key) == 1 and tenant.path == relation.primary_key


def _tenant_tables(plan: Plan) -> Iterator[Relation]:
    for name in plan.watches:
        relation = plan.catalog.relations[name]
        if relation.is_table and _is_tenants(plan, relation):
            yield relation
