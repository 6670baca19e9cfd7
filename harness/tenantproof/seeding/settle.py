"""What sign-up triggers made, put right: exactly the declared memberships, no tenants but the declared ones."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from tenantproof.catalog.at_once import at_once
from tenantproof.core.model import Membership
from tenantproof.core.world import Key
from tenantproof.seeding.cast import Cast
from tenantproof.seeding.paths import table_name
from tenantproof.seeding.plan import Plan, TablePlan
from tenantproof.seeding.rowquery import key_expression
from tenantproof.seeding.store import Store
from tenantproof.seeding.wants import role_value


def settle_memberships(connection: psycopg.Connection[Any], plan: Plan, cast: Cast, store: Store) -> None:
    """Give existing memberships of personas the declared role, and delete those that nobody declared."""
    joined = [(table, membership) for table in plan.tables for membership in table.memberships if store.of(table.name)]
    if not joined:
        return
    with connection.pipeline():
        for table, membership in joined:
            _settle(connection, table, membership, cast, store)


def drop_new_tenants(connection: psycopg.Connection[Any], plan: Plan, cast: Cast, before: frozenset[Key]) -> None:
    """
    Delete tenants that sign-up triggers made for the personas (a personal account each), with all that hangs on
    them; where the database refuses, they stay.
    """
    table = plan.table(plan.tenants) if plan.tenants else None
    if table is None or plan.tenant_key is None:
        return
    query = sql.SQL("DELETE FROM {} WHERE NOT {} = ANY (%s) AND NOT {}::text = ANY (%s)").format(
        table_name(table.name),
        sql.SQL("({})::text").format(key_expression(table.relation)),
        sql.Identifier(table.name.name, plan.tenant_key),
    )
    known = [_array(key) for key in before]
    try:
        with at_once(connection):
            connection.execute(query, (known, list(cast.tenant_ids.values())))
    except psycopg.Error:
        return


def _array(key: Key) -> str:
    return "{" + ",".join("NULL" if part is None else _quoted(part) for part in key) + "}"


def _quoted(part: str) -> str:
    plain = part and all(char.isalnum() or char in "-_.:+" for char in part) and part.upper() != "NULL"
    return part if plain else '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _settle(
    connection: psycopg.Connection[Any], table: TablePlan, membership: Membership, cast: Cast, store: Store
) -> None:
    people = {persona.user_id: persona for persona in cast.users}
    for row in list(store.of(table.name)):
        persona = people.get(row.values.get(membership.user))
        if persona is None:
            continue
        roles = persona.roles_in(row.tenant) if row.tenant else ()
        where = sql.SQL(" AND ").join(
            sql.SQL("{}::text = {}").format(sql.Identifier(column), sql.Literal(row.values[column]))
            for column in (membership.user, membership.tenant)
        )
        name = table_name(table.name)
        if not roles:
            connection.execute(sql.SQL("DELETE FROM {} WHERE {}").format(name, where))
            store.rows[table.name].remove(row)
        elif membership.role is not None and row.values[membership.role] != roles[0]:
            value = role_value(table, membership, roles[0], store)
            role = sql.Identifier(membership.role)
            connection.execute(sql.SQL("UPDATE {} SET {} = {} WHERE {}").format(name, role, sql.Literal(value), where))
            row.values[membership.role] = value
