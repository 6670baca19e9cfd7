"""
Applies SQL files one after the other, one transaction per file, as `supabase db push` and `psql -1` do.

A file that speaks of transactions itself is left to do so, and one that holds nothing but statements that cannot run
in a transaction (CREATE INDEX CONCURRENTLY), or that tells its tool to run it without one, runs without one.  Dumps
are read with more patience (`dumps`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import psycopg
from psycopg import sql

from tenantproof.core.errors import MigrationError
from tenantproof.core.ports import Source
from tenantproof.targets import dumps, shims
from tenantproof.targets.extensions import wanted_schema, without_version
from tenantproof.targets.hints import hint_for
from tenantproof.targets.patience import Run, patiently
from tenantproof.targets.statements import Kind, Piece, reads_data, split, tokens, without_comments
from tenantproof.targets.tools.markers import NO_TRANSACTION

CONTROL = re.compile(r"(begin|start\s+transaction|commit|end|rollback|abort|prepare\s+transaction)\b", re.IGNORECASE)
ALONE = re.compile(
    r"(create\s+(unique\s+)?index\s+concurrently|drop\s+index\s+concurrently|reindex\b.*\bconcurrently"
    r"|vacuum|alter\s+system)\b",
    re.IGNORECASE | re.DOTALL,
)
BEGINNING = 500
DO_LINE = re.compile(r"inline_code_block line (\d+)")
HARMLESS = frozenset(
    {r"\restrict", r"\unrestrict", r"\connect", r"\c", r"\echo", r"\qecho", r"\warn"}
    | {r"\set", r"\unset", r"\timing", r"\encoding", r"\pset", r"\x"}
)
"""psql's commands that dumps contain and that change nothing here."""


def apply_all(connection: psycopg.Connection, sources: Iterable[Source]) -> None:
    """Apply each file.  Raises MigrationError for the first statement that fails; its file is rolled back."""
    for source in sources:
        apply(connection, source)


def apply(connection: psycopg.Connection, source: Source) -> None:
    """Apply one file on an autocommit connection.  After an error the connection is of no more use."""
    _forget_settings(connection)
    pieces = [piece for piece in split(source.text) if piece.kind is not Kind.BLANK]
    if NO_TRANSACTION.search(source.text) or _manages_itself(pieces):
        run_pieces(connection, source, pieces)
        _refuse_open_transaction(connection, source, pieces)
        return
    connection.execute("begin")
    run_pieces(connection, source, pieces)
    _commit(connection, source, pieces)


def apply_in_transaction(connection: psycopg.Connection, source: Source) -> None:
    """Apply one file in the transaction that is open."""
    _forget_settings(connection)
    run_pieces(connection, source, [piece for piece in split(source.text) if piece.kind is not Kind.BLANK])


def _forget_settings(connection: psycopg.Connection) -> None:
    """Each file starts as on a new connection: dumps set search_path to '' and would break the next file."""
    connection.execute("reset session authorization")
    connection.execute("reset all")


def speaks_of_transactions(text: str) -> bool:
    """Whether a file begins or ends transactions itself, or cannot run in one."""
    if NO_TRANSACTION.search(text):
        return True
    return _manages_itself([piece for piece in split(text) if piece.kind is not Kind.BLANK])


def run_pieces(connection: psycopg.Connection, source: Source, pieces: Iterable[Piece]) -> None:
    """Run the pieces of a file, in whatever transaction the connection is."""
    if not dumps.is_dump(source.text):
        _run_each(connection, source, pieces, _run)
        return
    with patiently(connection, source.text, _run) as run:
        _run_each(connection, source, pieces, run)


def _run_each(connection: psycopg.Connection, source: Source, pieces: Iterable[Piece], run: Run) -> None:
    remaining = iter(pieces)
    for piece in remaining:
        if piece.kind is Kind.COMMAND:
            _check_command(source, piece)
        elif piece.kind is Kind.SQL:
            data = next(remaining, None) if reads_data(piece.body) else None
            try:
                run(connection, piece, data)
            except psycopg.Error as error:
                raise _migration_error(source, piece, error) from error


def _run(connection: psycopg.Connection, piece: Piece, data: Piece | None) -> None:
    if reads_data(piece.body):
        _copy(connection, piece, data)
        return
    wanted = wanted_schema(piece.body)
    if wanted is not None and shims.fixed_schemas().get(wanted[0]) == wanted[1]:
        connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(wanted[1])))
    connection.execute(without_version(piece.body))


def _copy(connection: psycopg.Connection, piece: Piece, data: Piece | None) -> None:
    with connection.cursor().copy(piece.body.rstrip().rstrip(";")) as copy:
        if data is not None:
            rows = data.text.partition("\n")[2]
            copy.write(re.sub(r"^\\\.[ \t\r]*\n?\Z", "", rows, flags=re.MULTILINE))


def _commit(connection: psycopg.Connection, source: Source, pieces: list[Piece]) -> None:
    """Deferred constraints speak up at the end, so the file's last statement stands for it."""
    try:
        connection.execute("commit")
    except psycopg.Error as error:
        raise _migration_error(source, pieces[-1], error) from error


def _manages_itself(pieces: Iterable[Piece]) -> bool:
    # Their beginnings tell, so a long INSERT is not read once more.
    bodies = [without_comments(piece.body[:BEGINNING]) for piece in pieces if piece.kind is Kind.SQL]
    return any(CONTROL.match(body) for body in bodies) or (bool(bodies) and all(map(ALONE.match, bodies)))


def _refuse_open_transaction(connection: psycopg.Connection, source: Source, pieces: list[Piece]) -> None:
    if connection.info.transaction_status is psycopg.pq.TransactionStatus.IDLE:
        return
    connection.rollback()
    opener = [piece for piece in pieces if re.match(r"begin|start", piece.body, re.IGNORECASE)][-1]
    raise MigrationError(
        path=source.path,
        line=opener.line,
        statement=opener.body,
        sqlstate="25001",
        message="this transaction is never committed in the file",
        hint="add COMMIT, or leave BEGIN out: each file runs in a transaction of its own",
    )


def _check_command(source: Source, piece: Piece) -> None:
    name = piece.body.split(maxsplit=1)[0]
    if name in HARMLESS:
        return
    raise MigrationError(
        path=source.path,
        line=piece.line,
        statement=piece.body,
        sqlstate="42601",
        message=f"{name} is a command of psql, not SQL",
        hint="migrations are sent to the server as they are; write it as SQL, or list the files it includes",
    )


def _migration_error(source: Source, piece: Piece, error: psycopg.Error) -> MigrationError:
    diagnostic = error.diag
    context = f" ({diagnostic.context.splitlines()[0]})" if diagnostic.context else ""
    detail = f": {diagnostic.message_detail}" if diagnostic.message_detail else ""
    return MigrationError(
        path=source.path,
        line=_line(piece, error),
        statement=piece.body,
        sqlstate=error.sqlstate or "",
        message=f"{diagnostic.message_primary or str(error).strip()}{detail}{context}",
        hint=hint_for(error, in_dump=dumps.is_dump(source.text)),
    )


def _line(piece: Piece, error: psycopg.Error) -> int:
    """The line where the server says the error is: a place in the statement, or a line of a DO block's body."""
    if error.diag.statement_position:
        return piece.line_at(int(error.diag.statement_position))
    body = next((token for token in tokens(piece.body) if token.kind == "dollar"), None)
    found = DO_LINE.findall(error.diag.context or "")
    if body is None or not found:
        return piece.line
    return piece.line_at(body.start + 1) + int(found[-1]) - 1
