"""
`fill:` of the scenario: SQL of the user's that makes rows which only the application can make (a signed call, a quota).

Each statement runs once for each tenant, as the observer or as a member of the tenant, with triggers on.  It runs after
the tables that do not need what it makes; tables that refer to a filled table are seeded after it.  Its rows are found
like any others; their keys are not taken for stable, since the SQL may make new ones each time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from time import time
from typing import Any

import psycopg
from psycopg import sql

from tenantproof.core.catalog import Catalog
from tenantproof.core.errors import UsageError, did_you_mean
from tenantproof.core.model import Fill, Persona, PersonaKind, QName, Scenario
from tenantproof.core.ports import Identity
from tenantproof.core.seeds import child_uuid
from tenantproof.core.world import Key, Unseeded
from tenantproof.identity.becoming import become, unbecome
from tenantproof.identity.sessions import identify
from tenantproof.identity.signing import Signer
from tenantproof.seeding.cast import Cast
from tenantproof.seeding.plan import Plan, TablePlan
from tenantproof.seeding.store import SeedRow, Store

_PLACEHOLDER = re.compile(r"\{([a-z.]+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """The plan in three parts: tables to seed before the user's SQL, those that it fills, those to seed after it."""

    before: Plan
    filled: Plan
    after: Plan


def stages(plan: Plan, fills: tuple[Fill, ...]) -> Stages:
    """
    The parts of the plan.

    Raises UsageError where a statement fills a table that is not there, or one that the scenario fills itself.
    """
    named = {fill.table: fill for fill in fills if fill.table is not None}
    for name, fill in named.items():
        _check(name, fill, plan)
    later: set[QName] = set()
    for table in plan.tables:
        parents = {key.references for key in table.early}
        if table.name not in named and parents & (named.keys() | later):
            later.add(table.name)

    def part(names: set[QName]) -> Plan:
        return replace(plan, tables=tuple(table for table in plan.tables if table.name in names))

    every = {table.name for table in plan.tables}
    return Stages(before=part(every - named.keys() - later), filled=part(set(named)), after=part(later))


def _check(name: QName, fill: Fill, plan: Plan) -> None:
    at = f"{fill.place}: " if fill.place else ""
    table = plan.table(name)
    if table is None:
        known = [str(other.name) for other in plan.tables]
        raise UsageError(f"{at}fill names the table {name}, which is not there: {did_you_mean(str(name), known)}")
    if table.is_tenants or table.memberships or table.user_column is not None:
        raise UsageError(
            f"{at}fill names {name}, whose rows are the scenario's tenants, members or users: leave it out"
        )


def run_fills(connection: psycopg.Connection[Any], scenario: Scenario, catalog: Catalog, cast: Cast) -> None:
    """Run every statement for every tenant; raises UsageError with the database's words where one fails."""
    for place, fill in enumerate(scenario.fills):
        for number, tenant in enumerate(cast.tenant_ids, 1):
            person = _person(fill, tenant, cast)
            text = _rendered(fill.sql, _words(person, tenant, cast, place, number))
            identity = None if fill.role is None else _identity(person, fill, scenario, catalog, cast)
            try:
                with connection.transaction():
                    _run(connection, text, identity)
            except psycopg.Error as error:
                at = f"{fill.place}: " if fill.place else ""
                whom = f" as {person.name}" if identity and person else ""
                said = error.diag.message_primary or str(error)
                raise UsageError(
                    f"{at}fill failed for the tenant '{tenant}'{whom}: {said} ({error.sqlstate})"
                ) from None


def _person(fill: Fill, tenant: str, cast: Cast) -> Persona | None:
    """The tenant's member of that role, or its first member."""
    members = [person for person in cast.members(tenant) if person.kind is PersonaKind.MEMBER]
    if fill.role is not None:
        members = [person for person in members if fill.role in person.roles_in(tenant)]
    return next(iter(members), None)


def _identity(person: Persona | None, fill: Fill, scenario: Scenario, catalog: Catalog, cast: Cast) -> Identity:
    if person is None:
        raise UsageError(f"{fill.place}: nobody has the role '{fill.role}', so nobody can run the statement")
    role = scenario.session.role
    return identify(
        person,
        scenario=scenario,
        tenants=cast.tenant_ids,
        signer=Signer(),
        now=int(time()),
        role_settings=catalog.roles[role].settings if role in catalog.roles else {},
    )


def _words(person: Persona | None, tenant: str, cast: Cast, place: int, number: int) -> Mapping[str, str]:
    return {
        "tenant.id": cast.tenant_ids[tenant],
        "tenant.name": tenant,
        "user.id": (person.user_id if person else None) or "",
        "user.email": (person.email if person else None) or "",
        "role": (person.roles_in(tenant) or ("",))[0] if person else "",
        "n": str(number),
        "uuid": child_uuid(cast.seed, "fill", place, tenant),
        "canary": cast.canaries[tenant],
    }


def _rendered(text: str, words: Mapping[str, str]) -> str:
    """The statement; a quote in a value is doubled, since placeholders stand inside quotes."""
    return _PLACEHOLDER.sub(lambda m: words.get(m[1], m[0]).replace("'", "''"), text)


def _run(connection: psycopg.Connection[Any], text: str, identity: Identity | None) -> None:
    if identity is None:
        connection.execute(text.encode())
        return
    names = list(dict.fromkeys(name for name, _ in identity.settings))
    shown = sql.SQL(", ").join(sql.SQL("current_setting({}, true)").format(sql.Literal(name)) for name in names)
    before = connection.execute(sql.SQL("SELECT {}").format(shown)).fetchone() if names else None
    connection.execute(become(identity))
    connection.execute(text.encode())
    connection.execute(unbecome())
    for name, value in zip(names, before or (), strict=True):
        connection.execute("SELECT set_config(%s, %s, true)", (name, value or ""))


def made_rows(found: Store, keys: Mapping[QName, frozenset[Key]], plan: Plan) -> Iterator[tuple[TablePlan, SeedRow]]:
    """The rows with these keys."""
    for table in plan.tables:
        columns = table.relation.primary_key or table.relation.column_names
        for row in found.of(table.name):
            if tuple(row.values.get(column) for column in columns) in keys.get(table.name, frozenset()):
                yield table, row


def unfilled(filled: Plan, store: Store, cast: Cast) -> Iterator[Unseeded]:
    """Tables that the user's SQL was to fill, and tenants that got no row of theirs."""
    for table in filled.tables:
        served = {row.tenant for row in store.of(table.name)}
        tenants = [*cast.tenant_ids] if table.tenancy.tenant is not None else [None]
        for tenant in tenants:
            if tenant not in served:
                message = "the statements under fill made no row of this tenant" if tenant else "fill made no row"
                yield Unseeded(relation=table.name, tenant=tenant, sqlstate="", message=message)
