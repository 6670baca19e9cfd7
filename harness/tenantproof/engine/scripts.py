"""Scripts around an attempt: setting the stage as the observer, acting as the persona, looking at what changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from psycopg import sql

from tenantproof.core.attempt import Attempt, Change, Observation, Snapshot, Stage
from tenantproof.core.catalog import Catalog, Relation
from tenantproof.core.errors import TargetError
from tenantproof.core.model import QName, Tenancy
from tenantproof.core.ports import Identity
from tenantproof.core.world import Key, Row
from tenantproof.engine.wire import Staged
from tenantproof.identity.becoming import become, pre_request, unbecome
from tenantproof.seeding.rowquery import row_query

RUN_IT = "-- Run with psql as a superuser on a database that `tenantproof replay` (or `check --keep`) has seeded."
"""Stands in the head of every script whose rows are the seeder's."""

RUN_IT_AGAIN = (
    "-- The rows of its run are gone: `tenantproof replay` makes them again, and tells whether it still leaks."
)
"""Stands there instead where they were put into somebody's database."""

TRIGGERS_OFF = "SET LOCAL session_replication_role = replica"
TRIGGERS_ON = "SET LOCAL session_replication_role = origin"


@dataclass(frozen=True, slots=True)
class Watch:
    """How the observer reads the rows of one relation: the query, and what its flags mean."""

    query: str
    predicates: tuple[str, ...]

    def rows(self, observation: Observation, seeded: frozenset[Key]) -> Snapshot:
        """The observer's answer as a snapshot."""
        return Snapshot(dict(self._row(answer, seeded) for answer in observation.rows))

    def changes(
        self, relation: QName, before: Snapshot, observation: Observation, seeded: frozenset[Key]
    ) -> tuple[Change, ...]:
        """What changed since *before*; only rows that were written are looked into."""
        kept = {answer[0] for answer in observation.rows if answer[0] in before.rows}
        came = (self._row(answer, seeded)[1] for answer in observation.rows if answer[0] not in kept)
        return before.changes(relation, {version for version in kept if version is not None}, came)

    def _row(self, answer: tuple[str | None, ...], seeded: frozenset[Key]) -> tuple[str, Row]:
        version, tenant, owner, flags, keys = answer
        held = json.loads(flags or "[]")
        key: Key = tuple(json.loads(keys or "[]"))
        row = Row(
            key=key,
            tenant=tenant,
            owner=owner,
            flags=frozenset(name for name, holds in zip(self.predicates, held, strict=True) if holds),
            seeded=key in seeded,
        )
        return version or str((tenant, owner)), row


def watch(relation: Relation, tenancy: Tenancy, predicates: tuple[str, ...], catalog: Catalog) -> Watch:
    """The observer's query for a relation: version, tenant, owner, flags and key, all as text."""
    query = sql.SQL(
        "SELECT version, tenant, owner, to_json(flags)::text AS flags, to_json(key)::text AS key FROM ({}) AS seen"
    ).format(row_query(relation, tenancy, predicates, catalog))
    return Watch(query.as_string(None), predicates)


@cache
def as_observer() -> str:
    """Back to the role that sees everything."""
    return unbecome().as_string(None)


def as_persona(identity: Identity) -> tuple[str, ...]:
    """The statements that make the observer's session the persona, pre-request function included."""
    statements = (become(identity).as_string(None),)
    call = pre_request(identity)
    return statements if call is None else (*statements, call.as_string(None))


def set_settings(settings: Iterable[tuple[str, str]]) -> str:
    """SELECT that lays these settings over the session's until the transaction ends."""
    calls = sql.SQL(", ").join(
        sql.SQL("pg_catalog.set_config({}, {}, true)").format(*map(sql.Literal, pair)) for pair in settings
    )
    return sql.SQL("SELECT {}").format(calls).as_string(None)


def has_key_of(key_columns: Sequence[str], keys: Sequence[Key]) -> sql.Composable:
    """The condition that a row has one of these keys; false where there is none.  It is never null."""
    key = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in key_columns)
    whole, with_nulls = ([_values(row) for row in keys if (None in row) is null] for null in (False, True))
    found = [sql.SQL("({}) IN (VALUES {})").format(key, sql.SQL(", ").join(whole))] if whole else []
    # Where there is no primary key all columns are the key, and IN is null of a row that has a null among them.
    found += [sql.SQL("ROW({}) IS NOT DISTINCT FROM ROW{}").format(key, values) for values in with_nulls]
    return sql.SQL("({})").format(sql.SQL(" OR ").join(found)) if found else sql.SQL("false")


def _values(key: Key) -> sql.Composable:
    return sql.SQL("({})").format(sql.SQL(", ").join(sql.Literal(part) for part in key))


@cache
def set_stage(stage: Stage) -> tuple[str, ...]:
    """Statements of the observer that leave only the stage's rows in the relation."""
    clear = sql.SQL("DELETE FROM {} WHERE NOT {}").format(
        sql.Identifier(*stage.relation), has_key_of(stage.key_columns, stage.keep)
    )
    if not stage.fires:
        return (clear.as_string(None),)  # each change of the role makes the server plan everything anew
    referring = (sql.SQL("DELETE FROM {}").format(sql.Identifier(*name)).as_string(None) for name in stage.clear)
    return (TRIGGERS_OFF, clear.as_string(None), *referring, TRIGGERS_ON)


_IN_THE_WAY = frozenset({"40001", "40P01", "55P03"})
"""Serialization failure, deadlock, lock not available: others write to the same rows at the same time."""


@dataclass(frozen=True, slots=True)
class Script:
    """The statements of one attempt, and which of them is the persona's."""

    statements: tuple[str, ...]
    act: int
    """Index of the persona's statement."""

    def acted(self, observations: tuple[Observation, ...]) -> Observation:
        """What the persona perceived; where somebody else's work was in the way of the stage, that refusal.

        Raises TargetError where the stage could not be set for another reason: mostly because the session could not
        become the persona again.
        """
        if len(observations) <= self.act:
            if observations[-1].sqlstate in _IN_THE_WAY:
                return observations[-1]
            raise TargetError(
                f"the stage of an attempt could not be set: {observations[-1].in_words()}\n"
                "  after it the session becomes the persona again; a pre-request function that counts calls ends a run"
            )
        return observations[self.act]

    def seen(self, observations: tuple[Observation, ...]) -> tuple[Observation, ...]:
        """What the observer read afterwards; empty where the attempt was refused."""
        return observations[self.act + 2 :]


def before_acting(attempt: Attempt, becoming: tuple[str, ...]) -> tuple[str, ...]:
    """What sets the attempt's stage, from a session that is the persona and back to it; nothing without a stage."""
    return () if attempt.stage is None else (as_observer(), *set_stage(attempt.stage), *becoming)


def as_the_persona(attempt: Attempt, becoming: tuple[str, ...], watches: Mapping[QName, Watch]) -> Script:
    """The attempt from a session that is already the persona; the observer looks afterwards at the given relations.

    *becoming* are the statements of `as_persona`, for the way back from setting the stage.
    """
    before = before_acting(attempt, becoming)
    looking = (as_observer(), *(w.query for w in watches.values())) if watches else ()
    return Script(Staged(before, (attempt.sql, *looking)), len(before))


def as_the_observer(attempt: Attempt, watches: Mapping[QName, Watch]) -> Script:
    """The same attempt by the observer, whom no policy holds: is the statement valid at all?"""
    before = (as_observer(), *(set_stage(attempt.stage) if attempt.stage is not None else ()))
    return Script(Staged(before, (attempt.sql, as_observer(), *(w.query for w in watches.values()))), len(before))
