"""Who belongs where, read from the membership tables that the scenario declares."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

from tenantproof.core.catalog import Catalog, Relation
from tenantproof.core.model import Membership, Scenario
from tenantproof.engine.existing.marks import mark_of
from tenantproof.engine.existing.transaction import Connection
from tenantproof.seeding.paths import table_name

MOST = 50_000
"""Memberships that are read to know who is whose colleague."""

_PLAIN = "BE"
"""Categories (boolean, enum) of columns whose declared value tells a real membership from another row."""

_TENANTS = """
SELECT tenant, count(DISTINCT role) FILTER (WHERE role = ANY(%(roles)s)), least(count(DISTINCT "user"), 3)
  FROM ({members}) AS m WHERE NOT marked
 GROUP BY tenant ORDER BY (tenant = ANY(%(declared)s)) DESC, 2 DESC, 3 DESC, tenant LIMIT %(most)s
"""

_CANDIDATES = """
WITH m AS MATERIALIZED ({members}),
     mine AS (SELECT tenant, role, "user", count(*) OVER (PARTITION BY tenant, "user") AS roles
                FROM m WHERE tenant = ANY(%(tenants)s) GROUP BY tenant, role, "user" HAVING NOT bool_and(marked)),
     breadth AS (SELECT "user", count(DISTINCT tenant) AS tenants, count(*) FILTER (WHERE marked) AS doubts
                   FROM m WHERE "user" IN (SELECT "user" FROM mine) GROUP BY "user"),
     ranked AS (SELECT mine.tenant, mine.role, mine."user", row_number() OVER (
                       PARTITION BY mine.tenant, mine.role
                       ORDER BY breadth.tenants, mine.roles, mine."user") AS place
                  FROM mine JOIN breadth USING ("user") WHERE breadth.doubts = 0)
SELECT tenant, role, "user" FROM ranked WHERE place <= %(most)s ORDER BY tenant, role, place
"""

_DUALS = """
SELECT "user" FROM ({members}) AS m
 GROUP BY "user"
HAVING count(DISTINCT tenant) > 1 AND bool_or(tenant = ANY(%(tenants)s)) AND NOT bool_or(marked)
 ORDER BY count(DISTINCT tenant) FILTER (WHERE tenant = ANY(%(tenants)s)) DESC, count(DISTINCT tenant), "user"
 LIMIT %(most)s
"""

_OF_USERS = """
SELECT DISTINCT tenant, role, "user" FROM ({members}) AS m
 WHERE NOT marked AND "user" = ANY(%(users)s) ORDER BY "user", tenant, role
"""

_PEOPLE = """SELECT DISTINCT "user", tenant FROM ({members}) AS m WHERE tenant = ANY(%(tenants)s) LIMIT %(most)s"""


@dataclass(frozen=True, slots=True)
class Belonging:
    """That a user belongs to a tenant, and as what; all as text."""

    tenant: str
    role: str | None
    user: str


class Members:
    """The memberships of a database.  Queries are the observer's; refusals are psycopg errors."""

    def __init__(self, connection: Connection, catalog: Catalog, scenario: Scenario) -> None:
        self._connection, self._catalog = connection, catalog
        self._roles = list(scenario.roles)
        self._members = _all_of([self._of(membership) for membership in scenario.memberships])
        self._ever = _all_of([self._query(membership, "false", ()) for membership in scenario.memberships])

    def tenants(self, declared: Sequence[str], most: int) -> list[tuple[str, int]]:
        """Tenants with members, and how many of the scenario's roles those have; the best first."""
        known = {"roles": self._roles, "declared": list(declared), "most": most}
        return [(tenant, int(roles)) for tenant, roles, _ in self._ask(_TENANTS, known)]

    def candidates(self, tenants: Sequence[str], most: int) -> list[Belonging]:
        """Users for each role of each tenant, those first who belong nowhere else; none with a doubtful membership."""
        return [Belonging(*row) for row in self._ask(_CANDIDATES, {"tenants": list(tenants), "most": most})]

    def duals(self, tenants: Sequence[str], most: int) -> list[str]:
        """Users of several tenants, of which one at least is among these."""
        return [user for (user,) in self._ask(_DUALS, {"tenants": list(tenants), "most": most})]

    def of_users(self, users: Iterable[str]) -> list[Belonging]:
        """All memberships of these users."""
        return [Belonging(*row) for row in self._ask(_OF_USERS, {"users": list(users)})]

    def people(self, tenants: Iterable[str]) -> list[tuple[str, str]]:
        """Pairs of user and tenant, MOST at most; those who left count, too: that colleagues see them is no leak."""
        known = {"tenants": list(tenants), "most": MOST}
        return [(user, tenant) for user, tenant in self._ask(_PEOPLE, known, self._ever)]

    def _ask(self, text: str, known: dict[str, object], members: sql.SQL | None = None) -> list[tuple[str, ...]]:
        statement = sql.SQL(text).format(members=members or self._members)
        with self._connection.transaction():
            return self._connection.execute(statement, known).fetchall()

    def _of(self, membership: Membership) -> sql.Composed:
        relation = self._catalog.relations[membership.table]
        constants = list(_constants(relation, membership))
        if constants and not self._any(relation, constants):
            constants = []  # nobody is what the seeder would write: the columns mean something else here
        mark = mark_of(relation) or "false"
        if not self._any(relation, [*constants, sql.SQL("({}) IS NOT TRUE").format(sql.SQL(mark))]):
            mark = "false"  # it marks everybody, so it means something else
        return self._query(membership, mark, constants)

    def _query(self, membership: Membership, mark: str, constants: Sequence[sql.Composable]) -> sql.Composed:
        user, tenant = (sql.Identifier(name) for name in (membership.user, membership.tenant))
        role = sql.Identifier(membership.role) if membership.role and self._roles else sql.SQL("NULL")
        return sql.SQL(
            'SELECT {user}::text AS "user", {tenant}::text AS tenant, {role}::text AS role, ({mark}) IS TRUE AS marked'
            " FROM {table} WHERE {conditions}"
        ).format(
            user=user,
            tenant=tenant,
            role=role,
            mark=sql.SQL(mark),
            table=table_name(membership.table),
            conditions=sql.SQL(" AND ").join(
                [*(sql.SQL("{} IS NOT NULL").format(name) for name in (user, tenant)), *constants]
            ),
        )

    def _any(self, relation: Relation, conditions: Sequence[sql.Composable]) -> bool:
        statement = sql.SQL("SELECT 1 FROM {} WHERE {} LIMIT 1").format(
            table_name(relation.name), sql.SQL(" AND ").join(conditions)
        )
        try:
            with self._connection.transaction():
                return self._connection.execute(statement).fetchone() is not None
        except psycopg.Error:
            return False


def _all_of(queries: Sequence[sql.Composed]) -> sql.SQL:
    """The queries together, ready to stand in a statement with parameters."""
    return sql.SQL(sql.SQL(" UNION ALL ").join(queries).as_string(None).replace("%", "%%"))


def _constants(relation: Relation, membership: Membership) -> Iterator[sql.Composable]:
    """What the scenario says every membership has (`values: {status: active}`), where it is a plain choice."""
    for name, value in membership.values.items():
        column = next((column for column in relation.columns if column.name == name), None)
        if column is None or column.category not in _PLAIN or (value is not None and "{" in value):
            continue
        if value is None:
            yield sql.SQL("{} IS NULL").format(sql.Identifier(name))
        else:
            yield sql.SQL("{}::text = {}").format(sql.Identifier(name), sql.Literal(value))
