"""
Rows of others that hold values of the persona's own rows: the same telephone number, the same article code.

No constraint says that two columns mean the same, but joins do.  Columns of one name and type in two tables are taken
to speak of one thing; a row of others with the persona's value then shows whether something joins across the border.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from tenantproof.core.catalog import Column, ConstraintKind, Relation
from tenantproof.core.model import QName, Tenancy
from tenantproof.core.seeds import child_uuid
from tenantproof.core.world import Draft
from tenantproof.engine.interference.facts import Fact, Facts
from tenantproof.properties.border import Border

_MOST = 2
"""Columns of a relation in which a value is echoed, each in a row of its own."""

_COMPARED = frozenset({"S", "N"})
"""Categories of types by which people join, beside uuid: strings and numbers (pg_type.typcategory)."""


def echoes(facts: Facts, border: Border, tenancy: Tenancy, draft: Draft) -> Iterator[Draft]:
    """The draft with a value of the persona's own in one column, for the likeliest columns first: parts of keys."""
    relation = facts.relations[draft.relation]
    yield from islice(_all(facts, border, tenancy, relation, draft), _MOST)


def _all(facts: Facts, border: Border, tenancy: Tenancy, relation: Relation, draft: Draft) -> Iterator[Draft]:
    for column in sorted(_content(relation, tenancy), key=lambda column: not _in_a_key(relation, column)):
        own = _own_value(facts, border, relation.name, column)
        if own is not None and draft.values.get(column.name) not in (None, own):
            yield replace(draft, values={**draft.values, **_fresh_key(relation, draft, column), column.name: own})


def _content(relation: Relation, tenancy: Tenancy) -> Iterator[Column]:
    """Columns that neither refer to a row nor say whose the row is, nor are a key that nobody else has."""
    fixed = {name for key in relation.foreign_keys for name in key.columns}
    fixed |= {loc.path[0] for loc in (tenancy.tenant, tenancy.owner) if loc is not None and loc.path}
    fixed |= set(relation.primary_key) if len(relation.primary_key) == 1 else set()
    for column in relation.columns:
        compared = column.category in _COMPARED or _is_uuid(column)
        if column.name not in fixed and compared and not column.generated and not column.enum_values:
            yield column


def _is_uuid(column: Column) -> bool:
    return column.base_type.rpartition(".")[2] == "uuid"


def _in_a_key(relation: Relation, column: Column) -> bool:
    unique = (ConstraintKind.PRIMARY, ConstraintKind.UNIQUE)
    return any(column.name in held.columns for held in relation.constraints if held.kind in unique)


def _own_value(facts: Facts, border: Border, here: QName, column: Column) -> str | None:
    """A value of the persona's own in a column of the same name and type elsewhere; never their own name or address,
    which may entitle them to the row."""
    for name, relation in facts.relations.items():
        if name == here or column.name not in relation.column_names:
            continue
        place = relation.column_names.index(column.name)
        if relation.columns[place].base_type != column.base_type:
            continue
        for fact in facts.rows[name]:
            value = fact.values[place]
            if value is not None and _is_theirs(border, fact) and not _names_them(border, value):
                return value
    return None


def _is_theirs(border: Border, fact: Fact) -> bool:
    own = fact.row.tenant in border.own_tenants if fact.row.tenant else False
    return own or (fact.row.owner is not None and fact.row.owner == border.persona.user_id)


def _names_them(border: Border, value: str) -> bool:
    return value in {border.persona.user_id, border.persona.email, border.persona.name, *border.own_tenants}


def _fresh_key(relation: Relation, draft: Draft, column: Column) -> dict[str, str]:
    """Another id for the row, where it is a uuid of its own: the draft itself is added too."""
    referring = {name for key in relation.foreign_keys for name in key.columns}
    return {
        name: child_uuid(0, draft.values[name], column.name)
        for name in relation.primary_key
        if name not in referring and draft.values.get(name) and _is_uuid(relation.column(name))
    }
