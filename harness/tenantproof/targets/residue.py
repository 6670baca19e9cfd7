"""
Did anything stay?  A database is measured before and after a run, and the two are compared.

A table is its number of rows and the sum of their hashes: equal sums mean equal rows, in whatever order they lie.
Where a table differs, rows that bear a mark of the run (a canary string, an id that it made up) are the run's own;
all others were changed by somebody else meanwhile.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import namedtuple_row

from tenantproof.core.model import QName
from tenantproof.targets.queries import query

_PATIENCE = 10.0
"""Seconds that a server may take to notice that we are gone, and to roll back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What a database held at one moment."""

    tables: Mapping[QName, tuple[int, int]]
    """Rows, and the sum of their hashes."""
    sequences: Mapping[str, int | None]
    roles: tuple[str, ...]
    large_objects: int
    prepared: tuple[str, ...]
    advisory: int
    schema: str
    """A digest of relations, policies, triggers and functions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Residue:
    """What differs after a run: `ours` is what the run left, `others` what somebody else did meanwhile."""

    ours: tuple[str, ...]
    others: tuple[str, ...]
    moved: tuple[str, ...]
    """Sequences that stand elsewhere; no rollback puts them back."""
    tables: int
    rows: int


def measure(connection: psycopg.Connection[Any], tables: Sequence[QName]) -> Measure:
    """Read it in the transaction that is open, in one round trip.  Raises psycopg.Error."""
    with connection.pipeline():
        counts = [connection.execute(_sum(name)) for name in tables]
        content = psycopg.Cursor[Any](connection, row_factory=namedtuple_row).execute(query("content"))
        sequences = connection.execute(query("sequences"))
    (held,) = content.fetchall()
    found = [next(iter(count)) for count in counts]
    return Measure(
        tables={name: (rows, int(total)) for name, (rows, total) in zip(tables, found, strict=True)},
        sequences=dict(sequences.fetchall()),
        roles=tuple(held.roles),
        large_objects=held.large_objects,
        prepared=tuple(held.prepared),
        advisory=held.advisory,
        schema=held.schema,
    )


def compare(connection: psycopg.Connection[Any], before: Measure, after: Measure, marks: Collection[str]) -> Residue:
    """What differs, and whose it is.  Raises psycopg.Error."""
    differing = [name for name, sums in after.tables.items() if before.tables.get(name) != sums]
    ours, others = [], []
    for name, count in zip(differing, _marked(connection, differing, marks), strict=True):
        if count:
            ours.append(f"{count} row{'' if count == 1 else 's'} in {name}")
        else:
            others.append(f"rows of {name} were changed")
    others += _beside_rows(before, after)
    return Residue(
        ours=tuple(ours),
        others=tuple(others),
        moved=tuple(_moved(before, after)),
        tables=len(after.tables),
        rows=sum(rows for rows, _ in after.tables.values()),
    )


def wait_until_gone(connection: psycopg.Connection[Any], application: str) -> bool:
    """Whether all sessions of a run have ended, after at most ten seconds; *connection* must be in autocommit."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        answer = connection.execute(query("sessions"), {"name": application}).fetchone()
        if answer is not None and not answer[0]:
            return True
        time.sleep(0.05)
    return False


def _sum(name: QName) -> sql.Composed:
    return sql.SQL("SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) FROM ONLY {} AS t").format(
        sql.Identifier(*name)
    )


def _marked(connection: psycopg.Connection[Any], tables: Sequence[QName], marks: Collection[str]) -> list[int]:
    """How many rows of each table bear a mark."""
    if not marks:
        return [0] * len(tables)
    pattern = "|".join(re.escape(mark) for mark in sorted(marks))
    counted = sql.SQL("SELECT count(*) FROM ONLY {} AS t WHERE t::text ~ %s")
    with connection.pipeline():
        cursors = [connection.execute(counted.format(sql.Identifier(*name)), (pattern,)) for name in tables]
    return [next(iter(cursor))[0] for cursor in cursors]


def _moved(before: Measure, after: Measure) -> Iterator[str]:
    for name, value in after.sequences.items():
        first = before.sequences.get(name)
        if name in before.sequences and value != first:
            yield f"{name} ({'unused' if first is None else first} → {'unused' if value is None else value})"


def _beside_rows(before: Measure, after: Measure) -> Iterator[str]:
    """What a run never does: it makes no role, object or prepared transaction, so these are others'."""
    if before.roles != after.roles:
        yield f"roles came or went: {', '.join(sorted(set(before.roles) ^ set(after.roles)))}"
    if before.large_objects != after.large_objects:
        yield f"large objects: {before.large_objects} before, {after.large_objects} after"
    if before.prepared != after.prepared:
        yield f"prepared transactions came or went: {', '.join(sorted(set(before.prepared) ^ set(after.prepared)))}"
    if before.schema != after.schema:
        yield "the schema (a table, policy, trigger or function) was changed"
