"""
The observer's connections of one run: first to read the catalog and to seed, then for the wire.

In a database of ours the seeded rows are committed, and the wire has a transaction of its own.  In somebody's database
both share one transaction that is never committed: whatever ends the process, the server rolls it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

import psycopg

from tenantproof.core.ports import Handle, Manners, Traces, Writes
from tenantproof.engine.interference.arena import PREPARED
from tenantproof.engine.steady import setting, transaction_with
from tenantproof.engine.wire import TRANSACTION, WITHIN, Wire
from tenantproof.targets.canaries.manifest import Manifest, with_rows, write
from tenantproof.targets.canaries.own_rows import known_before, own_rows
from tenantproof.targets.reach import connect_as, connect_or_explain

Connection = psycopg.Connection[tuple[Any, ...]]

_ASK_DEFERRED = ("SAVEPOINT asked", "SET CONSTRAINTS ALL IMMEDIATE", "ROLLBACK TO SAVEPOINT asked")

BOUNDS = (
    "SELECT pg_catalog.set_config('statement_timeout', '30s', true),"
    " pg_catalog.set_config('lock_timeout', '2s', true),"
    " pg_catalog.set_config('idle_in_transaction_session_timeout', '5min', true)"
)
"""So that we wait for nobody for long, and a harness that hangs does not hold what it locked."""


_UNSHIELDED = (
    "others were connected, so sequences were not locked: numbers that were drawn for rows that are gone leave gaps"
)


class Observing(Protocol):
    """How the observer reaches the database of one run.  `seeding` comes before `wire`, each once.

    `alone` tells whether locks may be taken for which others would have to wait.
    """

    alone: bool

    @property
    def notes(self) -> tuple[str, ...]:
        """What a report should say of it."""
        ...

    @property
    def neighbours(self) -> str | None:
        """The conninfo for further sessions; None where they would not see what was seeded."""
        ...

    def seeding(self) -> AbstractContextManager[Connection]:
        """A connection to read the catalog and to seed; what it commits is there for the wire."""
        ...

    def hold(self, connection: Connection, settings: Mapping[str, str]) -> None:
        """Let settings stand from now on wherever nobody acts; *connection* is that of `seeding`."""
        ...

    def wire(self) -> AbstractContextManager[Wire]:
        """The wire, set up."""
        ...


@contextmanager
def observing(handle: Handle) -> Iterator[Observing]:
    """The observer of a run, whose connections end with the block."""
    if handle.writes is Writes.CANARY and handle.manners is not None and handle.manners.manifest is not None:
        yield _WrittenDown(handle.conninfo, handle.manners, handle.manners.manifest)
    elif handle.writes is Writes.ROLLBACK:
        with _one_transaction(handle.conninfo) as connection:
            yield _InOneTransaction(connection, handle.manners)
    else:
        yield _InTheOpen(handle.conninfo)


class _InTheOpen:
    """Commits what is seeded."""

    alone = True
    notes: tuple[str, ...] = ()

    def __init__(self, conninfo: str) -> None:
        self.neighbours: str | None = conninfo
        self._bracket = TRANSACTION

    def hold(self, connection: Connection, settings: Mapping[str, str]) -> None:
        for name, value in settings.items():
            connection.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))
        connection.commit()
        self._bracket = transaction_with(settings)

    def seeding(self) -> AbstractContextManager[Connection]:
        assert self.neighbours is not None
        return psycopg.connect(self.neighbours)

    @contextmanager
    def wire(self) -> Iterator[Wire]:
        assert self.neighbours is not None
        with psycopg.connect(self.neighbours, autocommit=True) as connection, Wire(connection, self._bracket) as wire:
            wire.prepare(())
            yield wire


class _WrittenDown:
    """Commits the seeded rows, once a manifest on the disk says which they are."""

    notes: tuple[str, ...] = ()

    def __init__(self, conninfo: str, manners: Manners, path: Path) -> None:
        self.alone = False
        self.neighbours: str | None = conninfo if manners.connections > 1 else None
        self._conninfo, self._manners, self._path = conninfo, manners, path
        self._bracket = TRANSACTION

    def hold(self, connection: Connection, settings: Mapping[str, str]) -> None:
        _hold_within(connection, settings)
        self._bracket = transaction_with(settings)

    @contextmanager
    def seeding(self) -> Iterator[Connection]:
        begun = Manifest(run=self._manners.run, place=self._manners.place)
        write(self._path, begun)
        with _one_transaction(self._conninfo) as connection:
            yield connection
            rows = own_rows(connection)
            with connect_or_explain(self._conninfo) as another:
                before = known_before(another, rows)
            write(self._path, with_rows(begun, rows, before, self._manners.traces.marks))
            connection.execute("COMMIT")
            self._manners.traces.round_trips += connection.round_trips
            self._manners.traces.connections += 2

    @contextmanager
    def wire(self) -> Iterator[Wire]:
        connection = connect_or_explain(self._conninfo)
        traces = self._manners.traces
        with connection, Wire(connection, self._bracket) as wire:
            wire.prepare((BOUNDS,))
            try:
                yield wire
            finally:
                traces.round_trips += wire.counter.round_trips
                traces.connections += 1


class _InOneTransaction:
    """Seeds and acts behind savepoints of one transaction."""

    neighbours = None

    def __init__(self, connection: _NeverCommitting, manners: Manners | None) -> None:
        self._connection = connection
        self._traces = manners.traces if manners is not None else Traces()
        self.alone = manners is None or manners.alone
        self.notes = tuple(_shielded(connection)) if self.alone else (_UNSHIELDED,)

    def hold(self, connection: Connection, settings: Mapping[str, str]) -> None:
        _hold_within(connection, settings)

    @contextmanager
    def seeding(self) -> Iterator[Connection]:
        yield self._connection

    @contextmanager
    def wire(self) -> Iterator[Wire]:
        with Wire(self._connection, WITHIN) as wire:
            wire.prepare(())
            try:
                yield wire
            finally:
                self._traces.round_trips += wire.counter.round_trips + self._connection.round_trips
                self._traces.connections += 1
        with suppress(psycopg.Error):  # behind a pooler the session goes on without us
            self._connection.execute(f"DEALLOCATE {PREPARED}")


class _NeverCommitting(psycopg.Connection[tuple[Any, ...]]):
    """A connection whose commit and rollback stay inside its one transaction; it counts how often it waits."""

    round_trips = 0

    def wait(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401  (as psycopg's, whatever it waits for)
        self.round_trips += self._pipeline is None
        return super().wait(*arguments, **named)

    @contextmanager
    def pipeline(self) -> Iterator[psycopg.Pipeline]:
        """As psycopg's, which waits for all of it as it ends."""
        try:
            with super().pipeline() as pipeline:
                yield pipeline
        finally:
            self.round_trips += 1

    def commit(self) -> None:
        """Keep what was done so far; the transaction stays open.

        Deferred constraints are asked as COMMIT would, and go back to waiting.  Raises psycopg.Error where one fails.
        """
        with self.pipeline():
            for statement in (*_ASK_DEFERRED, "RELEASE SAVEPOINT kept", "SAVEPOINT kept"):
                self.execute(statement)

    def rollback(self) -> None:
        """Go back to what was kept."""
        self.execute("ROLLBACK TO SAVEPOINT kept")


def _hold_within(connection: Connection, settings: Mapping[str, str]) -> None:
    """For the one transaction of the connection, whatever is rolled back in it."""
    for statement in setting(settings):
        connection.execute(statement.encode())
    connection.commit()


def _shielded(connection: Connection) -> Iterator[str]:
    """Keep the sequences from moving until the transaction ends; a remark where some could not be kept."""
    with connection.pipeline():
        connection.execute(_shield())
        asked = connection.execute("SELECT pg_catalog.current_setting('tenantproof.open_sequences')")
    answer = asked.fetchone()
    if answer is not None and answer[0]:
        yield f"sequences that may have moved, because they belong to another role or are in use: {answer[0]}"


@cache
def _shield() -> bytes:
    return (files(__package__) / "shield_sequences.sql").read_bytes()


@contextmanager
def _one_transaction(conninfo: str) -> Iterator[_NeverCommitting]:
    """A connection in a transaction that is rolled back at the end.

    REPEATABLE READ: what others commit meanwhile must not look like something that a persona did.  Nothing is set or
    prepared outside of the transaction, so that it works behind poolers.
    """
    connection = connect_as(_NeverCommitting, conninfo)
    try:
        with connection.pipeline():
            connection.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.execute(BOUNDS)
            connection.execute("SELECT pg_catalog.pg_current_xact_id()")  # rows of ours are known by it
            connection.execute("SAVEPOINT kept")
        yield connection
    finally:
        connection.close()  # without a word to the server, which then rolls back: the same as after kill -9
