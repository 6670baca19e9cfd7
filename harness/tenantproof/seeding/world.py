"""`read_world`: ground truth, every row of every relation in scope with tenant and owner, as the observer sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg

from tenantproof.catalog.at_once import ask
from tenantproof.core.catalog import Catalog, Relation
from tenantproof.core.errors import UsageError
from tenantproof.core.model import Place, QName, Scenario, ScopeKind, Tenancy
from tenantproof.core.world import Key, Manifest, Row, Unseeded, World
from tenantproof.seeding.existing import invalid_tenancy
from tenantproof.seeding.rowquery import row_query


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One relation to read, and the predicates that its expectations name."""

    relation: Relation
    tenancy: Tenancy
    predicates: Mapping[str, Place | None]


def read_world(
    connection: psycopg.Connection[Any],
    *,
    catalog: Catalog,
    scenario: Scenario,
    tenancy: Mapping[QName, Tenancy],
    manifest: Manifest,
) -> World:
    """
    The world as it is now, read in one pipeline by the observer.

    Raises UsageError where a locator or a `where:` predicate is not valid for its relation.  A relation that the
    observer cannot read for another reason is empty in the world, and `World.manifest.unseeded` says why.
    """
    readings = [
        Reading(relation=r, tenancy=tenancy[r.name], predicates=predicates_for(scenario, r.name))
        for r in catalog.in_schemas(scenario.database.schemas)
        if r.name in tenancy
    ]
    answers, unreadable = _ask_all(connection, readings, catalog)
    rows = {
        reading.relation.name: _rows(reading, answer, manifest.seeded_keys.get(reading.relation.name))
        for reading, answer in zip(readings, answers, strict=True)
    }
    if unreadable:
        manifest = replace(manifest, unseeded=(*manifest.unseeded, *unreadable))
    return World(manifest=manifest, rows=rows, tenancy=tenancy)


def predicates_for(scenario: Scenario, name: QName) -> dict[str, Place | None]:
    """The distinct `where:` predicates of a relation's expectations, in the order of the file."""
    found: dict[str, Place | None] = {}
    for expectation in scenario.expectations:
        if expectation.table == name:
            for scope in expectation.scopes:
                if scope.kind is ScopeKind.WHERE:
                    found.setdefault(scope.predicate, expectation.place)
    return found


def _ask_all(
    connection: psycopg.Connection[Any], readings: Sequence[Reading], catalog: Catalog
) -> tuple[list[list[tuple[Any, ...]]], list[Unseeded]]:
    queries = [row_query(r.relation, r.tenancy, tuple(r.predicates), catalog) for r in readings]
    try:
        return ask(connection, queries), []
    except psycopg.Error:
        return _ask_each(connection, readings, catalog)


def _ask_each(
    connection: psycopg.Connection[Any], readings: Sequence[Reading], catalog: Catalog
) -> tuple[list[list[tuple[Any, ...]]], list[Unseeded]]:
    """One by one, to find out which query fails and why."""
    answers: list[list[tuple[Any, ...]]] = []
    failed: list[Unseeded] = []
    for reading in readings:
        error = _failure(connection, reading, tuple(reading.predicates), catalog)
        if error is None:
            query = row_query(reading.relation, reading.tenancy, tuple(reading.predicates), catalog)
            answers.append(connection.execute(query).fetchall())
            continue
        _blame_scenario(connection, reading, catalog)
        answers.append([])
        name, said = reading.relation.name, error.diag.message_primary or ""
        failed.append(Unseeded(relation=name, tenant=None, sqlstate=error.sqlstate or "", message=f"read: {said}"))
    return answers, failed


def _blame_scenario(connection: psycopg.Connection[Any], reading: Reading, catalog: Catalog) -> None:
    """Raise UsageError where the scenario's own SQL is what fails."""
    name = reading.relation.name
    if _failure(connection, replace(reading, tenancy=Tenancy()), (), catalog) is not None:
        return
    if (error := _failure(connection, reading, (), catalog)) is not None:
        raise invalid_tenancy(name, reading.tenancy, error)
    for predicate, place in reading.predicates.items():
        if (error := _failure(connection, reading, (predicate,), catalog)) is not None:
            at = f"{place}: " if place else ""
            raise UsageError(f"{at}where '{predicate}' is not valid for {name}: {error.diag.message_primary}")


def _failure(
    connection: psycopg.Connection[Any], reading: Reading, predicates: Sequence[str], catalog: Catalog
) -> psycopg.Error | None:
    try:
        ask(connection, [row_query(reading.relation, reading.tenancy, predicates, catalog)])
    except psycopg.Error as error:
        return error
    return None


def _rows(reading: Reading, answer: Sequence[tuple[Any, ...]], seeded: frozenset[Key] | None) -> tuple[Row, ...]:
    predicates = tuple(reading.predicates)
    found = []
    for key, tenant, owner, flags, _version in answer:
        named = frozenset(p for p, holds in zip(predicates, flags, strict=True) if holds)
        row_key = tuple(key)
        written = seeded is None or row_key in seeded
        found.append(Row(key=row_key, tenant=tenant, owner=owner, flags=named, seeded=written))
    return tuple(sorted(found, key=lambda row: tuple(part or "" for part in row.key)))
