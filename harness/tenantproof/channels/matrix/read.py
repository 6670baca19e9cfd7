"""Reading rows."""

from __future__ import annotations

from collections.abc import Iterator

from tenantproof.channels import statements
from tenantproof.channels.registry import channel
from tenantproof.channels.stand import Stand
from tenantproof.core.attempt import Attempt, Deed, Form
from tenantproof.core.catalog import RelationKind
from tenantproof.core.model import Command


@channel(
    "READ",
    command=Command.SELECT,
    title="Rows of {object} are read by people they do not belong to.",
    fix="Compare the row's tenant (and owner) with the caller in the SELECT policy's USING, for every policy that "
    "applies: permissive policies are or-ed, so one loose one opens the table.",
    cwe=639,
)
def read_rows(stand: Stand) -> Iterator[Attempt]:
    """A SELECT without conditions returns every row that the SELECT policies let through.  Permissive policies are
    or-ed, so the loosest one decides."""
    readable = stand.writable("SELECT") or stand.visible
    tenant, owner = _belonging(stand)
    if stand.relation.kind is RelationKind.VIEW or (
        not readable >= set(stand.key_columns) and _locatable(stand) and readable >= {tenant, owner} - {None}
    ):
        told = tuple(column for column in (tenant, owner) if column)
        sql = statements.read_belonging(stand.through, tenant, owner, stand.predicates)
        yield _read(stand, sql, told, Form.BELONGING)
        return
    if readable >= set(stand.key_columns):
        yield _read(stand, statements.read(stand.through, stand.key_columns), stand.key_columns)
        return
    first = next(column for column in stand.relation.column_names if column in readable)
    yield _read(stand, statements.read(stand.through, (first,)), (first,), Form.COUNTED)


def _read(stand: Stand, sql: str, columns: tuple[str, ...], form: Form = Form.READ) -> Attempt:
    return Attempt(
        relation=stand.name,
        command=Command.SELECT,
        channel="READ",
        form=form,
        sql=sql,
        aim="read every row",
        deed=Deed(through=stand.through, columns=columns),
    )


def _locatable(stand: Stand) -> bool:
    """Whether every locator of the tenancy is one column of the relation itself."""
    locators = [loc for loc in (stand.tenancy.tenant, stand.tenancy.owner) if loc is not None]
    return bool(locators) and all(len(loc.path) == 1 for loc in locators)


def _belonging(stand: Stand) -> tuple[str | None, str | None]:
    """The relation's columns that say whose a row is."""
    locators = (stand.tenancy.tenant, stand.tenancy.owner)
    tenant, owner = (loc.path[0] if loc is not None and loc.path else None for loc in locators)
    return tenant, owner
