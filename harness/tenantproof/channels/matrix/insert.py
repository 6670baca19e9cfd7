"""Adding rows: one's own, somebody else's, and rows planted in other tenants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from tenantproof.channels import statements
from tenantproof.channels.columns import anchors, insertable
from tenantproof.channels.registry import channel
from tenantproof.channels.stand import Stand
from tenantproof.core.attempt import Attempt, Deed, Form
from tenantproof.core.model import Command
from tenantproof.core.world import Draft, Row

_VARIANTS = 3
"""Drafts tried of one kind (tenant, oneself or another): they differ in states, marks and what is left empty."""


@channel(
    "INSERT",
    command=Command.INSERT,
    title="Rows can be planted in {object} for people who did not ask for them.",
    fix="Compare the new row's tenant (and owner) with the caller in the INSERT policy's WITH CHECK, and bind role "
    "checks to the row's tenant.",
)
def insert_rows(stand: Stand) -> Iterator[Attempt]:
    """An INSERT without RETURNING asks only the WITH CHECK of the INSERT policies.  Valid rows are tried for the own
    tenant and for every other one, with oneself and with others as the owner."""
    if not stand.holds("INSERT"):
        yield _witness(stand)
        return
    tried: Counter[tuple[str | None, str]] = Counter()
    for draft in stand.drafts:
        for values in (_as_mine(stand, draft), draft.values):
            kind = (draft.tenant, _owner_kind(stand, draft, values))
            mine = kind[1] == "oneself" or stand.tenancy.owner is None or stand.persona.user_id is None
            if tried[kind] < (_VARIANTS if mine else 1):
                tried[kind] += 1
                yield _insert(stand, draft, values)
    for draft in _one_of_each_tenant(stand):
        for values in (_in_my_name(stand, draft), _bare(stand, draft)):
            if values not in (draft.values, _as_mine(stand, draft)):
                yield _insert(stand, draft, values)


def _one_of_each_tenant(stand: Stand) -> Iterable[Draft]:
    chosen: dict[str | None, Draft] = {}
    for draft in stand.drafts:
        chosen.setdefault(draft.tenant, draft)
    return chosen.values()


def _in_my_name(stand: Stand, draft: Draft) -> Mapping[str, str | None]:
    """The draft with the persona in every column that refers to a user."""
    if stand.persona.user_id is None:
        return draft.values
    mine = {name: stand.persona.user_id for name in stand.user_columns if name in draft.values}
    return {**draft.values, **mine}


def _bare(stand: Stand, draft: Draft) -> Mapping[str, str | None]:
    """The draft with nothing in the columns that may be empty (no owner, no optional parent), but for the tenant's."""
    tenant = anchors(stand.relation, replace(stand.tenancy, owner=None))
    needed = {column.name for column in stand.relation.columns if column.not_null} | tenant
    return {name: value if name in needed else None for name, value in draft.values.items()}


def _witness(stand: Stand) -> Attempt:
    """Without the privilege the statement is refused before a value is looked at."""
    return Attempt(
        relation=stand.name,
        command=Command.INSERT,
        channel="INSERT",
        form=Form.VALUES,
        sql=statements.insert_defaults(stand.through),
        aim="add a row",
        watch=stand.watch[Command.INSERT],
        deed=Deed(through=stand.through),
    )


def _insert(stand: Stand, draft: Draft, values: Mapping[str, str | None]) -> Attempt:
    names = {id: name for name, id in stand.tenant_ids.items()}
    whose = names.get(draft.tenant or "", "nobody") if stand.tenancy.tenant else "a user"
    given = statements.values_of(insertable(stand, values))
    return Attempt(
        relation=stand.name,
        command=Command.INSERT,
        channel="INSERT",
        form=Form.VALUES,
        sql=statements.insert(stand.through, given),
        deed=Deed(through=stand.through, values=given),
        aim=f"add a row for {whose}",
        watch=stand.watch[Command.INSERT],
        row=Row(key=(), tenant=draft.tenant, owner=_owner_in(stand, draft, values)),
        stage=stand.without(draft.replaces) if draft.replaces is not None else None,
    )


def _as_mine(stand: Stand, draft: Draft) -> Mapping[str, str | None]:
    """The draft with the persona as its owner, where the owner is a column of its own."""
    owner = stand.tenancy.owner
    if owner is None or len(owner.path) != 1 or stand.persona.user_id is None:
        return draft.values
    return {**draft.values, owner.path[0]: stand.persona.user_id}


def _owner_kind(stand: Stand, draft: Draft, values: Mapping[str, str | None]) -> str:
    """Whether the row names the persona: as its owner, or anywhere where nobody declared which column the owner is."""
    me = stand.persona.user_id
    if me is None:
        return "another"
    named = _owner_in(stand, draft, values) == me if stand.tenancy.owner is not None else me in values.values()
    return "oneself" if named else "another"


def _owner_in(stand: Stand, draft: Draft, values: Mapping[str, str | None]) -> str | None:
    owner = stand.tenancy.owner
    return values.get(owner.path[0]) if owner is not None and len(owner.path) == 1 else draft.owner
