"""What the observer knows of every row before anybody acts: whose it is, and what stands in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from psycopg import sql

from tenantproof.core.attempt import Snapshot
from tenantproof.core.catalog import Relation
from tenantproof.core.model import Locator, QName, Tenancy
from tenantproof.core.world import Key, Row
from tenantproof.engine.plan import Plan
from tenantproof.engine.scripts import Watch, watch
from tenantproof.engine.wire import Wire
from tenantproof.properties.border import Border, Side
from tenantproof.seeding.rowquery import key_expression, text_array


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One row: whose it is, and the text of its columns in the relation's order."""

    row: Row
    values: tuple[str | None, ...]


Sides = Mapping[QName, Mapping[Key, Side]]
"""relation -> key -> on which side of somebody's border the row lies, for a reader."""


@dataclass(frozen=True)
class Facts:
    """Every row of every table whose rows are known to belong to somebody."""

    relations: Mapping[QName, Relation]
    watches: Mapping[QName, Watch]
    before: Mapping[QName, Snapshot]
    rows: Mapping[QName, tuple[Fact, ...]]

    def sides(self, border: Border) -> Sides:
        """On which side of the border each row lies."""
        return {
            name: {fact.row.key: border.side(name, fact.row) for fact in facts} for name, facts in self.rows.items()
        }

    @cached_property
    def contents(self) -> Mapping[QName, Mapping[Key, tuple[str | None, ...]]]:
        """relation -> key -> the row's columns as text."""
        return {name: {fact.row.key: fact.values for fact in facts} for name, facts in self.rows.items()}


def known_relations(plan: Plan) -> Mapping[QName, Tenancy]:
    """Tables whose rows belong to somebody, the table of users included."""
    known = {
        name: plan.tenancy_of(name)
        for name in plan.watches
        if plan.catalog.relations[name].is_table
        and plan.tenancy_of(name).decided
        and not plan.catalog.relations[name].partition_key
    }
    for name in plan.users:
        key = plan.catalog.relations[name].primary_key
        if name not in known and len(key) == 1:
            known[name] = Tenancy(owner=Locator(path=key))
    return known


def gather(wire: Wire, plan: Plan) -> Facts:
    """Read every row of the known relations.  The wire's session must be the observer."""
    known = known_relations(plan)
    relations = {name: plan.catalog.relations[name] for name in known}
    watches = {
        name: plan.watches[name] if name in plan.watches else watch(relation, known[name], (), plan.catalog)
        for name, relation in relations.items()
    }
    seen = wire.run([(watches[name].query, contents_query(relation)) for name, relation in relations.items()])
    seeded = plan.manifest.seeded_keys
    before = {
        name: watches[name].rows(answers[0], seeded.get(name, frozenset()))
        for name, answers in zip(relations, seen, strict=True)
    }
    rows = {
        name: tuple(_facts(before[name].rows.values(), contents_of(answers[1].rows)))
        for name, answers in zip(relations, seen, strict=True)
    }
    return Facts(relations, watches, before, rows)


def contents_query(relation: Relation) -> str:
    """SELECT key and all columns of every row, both as a json array of texts."""
    return (
        sql.SQL("SELECT to_json({})::text, to_json({})::text FROM {}")
        .format(
            key_expression(relation),
            text_array(relation, relation.column_names),
            sql.Identifier(*relation.name),
        )
        .as_string(None)
    )


def contents_of(answer: Iterable[tuple[str | None, ...]]) -> dict[Key, tuple[str | None, ...]]:
    """The answer to `contents_query`: key -> columns as text."""
    return {tuple(json.loads(key or "[]")): tuple(json.loads(values or "[]")) for key, values in answer}


def _facts(rows: Iterable[Row], contents: Mapping[Key, tuple[str | None, ...]]) -> Iterable[Fact]:
    ordered = sorted(rows, key=lambda row: (not row.seeded, *map(str, row.key)))
    return (Fact(row=row, values=contents[row.key]) for row in ordered if row.key in contents)
