"""What anybody would try first: read everything, plant a row, take a row, change or delete every row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psycopg import sql

from tenantproof.core.finding import Reach
from tenantproof.core.model import Command
from tenantproof.core.program import Line, Program
from tenantproof.generation.phrases import Cell, cells_of, literal, table
from tenantproof.generation.reads import everything
from tenantproof.generation.vocabulary import Noun, Vocabulary
from tenantproof.generation.writes import assignments, insert_into, taking

_MOST_PLANTED = 2


def obvious_reads(vocabulary: Vocabulary) -> Iterator[Program]:
    """SELECT everything from every relation that can be read."""
    for noun in vocabulary.nouns:
        if noun.readable:
            yield Program(lines=(everything(noun),))


def obvious_writes(vocabulary: Vocabulary) -> Iterator[Program]:
    """The plainest writes to every relation, as far as the role may."""
    for noun in vocabulary.nouns:
        lines = [*_plantings(noun), *_changes(noun)]
        if noun.deletable:
            lines.append(_line(sql.SQL("DELETE FROM {}").format(table(noun.name)), noun, "delete", Command.DELETE))
        for line in lines:
            known = frozenset(known for known in vocabulary.unguessable if known in line.sql)
            yield Program(lines=(line,), known=known)


def _plantings(noun: Noun) -> Iterator[Line]:
    for draft in (*noun.drafts[:1], *noun.alien[:_MOST_PLANTED]):
        if noun.insertable:
            yield _line(insert_into(noun, cells_of(noun, draft)), noun, "insert", Command.INSERT)


def _changes(noun: Noun) -> Iterator[Line]:
    """Every row: given away by one key to others, taken over, and changed in a plain column."""
    for word in noun.updatable:
        if word.keyed and word.values.others:
            yield _update(noun, [Cell(word.name, literal(word.values.others[0], word.type))])
    if taken := taking(noun):
        yield _update(noun, taken)
    plain = next((word for word in noun.updatable if not word.keyed and word.values.own), None)
    if plain is not None:
        yield _update(noun, [Cell(plain.name, literal(plain.values.own[0], plain.type))])


def _update(noun: Noun, cells: Sequence[Cell]) -> Line:
    body = sql.SQL("UPDATE {} SET {}").format(table(noun.name), assignments(cells))
    return _line(body, noun, "update", Command.UPDATE)


def _line(body: sql.Composable, noun: Noun, shape: str, command: Command) -> Line:
    return Line(
        sql=body.as_string(None),
        shape=shape,
        subject=noun.name,
        relations=(noun.name,),
        writes=(noun.name, command),
        reach=Reach.API if command is Command.INSERT else Reach.SQL,
    )
