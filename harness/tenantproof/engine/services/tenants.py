"""What tenants are called in the database, and how one of them could be called otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from psycopg import sql

from tenantproof.core.catalog import Relation
from tenantproof.core.model import Persona, QName
from tenantproof.core.ports import Identity
from tenantproof.engine.plan import Plan
from tenantproof.engine.scripts import TRIGGERS_OFF, TRIGGERS_ON
from tenantproof.engine.services.patterns import ID, USER
from tenantproof.engine.services.sessions import with_claims
from tenantproof.engine.talks import Talk

_SHORTEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """One tenant: its id, and what else its own row says that could stand in a name (`tenant.slug`)."""

    name: str
    id: str
    called: Mapping[str, str]

    def values(self, persona: Persona | None) -> dict[str, str]:
        """What the slots of a pattern stand for, for one of its people."""
        user = {USER: persona.user_id} if persona is not None and persona.user_id else {}
        return {**self.called, ID: self.id, **user}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """All tenants, and the table that they are rows of (None: the claims alone name them)."""

    table: Relation | None
    key: str
    by_name: Mapping[str, Party]

    def column(self, slot: str) -> str:
        return self.key if slot == ID else slot.removeprefix("tenant.")

    def chosen(self, slot: str) -> bool:
        """Whether tenants can have a say in what stands there: not in a random id."""
        if self.table is None:
            return not all(_random(party.id) for party in self.by_name.values())
        return self.table.column(self.column(slot)).base_type != "pg_catalog.uuid"

    def numbered(self, slot: str) -> bool:
        """Whether it is a number that the database gives out."""
        return self.table is not None and self.table.column(self.column(slot)).category == "N"


def parties_of(plan: Plan) -> Talk[Parties]:
    """The tenants as the observer reads them."""
    table = tenant_table(plan)
    ids = plan.manifest.tenant_ids
    if table is None:
        return Parties(
            table=None, key="", by_name={name: Party(name=name, id=id, called={}) for name, id in ids.items()}
        )
    relation, key = table
    said = yield [(_rows_of(relation.name),)]
    rows = {str(row.get(key)): row for row in (json.loads(line[0] or "{}") for line in said[0][-1].rows)}
    telling = tuple(_telling(relation, key, [rows[id] for id in ids.values() if id in rows]))
    return Parties(
        table=relation,
        key=key,
        by_name={
            name: Party(
                name=name,
                id=id,
                called={f"tenant.{column}": str(rows[id][column]) for column in telling if id in rows},
            )
            for name, id in ids.items()
        },
    )


def tenant_table(plan: Plan) -> tuple[Relation, str] | None:
    """The table whose rows are tenants, and its key: what memberships refer to, else what the scenario says."""
    for membership in plan.scenario.memberships:
        for key in plan.catalog.relations[membership.table].foreign_keys:
            table = plan.catalog.relations.get(key.references) if key.references is not None else None
            if key.columns == (membership.tenant,) and table is not None:
                return table, key.ref_columns[0]
    for name in sorted(plan.oracle.founding):
        return plan.catalog.relations[name], plan.catalog.relations[name].primary_key[0]
    return None


def renamed(plan: Plan, parties: Parties, party: Party, slot: str, value: str) -> tuple[str, ...] | None:
    """The observer's statements after which the tenant is called otherwise; None where no statement could do it.

    A key takes its memberships along, with triggers and foreign keys off; anything else is a plain UPDATE, which
    constraints and triggers may refuse: then no tenant can be called so.
    """
    if parties.table is None:
        return () if slot == ID else None
    column = parties.column(slot)
    before = party.id if slot == ID else party.called[slot]
    change = _update(parties.table.name, column, parties.key, party.id, value)
    if slot != ID:
        return (change,)
    moves = (_update(m.table, m.tenant, m.tenant, before, value) for m in plan.scenario.memberships)
    return (TRIGGERS_OFF, change, *moves, TRIGGERS_ON)


def claiming(identity: Identity, before: str, after: str) -> Identity:
    """The persona whose token calls the tenant otherwise."""
    claims = _replaced(dict(identity.claims), before, after)
    return with_claims(identity, claims) if isinstance(claims, dict) else identity


def with_value(party: Party, slot: str, value: str) -> Party:
    """The tenant under another name."""
    if slot == ID:
        return replace(party, id=value)
    return replace(party, called={**party.called, slot: value})


def _replaced(value: object, before: str, after: str) -> object:
    if isinstance(value, dict):
        return {key: _replaced(part, before, after) for key, part in value.items()}
    if isinstance(value, list):
        return [_replaced(part, before, after) for part in value]
    return after if value == before else value


def _random(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4


def _telling(relation: Relation, key: str, rows: list[dict[str, object]]) -> Iterator[str]:
    """Text columns that hold something different, and long enough, for each tenant."""
    for column in relation.columns:
        held = [row.get(column.name) for row in rows]
        texts = {value for value in held if isinstance(value, str) and len(value) >= _SHORTEST}
        plain = column.category == "S" and column.name != key and not column.generated
        if plain and rows and len(texts) == len(rows):
            yield column.name


def _rows_of(name: QName) -> str:
    return sql.SQL("SELECT pg_catalog.to_jsonb(t)::text FROM {} AS t").format(sql.Identifier(*name)).as_string(None)


def _update(table: QName, column: str, where: str, before: str, after: str) -> str:
    return (
        sql.SQL("UPDATE {} SET {} = {} WHERE {}::text = {}")
        .format(
            sql.Identifier(*table),
            sql.Identifier(column),
            sql.Literal(after),
            sql.Identifier(where),
            sql.Literal(before),
        )
        .as_string(None)
    )
