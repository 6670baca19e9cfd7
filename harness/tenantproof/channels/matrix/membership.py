"""Raising oneself: a stronger role, or a place in another tenant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from psycopg import sql

from tenantproof.channels import statements
from tenantproof.channels.columns import insertable
from tenantproof.channels.registry import channel
from tenantproof.channels.stand import Stand
from tenantproof.core.attempt import Attempt, Deed, Form
from tenantproof.core.model import Command, Membership
from tenantproof.core.world import Draft, Row


def has_role(membership: Membership, role: str) -> str:
    """The predicate over a membership row that says what somebody is there."""
    column = sql.Identifier(membership.role or "")
    return sql.SQL("{} = {}").format(column, sql.Literal(role)).as_string(None)


@channel(
    "MEMBER-PROMOTE",
    command=Command.UPDATE,
    title="Members raise their own role in {object}.",
    fix="Let nobody change the role column of their own row: a column grant without it, a restrictive policy "
    "(user_id <> auth.uid()), or a function that checks who promotes whom.",
    cwe=269,
)
def promote_oneself(stand: Stand) -> Iterator[Attempt]:
    """A policy that lets people edit their own membership row (to leave, to accept, to set preferences) lets them
    edit its role column too."""
    membership = stand.membership
    if membership is None or membership.role is None or not stand.holds("UPDATE"):
        return
    if membership.role not in stand.writable("UPDATE"):
        return
    for row, role in _stronger(stand):
        changes = statements.values_of({membership.role: role})
        yield Attempt(
            relation=stand.name,
            command=Command.UPDATE,
            channel="MEMBER-PROMOTE",
            form=Form.BLIND,
            sql=statements.update(stand.through, changes),
            deed=Deed(through=stand.through, values=changes),
            aim=f"become {role}",
            goal=has_role(membership, role),
            watch=stand.watch[Command.UPDATE],
            stage=stand.alone(row),
        )


@channel(
    "MEMBER-JOIN",
    command=Command.INSERT,
    title="People make themselves members of a tenant by adding a row to {object}.",
    fix="Let only people who already hold a strong enough role in the row's tenant add members, and let invitations be "
    "accepted by a function that checks them.",
    cwe=269,
)
def join_a_tenant(stand: Stand) -> Iterator[Attempt]:
    """A policy that compares only user_id with the caller (so that people can accept an invitation) lets anybody join
    any tenant, with any role."""
    membership = stand.membership
    if membership is None or not stand.holds("INSERT") or stand.persona.user_id is None:
        return
    for draft in _one_per_tenant(stand):
        values = {**draft.values, membership.user: stand.persona.user_id}
        if membership.role is not None and stand.roles:
            values[membership.role] = stand.roles[0]
        given = statements.values_of(insertable(stand, values))
        yield Attempt(
            relation=stand.name,
            command=Command.INSERT,
            channel="MEMBER-JOIN",
            form=Form.VALUES,
            sql=statements.insert(stand.through, given),
            deed=Deed(through=stand.through, values=given),
            aim="join another tenant with the strongest role",
            watch=stand.watch[Command.INSERT],
            row=Row(key=(), tenant=draft.tenant, owner=stand.persona.user_id),
        )


def _one_per_tenant(stand: Stand) -> Iterable[Draft]:
    chosen: dict[str, Draft] = {}
    for draft in stand.drafts:
        if draft.tenant in stand.foreign_tenants:
            chosen.setdefault(draft.tenant, draft)
    return chosen.values()


def _stronger(stand: Stand) -> Iterator[tuple[Row, str]]:
    """Own membership rows, each with every role stronger than the one held there."""
    for member in stand.persona.memberships:
        tenant = stand.tenant_ids.get(member.tenant)
        row = next((r for r in stand.rows if r.tenant == tenant and r.owner == stand.persona.user_id), None)
        if row is not None and member.role in stand.roles:
            for role in stand.roles[: stand.roles.index(member.role)]:
                yield row, role
