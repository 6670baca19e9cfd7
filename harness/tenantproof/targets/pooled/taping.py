"""A psycopg connection that tapes what goes over it, whoever sends it: the application's own code among them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

import psycopg
from psycopg import pq, sql
from psycopg.abc import Params, Query

Row = tuple[Any, ...]


class Tape:
    """Statements in the order in which they were sent, each with who sent them; without *secrets* (tokens)."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        self.who = ""
        self.lines: list[tuple[str, str]] = []
        self._secrets = secrets

    def add(self, statement: str) -> None:
        for secret in self._secrets:
            statement = statement.replace(secret, "***")
        self.lines.append((self.who, statement))


class TapingCursor(psycopg.Cursor[Row]):
    """Tapes each statement, with its parameters in place, and the BEGIN that psycopg sends before the first."""

    def execute(
        self, query: Query, params: Params | None = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> TapingCursor:
        connection = self.connection
        if isinstance(connection, TapingConnection) and connection.tape is not None:
            connection.tape_begin()
            connection.tape.add(_in_full(connection, query, params))
        super().execute(cast("Any", query), params, prepare=prepare, binary=binary)
        return self


class TapingConnection(psycopg.Connection[Row]):
    """`tape` None: nothing is taped."""

    def __init__(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401  # psycopg's own, passed on
        super().__init__(*arguments, **named)
        self.tape: Tape | None = None
        self.cursor_factory = TapingCursor

    def tape_begin(self) -> None:
        """Tape the BEGIN that psycopg is about to send."""
        idle = self.pgconn.transaction_status == pq.TransactionStatus.IDLE
        if self.tape is not None and idle and not self.autocommit:
            self.tape.add("begin")

    def commit(self) -> None:
        self._tape_end("commit")
        super().commit()

    def rollback(self) -> None:
        self._tape_end("rollback")
        super().rollback()

    def _tape_end(self, word: str) -> None:
        idle = self.pgconn.transaction_status == pq.TransactionStatus.IDLE
        if self.tape is not None and not idle:
            self.tape.add(word)


def _in_full(connection: TapingConnection, query: Query, params: Params | None) -> str:
    if params:
        return psycopg.ClientCursor(connection).mogrify(query, params)
    if isinstance(query, sql.Composable):
        return query.as_string(connection)
    return query.decode() if isinstance(query, bytes) else cast("str", query)
