"""Changing rows: other people's rows, rows that move across the border, rows that are stolen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tenantproof.channels import statements
from tenantproof.channels.columns import anchors, bearings, constant, harmless, settable
from tenantproof.channels.registry import channel
from tenantproof.channels.stand import Stand
from tenantproof.core.attempt import Attempt, Deed, Form, Stage
from tenantproof.core.model import Command
from tenantproof.core.world import Draft, Row
from tenantproof.oracle.entitlement import Stance


@channel(
    "UPDATE",
    command=Command.UPDATE,
    title="Rows of {object} are changed by people who may not change them.",
    fix="Compare the row's tenant (and owner) with the caller in the UPDATE policy's USING, and bind role checks to "
    "the row's tenant.  Do not rely on the SELECT policy: an UPDATE that reads no column does not ask it.",
)
def change_rows(stand: Stand) -> Iterator[Attempt]:
    """An UPDATE without WHERE and RETURNING reads no column, so PostgreSQL asks the UPDATE policies alone; one with
    a WHERE must also pass the SELECT policies.  Both are tried, since the SELECT policy can hide a loose UPDATE
    policy."""
    if not stand.holds("UPDATE"):
        if stand.visible:
            yield _witness(stand)
        return
    column = harmless(stand, "UPDATE")
    if column is None:
        yield from _rewrite_keys(stand)
        return
    value = constant(stand, column)
    yield _update(stand, "UPDATE", Form.BLIND, {column: value}, "change every row, reading none")
    yield _update(stand, "UPDATE", Form.FILTERED, {column: value}, "change every row that can be found")
    signed = {column: value, **_signature(stand)}
    if len(signed) > 1:
        yield _update(stand, "UPDATE", Form.FILTERED, signed, "change every row that can be found, and sign it")


@channel(
    "UPDATE-MOVE",
    command=Command.UPDATE,
    title="Rows of {object} can be moved to people they were not meant for.",
    fix="Give the UPDATE policy a WITH CHECK that compares the new row's tenant (and owner) with the caller, or leave "
    "WITH CHECK out: PostgreSQL then applies USING to the new row too.",
)
def move_rows(stand: Stand) -> Iterator[Attempt]:
    """USING guards the row as it was.  With a loose WITH CHECK the row as it becomes is not compared with the caller,
    so a member can hand one of their rows to another tenant: planted data, or a row that vanishes from its own."""
    if not stand.holds("UPDATE"):
        return
    own = next(stand.rows_with(Command.UPDATE, Stance.REQUIRED, Stance.ALLOWED), None) or stand.one_of_mine
    if own is None:
        return
    for draft in _drafts_elsewhere(stand, own):
        for changes in _ways_to(stand, draft):
            moved = Row(key=own.key, tenant=draft.tenant, owner=draft.owner)
            attempt = _update(stand, "UPDATE-MOVE", Form.BLIND, changes, _to_whom(stand, draft), stand.alone(own))
            yield replace(attempt, row=moved)


def _ways_to(stand: Stand, draft: Draft) -> Iterator[dict[str, str | None]]:
    """What makes a row the draft's: all that says whose it is, then without the owner, then the tenant's column alone;
    each as far as the role may write it, each once."""
    alone = anchors(stand.relation, replace(stand.tenancy, owner=None))
    whole = bearings(stand.relation, stand.tenancy, draft)
    without_owner = bearings(stand.relation, replace(stand.tenancy, owner=None), draft)
    tried: list[dict[str, str | None]] = [{}]
    for changes in (whole, without_owner, {name: whole[name] for name in alone & whole.keys()}):
        granted = {name: value for name, value in changes.items() if name in stand.writable("UPDATE")}
        if granted not in tried and _says_whose(stand, granted):
            tried.append(granted)
            yield granted


@channel(
    "UPDATE-STEAL",
    command=Command.UPDATE,
    title="Other people's rows of {object} can be taken over by changing whose they are.",
    fix="Compare the row as it was with the caller in USING: a WITH CHECK on the new row alone lets anybody claim "
    "any row.",
)
def steal_rows(stand: Stand) -> Iterator[Attempt]:
    """Where USING is loose and WITH CHECK strict, changing somebody else's row is refused unless the same statement
    makes the row one's own: then WITH CHECK is satisfied and the row is stolen."""
    if not stand.holds("UPDATE"):
        return
    mine = next((draft for draft in stand.drafts if _may_have(stand, draft)), None)
    if mine is None:
        return
    wanted = {**bearings(stand.relation, stand.tenancy, mine), **_my_name(stand)}
    changes = {name: value for name, value in wanted.items() if name in stand.writable("UPDATE")}
    if not _says_whose(stand, changes):
        return
    for row in stand.one_of_each_tenant(Command.UPDATE, Stance.FORBIDDEN):
        aim = "make somebody else's row one's own"
        yield replace(_update(stand, "UPDATE-STEAL", Form.BLIND, changes, aim, stand.alone(row)), row=row)


def _says_whose(stand: Stand, changes: Mapping[str, str | None]) -> bool:
    """Whether the changes give the row to somebody: the rest of a composite key alone would only break the key."""
    return bool(changes.keys() & anchors(stand.relation, stand.tenancy))


def _signature(stand: Stand) -> dict[str, str | None]:
    """The persona in the columns that say who did it last (updated_by), which policies may demand."""
    bound = anchors(stand.relation, stand.tenancy) | set(stand.relation.primary_key)
    names = [name for name in stand.user_columns if name in stand.writable("UPDATE") and name not in bound]
    return dict.fromkeys(names, stand.persona.user_id) if stand.persona.user_id is not None else {}


def _rewrite_keys(stand: Stand) -> Iterator[Attempt]:
    """Where only key columns may be written: each kind of row alone, where no other row can be in its way."""
    column = _a_key_column(stand)
    if column is None:
        return
    for row in stand.one_of_each_tenant(Command.UPDATE, *Stance):
        value = _kept(stand, column, row)
        if value is not None:
            aim = "write somebody's row, reading none"
            yield _update(stand, "UPDATE", Form.BLIND, {column: value}, aim, stand.alone(row))


def _a_key_column(stand: Stand) -> str | None:
    """A column that may be written and says nothing about whose the row is; else one of the primary key."""
    writable = stand.writable("UPDATE")
    settables = [c.name for c in stand.relation.columns if c.name in writable and settable(c)]
    free = [name for name in settables if name not in anchors(stand.relation, stand.tenancy)]
    free += [name for name in settables if name in stand.relation.primary_key]
    return next(iter(free), None)


def _kept(stand: Stand, column: str, row: Row) -> str | None:
    """The value that the row already has there, else one that a valid row has."""
    if column in stand.relation.primary_key:
        return row.key[stand.relation.primary_key.index(column)]
    return constant(stand, column)


def _update(
    stand: Stand, channel_id: str, form: Form, changes: dict[str, str | None], aim: str, stage: Stage | None = None
) -> Attempt:
    filter_column = stand.key_columns[0] if form is Form.FILTERED else None
    given = statements.values_of(changes)
    return Attempt(
        relation=stand.name,
        command=Command.UPDATE,
        channel=channel_id,
        form=form,
        sql=statements.update(stand.through, given, filter_column),
        deed=Deed(through=stand.through, values=given, filter_column=filter_column),
        aim=aim,
        watch=stand.watch[Command.UPDATE],
        stage=stage,
    )


def _witness(stand: Stand) -> Attempt:
    """Without the privilege the statement is refused before a value is looked at; DEFAULT suits every column."""
    return Attempt(
        relation=stand.name,
        command=Command.UPDATE,
        channel="UPDATE",
        form=Form.BLIND,
        sql=statements.update_default(stand.through, min(stand.visible)),
        deed=Deed(through=stand.through, values=((_any_settable(stand), None),)),
        aim="change every row",
        watch=stand.watch[Command.UPDATE],
    )


def _any_settable(stand: Stand) -> str:
    """A column that could be written, were it not for the privilege."""
    generated = {column.name for column in stand.relation.columns if not settable(column)}
    return min(stand.visible - generated, default=min(stand.visible))


def _drafts_elsewhere(stand: Stand, own: Row) -> Iterator[Draft]:
    """One draft per place where *own* must not go."""
    seen = set()
    for draft in stand.drafts:
        row = Row(key=own.key, tenant=draft.tenant, owner=draft.owner, flags=own.flags)
        if draft.tenant != own.tenant and row.owner is not None and stand.tenancy.tenant is None:
            continue
        kind = draft.tenant if draft.tenant != own.tenant else "owner"
        if kind not in seen and stand.stance(Command.UPDATE, row) is Stance.FORBIDDEN:
            seen.add(kind)
            yield draft


def _may_have(stand: Stand, draft: Draft) -> bool:
    if stand.tenancy.tenant is not None:
        return draft.tenant in stand.own_tenants
    return draft.owner is not None and stand.tenancy.owner is not None


def _my_name(stand: Stand) -> dict[str, str | None]:
    """The owner column with the persona in it, where the owner is a column of its own."""
    owner = stand.tenancy.owner
    if owner is None or len(owner.path) != 1 or owner.path[0] in stand.relation.primary_key:
        return {}
    return {owner.path[0]: stand.persona.user_id}


def _to_whom(stand: Stand, draft: Draft) -> str:
    names = {id: name for name, id in stand.tenant_ids.items()}
    if draft.tenant in stand.foreign_tenants:
        return f"move one's own row to {names[draft.tenant]}"
    return "hand one's own row to another user" if draft.tenant else "move one's own row to nobody"
