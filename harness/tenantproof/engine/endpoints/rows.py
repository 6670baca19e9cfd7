"""What the observer knows of rows by their values: for {row.TABLE.COLUMN}, and for texts that a persona may see."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from tenantproof.core.catalog import Relation
from tenantproof.core.model import Command, Persona, QName
from tenantproof.core.world import Key, Row
from tenantproof.engine.plan import Plan
from tenantproof.oracle.entitlement import Stance
from tenantproof.seeding.paths import locate
from tenantproof.seeding.rowquery import key_expression

Connection = psycopg.Connection[tuple[Any, ...]]

_MOST_ROWS = 20_000
_TEXTS = (
    "SELECT to_json({key})::text, ({tenant})::text, ({owner})::text, to_json({whole})::text FROM {table} LIMIT {most}"
)


@dataclass(slots=True)
class Rows:
    """The seeded rows and their values, as the observer reads them."""

    connection: Connection
    plan: Plan
    _columns: dict[tuple[QName, str], Mapping[Key, str]] = field(default_factory=dict)
    _people: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def own(self, persona: Persona, relation: QName) -> Row | None:
        """A row that the persona may see and that is of their first tenant, rather one that they own."""
        tenant = self.plan.manifest.tenant_ids.get(persona.tenants[0]) if persona.tenants else None
        found = [
            row
            for row in self.plan.world.rows.get(relation, ())
            if self._may_see(persona, relation, row) and (row.tenant == tenant or row.owner == persona.user_id)
        ]
        return min(found, key=lambda row: row.owner != persona.user_id, default=None)

    def foreign(self, persona: Persona, relation: QName, tenant: str) -> Row | None:
        """A row of a tenant that the persona may not see; of a table whose rows only have owners, one of a member."""
        wanted = self.plan.manifest.tenant_ids.get(tenant)
        for row in self.plan.world.rows.get(relation, ()):
            of_tenant = row.tenant == wanted if row.tenant is not None else self._is_member(row.owner, tenant)
            if of_tenant and not self._may_see(persona, relation, row):
                return row
        return None

    def value(self, relation: QName, column: str, row: Row) -> str | None:
        """The value of a row's column as text."""
        known = self._columns.get((relation, column))
        if known is None:
            known = self._columns[relation, column] = self._read_column(self.plan.catalog.relations[relation], column)
        return known.get(row.key)

    def visible_of_others(self, persona: Persona) -> Iterator[str]:
        """Every text of rows of other tenants that the scenario lets the persona see: published, shared."""
        own = {self.plan.manifest.tenant_ids.get(name) for name in persona.tenants}
        for relation in self.plan.relations:
            permitted = {
                (row.key, row.tenant, row.owner)
                for row in self.plan.world.rows.get(relation.name, ())
                if row.tenant not in own and self._may_see(persona, relation.name, row)
            }
            if permitted:
                yield from self._texts(relation, permitted)

    def _may_see(self, persona: Persona, relation: QName, row: Row) -> bool:
        return self.plan.oracle.stance(persona, relation, Command.SELECT, row) is not Stance.FORBIDDEN

    def _is_member(self, user: str | None, tenant: str) -> bool:
        if not self._people:
            self._people = {who.user_id: frozenset(who.tenants) for who in self.plan.manifest.personas if who.user_id}
        return user is not None and tenant in self._people.get(user, ())

    def _read_column(self, relation: Relation, column: str) -> Mapping[Key, str]:
        query = sql.SQL("SELECT to_json({})::text, ({})::text FROM {}").format(
            key_expression(relation), sql.Identifier(relation.name.name, column), sql.Identifier(*relation.name)
        )
        answers = self.connection.execute(query).fetchall()
        return {tuple(json.loads(key)): value for key, value in answers if value is not None}

    def _texts(self, relation: Relation, permitted: set[tuple[Key, str | None, str | None]]) -> Iterator[str]:
        tenancy, catalog = self.plan.tenancy_of(relation.name), self.plan.catalog
        query = sql.SQL(_TEXTS).format(
            key=key_expression(relation),
            tenant=locate(relation, tenancy.tenant, catalog),
            owner=locate(relation, tenancy.owner, catalog),
            whole=sql.Identifier(relation.name.name),
            table=sql.Identifier(*relation.name),
            most=sql.Literal(_MOST_ROWS),
        )
        for key, tenant, owner, whole in self.connection.execute(query).fetchall():
            if (tuple(json.loads(key)), tenant, owner) in permitted:
                yield from _strings(json.loads(whole))


def _strings(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            yield from _strings(part)
    elif isinstance(content, dict):
        yield from _strings(list(content.values()))
