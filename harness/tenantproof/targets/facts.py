"""What the guard must know of somebody's database, read from its catalog in a READ ONLY transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import namedtuple_row

from tenantproof.core.model import Platform, QName
from tenantproof.targets.calling_out import CallsOut, Code, Firing, calls_out
from tenantproof.targets.queries import query

_MOST = 1_000_000
_RAILS = "ar_internal_metadata"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table in scope, as our login has it."""

    name: QName
    hidden: bool
    """Row level security holds for our login: it does not see all rows."""
    readable: bool
    writable: bool
    rows: int
    """By the planner's statistics; counted up to a bound where there are none, 0 where that may not be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """The table of Supabase's users, as far as making some needs it."""

    is_table: bool
    has_id: bool
    bound: tuple[str, ...]
    """Required columns that refer to rows which come after users, each with what it refers to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One database, and our login in it."""

    host: str
    login: str
    superuser: bool
    bypass_rls: bool
    only_replicates: bool
    in_recovery: bool
    read_only: bool
    """Whether transactions are read-only unless they say otherwise."""
    database: str
    version: str
    wal_level: str
    neighbours: int
    """Other connections to the database."""
    said: tuple[tuple[str, str], ...]
    """What may tell the environment: (where it stands, what it says)."""
    roles: Mapping[str, bool | None]
    """The personas' roles: whether our login may become them, None for one that does not exist."""
    may_silence: bool
    """Whether our login may set session_replication_role, which seeding does."""
    tables: tuple[Table, ...]
    """Those in scope, and the users of Supabase Auth."""
    accounts: Accounts | None
    """None where the platform has none."""
    others: tuple[Table, ...]
    """All others: triggers may write to them."""
    calls_out: tuple[CallsOut, ...]
    event_triggers: tuple[str, ...]
    publications: tuple[str, ...]
    extensions: tuple[str, ...]

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


def read_facts(
    connection: psycopg.Connection[Any], *, schemas: Sequence[str], roles: Sequence[str], platform: Platform
) -> Facts:
    """Everything in a few round trips, on a connection in a transaction.  Raises psycopg.Error."""
    scope = {"schemas": list(schemas), "roles": list(roles), "platform": str(platform)}
    names = (
        *("server", "settings", "markers", "tables", "accounts", "roles"),
        *("triggers", "expressions", "functions", "outlets"),
    )
    with connection.pipeline():
        cursors = {name: psycopg.Cursor[Any](connection, row_factory=namedtuple_row) for name in names}
        for name, cursor in cursors.items():
            text = query(name)
            cursor.execute(text, scope if b"%(" in text else None)
    found: dict[str, list[Any]] = {name: cursor.fetchall() for name, cursor in cursors.items()}
    (server,) = found["server"]
    counted = _counted(connection, [_table(row) for row in found["tables"]])
    tables = list(zip(counted, (row.in_scope for row in found["tables"]), strict=True))
    outlets = {kind: tuple(row.name for row in found["outlets"] if row.kind == kind) for kind in _OUTLETS}
    return Facts(
        host=connection.info.host,
        login=server.login,
        superuser=server.superuser,
        bypass_rls=server.bypass_rls,
        only_replicates=server.only_replicates,
        in_recovery=server.in_recovery,
        read_only=server.read_only,
        database=server.database,
        version=server.version,
        wal_level=server.wal_level,
        neighbours=server.neighbours,
        said=(
            ("its name", server.database),
            ("its comment", server.comment),
            *((f"the setting {row.name}", row.value) for row in found["settings"]),
            *_written_down(connection, [QName(row.schema, row.name) for row in found["markers"]]),
        ),
        roles={row.name: row.may_become if row.known else None for row in found["roles"]},
        may_silence=_may_silence(connection),
        tables=tuple(table for table, in_scope in tables if in_scope),
        accounts=next(map(_accounts, found["accounts"]), None),
        others=tuple(table for table, in_scope in tables if not in_scope),
        calls_out=tuple(
            calls_out(
                [*map(_firing, found["triggers"]), *map(_expression, found["expressions"])],
                map(_code, found["functions"]),
                outlets[_FOREIGN],
            )
        ),
        event_triggers=outlets["event trigger"],
        publications=outlets["publication"],
        extensions=outlets["extension"],
    )


_FOREIGN = "foreign table"
_OUTLETS = ("event trigger", "publication", _FOREIGN, "extension")


def _table(row: Any) -> Table:  # noqa: ANN401  (a named tuple of the query)
    return Table(
        name=QName(row.schema, row.name),
        hidden=row.hidden,
        readable=row.readable,
        writable=row.writable,
        rows=row.rows,
    )


def _accounts(row: Any) -> Accounts:  # noqa: ANN401  (a named tuple of the query)
    return Accounts(is_table=row.is_table, has_id=row.has_id, bound=tuple(row.bound))


def _counted(connection: psycopg.Connection[Any], tables: Sequence[Table]) -> list[Table]:
    """The tables with their rows counted where nobody knows how many there are; dead rows make a size a bad guess."""
    asked = sql.SQL("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) AS counted")
    with connection.pipeline():
        cursors = {
            table.name: connection.execute(asked.format(sql.Identifier(*table.name), _MOST))
            for table in tables
            if table.rows < 0 and table.readable
        }
    counts = {name: next(iter(cursor))[0] for name, cursor in cursors.items()}
    return [replace(table, rows=max(0, counts.get(table.name, table.rows))) for table in tables]


def _firing(row: Any) -> Firing:  # noqa: ANN401  (a named tuple of the query)
    return Firing(table=row.table, trigger=row.name, function=QName(row.function_schema, row.function_name))


def _expression(row: Any) -> Firing:  # noqa: ANN401  (a named tuple of the query)
    return replace(_firing(row), kind=row.kind, on_read=row.on_read)


def _code(row: Any) -> Code:  # noqa: ANN401  (a named tuple of the query)
    return Code(
        name=QName(row.schema, row.name), language=row.language, source=row.source or "", extension=row.extension
    )


def _written_down(connection: psycopg.Connection[Any], tables: Sequence[QName]) -> list[tuple[str, str]]:
    """What such a table says: Rails' row `environment`, or the only row of another."""
    said = []
    for name in tables:
        own = sql.Identifier(*name)
        if name.name == _RAILS:
            wanted = sql.SQL("SELECT value FROM {} WHERE key = 'environment'").format(own)
        else:
            wanted = sql.SQL("SELECT to_jsonb(t)::text FROM {} AS t LIMIT 2").format(own)
        rows = connection.execute(wanted).fetchall()
        if len(rows) == 1:
            said.append((f"the table {name}", str(rows[0][0])))
    return said


def _may_silence(connection: psycopg.Connection[Any]) -> bool:
    """Asked by doing it: on hosted Supabase an extension grants it, and the catalog does not know."""
    back = "ROLLBACK TO SAVEPOINT asked"
    try:
        with connection.pipeline():
            connection.execute("SAVEPOINT asked")
            connection.execute("SET LOCAL session_replication_role = replica")
            connection.execute(back)
    except psycopg.errors.InsufficientPrivilege:
        connection.execute(back)
        return False
    return True
