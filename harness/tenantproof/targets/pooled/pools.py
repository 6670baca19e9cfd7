"""
Pools of one server connection, of the kinds that applications use, with one face.

A line is one server connection that nobody has used yet; clients take it in turns, as the pool hands it out.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Protocol

import psycopg

from tenantproof.core.model import PoolKind
from tenantproof.targets.pooled.bouncer import Bouncer
from tenantproof.targets.pooled.taping import Row, Tape, TapingConnection

if TYPE_CHECKING:
    from psycopg_pool import ConnectionPool
    from sqlalchemy import Connection as SqlalchemyConnection
    from sqlalchemy import Engine

for _name in ("psycopg.pool", "sqlalchemy.pool"):
    # They warn of connections that come back in the middle of a transaction, which is what is tried here.
    logging.getLogger(_name).addHandler(logging.NullHandler())

TIMEOUT = 10.0
"""Seconds to wait for a connection that somebody else holds."""


class Client(Protocol):
    """One checkout: from taking a connection to giving it back."""

    @property
    def native(self) -> object:
        """What the application's functions get: psycopg's or SQLAlchemy's connection."""
        ...

    @property
    def raw(self) -> TapingConnection:
        """The driver's connection."""
        ...

    def run(self, statement: str) -> list[Row]:
        """Run it in the client's transaction, which begins where there is none.  Raises psycopg.Error."""
        ...

    def start(self) -> None:
        """Begin a transaction where the pool's library has something to say to that, and there is none."""
        ...

    def commit(self) -> None: ...

    def rollback(self) -> None: ...


class Line(Protocol):
    """One server connection."""

    def client(self) -> AbstractContextManager[Client]:
        """Take the connection; given back at the end of the block, if it was not before."""
        ...

    def give_back(self, client: Client) -> None:
        """Give the connection back before the block ends."""
        ...

    def vanish(self, client: Client) -> None:
        """The client is gone without a word, as when its process was killed; only PgBouncer outlives that."""
        ...


class Pool(Protocol):
    """One kind of pool before one database."""

    @property
    def kind(self) -> PoolKind: ...

    @property
    def words(self) -> str:
        """Which pool it is, for people."""
        ...

    @property
    def shares_prepared(self) -> bool:
        """Whether users meet the prepared statements of those before them."""
        ...

    def line(self, tape: Tape) -> AbstractContextManager[Line]:
        """A server connection that nobody has used; what goes over it is taped."""
        ...


def alone(client: Client, statement: str) -> None:
    """Run a statement on its own, outside of a transaction; the client must be in none.  Raises psycopg.Error."""
    client.raw.autocommit = True
    try:
        client.raw.execute(statement)
    finally:
        if not client.raw.closed:
            client.raw.autocommit = False


class _PsycopgClient:
    def __init__(self, connection: TapingConnection) -> None:
        self.raw = connection

    @property
    def native(self) -> object:
        return self.raw

    def run(self, statement: str) -> list[Row]:
        cursor = self.raw.execute(statement)
        return cursor.fetchall() if cursor.description is not None else []

    def start(self) -> None:
        """psycopg begins with the first statement."""

    def commit(self) -> None:
        self.raw.commit()

    def rollback(self) -> None:
        self.raw.rollback()


class PgBouncerPool:
    """Each client is a connection of its own to PgBouncer."""

    def __init__(self, kind: PoolKind, bouncer: Bouncer, user: str, *, shares_prepared: bool, words: str) -> None:
        self.kind, self.words, self.shares_prepared = kind, words, shares_prepared
        self._bouncer, self._user, self._lines = bouncer, user, 0

    @contextmanager
    def line(self, tape: Tape) -> Iterator[Line]:
        self._lines += 1
        name = f"line_{self._lines}"
        conninfo = self._bouncer.conninfo(name, self._user)
        threshold = 5 if self.shares_prepared else None
        try:
            yield _PgBouncerLine(conninfo, tape, threshold)
        finally:
            self._bouncer.drop(name)


class _PgBouncerLine:
    def __init__(self, conninfo: str, tape: Tape, threshold: int | None) -> None:
        self._conninfo, self._tape, self._threshold = conninfo, tape, threshold

    @contextmanager
    def client(self) -> Iterator[Client]:
        connection = TapingConnection.connect(self._conninfo, prepare_threshold=self._threshold)
        connection.tape = self._tape
        try:
            yield _PsycopgClient(connection)
        finally:
            connection.close()

    def give_back(self, client: Client) -> None:
        client.raw.close()

    def vanish(self, client: Client) -> None:
        with suppress(OSError), socket.socket(fileno=os.dup(client.raw.pgconn.socket)) as connection:
            connection.shutdown(socket.SHUT_RDWR)  # so that the goodbye of close() does not arrive


class PsycopgPool:
    """psycopg_pool as it is without settings: it rolls back what is open, and resets nothing else."""

    kind = PoolKind.PSYCOPG_POOL
    shares_prepared = True
    words = "psycopg_pool.ConnectionPool"

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo

    @contextmanager
    def line(self, tape: Tape) -> Iterator[Line]:
        from psycopg_pool import ConnectionPool

        pool = ConnectionPool(
            self._conninfo, connection_class=TapingConnection, min_size=1, max_size=1, timeout=TIMEOUT, open=False
        )
        pool.open(wait=True, timeout=TIMEOUT)
        try:
            yield _PsycopgPoolLine(pool, tape)
        finally:
            pool.close()


class _PsycopgPoolLine:
    def __init__(self, pool: ConnectionPool[TapingConnection], tape: Tape) -> None:
        self._pool, self._tape = pool, tape
        self._taken: set[int] = set()

    @contextmanager
    def client(self) -> Iterator[Client]:
        connection = self._pool.getconn()
        connection.tape = self._tape
        self._taken.add(id(connection))
        client = _PsycopgClient(connection)
        try:
            yield client
        finally:
            self.give_back(client)

    def give_back(self, client: Client) -> None:
        if id(client.raw) in self._taken:
            self._taken.discard(id(client.raw))
            self._pool.putconn(client.raw)

    def vanish(self, client: Client) -> None:
        raise NotImplementedError("a pool inside the process dies with it")


class SqlalchemyPool:
    """SQLAlchemy's QueuePool as it is without settings: it rolls back on return, and resets nothing else."""

    kind = PoolKind.SQLALCHEMY
    shares_prepared = True
    words = "SQLAlchemy's QueuePool"

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo

    @contextmanager
    def line(self, tape: Tape) -> Iterator[Line]:
        import sqlalchemy

        engine = sqlalchemy.create_engine(
            "postgresql+psycopg://",
            creator=lambda: TapingConnection.connect(self._conninfo),
            poolclass=sqlalchemy.QueuePool,
            pool_size=1,
            max_overflow=0,
            pool_timeout=TIMEOUT,
        )
        try:
            with _as_psycopg():
                engine.connect().close()  # what SQLAlchemy itself asks a new connection is nobody's habit
            yield _SqlalchemyLine(engine, tape)
        finally:
            engine.dispose()


class _SqlalchemyLine:
    def __init__(self, engine: Engine, tape: Tape) -> None:
        self._engine, self._tape = engine, tape

    @contextmanager
    def client(self) -> Iterator[Client]:
        with _as_psycopg():
            connection = self._engine.connect()
        try:
            client = _SqlalchemyClient(connection)
            client.raw.tape = self._tape
            yield client
        finally:
            connection.close()

    def give_back(self, client: Client) -> None:
        client.native.close()  # type: ignore[attr-defined]  # SQLAlchemy's connection, closed twice without harm

    def vanish(self, client: Client) -> None:
        raise NotImplementedError("a pool inside the process dies with it")


class _SqlalchemyClient:
    """Everything goes through SQLAlchemy, so that its events come as they come to the application."""

    def __init__(self, connection: SqlalchemyConnection) -> None:
        self.native = connection
        driver = connection.connection.driver_connection
        assert isinstance(driver, TapingConnection)
        self.raw = driver

    def run(self, statement: str) -> list[Row]:
        with _as_psycopg():
            result = self.native.exec_driver_sql(statement, execution_options={"no_parameters": True})
        return [tuple(row) for row in result] if result.returns_rows else []

    def start(self) -> None:
        if not self.native.in_transaction():
            with _as_psycopg():
                self.native.begin()

    def commit(self) -> None:
        with _as_psycopg():
            self.native.commit()

    def rollback(self) -> None:
        with _as_psycopg():
            self.native.rollback()


@contextmanager
def _as_psycopg() -> Iterator[None]:
    """SQLAlchemy's errors as those of the driver."""
    import sqlalchemy.exc

    try:
        yield
    except sqlalchemy.exc.DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise error.orig from error
        raise psycopg.InterfaceError(str(error)) from error
    except sqlalchemy.exc.SQLAlchemyError as error:
        raise psycopg.OperationalError(str(error)) from error
