"""A seeded scenario in a database of one's own, and connections that act as its personas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import psycopg
from psycopg import sql

from tenantproof.core.errors import UsageError, did_you_mean
from tenantproof.core.model import QName
from tenantproof.core.ports import Handle, Identity
from tenantproof.core.world import Row
from tenantproof.engine.plan import Plan
from tenantproof.identity.becoming import become, pre_request

Query = str | sql.SQL | sql.Composed
Parameters = Sequence[object] | Mapping[str, object] | None
Connection = psycopg.Connection[tuple[object, ...]]


class Tenancy:
    """What the fixture `tenancy` gives: the scenario's personas, tenants and rows, in a seeded database.

    `plan` is everything that is known of it; `conninfo` connects as the observer, who sees every row.
    """

    def __init__(self, path: Path, plan: Plan, handle: Handle) -> None:
        self.path = path
        self.plan = plan
        self.handle = handle

    @property
    def conninfo(self) -> str:
        return self.handle.conninfo

    @property
    def personas(self) -> tuple[str, ...]:
        """Names, in the order of the matrix."""
        return tuple(self.plan.identities)

    @property
    def tenant_ids(self) -> Mapping[str, str]:
        """Ids of the tenants by name."""
        return self.plan.manifest.tenant_ids

    def rows(self, relation: str) -> tuple[Row, ...]:
        """The seeded rows of "schema.name": their keys, tenants and owners.  Raises UsageError for an unknown one."""
        schema, _, name = relation.rpartition(".")
        known = {str(found): rows for found, rows in self.plan.world.rows.items()}
        asked = str(QName(schema or "public", name))
        if asked not in known:
            raise UsageError(f"no rows are known of {asked}; {did_you_mean(asked, known)}")
        return tuple(known[asked])

    def identity(self, persona: str) -> Identity:
        """Who the persona is: claims, role, settings.  Raises UsageError for an unknown name, with the nearest."""
        if persona not in self.plan.identities:
            raise UsageError(f"no persona '{persona}'; {did_you_mean(persona, self.plan.identities)}")
        return self.plan.identities[persona]

    @contextmanager
    def acting_as(self, persona: str) -> Iterator[Acting]:
        """A connection as the persona, in a transaction that is rolled back at the end."""
        identity = self.identity(persona)
        with Acting(self.conninfo, identity) as acting:
            yield acting


class Acting:
    """A persona's connection.  `execute` runs a statement behind a savepoint, so that a refusal does not end the
    transaction; `connection` is psycopg's, for anything else."""

    def __init__(self, conninfo: str, identity: Identity) -> None:
        self.persona = identity.persona
        self.connection: Connection = psycopg.connect(conninfo)
        try:
            self.connection.execute(become(identity))
            asked_first = pre_request(identity)
            if asked_first is not None:
                self.connection.execute(asked_first)
        except BaseException:
            self.connection.close()
            raise

    def execute(self, query: Query, parameters: Parameters = None) -> psycopg.Cursor[tuple[object, ...]]:
        """Run a statement and return its cursor.  Raises psycopg.Error; the transaction goes on all the same."""
        cursor = self.connection.cursor()
        with self.connection.transaction():
            cursor.execute(query, parameters)
        return cursor

    def rows(self, query: Query, parameters: Parameters = None) -> list[tuple[object, ...]]:
        """The rows that a statement returns."""
        return self.execute(query, parameters).fetchall()

    def __enter__(self) -> Acting:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.connection.rollback()
        self.connection.close()
