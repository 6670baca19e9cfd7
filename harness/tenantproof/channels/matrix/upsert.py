"""Overwriting rows by inserting their key again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tenantproof.channels import statements
from tenantproof.channels.columns import anchors, harmless, insertable, settable
from tenantproof.channels.registry import channel
from tenantproof.channels.stand import Stand
from tenantproof.core.attempt import Attempt, Deed, Form
from tenantproof.core.model import Command
from tenantproof.core.world import Draft
from tenantproof.oracle.entitlement import Stance


@channel(
    "UPSERT-OVERWRITE",
    command=Command.UPDATE,
    title="Other people's rows of {object} are overwritten by an upsert on their key.",
    fix="Guard the existing row in the UPDATE policy's USING, which ON CONFLICT DO UPDATE asks, and do not give out "
    "keys that others can choose.",
)
def overwrite_rows(stand: Stand) -> Iterator[Attempt]:
    """INSERT … ON CONFLICT DO UPDATE checks the INSERT policy with the caller's own values, and then changes the row
    that already has the key: only the UPDATE policy's USING (and the SELECT policy) stands in between."""
    key = stand.relation.primary_key
    if not (key and stand.holds("INSERT") and stand.holds("UPDATE")):
        return
    if not all(settable(stand.relation.column(name)) for name in key):
        return
    draft = next((draft for draft in stand.drafts if draft.tenant in (*stand.own_tenants, None)), None)
    changed = _changed(stand, draft) if draft else ()
    if draft is None or not changed:
        return
    for row in stand.one_of_each_tenant(Command.UPDATE, Stance.FORBIDDEN):
        values = insertable(stand, {**_mine(stand, draft), **dict(zip(key, row.key, strict=True))})
        if not values.keys() >= {*key, *changed}:
            continue
        yield Attempt(
            relation=stand.name,
            command=Command.UPDATE,
            channel="UPSERT-OVERWRITE",
            form=Form.UPSERT,
            sql=statements.upsert(stand.through, statements.values_of(values), key, changed),
            deed=Deed(
                through=stand.through,
                values=statements.values_of({name: values[name] for name in (*key, *changed)} | _needed(stand, values)),
                conflict=key,
            ),
            aim="overwrite somebody else's row by its key",
            watch=stand.watch[Command.UPDATE],
        )


def _changed(stand: Stand, draft: Draft) -> tuple[str, ...]:
    """What the DO UPDATE sets: the tenancy's columns, so that the new row passes WITH CHECK, and a plain one."""
    allowed = stand.writable("UPDATE") - set(stand.relation.primary_key)
    wanted = {name for name in anchors(stand.relation, stand.tenancy) if name in draft.values}
    plain = harmless(stand, "UPDATE")
    if plain is not None and plain in draft.values:
        wanted.add(plain)
    return tuple(sorted(wanted & allowed))


def _needed(stand: Stand, values: Mapping[str, str | None]) -> dict[str, str | None]:
    """PostgREST overwrites every column that it is given: no more of them than a new row cannot do without."""
    required = {column.name for column in stand.relation.columns if column.not_null and column.default is None}
    return {name: value for name, value in values.items() if name in required}


def _mine(stand: Stand, draft: Draft) -> dict[str, str | None]:
    owner = stand.tenancy.owner
    values = dict(draft.values)
    if owner is not None and len(owner.path) == 1 and stand.persona.user_id is not None:
        values[owner.path[0]] = stand.persona.user_id
    return values
