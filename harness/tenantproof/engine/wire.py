"""
Statements to PostgreSQL in pipeline mode, each behind a savepoint, with refusals as values.

This is the hot path of the whole tool, so it speaks libpq's pipeline protocol directly
(https://www.postgresql.org/docs/current/libpq-pipeline-mode.html): psycopg's cursors raise on the first error of
a pipeline, while here an error is one answer among many.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from select import select

import psycopg
from psycopg import pq

from tenantproof.core.attempt import Observation

Script = Sequence[str]
"""Statements that stand or fall together behind one savepoint; the answer to each is observed."""


class Staged(tuple[str, ...]):
    """A script whose first statements, those of *stage*, may be shared.

    Where several with the same stage stand next to each other it is set once; their answers are the same as if each
    had set it.
    """

    stage: Script

    def __new__(cls, stage: Script, statements: Script) -> Staged:
        """The whole script: *stage*, then *statements*."""
        script = super().__new__(cls, (*stage, *statements))
        script.stage = stage
        return script


def stage_of(script: Script) -> Script:
    """What may be shared of the script; nothing unless it is `Staged`."""
    return script.stage if isinstance(script, Staged) else ()


_CHUNK = 60
"""Scripts that are sent at once; while they are, answers are taken in (`_flush`), so that no side waits for ever."""

_AHEAD = 12
"""Pieces that are sent before the answers to the first are read: over a slow line all of them share one round trip."""

_UNDO = b"ROLLBACK TO SAVEPOINT attempt"
_SHARE = "SAVEPOINT staged"
_BACK_ON_STAGE = b"ROLLBACK TO SAVEPOINT staged"


class ConnectionLost(psycopg.OperationalError):
    """The server went away in the middle of a pipeline."""


@dataclass(slots=True)
class Counter:
    """How many statements personas and observer have sent, and how often somebody waited for the answers."""

    statements: int = 0
    round_trips: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Scripts that run in a state of their own: what *set_up* makes of the transaction (nothing: as it is)."""

    scripts: Sequence[Script]
    set_up: Script = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Scripts that share what is done before each of them, if anything is."""

    stage: Script = ()
    scripts: Sequence[Script]

    @property
    def answers(self) -> int:
        """How many results it brings: of statements, of syncs, of undoing."""
        stage = len(self.stage) + 2 if self.stage else 0
        return stage + sum(len(script) + 2 for script in self.scripts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """What is sent at once of a part."""

    set_up: Script
    groups: Sequence[_Group]

    @property
    def answers(self) -> int:
        """How many results it brings, those of its own sync among them."""
        set_up = len(self.set_up) + 1 if self.set_up else 0
        return set_up + (sum(group.answers for group in self.groups) + 1 if self.groups else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """A piece on its way, and how many round trips had been waited for when it was sent."""

    piece: _Piece
    round_trips: int


def _pieces(part: Part) -> Iterator[_Piece]:
    set_up = (*part.set_up, "SAVEPOINT attempt") if part.set_up else ()
    for start in range(0, max(1, len(part.scripts)) if set_up else len(part.scripts), _CHUNK):
        yield _Piece(set_up=set_up, groups=tuple(_groups(part.scripts[start : start + _CHUNK])))
        set_up = ()


def _groups(scripts: Sequence[Script]) -> Iterator[_Group]:
    for stage, neighbours in groupby(scripts, stage_of):
        sharing = tuple(neighbours)
        if stage and len(sharing) > 1:
            yield _Group(stage=stage, scripts=[script[len(stage) :] for script in sharing])
        else:
            yield _Group(scripts=sharing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """What begins the scope of a wire, and what undoes everything in it."""

    begin: Script
    undo: Script


TRANSACTION = Bracket(begin=("BEGIN",), undo=("ROLLBACK",))
"""A transaction of its own."""

WITHIN = Bracket(begin=("SAVEPOINT wire",), undo=("ROLLBACK TO SAVEPOINT wire", "RELEASE SAVEPOINT wire"))
"""Inside a transaction that is somebody else's."""


class Wire:
    """One connection inside one transaction, used in pipeline mode.  Nothing it runs is ever committed."""

    def __init__(self, connection: psycopg.Connection[tuple[object, ...]], bracket: Bracket = TRANSACTION) -> None:
        self._pg = connection.pgconn
        self._bracket = bracket
        self._notices: list[str] = []
        self._unread: list[int] = []
        self._errands: deque[Sequence[_Piece]] = deque()
        self._waiting: deque[_Piece] = deque()
        self._under_way: deque[_Sent] = deque()
        self._pg.notice_handler = self._notice
        self.counter = Counter()

    def __enter__(self) -> Wire:
        self._pg.enter_pipeline_mode()
        self._set_up(self._bracket.begin)
        self.settle()
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        if failure is not None:
            # Ctrl-C among them: answers are still on their way.  Closing the connection ends it all; left open, psycopg
            # would try to roll back in the middle of the pipeline and say on stderr that it could not.
            self._pg.finish()
        elif self._pg.status == pq.ConnStatus.OK:
            self._set_up(self._bracket.undo)
            self.settle()
            self._pg.exit_pipeline_mode()

    @property
    def lost(self) -> bool:
        """Whether the server is gone; whatever was not answered by then never will be."""
        return bool(self._pg.status == pq.ConnStatus.BAD)

    def prepare(self, statements: Script) -> None:
        """Run set-up statements, then set the savepoint that every later script returns to.

        Nobody waits for the server: over a slow line that would cost more than all the rest.  Where one of them fails,
        the next `run` or `settle` raises psycopg.Error: set-up is ours, a failure there is no answer.
        """
        self._set_up((*statements, "SAVEPOINT attempt"))

    def anew(self, statements: Script) -> Script:
        """What sets a part up that undoes everything and begins with these statements."""
        return (*self._bracket.undo, *self._bracket.begin, *statements)

    def restart(self, statements: Script) -> None:
        """Undo everything and begin anew with these set-up statements."""
        self._set_up(self._bracket.undo)
        self._set_up(self._bracket.begin)
        self.prepare(statements)

    def settle(self) -> None:
        """Wait until all set-up was done.  Raises psycopg.Error for the first of it that failed."""
        self.counter.round_trips += bool(self._unread)
        if (failure := self._read_set_up()) is not None:
            raise psycopg.errors.error_from_result(failure)

    def run(self, scripts: Sequence[Script]) -> list[tuple[Observation, ...]]:
        """Run each script from the savepoint's state and undo it.

        Returns one tuple of observations per script, one for each statement up to and including the first that
        was refused.
        """
        self._require_all_heard()
        self.send(Part(scripts=scripts))
        return self.hear()

    def try_each(self, parts: Sequence[Part]) -> list[list[tuple[Observation, ...]] | None]:
        """What `run` says of each part that could be set up; None of the others.

        Each has a set-up, which undoes what the one before left.  All of it is sent ahead, so over a slow line the
        parts share their waiting.  Raises psycopg.Error where the server is gone, or what was prepared before failed.
        """
        self._require_all_heard()
        for part in parts:
            self.send(part)
        heard = [self._part() for _ in parts]
        return [answers if failure is None else None for answers, failure in heard]

    def send(self, part: Part) -> None:
        """Send a part without waiting for its answers, which `hear` brings.  Nothing else may run until then.

        Of all parts together no more is under way than of one alone: answers nobody has read take memory.
        """
        pieces = tuple(_pieces(part))
        self._errands.append(pieces)
        self._waiting.extend(pieces)
        self._send_more()

    def hear(self) -> list[tuple[Observation, ...]]:
        """What the first part that was sent, and not heard of yet, came to: as `run` says it.

        Raises psycopg.Error where its set-up failed, and forgets it; where what was prepared before failed, all that
        was sent is forgotten.
        """
        answers, failure = self._part()
        if failure is not None:
            raise psycopg.errors.error_from_result(failure)
        return answers

    def _part(self) -> tuple[list[tuple[Observation, ...]], pq.abc.PGresult | None]:
        """The answers of the part that is heard next, and why there are none where its set-up failed."""
        answers: list[tuple[Observation, ...]] = []
        pieces = self._errands.popleft()
        for piece in pieces:
            if (failure := self._read_set_up()) is not None:
                self.give_up()
                raise psycopg.errors.error_from_result(failure)
            # Whoever was waited for after this was sent has waited for a part of its way as well.
            self.counter.round_trips += self._under_way[0].round_trips == self.counter.round_trips
            if piece.set_up and (failure := self._receive_set_up(len(piece.set_up))) is not None:
                self._skip(pieces)
                return [], failure
            answers.extend(self._receive_all(piece.groups))
            self._under_way.popleft()
            self._send_more()
        return answers, None

    def give_up(self) -> None:
        """Wait for what is under way; it and all else that was sent is forgotten."""
        self._waiting.clear()
        self._errands.clear()
        self._read_past(sum(sent.piece.answers for sent in self._under_way))
        self._under_way.clear()

    def _skip(self, pieces: Sequence[_Piece]) -> None:
        """Wait for what is under way of a part, whose set-up was heard of, and forget it."""
        sent = [self._under_way.popleft() for piece in pieces if self._is_next(piece)]
        self._read_past(sum(one.piece.answers for one in sent) - len(pieces[0].set_up) - 1)
        for _ in range(len(pieces) - len(sent)):
            self._waiting.popleft()
        self._send_more()

    def _is_next(self, piece: _Piece) -> bool:
        return bool(self._under_way) and self._under_way[0].piece is piece

    def _read_past(self, answers: int) -> None:
        for _ in range(answers):
            self._await()
            if (result := self._pg.get_result()) is not None and result.status != pq.ExecStatus.PIPELINE_SYNC:
                self._end_of_result()
        self._notices.clear()

    def _send_more(self) -> None:
        while self._waiting and len(self._under_way) < _AHEAD:
            piece = self._waiting.popleft()
            self._under_way.append(_Sent(piece=piece, round_trips=self.counter.round_trips))
            self._send_piece(piece)

    def _send_piece(self, piece: _Piece) -> None:
        if piece.set_up:
            self._send_set_up(piece.set_up)
        if piece.groups:
            for group in piece.groups:
                self._send_group(group)
            self._pg.pipeline_sync()
            self._flush()

    def _receive_all(self, groups: Sequence[_Group]) -> list[tuple[Observation, ...]]:
        answers = [answer for group in groups for answer in self._receive_group(group)]
        if groups:
            self._take_sync()
        return answers

    def _send_group(self, group: _Group) -> None:
        if group.stage:
            self._send((*group.stage, _SHARE))
        for number, script in enumerate(group.scripts, 1):
            self._send(script)
            self._pg.send_query_params(_BACK_ON_STAGE if group.stage and number < len(group.scripts) else _UNDO, None)

    def _receive_group(self, group: _Group) -> Iterator[tuple[Observation, ...]]:
        """Where the stage could not be set, that is the answer to all: nothing after it ran."""
        stage = self._receive((*group.stage, _SHARE))[: len(group.stage)] if group.stage else ()
        failed = bool(stage) and stage[-1].refused
        for number, script in enumerate(group.scripts, 1):
            said = self._receive(script)
            undone = self._take_result()
            if undone.status != pq.ExecStatus.COMMAND_OK and not (failed and number < len(group.scripts)):
                raise psycopg.OperationalError(undone.get_error_message())
            yield stage if failed else (*stage, *said)

    def _send(self, script: Script) -> None:
        for statement in script:
            self._pg.send_query_params(statement.encode(), None)
        self.counter.statements += len(script)
        self._pg.pipeline_sync()

    def _receive(self, script: Script) -> tuple[Observation, ...]:
        observations: list[Observation] = []
        for _ in script:
            result = self._take_result()
            if result.status != pq.ExecStatus.PIPELINE_ABORTED:
                observations.append(_observe(result, tuple(self._notices)))
            self._notices.clear()
        self._take_sync()
        return tuple(observations)

    def _require_all_heard(self) -> None:
        assert not self._errands or self.lost, "what was sent is to be heard first"

    def _set_up(self, statements: Script) -> None:
        self._require_all_heard()
        self._send_set_up(statements)
        self._unread.append(len(statements))
        if len(self._unread) > _CHUNK:
            self.settle()

    def _send_set_up(self, statements: Script) -> None:
        for statement in statements:
            self._pg.send_query_params(statement.encode(), None)
        self._pg.pipeline_sync()
        self._flush()

    def _read_set_up(self) -> pq.abc.PGresult | None:
        """The first failure among what set-up came to that nobody has waited for yet."""
        unread, self._unread = self._unread, []
        failures = [self._receive_set_up(statements) for statements in unread]
        return next((failure for failure in failures if failure is not None), None)

    def _receive_set_up(self, statements: int) -> pq.abc.PGresult | None:
        failure: pq.abc.PGresult | None = None
        for _ in range(statements):
            result = self._take_result()
            if result.status == pq.ExecStatus.FATAL_ERROR:
                failure = failure or result
        self._take_sync()
        self._notices.clear()  # of what the set-up did: the persona does not hear it
        return failure

    def _take_result(self) -> pq.abc.PGresult:
        self._await()
        result = self._pg.get_result()
        if result is None:
            raise ConnectionLost("the server closed the connection in the middle of a run")
        if result.status not in (pq.ExecStatus.PIPELINE_SYNC,):
            self._end_of_result()
        return result

    def _end_of_result(self) -> None:
        self._await()
        while self._pg.get_result() is not None:
            self._await()

    def _await(self) -> None:
        """Wait for an answer without holding Python's lock, so that Ctrl-C and other threads get their turn."""
        while self._pg.is_busy():
            select([self._pg.socket], [], [])
            self._pg.consume_input()

    def _take_sync(self) -> None:
        self._await()
        result = self._pg.get_result()
        if result is None or result.status != pq.ExecStatus.PIPELINE_SYNC:
            raise ConnectionLost("the server closed the connection in the middle of a run")

    def _notice(self, notice: pq.abc.PGresult) -> None:
        """Called while an answer is awaited: the notices of a statement come before its result."""
        level, message = (
            _field(notice, field) for field in (pq.DiagnosticField.SEVERITY, pq.DiagnosticField.MESSAGE_PRIMARY)
        )
        self._notices.append(f"{level}: {message}")

    def _flush(self) -> None:
        while self._pg.flush():
            readable, _, _ = select([self._pg.socket], [self._pg.socket], [])
            if readable:
                self._pg.consume_input()


def _observe(result: pq.abc.PGresult, notices: tuple[str, ...]) -> Observation:
    if result.status == pq.ExecStatus.TUPLES_OK:
        rows = tuple(
            tuple(_text(result.get_value(row, column)) for column in range(result.nfields))
            for row in range(result.ntuples)
        )
        return Observation(rows=rows, count=result.ntuples, notices=notices)
    if result.status == pq.ExecStatus.COMMAND_OK:
        return Observation(count=result.command_tuples or 0, notices=notices)
    return Observation(
        sqlstate=_field(result, pq.DiagnosticField.SQLSTATE) or "XX000",
        message=_field(result, pq.DiagnosticField.MESSAGE_PRIMARY),
        detail=_field(result, pq.DiagnosticField.MESSAGE_DETAIL),
        hint=_field(result, pq.DiagnosticField.MESSAGE_HINT),
        column=_field(result, pq.DiagnosticField.COLUMN_NAME),
        constraint=_field(result, pq.DiagnosticField.CONSTRAINT_NAME),
        notices=notices,
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def _field(result: pq.abc.PGresult, field: pq.DiagnosticField) -> str:
    return (result.error_field(field) or b"").decode("utf-8", "replace")
