"""Queries for Hypothesis tests of one's own: what the search draws, about what personas can reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import psycopg
from hypothesis import strategies as st
from psycopg import sql

from tenantproof.core.errors import UsageError
from tenantproof.core.model import Persona
from tenantproof.core.program import Program
from tenantproof.engine.interference.elsewhere import famous_keys
from tenantproof.engine.interference.facts import gather
from tenantproof.engine.interference.lexicon import Lexicon
from tenantproof.engine.wire import Wire
from tenantproof.generation.programs import Profile, programs_about
from tenantproof.generation.vocabulary import Vocabulary
from tenantproof.properties.border import Border
from tenantproof.testing.tenancy import Tenancy


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one statement gave: rows, or the error that refused it."""

    rows: tuple[tuple[object, ...], ...] = ()
    count: int = 0
    error: psycopg.Error | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Statements of one persona, as drawn.  `settings` are what is unusual about the request (headers, claims)."""

    persona: str
    statements: tuple[str, ...]
    settings: tuple[tuple[str, str], ...] = ()
    words: str = ""

    def run(self, tenancy: Tenancy) -> tuple[Answer, ...]:
        """Run it in a transaction of its own, which is rolled back.  One answer per statement, up to a refused one."""
        answers: list[Answer] = []
        with tenancy.acting_as(self.persona) as acting:
            for name, value in self.settings:
                acting.execute(
                    sql.SQL("SELECT pg_catalog.set_config({}, {}, true)").format(sql.Literal(name), sql.Literal(value))
                )
            for statement in self.statements:
                try:
                    cursor = acting.execute(sql.SQL(statement))
                except psycopg.Error as error:
                    return (*answers, Answer(error=error))
                rows = tuple(cursor.fetchall()) if cursor.description is not None else ()
                answers.append(Answer(rows=rows, count=cursor.rowcount))
        return tuple(answers)


def queries(
    tenancy: Tenancy, *, personas: Iterable[str] | None = None, reach: Profile | str = Profile.API
) -> st.SearchStrategy[Query]:
    """Queries of these personas (default: all) about everything they may read, write or call.

    *reach* "api" draws only what PostgREST can express.  Raises UsageError for an unknown persona, and where nobody
    may do anything.
    """
    names = tuple(tenancy.personas if personas is None else personas)
    for name in names:
        tenancy.identity(name)
    words = {name: found for name, found in _vocabularies(tenancy).items() if name in names and found.subjects}
    if not words:
        raise UsageError(f"{', '.join(names)} may read, write and call nothing: there is nothing to draw")
    return st.sampled_from(sorted(words)).flatmap(lambda name: _of(name, words[name], Profile(reach)))


def _of(persona: str, vocabulary: Vocabulary, profile: Profile) -> st.SearchStrategy[Query]:
    def told(program: Program) -> Query:
        return Query(
            persona=persona,
            statements=tuple(line.sql for line in program.lines),
            settings=program.variation.settings,
            words=program.variation.words,
        )

    subjects = st.sampled_from(vocabulary.subjects)
    return subjects.flatmap(lambda subject: programs_about(subject, vocabulary, profile)).map(told)


@lru_cache(maxsize=8)
def _vocabularies(tenancy: Tenancy) -> Mapping[str, Vocabulary]:
    """What each persona can speak of: read once from the seeded database."""
    plan = tenancy.plan
    with psycopg.connect(tenancy.conninfo, autocommit=True) as connection, Wire(connection) as wire:
        wire.prepare(())
        facts = gather(wire, plan)
    lexicon = Lexicon(plan, facts, famous_keys(facts))

    def vocabulary(persona: Persona) -> Vocabulary:
        border = Border(plan.oracle, persona)
        return lexicon.of(border, facts.sides(border))

    return {name: vocabulary(identity.persona) for name, identity in plan.identities.items()}
