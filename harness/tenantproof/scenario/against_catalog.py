"""
What only the database can tell about a scenario: tables, columns, foreign key paths and roles that do not exist.

Works on values alone (`core.catalog`); the scenario file is read once more for the excerpts of the messages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tenantproof.core.catalog import Catalog, Relation
from tenantproof.core.errors import Problem
from tenantproof.core.model import Locator, Membership, Place, QName, Scenario, Tenancy
from tenantproof.scenario.positions import Source, Spot, shown
from tenantproof.scenario.suggestions import suggest

_WORD = re.compile(r"[^\s:,\[\]{}]+")


def check_against_catalog(scenario: Scenario, catalog: Catalog) -> tuple[Problem, ...]:
    """Every name in the scenario that the database does not know, in the order of the file."""
    check = _Check(scenario=scenario, catalog=catalog, source=_source(scenario.path))
    check.schemas()
    check.roles()
    check.memberships()
    for name, tenancy in scenario.tables.items():
        check.tenancy(name, tenancy)
    check.expectations()
    check.endpoints()
    return tuple(sorted(check.problems, key=lambda problem: (problem.line, problem.column)))


def _source(path: str) -> Source:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        text = ""
    return Source.of(path, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    """One check; problems are collected."""

    scenario: Scenario
    catalog: Catalog
    source: Source
    problems: list[Problem] = field(default_factory=list)

    def schemas(self) -> None:
        """Schemas in scope must hold something."""
        known = {name.schema for name in self.catalog.relations} | set(self.catalog.schema_usage)
        for index, schema in enumerate(self.scenario.database.schemas):
            if schema not in known:
                place = self._place(f"database.schemas.{index}", "database.schemas", "database")
                self._complain(
                    place, "unknown-schema", f"no schema {shown(schema)} in the database", suggest(schema, known)
                )

    def roles(self) -> None:
        """Roles of the session must exist, where the catalog knows roles at all."""
        session = self.scenario.session
        for key, role in (("login", session.login), ("role", session.role), ("anon_role", session.anon_role)):
            if role and self.catalog.roles and role not in self.catalog.roles:
                place = self._place(f"session.{key}", "session", "database.platform")
                hint = suggest(role, self.catalog.roles)
                self._complain(
                    place, "unknown-database-role", f"no role {shown(role)} in the database (session.{key})", hint
                )

    def memberships(self) -> None:
        """Membership tables and their columns."""
        for index, membership in enumerate(self.scenario.memberships):
            prefix = f"membership.{index}" if f"membership.{index}" in self.scenario.places else "membership"
            relation = self._relation(membership.table, self._place(f"{prefix}.table", prefix))
            if relation is not None:
                self._membership_columns(relation, membership, prefix)

    def _membership_columns(self, relation: Relation, membership: Membership, prefix: str) -> None:
        for key in ("user", "tenant", "role"):
            if column := getattr(membership, key):
                self._column(relation, column, self._place(f"{prefix}.{key}", prefix))
        self._values(relation, membership.values, f"{prefix}.values")

    def tenancy(self, name: QName, tenancy: Tenancy) -> None:
        """A declared table: it exists, and so do its columns, its paths and the columns of its values."""
        relation = self._relation(name, tenancy.place)
        if relation is None:
            return
        for key, locator in (("tenant", tenancy.tenant), ("owner", tenancy.owner)):
            if locator is not None:
                self._locator(relation, locator, self._place(f"tables.{name}.{key}", f"tables.{name}"))
        self._values(relation, tenancy.values, f"tables.{name}.values")

    def expectations(self) -> None:
        """Tables named under `expect:`, each once."""
        places: dict[QName, Place | None] = {}
        for expectation in self.scenario.expectations:
            if expectation.table is not None:
                key = f"expect.{expectation.table}"
                places.setdefault(expectation.table, self.scenario.places.get(key, expectation.place))
        for name, place in places.items():
            # A table that `tables:` declares was complained about there.
            if name not in self.scenario.tables:
                self._relation(name, place)

    def endpoints(self) -> None:
        """Tables and columns of {row.TABLE.COLUMN}, and the role that the application connects as."""
        for endpoint in self.scenario.endpoints:
            for name, column in endpoint.row_columns.values():
                relation = self._relation(name, endpoint.place)
                if relation is not None:
                    self._column(relation, column, endpoint.place)
        app = self.scenario.endpoints_app
        if app is not None and app.login and self.catalog.roles and app.login not in self.catalog.roles:
            message = f"no role {shown(app.login)} in the database (endpoints_app.login)"
            place = self._place("endpoints_app.login", "endpoints_app", "database.platform")
            self._complain(place, "unknown-database-role", message, suggest(app.login, self.catalog.roles))

    def _relation(self, name: QName, place: Place | None) -> Relation | None:
        relation = self.catalog.relations.get(name)
        if relation is None:
            alike = [other.name for other in self.catalog.relations if other.schema == name.schema]
            self._complain(place, "unknown-table", f"no table {shown(name)} in the database", suggest(name.name, alike))
        return relation

    def _column(self, relation: Relation, column: str, place: Place | None) -> bool:
        if column in relation.column_names:
            return True
        message = f"{relation.name} has no column {shown(column)}"
        self._complain(place, "unknown-column", message, suggest(column, relation.column_names))
        return False

    def _values(self, relation: Relation, values: Iterable[str], prefix: str) -> None:
        for column in values:
            place = self._key_place(self._place(f"{prefix}.{column}", prefix), column)
            if self._column(relation, column, place) and relation.column(column).generated:
                message = f"{relation.name}.{column} is generated: PostgreSQL computes it"
                self._complain(place, "generated-column", message, "remove it from values")

    def _locator(self, relation: Relation, locator: Locator, place: Place | None) -> None:
        """Follow a path: every step but the last is a column with a foreign key to a table that has the next one."""
        here = [relation]
        for index, step in enumerate(locator.path):
            having = [table for table in here if step in table.column_names]
            if not having:
                self._no_step(here, step, place)
                return
            if index == len(locator.path) - 1:
                return
            here = [target for table in having for target in self._targets(table, step)]
            if not here:
                self._no_foreign_key(having[0], step, locator, place)
                return

    def _targets(self, relation: Relation, column: str) -> Iterator[Relation]:
        for key in relation.foreign_keys:
            target = self.catalog.relations.get(key.references) if key.references else None
            if column in key.columns and target is not None:
                yield target

    def _no_step(self, tables: list[Relation], step: str, place: Place | None) -> None:
        names = sorted({str(table.name) for table in tables})
        known = {column for table in tables for column in table.column_names}
        message = f"{' and '.join(names)} has no column {shown(step)}"
        self._complain(place, "unknown-column", message, suggest(step, known))

    def _no_foreign_key(self, relation: Relation, step: str, locator: Locator, place: Place | None) -> None:
        message = f"{relation.name}.{step} has no foreign key, so the path {shown(locator)} cannot be followed"
        columns = sorted({column for key in relation.foreign_keys for column in key.columns})
        hint = f"foreign keys start at: {', '.join(columns)}" if columns else f"{relation.name} has no foreign key"
        self._complain(place, "no-foreign-key", message, f"{hint}; or use {{sql: expression}}")

    def _place(self, *keys: str) -> Place | None:
        """The place of the first key that stands in the file."""
        return next((self.scenario.places[key] for key in keys if key in self.scenario.places), None)

    def _key_place(self, place: Place | None, key: str) -> Place | None:
        """From the place of a value to the place of its key, where both stand on one line."""
        text = self.source.lines[place.line - 1] if place and place.line <= len(self.source.lines) else ""
        column = text.rfind(key, 0, place.column - 1) if place else -1
        return Place(place.path, place.line, column + 1) if place and column >= 0 else place

    def _complain(self, place: Place | None, code: str, message: str, hint: str) -> None:
        place = place or Place(self.scenario.path, 1, 1)
        text = self.source.lines[place.line - 1] if place.line <= len(self.source.lines) else ""
        word = _WORD.match(text, place.column - 1)
        spot = Spot(line=place.line, column=place.column, span=len(word.group()) if word else 1)
        self.problems.append(self.source.problem(spot, code, message, hint))
