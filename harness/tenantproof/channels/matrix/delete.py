"""Deleting rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tenantproof.channels import statements
from tenantproof.channels.registry import channel
from tenantproof.channels.stand import Stand
from tenantproof.core.attempt import Attempt, Deed, Form
from tenantproof.core.model import Command
from tenantproof.oracle.entitlement import Stance


@channel(
    "DELETE",
    command=Command.DELETE,
    title="Rows of {object} are deleted by people who may not delete them.",
    fix="Compare the row's tenant (and owner) with the caller in the DELETE policy's USING, and bind role checks to "
    "the row's tenant.  Do not rely on the SELECT policy: a DELETE that reads no column does not ask it.",
)
def delete_rows(stand: Stand) -> Iterator[Attempt]:
    """A DELETE without WHERE and RETURNING reads no column, so PostgreSQL asks the DELETE policies alone; one with a
    WHERE must also pass the SELECT policies.  Both are tried."""
    if not stand.holds("DELETE"):
        yield _delete(stand, Form.BLIND, "delete every row")
        return
    forms = [(Form.BLIND, "delete every row, reading none")]
    if stand.holds("SELECT"):
        forms.append((Form.FILTERED, "delete every row that can be found"))
    for form, aim in forms:
        if _refers_to_itself(stand):
            for row in stand.one_of_each_tenant(Command.DELETE, *Stance):
                yield replace(_delete(stand, form, aim), stage=stand.alone(row))
        else:
            yield _delete(stand, form, aim)


def _refers_to_itself(stand: Stand) -> bool:
    """Whether deleting a row deletes or changes others of the table: then each must be alone to be told apart."""
    return any(key.references == stand.name and key.on_delete in "cnd" for key in stand.relation.foreign_keys)


def _delete(stand: Stand, form: Form, aim: str) -> Attempt:
    filter_column = next(iter(stand.key_columns), None) if form is Form.FILTERED else None
    return Attempt(
        relation=stand.name,
        command=Command.DELETE,
        channel="DELETE",
        form=form,
        sql=statements.delete(stand.through, filter_column),
        deed=Deed(through=stand.through, filter_column=filter_column),
        aim=aim,
        watch=stand.watch[Command.DELETE],
    )
