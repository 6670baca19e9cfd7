"""The question put to the database: for a row with these values, which of these conditions hold?

The row is never inserted: its values are cast to the types of their columns and the conditions evaluated on them, so
functions, operators of extensions and collations mean what they mean in the CHECK.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from tenantproof.core.catalog import Column, Relation
from tenantproof.seeding.statements import statement
from tenantproof.seeding.store import Values


@dataclass(frozen=True, slots=True)
class Computed:
    """A value that the database computes from the row: an expression over its columns."""

    text: str


Proposal = str | None | Computed
"""A value for a column: text, NULL, or an expression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A row to judge: its values, and changes made one after the other, each of which sees those before."""

    values: Mapping[str, str | None]
    changes: tuple[tuple[str, Proposal], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Which conditions hold (none where the row cannot even be written), and what the changed columns have become."""

    holds: tuple[bool, ...]
    values: Values = field(default_factory=dict)

    @property
    def met(self) -> int:
        return sum(self.holds)


class Judge:
    """Evaluates conditions on rows of one relation."""

    def __init__(self, connection: psycopg.Connection[Any], relation: Relation) -> None:
        self._connection = connection
        self._columns = tuple(_written(column, connection) for column in relation.columns)
        self._alias = sql.Identifier(relation.name.name).as_string(connection)
        self._ready = False

    def ask(self, trials: Sequence[Trial], conditions: Sequence[str], names: frozenset[str]) -> list[Verdict]:
        """One verdict per trial, in one round trip; *names* are the columns that the conditions read."""
        if not trials or not conditions:
            return [Verdict(holds=()) for _ in trials]
        questions = [self._question(trial, conditions, names) for trial in trials]
        nothing = Verdict(holds=(False,) * len(conditions))
        with self._connection.pipeline():
            if not self._ready:
                self._connection.execute(statement("judge_rows"))
                self._ready = True
            cursor = psycopg.RawCursor(self._connection).execute(
                "SELECT holds, became FROM pg_temp.tenantproof_judge($1::jsonb) ORDER BY number",
                (json.dumps(questions),),
            )
        return [
            nothing if holds is None else Verdict(holds=tuple(holds), values=found or {})
            for holds, found in cursor.fetchall()
        ]

    def _question(self, trial: Trial, conditions: Sequence[str], names: frozenset[str]) -> str:
        """A SELECT of the conditions over the row, each change a SELECT around those before it."""
        every = any(isinstance(proposal, Computed) for _, proposal in trial.changes)
        wanted = {*names, *(name for name, _ in trial.changes), *(trial.values if every else ())}
        shown = [column for column in self._columns if column.name in wanted]
        source = "SELECT " + ", ".join(column.given(trial.values.get(column.name)) for column in shown)
        changed = {column.name: column for column in shown if column.name in dict(trial.changes)}
        for name, proposal in trial.changes:
            if name in changed:
                listed = (changed[name].given(proposal) if c.name == name else c.identifier for c in shown)
                source = self._over(source, ", ".join(listed))
        found = ", ".join(part for column in changed.values() for part in (column.literal, column.as_text))
        answers = "to_jsonb(ARRAY[" + ", ".join(conditions) + "]::boolean[]), jsonb_build_object(" + found + ")"
        return self._over(source, answers)

    def _over(self, source: str, listed: str) -> str:
        return " ".join(["SELECT", listed, "FROM (", source, ") AS", self._alias])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """A column's parts of a question, quoted once."""

    name: str
    identifier: str
    literal: str
    as_text: str
    type: str

    def given(self, proposal: Proposal) -> str:
        """The value under the column's name, cast to its type."""
        value = f"({proposal.text})" if isinstance(proposal, Computed) else sql.quote(proposal)
        return "CAST(" + value + " AS " + self.type + ") AS " + self.identifier


def _written(column: Column, connection: psycopg.Connection[Any]) -> _Written:
    """Of a domain the type below it, so that its CHECKs are conditions like any other."""
    identifier = sql.Identifier(column.name)
    below = sql.Identifier(*column.base_type.split(".", 1)).as_string(connection)
    return _Written(
        name=column.name,
        identifier=identifier.as_string(connection),
        literal=sql.Literal(column.name).as_string(connection),
        as_text=sql.SQL("({})::text").format(identifier).as_string(connection),
        type=below if column.is_domain else column.type,
    )
