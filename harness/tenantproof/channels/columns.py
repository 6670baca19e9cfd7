"""Which columns an attempt may set, and to what, so that nothing but a policy can refuse it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from tenantproof.channels.stand import Stand
from tenantproof.core.catalog import Column, ConstraintKind, Relation
from tenantproof.core.model import Tenancy
from tenantproof.core.world import Draft

_LITERAL = re.compile(r"(?:'(?P<text>(?:[^']|'')*)'(?:::|$)|(?P<plain>-?\d+(?:\.\d+)?|true|false)$)")
"""A default that pg_get_expr prints as a constant."""


def harmless(stand: Stand, privilege: str) -> str | None:
    """A column that can be given one constant in every row: in no key, no check, no tenancy; None: there is none.

    Among the columns on which the role holds the privilege; where it holds none at all, among all columns, since
    then the attempt only witnesses the refusal.
    """
    allowed = stand.writable(privilege) or stand.visible
    candidates = [name for name in stand.plain_columns if name in allowed]
    bound = anchors(stand.relation, stand.tenancy)
    free = [name for name in candidates if name not in bound]
    known = (name for name in free if constant(stand, name) is not None or not stand.relation.column(name).not_null)
    return next(known, next(iter(free), None))


def constant(stand: Stand, column: str) -> str | None:
    """A value that is valid in the column: one that a valid row has, else its default where that is a literal."""
    for draft in stand.drafts:
        if draft.values.get(column) is not None:
            return draft.values[column]
    literal = _LITERAL.match(stand.relation.column(column).default or "")
    return None if literal is None else (literal["text"] or "").replace("''", "'") or (literal["plain"] or "")


def plain_columns(relation: Relation) -> tuple[str, ...]:
    """Columns outside keys that an UPDATE may set, best first: free text before the rest, unchecked before checked."""
    keyed = {name for index in relation.indexes if index.unique for name in index.columns}
    keyed |= {name for fk in relation.foreign_keys for name in fk.columns}
    checked = {
        name
        for constraint in relation.constraints
        if constraint.kind in (ConstraintKind.CHECK, ConstraintKind.EXCLUSION)
        for name in constraint.columns
    }
    free = [column for column in relation.columns if column.name not in keyed and settable(column)]
    return tuple(column.name for column in sorted(free, key=lambda column: _cost(column, column.name in checked)))


def _cost(column: Column, checked: bool) -> tuple[bool, bool, bool, bool, int]:
    named_updated = column.name.startswith("updated")
    state = checked or column.is_domain or bool(column.enum_values) or column.category == "B"
    return (state, named_updated, column.not_null, column.category != "S", column.position)


def insertable(stand: Stand, values: Mapping[str, str | None]) -> dict[str, str | None]:
    """The values that the role may give a new row; all of them where it holds no INSERT privilege at all."""
    allowed = stand.writable("INSERT") or stand.visible
    return {name: value for name, value in values.items() if name in allowed}


def settable(column: Column) -> bool:
    """Whether an INSERT or UPDATE may give the column a value at all."""
    return not column.generated and column.identity != "a"


def anchors(relation: Relation, tenancy: Tenancy) -> frozenset[str]:
    """The columns that say whose a row is: first steps of the tenancy paths, and the partition key's columns."""
    first_steps = {loc.path[0] for loc in (tenancy.tenant, tenancy.owner) if loc is not None and loc.path}
    by_expression = {
        column.name
        for column in relation.columns
        for loc in (tenancy.tenant, tenancy.owner)
        if loc is not None and column.name in _words(loc.sql)
    }
    partitioned = {column.name for column in relation.columns if column.name in _words(relation.partition_key)}
    return frozenset(first_steps | by_expression | partitioned)


@cache
def _words(expression: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", expression))


def bearings(relation: Relation, tenancy: Tenancy, draft: Draft) -> dict[str, str | None]:
    """The columns and values that make any row of *relation* a row of the draft's tenant and owner.

    The tenancy's own columns, and all columns of foreign keys that carry one of them: a composite key must move
    as a whole.  Key columns that are no part of the tenancy stay as they are.
    """
    moved = {
        name
        for name in anchors(relation, tenancy)
        if name in draft.values and name not in _words(relation.partition_key)
    }
    keys = [set(foreign_key.columns) for foreign_key in relation.foreign_keys]
    while carried := [key for key in keys if key & moved and not key <= moved]:
        moved.update(*carried)
    own_key = set(relation.primary_key) - anchors(relation, tenancy)
    wanted = [
        column.name
        for column in relation.columns
        if column.name in moved - own_key and column.name in draft.values and settable(column)
    ]
    return {name: draft.values[name] for name in wanted}
