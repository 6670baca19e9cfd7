"""`seed`: fills a fresh database for a scenario, and says what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from tenantproof.core.catalog import Catalog
from tenantproof.core.errors import UsageError
from tenantproof.core.model import Persona, QName, Scenario, Tenancy
from tenantproof.core.world import Key, Manifest, Unseeded
from tenantproof.identity.legacy import legacy_claims
from tenantproof.seeding import partitions
from tenantproof.seeding.aftermath import strayed
from tenantproof.seeding.cast import Cast, make_cast
from tenantproof.seeding.drafts import Drafting, make_drafts
from tenantproof.seeding.existing import ask_for_tenants, read_existing, read_keys
from tenantproof.seeding.filling import made_rows, run_fills, stages, unfilled
from tenantproof.seeding.inlining import bodies_of
from tenantproof.seeding.judging import Judge
from tenantproof.seeding.load import load, refresh_views
from tenantproof.seeding.paths import table_name
from tenantproof.seeding.plan import Plan, TablePlan, make_plan
from tenantproof.seeding.rows import FULL, Builder, Impossible, Want
from tenantproof.seeding.samples import Clock, Samples
from tenantproof.seeding.settle import drop_new_tenants, settle_memberships
from tenantproof.seeding.solving import Solver
from tenantproof.seeding.store import SeedRow, Store
from tenantproof.seeding.trials import Court
from tenantproof.seeding.typebook import ask_for_types, type_book
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
    beside: bool = False,
    alone: bool = True,
) -> Manifest:
    """
    Fill a database: tenants, users, memberships, then every table that the scenario has in scope, and every
    table that those refer to.  Commits.

    *connection* is the observer's (a superuser), with autocommit off and no transaction open.  The manifest's
    personas carry the user ids that were written, which differ from the given ones where users are numbered.
    *beside*: rows of others are there, and ours keep away from them: numbers come from the top of their type, ids
    that are words get a suffix, sequences are not set.  Not *alone*: nothing is locked for which others would wait.
    A function of its arguments, but for instants outside keys: these are taken from the current day.

    Raises UsageError where the tenancy or a role does not fit the schema, TargetError where Supabase's table of users
    takes none.  What the database refuses otherwise is no error: it stands in `Manifest.unseeded`.
    """
    plan = make_plan(catalog, scenario, tenancy)
    cast = make_cast(
        scenario, personas, tenant_type=plan.tenant_type, user_type=plan.user_type, seed=seed, beside=beside
    )
    clock = Clock(now=datetime.now(UTC))
    with connection.pipeline():  # one wait for all that is asked before anything is written
        _set_formats(connection)
        ours = _ask_for_ours(connection, plan, cast) if beside else None
        types = ask_for_types(connection, plan.tables)
        tenants = ask_for_tenants(connection, plan) if plan.accounts is not None else None
    _require_new(ours or (), cast)
    samples = Samples(seed=seed, clock=clock, types=type_book(types or ()))
    known = frozenset(tuple(key) for (key,) in tenants or ())
    problems = _sign_up(connection, catalog, plan, cast, samples, known)
    store = read_existing(connection, plan, catalog, cast)
    settle_memberships(connection, plan, cast, store)
    found = _keys_of_existing(plan, store, cast)

    tenanted = Tenanted(tables=_tenanted(plan), tenants=plan.tenants)
    court = Court(
        connection=connection,
        scenario=scenario,
        cast=cast,
        plan=plan,
        bodies=bodies_of(catalog),
        legacy=legacy_claims(catalog),
    )
    work = _Work(court=court, catalog=catalog, store=store, samples=samples, tenancy=tenancy, tenanted=tenanted)
    parts = stages(plan, scenario.fills)
    problems += work.fill(parts.before)
    filled: Mapping[QName, frozenset[Key]] = {}
    if scenario.fills:
        filled = work.run_fills()
        problems += [*unfilled(parts.filled, store, cast), *work.fill(parts.after)]
    work.builders |= work.builders_of(parts.filled)
    problems += refresh_views(connection, catalog, scenario.database.schemas, alone=alone)
    problems += strayed(connection, plan, store, catalog, cast)
    after = read_keys(connection, plan)
    connection.commit()

    drafts, undrafted = make_drafts(
        catalog=catalog,
        scenario=scenario,
        drafting=Drafting(plan=plan, cast=cast, store=store, builders=work.builders, tenanted=tenanted, court=court),
    )
    connection.rollback()
    return Manifest(
        seed=seed,
        tenant_ids=dict(cast.tenant_ids),
        canaries=dict(cast.canaries),
        personas=cast.personas,
        drafts=drafts,
        seeded_keys={
            name: keys - found.get(name, frozenset()) - filled.get(name, frozenset()) for name, keys in after.items()
        },
        unseeded=_told_once(problems, undrafted),
        rows_per_tenant={table.name: Counter(row.tenant for row in store.of(table.name)) for table in plan.tables},
    )


def _told_once(problems: Sequence[Unseeded], undrafted: Sequence[Unseeded]) -> tuple[Unseeded, ...]:
    """Everything, but for drafts of a tenant that failed as its rows did."""
    told = {(item.relation, item.tenant) for item in problems if item.message.startswith("insert: ")}
    fresh = (item for item in undrafted if (item.relation, item.tenant) not in told)
    return tuple(dict.fromkeys((*problems, *fresh)))


def _sign_up(
    connection: psycopg.Connection[Any],
    catalog: Catalog,
    plan: Plan,
    cast: Cast,
    samples: Samples,
    tenants: frozenset[Key],
) -> list[Unseeded]:
    """Users of Supabase Auth, without the personal tenants that their sign-up may make; what else was not filled.

    *tenants*: the keys of those who were there before.
    """
    if plan.accounts is None:
        return []
    problems = insert_auth_users(connection, cast, catalog, plan.accounts, samples)
    if plan.tenants is not None:
        drop_new_tenants(connection, plan, cast, tenants)
    return problems


def _ask_for_ours(
    connection: psycopg.Connection[Any], plan: Plan, cast: Cast
) -> psycopg.Cursor[tuple[Any, ...]] | None:
    """Ask for tenants of ours that are there already."""
    table = plan.table(plan.tenants) if plan.tenants else None
    if table is None or plan.tenant_key is None:
        return None
    return connection.execute(
        sql.SQL("SELECT {key}::text FROM {table} WHERE {key}::text = ANY (%s)").format(
            key=sql.Identifier(plan.tenant_key), table=table_name(table.name)
        ),
        (list(cast.tenant_ids.values()),),
    )


def _require_new(ours: Iterable[tuple[Any, ...]], cast: Cast) -> None:
    """Raise UsageError where a tenant of ours is there already: whose rows are whose would nobody know."""
    names = ", ".join(f"{cast.name_of(key)} ({key})" for (key,) in ours)
    if names:
        raise UsageError(
            f"tenants of the scenario are there already: {names}\n"
            "  left by a run that was killed: `tenantproof clean` takes them away, or use another --seed; real "
            "tenants: declare none with an id that exists, or use --writes never"
        )


def _set_formats(connection: psycopg.Connection[Any]) -> None:
    """Keys are compared as text, so their text must not depend on the server's settings."""
    connection.execute("SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, MDY', true)")


@dataclass(slots=True, kw_only=True)
class _Work:
    """Fills the tables of a plan, part by part."""

    court: Court
    catalog: Catalog
    store: Store
    samples: Samples
    tenancy: Mapping[QName, Tenancy]
    tenanted: Tenanted
    builders: dict[QName, Builder] = field(default_factory=dict)

    def fill(self, plan: Plan) -> list[Unseeded]:
        """Make rows for these tables and write them; what could not be made or written."""
        self.builders |= self.builders_of(plan)
        unmade = _build_rows(plan, self.court.cast, self.store, self.builders, self.tenanted)
        return unmade + load(plan, self.store, self.builders, self.solver, self.court)

    def builders_of(self, plan: Plan) -> dict[QName, Builder]:
        """What makes the rows of these tables, with the rows that are there by now."""
        return _builders(plan, self.catalog, self.court.cast, self.store, self.samples, self.tenancy)

    def solver(self, table: TablePlan) -> Solver:
        connection, relation = self.court.connection, table.relation
        routing = partitions.routing_condition(connection, relation, self.catalog.relations)
        judge = Judge(connection, relation)
        return Solver(relation, judge, self.court.bodies, self.samples.seed, routing=routing)

    def run_fills(self) -> dict[QName, frozenset[Key]]:
        """Run the user's statements; the keys of the rows that came of it, which are known from now on."""
        connection, plan, cast = self.court.connection, self.court.plan, self.court.cast
        before = read_keys(connection, plan)
        run_fills(connection, self.court.scenario, self.catalog, cast)
        made = {name: keys - before[name] for name, keys in read_keys(connection, plan).items()}
        for table, row in made_rows(read_existing(connection, plan, self.catalog, cast), made, plan):
            self.store.add(table.name, row)
            if table.name in self.builders:
                self.builders[table.name].notice(row)
        return made


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
    # Not the tenants' own key: a column of another table that bears its name (uid, code) is a key of that table.
    columns = frozenset(
        known.tenant.path[0]
        for name, known in tenancy.items()
        if known.tenant and len(known.tenant.path) == 1 and name != plan.tenants
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
        if table != plan.accounts:
            unmade += _fill(table, cast, store, builders[table.name], tenanted)
    for table in plan.tables:
        if table.late:
            builders[table.name].bind_late()
            _make_missing(table, store, builders)
    return unmade


def _make_missing(table: TablePlan, store: Store, builders: Mapping[QName, Builder]) -> None:
    """Rows that a required key of a cycle found nothing to refer to get a row of their own there."""
    for key in table.late:
        builder = builders.get(key.references) if key.references else None
        required = [column for column in key.columns if table.relation.column(column).not_null]
        if builder is None or not required:
            continue
        for row in store.of(table.name):
            if row.existing or all(row.values.get(column) is not None for column in required):
                continue
            pairs = zip(key.columns, key.ref_columns, strict=True)
            known = {ref: row.values[column] for column, ref in pairs if row.values.get(column) is not None}
            made = builder.build(Want(tenant=row.tenant, owner=row.owner, fixed=known), builder.table.early)
            if not isinstance(made, Impossible):
                store.add(builder.table.name, made)
        builders[table.name].bind_late()


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
        Unseeded(relation=table.name, tenant=tenant, sqlstate=why.sqlstate, message=_said(why, store.of(table.name)))
        for tenant, why in problems.items()
        if tenant not in served
    ]


def _said(why: Impossible, rows: Sequence[SeedRow]) -> str:
    """That a table has the one row that it can have is no lack of rows; the prefix leaves INSERT in doubt alone."""
    if len(rows) == 1 and rows[0].existing and why.message.startswith(FULL):
        return "insert: the table has one row and takes no other"
    return why.message


def _keys_of_existing(plan: Plan, store: Store, cast: Cast) -> dict[QName, frozenset[Key]]:
    """Keys of rows that migrations and triggers made, but for keys that consist of personas' and tenants' ids."""
    ids = {*cast.tenant_ids.values(), *(persona.user_id for persona in cast.users)}
    found = {}
    for table in plan.tables:
        columns = table.relation.primary_key or table.relation.column_names
        keys = {tuple(row.values.get(column) for column in columns) for row in store.of(table.name)}
        found[table.name] = frozenset(key for key in keys if not set(key) <= ids)
    return found
