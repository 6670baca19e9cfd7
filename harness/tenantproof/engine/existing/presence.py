"""Which tenants have rows, and which ids nobody has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import psycopg
from psycopg import sql

from tenantproof.core.catalog import Catalog, Relation
from tenantproof.core.model import QName, Scenario, Tenancy
from tenantproof.core.seeds import child_seed, child_uuid
from tenantproof.engine.existing.transaction import Connection
from tenantproof.engine.wire import WITHIN, Wire
from tenantproof.seeding.paths import table_name

_TABLES = 30
_WHOLE = {"pg_catalog.int2": 2**15, "pg_catalog.int4": 2**31, "pg_catalog.int8": 2**31}


def direct_tenants(
    catalog: Catalog, tenancy: Mapping[QName, Tenancy], schemas: Sequence[str] | None = None
) -> Iterator[tuple[Relation, str]]:
    """Tables whose tenant stands in a column of their own, with that column."""
    for name in sorted(tenancy):
        relation, tenant = catalog.relations.get(name), tenancy[name].tenant
        if relation is None or not relation.is_table or tenant is None or len(tenant.path) != 1:
            continue
        if not relation.partition_bound and (schemas is None or name.schema in schemas):
            yield relation, tenant.path[0]


def holding_data(
    connection: Connection, catalog: Catalog, tenancy: Mapping[QName, Tenancy], tenants: Sequence[str]
) -> Counter[str]:
    """Tenant -> how many tables hold a row of theirs.  Tables that cannot be asked are passed over."""
    asked = [
        _which_have_rows(relation, column, tenants)
        for relation, column in list(direct_tenants(catalog, tenancy))[:_TABLES]
    ]
    with Wire(connection, WITHIN) as wire:
        wire.prepare(())
        answers = [row for said in wire.run([(statement,) for statement in asked]) for row in said[-1].rows]
    return Counter(
        tenant for answer in answers for tenant, holds in zip(tenants, answer, strict=True) if holds == "true"
    )


def _which_have_rows(relation: Relation, column: str, tenants: Sequence[str]) -> str:
    there = sql.SQL(", ").join(
        sql.SQL("(EXISTS (SELECT 1 FROM {} WHERE {} = {}))::text").format(
            table_name(relation.name), sql.Identifier(column), sql.Literal(tenant)
        )
        for tenant in tenants
    )
    return sql.SQL("SELECT {}").format(there).as_string(None)


def tenants_of_tables(
    connection: Connection, catalog: Catalog, scenario: Scenario, tenancy: Mapping[QName, Tenancy], most: int
) -> list[str]:
    """Tenants that have rows in the first table that knows several; the fewest that there are otherwise."""
    best: list[str] = []
    for relation, column in direct_tenants(catalog, tenancy, scenario.database.schemas):
        statement = sql.SQL("SELECT DISTINCT {0}::text FROM {1} WHERE {0} IS NOT NULL ORDER BY 1 LIMIT {2}").format(
            sql.Identifier(column), table_name(relation.name), sql.Literal(most)
        )
        try:
            with connection.transaction():
                found = [str(row[0]) for row in connection.execute(statement)]
        except psycopg.Error:
            continue
        best = max(best, found, key=len)
        if len(best) == most:
            break
    return best


def outsider_id(connection: Connection, catalog: Catalog, scenario: Scenario, seed: int) -> str:
    """The id of a user who is in no membership table."""
    membership = scenario.memberships[0]
    relation = catalog.relations[membership.table]
    most = _WHOLE.get(relation.column(membership.user).base_type)
    for number in range(100):
        if most is None:
            known = child_uuid(seed, "user", "outsider", *([number] if number else []))
        else:
            known = str(most - 1 - (child_seed(seed, "outsider", number) % (most // 8)))
        statement = sql.SQL("SELECT 1 FROM {} WHERE {} = {} LIMIT 1").format(
            table_name(relation.name), sql.Identifier(membership.user), sql.Literal(known)
        )
        with connection.transaction():
            if connection.execute(statement).fetchone() is None:
                return known
    raise LookupError("no free user id")  # a hundred numbers at random, all taken
