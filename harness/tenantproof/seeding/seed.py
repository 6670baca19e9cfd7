"""`seed`: fills a fresh database for a scenario, and says what it did."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg

from tenantproof.core.catalog import Catalog
from tenantproof.core.model import Persona, QName, Scenario, Tenancy
from tenantproof.core.world import Key, Manifest, Unseeded
from tenantproof.seeding import partitions
from tenantproof.seeding.cast import Cast, make_cast
from tenantproof.seeding.drafts import Drafting, make_drafts
from tenantproof.seeding.existing import read_existing, read_keys
from tenantproof.seeding.load import load, refresh_views
from tenantproof.seeding.plan import AUTH_IDENTITIES, AUTH_USERS, Plan, TablePlan, make_plan
from tenantproof.seeding.rows import Builder, Impossible
from tenantproof.seeding.samples import Clock, Samples
from tenantproof.seeding.settle import drop_new_tenants, settle_memberships
from tenantproof.seeding.store import Store
from tenantproof.seeding.users import insert_auth_users
from tenantproof.seeding.wants import Tenanted, rows_wanted


def seed(
    connection: psycopg.Connection[Any],
    *,
    catalog: Catalog,
    scenario: Scenario,
    tenancy: Mapping[QName, Tenancy],
    personas: tuple[Persona, ...],
    seed: int,
) -> Manifest:
    """
    Fill a fresh database: tenants, users, memberships, then every table that the scenario has in scope, and every
    table that those refer to.  Commits.

    *connection* is the observer's (a superuser), with autocommit off and no transaction open.  The manifest's
    personas carry the user ids that were written, which differ from the given ones where users are numbered.
    A function of its arguments, but for instants outside keys: these are taken from the current day.

    Raises UsageError where the tenancy or a role does not fit the schema.  What the database refuses is no error:
    it stands in `Manifest.unseeded`.
    """
    plan = make_plan(catalog, scenario, tenancy)
    cast = make_cast(scenario, personas, tenant_type=plan.tenant_type, user_type=plan.user_type, seed=seed)
    clock = Clock(now=datetime.now(UTC))
    _set_formats(connection)
    _sign_up(connection, catalog, plan, cast, clock)
    store = read_existing(connection, plan, catalog, cast)
    settle_memberships(connection, plan, cast, store)
    found = _keys_of_existing(plan, store, cast)

    tenanted = Tenanted(tables=_tenanted(plan), tenants=plan.tenants)
    builders = _builders(plan, catalog, cast, store, Samples(seed=seed, clock=clock), tenancy)
    unmade = _build_rows(plan, cast, store, builders, tenanted)
    refused = load(connection, plan, store, builders)
    refused += refresh_views(connection, catalog, scenario.database.schemas)
    after = read_keys(connection, plan)
    connection.commit()

    drafts, undrafted = make_drafts(
        connection,
        catalog=catalog,
        scenario=scenario,
        drafting=Drafting(plan=plan, cast=cast, store=store, builders=builders, tenanted=tenanted),
    )
    connection.rollback()
    return Manifest(
        seed=seed,
        tenant_ids=dict(cast.tenant_ids),
        canaries=dict(cast.canaries),
        personas=cast.personas,
        drafts=drafts,
        seeded_keys={name: keys - found.get(name, frozenset()) for name, keys in after.items()},
        unseeded=tuple(dict.fromkeys((*unmade, *refused, *undrafted))),
    )


def _sign_up(connection: psycopg.Connection[Any], catalog: Catalog, plan: Plan, cast: Cast, clock: Clock) -> None:
    """Users of Supabase Auth, without the personal tenants that their sign-up may make."""
    if plan.table(AUTH_USERS) is None:
        return
    before = read_keys(connection, plan)
    insert_auth_users(connection, cast, clock=clock, identities=AUTH_IDENTITIES in catalog.relations)
    if plan.tenants is not None:
        drop_new_tenants(connection, plan, cast, before[plan.tenants])


def _set_formats(connection: psycopg.Connection[Any]) -> None:
    """Keys are compared as text, so their text must not depend on the server's settings."""
    connection.execute("SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, MDY', true)")


def _tenanted(plan: Plan) -> frozenset[QName]:
    """Tables whose rows hang on a tenant: by tenancy, or by a required path of foreign keys."""
    found: set[QName] = set()
    for table in plan.tables:
        declared = table.tenancy.tenant is not None or table.is_tenants or bool(table.memberships)
        inherited = not table.tenancy.decided and any(key.references in found for key in table.early)
        if declared or inherited:
            found.add(table.name)
    return frozenset(found)


def _builders(
    plan: Plan,
    catalog: Catalog,
    cast: Cast,
    store: Store,
    samples: Samples,
    tenancy: Mapping[QName, Tenancy],
) -> dict[QName, Builder]:
    columns = frozenset(
        known.tenant.path[0] for known in tenancy.values() if known.tenant and len(known.tenant.path) == 1
    ) - {"id"}
    return {
        table.name: Builder(
            table,
            cast=cast,
            store=store,
            samples=samples,
            tenant_columns=columns,
            slots=partitions.slots(table.relation, catalog.relations, samples.clock.now),
        )
        for table in plan.tables
    }


def _build_rows(
    plan: Plan, cast: Cast, store: Store, builders: Mapping[QName, Builder], tenanted: Tenanted
) -> list[Unseeded]:
    unmade: list[Unseeded] = []
    for table in plan.tables:
        if table.name != AUTH_USERS:
            unmade += _fill(table, cast, store, builders[table.name], tenanted)
    for table in plan.tables:
        if table.late:
            builders[table.name].bind_late()
    return unmade


def _fill(table: TablePlan, cast: Cast, store: Store, builder: Builder, tenanted: Tenanted) -> list[Unseeded]:
    """Make the rows of one table; a tenant that got none, and has none, is reported."""
    problems: dict[str | None, Impossible] = {}
    builder.start()
    for want in rows_wanted(table, cast, store, tenanted, builder.slot_count, builder.variety):
        made = builder.build(want, table.early)
        if isinstance(made, Impossible):
            problems.setdefault(want.tenant, made)
        else:
            store.add(table.name, made)
    served = {row.tenant for row in store.of(table.name)}
    return [
        Unseeded(relation=table.name, tenant=tenant, sqlstate=why.sqlstate, message=why.message)
        for tenant, why in problems.items()
        if tenant not in served
    ]


def _keys_of_existing(plan: Plan, store: Store, cast: Cast) -> dict[QName, frozenset[Key]]:
    """Keys of rows that migrations and triggers made, but for keys that consist of personas' and tenants' ids."""
    ids = {*cast.tenant_ids.values(), *(persona.user_id for persona in cast.users)}
    found = {}
    for table in plan.tables:
        columns = table.relation.primary_key or table.relation.column_names
        keys = {tuple(row.values.get(column) for column in columns) for row in store.of(table.name)}
        found[table.name] = frozenset(key for key in keys if not set(key) <= ids)
    return found
