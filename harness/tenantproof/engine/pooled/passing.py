"""One server connection passes from user to user: what the second finds there, for each way the first can leave it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass

import psycopg

from tenantproof.core.model import Persona, PoolKind
from tenantproof.engine.pooled.habits import CannotBegin, Habit
from tenantproof.engine.pooled.looking import Gaze, Seen, look, read_often, read_once
from tenantproof.targets.pooled.pools import Client, Line, Pool
from tenantproof.targets.pooled.taping import Tape

NOBODY = "nobody"
"""Who takes a connection and begins as no one: code that forgets to."""


@dataclass(frozen=True, slots=True)
class User:
    """Who uses a connection; `begins` False is nobody, who is judged as *persona*."""

    persona: Persona
    begins: bool = True

    @property
    def name(self) -> str:
        return self.persona.name if self.begins else NOBODY


class Leaving(enum.StrEnum):
    """How the first user ends."""

    COMMIT = "commit"
    ROLLBACK = "rollback"
    ERROR = "error"
    VANISH = "vanish"
    BETWEEN = "between"
    PLAN = "plan"

    @property
    def words(self) -> str:
        return _WORDS[self]

    def fits(self, pool: Pool) -> bool:
        """Whether it can happen there, and can come to something else than another one."""
        if self is Leaving.VANISH:
            return pool.kind.is_pgbouncer
        if self is Leaving.BETWEEN:
            return pool.kind is PoolKind.PGBOUNCER_TRANSACTION
        return pool.shares_prepared if self is Leaving.PLAN else True


_WORDS = {
    Leaving.COMMIT: "after a commit and the application's own release",
    Leaving.ROLLBACK: "after a rollback and the application's own release",
    Leaving.ERROR: "after a statement failed",
    Leaving.VANISH: "after the client was gone without a word",
    Leaving.BETWEEN: "between two transactions of the first",
    Leaving.PLAN: "with statements that the first had prepared",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """One passing: what *second* saw.  `void` says why it proves nothing."""

    pool: Pool
    leaving: Leaving
    first: User
    second: User
    seen: Seen
    tape: Tape
    void: str = ""


Looking = Callable[[Client, Gaze, Tape], Seen]


class Passing:
    """Passes connections of one pool."""

    def __init__(self, pool: Pool, habit: Habit, gazes: Mapping[str, Gaze]) -> None:
        """*gazes* are what each persona looks at, by name."""
        self._pool, self._habit, self._gazes = pool, habit, gazes

    def alone(self, user: User) -> tuple[Seen, Tape]:
        """What the user sees on a connection that nobody has used."""
        tape = Tape(self._habit.tokens)
        with self._pool.line(tape) as line:
            return self._visit(line, user, tape), tape

    def after(self, first: User, second: User, leaving: Leaving) -> list[Passed]:
        """What *second* sees on the connection that *first* left; and *first* then, where it is still there.

        Empty where *first* could not begin.
        """
        tape, request = Tape(self._habit.tokens), copy_context()
        with self._pool.line(tape) as line, line.client() as client:
            before = request.run(self._use, client, first, tape, read_often if leaving is Leaving.PLAN else read_once)
            if before.failed:
                return []
            if leaving is Leaving.BETWEEN:
                client.commit()
                seen = self._visit(line, second, tape)
                again = request.run(self._again, client, first, tape)
                found = [(first, second, seen), (second, first, again)]
            else:
                request.run(self._leave, client, first, leaving)
                if leaving is Leaving.VANISH:
                    line.vanish(client)
                line.give_back(client)
                found = [(first, second, self._visit(line, second, tape))]
        return [self._passed(one, other, leaving, before, seen, tape) for one, other, seen in found]

    def _visit(self, line: Line, user: User, tape: Tape) -> Seen:
        """One checkout, in a context (contextvars) of its own, as a request has it."""
        with line.client() as client:
            seen = copy_context().run(self._use, client, user, tape, look)
            with suppress(psycopg.Error):
                client.rollback()
        return seen

    def _use(self, client: Client, user: User, tape: Tape, looking: Looking) -> Seen:
        """Take, begin and look."""
        tape.who = user.name
        try:
            if user.begins:
                self._habit.take(client, user.persona)
                self._habit.begin(client, user.persona)
        except CannotBegin as error:
            return Seen(failed=str(error))
        return looking(client, self._gazes[user.persona.name], tape)

    def _leave(self, client: Client, user: User, leaving: Leaving) -> None:
        with suppress(CannotBegin, psycopg.Error):  # what the application cannot undo is what the next one finds
            if leaving is Leaving.ERROR:
                with suppress(psycopg.Error):
                    client.run("select 1 / 0")
                self._habit.fail(client, user.persona)
                return
            if leaving is Leaving.ROLLBACK:
                client.rollback()
            else:
                client.commit()
            if leaving is not Leaving.VANISH:
                self._habit.release(client, user.persona)

    def _again(self, client: Client, user: User, tape: Tape) -> Seen:
        """The user's next transaction, on a connection that is taken already."""
        tape.who = user.name
        try:
            self._habit.begin(client, user.persona)
            return look(client, self._gazes[user.persona.name], tape)
        except CannotBegin as error:
            return Seen(failed=str(error))
        finally:
            with suppress(psycopg.Error):
                client.rollback()

    def _passed(self, first: User, second: User, leaving: Leaving, before: Seen, seen: Seen, tape: Tape) -> Passed:
        void = ""
        if not seen.failed and seen.pid != before.pid:
            void = f"{first.name} and {second.name} did not share the server connection"
        return Passed(pool=self._pool, leaving=leaving, first=first, second=second, seen=seen, tape=tape, void=void)
