"""What the observer reads of each relation: all rows of a small one, and a deliberate sample of a large one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg import sql

from tenantproof.core.attempt import Observation
from tenantproof.core.catalog import Catalog, Relation, RelationKind
from tenantproof.core.errors import UsageError
from tenantproof.core.model import Locator, Persona, QName, Scenario, Tenancy
from tenantproof.core.world import Key, Row
from tenantproof.engine.existing.limits import Deadline
from tenantproof.engine.existing.marks import mark_of
from tenantproof.engine.existing.wording import out_of_bounds, told
from tenantproof.engine.scripts import Watch, as_observer, has_key_of
from tenantproof.engine.wire import Wire
from tenantproof.oracle.entitlement import predicates_of
from tenantproof.seeding.paths import locate
from tenantproof.seeding.rowquery import row_query

_SCENARIO_IS_WRONG = re.compile(r"^42(?!501)")
"""SQLSTATEs of an expression that does not fit; not 42501, which is the observer's want of privilege."""

_PATIENCE = 2
"""Timeouts of the observer after which no further kind of row is looked for in a relation."""

_SHARE = 0.5
"""Of the time of a run, for samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Rows of one relation with whose they are."""

    rows: tuple[Row, ...] = ()
    whole: bool = True
    """Whether these are all rows."""
    mark: str | None = None
    """The flag of rows that do not count any more."""
    unreadable: str = ""
    """Why the observer could not read it; empty where it could."""

    def counts(self, row: Row) -> bool:
        """Whether the row is neither deleted softly nor of another kind that applications hide."""
        return self.mark is None or self.mark not in row.flags


class Sampler:
    """Reads as the observer, on a wire whose session may be anybody."""

    def __init__(
        self,
        wire: Wire,
        catalog: Catalog,
        scenario: Scenario,
        tenancy: Mapping[QName, Tenancy],
        deadline: Deadline,
    ) -> None:
        self._wire, self._catalog, self._scenario = wire, catalog, scenario
        self._tenancy, self._limits, self._deadline = tenancy, deadline.limits, deadline

    def read(
        self, relations: Sequence[Relation], tenants: Sequence[str], users: Sequence[Persona]
    ) -> dict[QName, Sample]:
        """A sample of each relation; of large ones rows of each of these tenants, of others, and of these users.

        Raises UsageError where the scenario's own SQL is what fails.
        """
        found: dict[QName, Sample] = {}
        first = self._ask([self._query(relation, None, self._limits.rows + 1) for relation in relations])
        for relation, observation in zip(relations, first, strict=True):
            if observation.refused and observation.sqlstate != "57014":
                self._blame(relation, observation)
                found[relation.name] = Sample(unreadable=told(observation), mark=mark_of(relation))
            elif not observation.refused and observation.count <= self._limits.rows:
                rows = self._rows(relation, [observation])
                found[relation.name] = Sample(rows=rows, mark=mark_of(relation))
            else:
                found[relation.name] = self._part(relation, tenants, users)
        return found

    def rows_of(self, relation: Relation, keys: Sequence[Key]) -> tuple[Row, ...]:
        """The rows with these keys, as the observer sees them."""
        if not keys:
            return ()
        return self._rows(relation, self._ask([self._query(relation, with_keys(relation, keys), len(keys))]))

    def _part(self, relation: Relation, tenants: Sequence[str], users: Sequence[Persona]) -> Sample:
        kinds = list(self._kinds(relation, tenants, users)) or [sql.SQL("true")]
        answers: list[Observation] = []
        for kind in kinds:
            late = sum(map(out_of_bounds, answers))
            if late >= _PATIENCE or self._deadline.over(_SHARE):
                break
            answers.extend(self._ask([self._query(relation, kind, self._limits.sample)]))
        rows = self._rows(relation, answers)
        if not answers:
            return Sample(whole=False, unreadable="the time for samples was over", mark=mark_of(relation))
        refused = next((answer for answer in answers if answer.refused), None)
        unreadable = told(refused) if refused is not None and not rows else ""
        return Sample(rows=rows, whole=False, mark=mark_of(relation), unreadable=unreadable)

    def _kinds(self, relation: Relation, tenants: Sequence[str], users: Sequence[Persona]) -> Iterator[sql.Composable]:
        """Conditions for rows of each kind that policies may treat in another way."""
        tenancy = self._of(relation)
        if tenancy.tenant is not None:
            place = self._expression(relation, tenancy.tenant)
            yield from (sql.SQL("{} = {}").format(place, sql.Literal(tenant)) for tenant in tenants)
            if tenants:
                yield sql.SQL("{} NOT IN ({})").format(place, sql.SQL(", ").join(map(sql.Literal, tenants)))
            yield sql.SQL("{} IS NULL").format(place)
        if tenancy.owner is not None:
            place = self._expression(relation, tenancy.owner)
            ids = sql.SQL(", ").join(sql.Literal(who.user_id) for who in users if who.user_id is not None)
            yield sql.SQL("{} IN ({})").format(place, ids)
            if tenancy.tenant is None:
                yield sql.SQL("{} NOT IN ({})").format(place, ids)
        yield from (sql.SQL("({})").format(sql.SQL(text)) for text in predicates_of(self._scenario, relation.name))

    def _expression(self, relation: Relation, locator: Locator) -> sql.Composable:
        """Where a row's tenant or owner stands: the bare column, for which an index can be used, or a text."""
        if len(locator.path) == 1:
            return sql.Identifier(relation.name.name, locator.path[0])
        return sql.SQL("({})::text").format(locate(relation, locator, self._catalog))

    def _of(self, relation: Relation) -> Tenancy:
        return self._tenancy.get(relation.name) or Tenancy()

    def flags_of(self, relation: Relation) -> tuple[str, ...]:
        """What is asked of each row: the scenario's predicates, and whether it still counts."""
        mark = mark_of(relation)
        return (*predicates_of(self._scenario, relation.name), *((mark,) if mark else ()))

    def _query(self, relation: Relation, condition: sql.Composable | None, most: int) -> str:
        query = row_query(relation, self._of(relation), self.flags_of(relation), self._catalog)
        where = sql.SQL(" WHERE {}").format(condition) if condition is not None else sql.SQL("")
        return (
            sql.SQL(
                "SELECT version, tenant, owner, to_json(flags)::text, to_json(key)::text FROM ({}{} LIMIT {}) AS seen"
            )
            .format(query, where, sql.Literal(most))
            .as_string(None)
        )

    def _ask(self, queries: Sequence[str]) -> list[Observation]:
        return [said[-1] for said in self._wire.run([(as_observer(), query) for query in queries])]

    def _rows(self, relation: Relation, answers: Iterable[Observation]) -> tuple[Row, ...]:
        watch = Watch("", self.flags_of(relation))
        rows: dict[tuple[object, ...], Row] = {}
        for answer in answers:
            for row in watch.rows(answer, frozenset()).rows.values():
                rows[(row.key, row.tenant, row.owner) if row.key else (row.tenant, row.owner, row.flags)] = row
        return tuple(sorted(rows.values(), key=lambda row: tuple(map(str, (*row.key, row.tenant, row.owner)))))

    def _blame(self, relation: Relation, observation: Observation) -> None:
        tenancy = self._of(relation)
        own_sql = any(locator is not None and locator.sql for locator in (tenancy.tenant, tenancy.owner))
        predicates = predicates_of(self._scenario, relation.name)
        if (own_sql or predicates) and _SCENARIO_IS_WRONG.match(observation.sqlstate or ""):
            at = f"{tenancy.place}: " if tenancy.place else ""
            raise UsageError(
                f"{at}the scenario's SQL for {relation.name} is not valid in this database: {observation.message}"
            )


def with_keys(relation: Relation, keys: Sequence[Key]) -> sql.Composable:
    """The condition that a row has one of these keys; by the primary key's own types, so that its index is used."""
    if not relation.primary_key:
        return has_key_of(relation.column_names, keys)
    names = sql.SQL(", ").join(sql.Identifier(name) for name in relation.primary_key)
    values = sql.SQL(", ").join(sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, key))) for key in keys)
    return sql.SQL("({}) IN ({})").format(names, values) if keys else sql.SQL("false")


def is_view(relation: Relation) -> bool:
    """Whether the relation's rows have no identity."""
    return relation.kind is RelationKind.VIEW
