"""Drafts where every place is taken: a row that goes in once the one that stands in its place has been taken away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from tenantproof.core.catalog import Constraint
from tenantproof.core.world import Key
from tenantproof.seeding.paths import table_name
from tenantproof.seeding.plan import Plan, TablePlan
from tenantproof.seeding.store import SeedRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """A new row and the row that must go before it."""

    row: SeedRow
    gone: SeedRow

    def key(self, table: TablePlan) -> Key:
        """The key of the row that goes."""
        columns = table.relation.primary_key or table.relation.column_names
        return tuple(self.gone.values.get(column) for column in columns)


def can_replace(table: TablePlan, plan: Plan) -> bool:
    """Whether a row may go without anybody's rights going too: not tenants, users and memberships, nor what those
    refer to."""
    if not table.relation.primary_key or table.is_tenants or table.memberships or table.user_column is not None:
        return False
    special = (t for t in plan.tables if t.is_tenants or t.memberships or t.user_column is not None)
    return not any(key.references == table.name for other in special for key in other.foreign_keys)


def removals(table: TablePlan, key: Key, plan: Plan) -> Iterator[sql.Composed]:
    """Statements that take a row away, after the rows that refer to it; to be run with foreign keys off."""
    for child in plan.tables:
        for reference in child.foreign_keys:
            if reference.references == table.name:
                yield _children(child, reference, table, key)
    yield sql.SQL("DELETE FROM {} WHERE {}").format(table_name(table.name), _has_key(table, key))


def _children(child: TablePlan, reference: Constraint, table: TablePlan, key: Key) -> sql.Composed:
    return sql.SQL("DELETE FROM {} WHERE ({}) IN (SELECT {} FROM {} WHERE {})").format(
        table_name(child.name),
        sql.SQL(", ").join(map(sql.Identifier, reference.columns)),
        sql.SQL(", ").join(map(sql.Identifier, reference.ref_columns)),
        table_name(table.name),
        _has_key(table, key),
    )


def _has_key(table: TablePlan, key: Key) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(value))
        for column, value in zip(table.relation.primary_key, key, strict=True)
    )
