"""
Statements sent at once: over a slow line the wait for an answer is what takes time, and all of them cost one.

Cursors may be read once the block has ended: within it each reading would be a wait of its own.  Nothing is prepared,
since psycopg would believe in what a failure skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeAlias

import psycopg
from psycopg import pq, sql

Connection: TypeAlias = psycopg.Connection[Any]
Query: TypeAlias = sql.SQL | sql.Composed

_SAVEPOINT, _BACK, _RELEASE = (
    sql.SQL("SAVEPOINT at_once"),
    sql.SQL("ROLLBACK TO SAVEPOINT at_once"),
    sql.SQL("RELEASE SAVEPOINT at_once"),
)


@contextmanager
def at_once(connection: Connection) -> Iterator[None]:
    """All that the block executes, in one wait, behind a savepoint (a transaction, where none is open).

    Raises psycopg.Error, at the latest as the block ends, where a statement was refused: then nothing of it stays.
    """
    with _in_a_transaction(connection), _unprepared(connection):
        try:
            with _pipeline(connection):
                connection.execute(_SAVEPOINT)
                yield
                connection.execute(_RELEASE)
        except psycopg.Error:
            _take_back(connection)
            raise


@contextmanager
def taken_back(connection: Connection) -> Iterator[None]:
    """As `at_once`, and nothing of it stays in any case."""
    with at_once(connection):
        yield
        connection.execute(_BACK)


def ask(connection: Connection, queries: Sequence[sql.Composed]) -> list[list[tuple[Any, ...]]]:
    """The answers to several queries.  Raises psycopg.Error, after which the transaction is where it was before."""
    with at_once(connection):
        cursors = [connection.execute(query) for query in queries]
    return [cursor.fetchall() for cursor in cursors]


def until_refused(
    connection: Connection, statements: Sequence[Query], *, first: Sequence[Query] = ()
) -> tuple[int, psycopg.Error | None]:
    """How many of the statements were accepted, and why the next one was not; those after it are not tried.

    What was accepted stays; so does what comes *first*.  Raises psycopg.Error where that is refused.  In a transaction.
    """
    begun, sent = [], []
    try:
        with _unprepared(connection), _pipeline(connection):
            for statement in first:
                begun.append(connection.execute(statement))
            for statement in statements:
                connection.execute(_SAVEPOINT)
                sent.append(connection.execute(statement))
                connection.execute(_RELEASE)
    except psycopg.Error as error:
        if len(begun) < len(first) or not all(map(_was_accepted, begun)):
            raise
        _take_back(connection)
        return sum(map(_was_accepted, sent)), error
    return len(statements), None


@contextmanager
def _pipeline(connection: Connection) -> Iterator[None]:
    """A pipeline that raises the first refusal, without a warning of what was skipped because of it."""
    refused: psycopg.Error | None = None
    try:
        with connection.pipeline():
            try:
                yield
            except psycopg.Error as error:
                refused = error
    except psycopg.Error as error:
        refused = refused or error
    if refused is not None:
        raise refused


def _was_accepted(cursor: psycopg.Cursor[Any]) -> bool:
    return cursor.pgresult is not None


def _take_back(connection: Connection) -> None:
    """Go back to the savepoint, unless the line broke: then there is nothing to go back to."""
    if not connection.closed:
        with connection.pipeline():
            connection.execute(_BACK, prepare=False)
            connection.execute(_RELEASE, prepare=False)


def _in_a_transaction(connection: Connection) -> AbstractContextManager[object]:
    idle = connection.info.transaction_status == pq.TransactionStatus.IDLE
    return connection.transaction() if idle else nullcontext()


@contextmanager
def _unprepared(connection: Connection) -> Iterator[None]:
    before, connection.prepare_threshold = connection.prepare_threshold, None
    try:
        yield
    finally:
        connection.prepare_threshold = before
