"""What anybody would try first: read all, collide with a row, plant one, take one, change or delete every row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psycopg import sql

from tenantproof.core.finding import Reach
from tenantproof.core.model import Command
from tenantproof.core.program import Line, Program
from tenantproof.generation.phrases import Cell, cells_of, literal, table
from tenantproof.generation.reads import everything
from tenantproof.generation.vocabulary import Noun, Vocabulary
from tenantproof.generation.writes import assignments, insert_into, taking, written

_MOST_PLANTED = 2
_MOST_COLLIDING = 4


def obvious_reads(vocabulary: Vocabulary) -> Iterator[Program]:
    """SELECT everything from every relation that can be read."""
    for noun in vocabulary.nouns:
        if noun.readable:
            yield Program(lines=(everything(noun),))


def collisions(vocabulary: Vocabulary) -> Iterator[Program]:
    """INSERT of a row of one's own with the values that a row of others has in what constraints compare."""
    for noun in vocabulary.nouns:
        if not noun.drafts or not noun.insertable:
            continue
        for copied in noun.copies[:_MOST_COLLIDING]:
            own = [cell for cell in cells_of(noun, noun.drafts[0]) if cell.column not in copied]
            cells = [
                Cell(word.name, literal(copied[word.name], word.type))
                for word in noun.insertable
                if word.name in copied
            ]
            yield _program(vocabulary, written(insert_into(noun, [*own, *cells]), "insert", noun, Command.INSERT))


def obvious_writes(vocabulary: Vocabulary) -> Iterator[Program]:
    """The plainest writes to every relation, as far as the role may."""
    for noun in vocabulary.nouns:
        lines = [*_plantings(noun), *_changes(noun)]
        if noun.deletable:
            body = sql.SQL("DELETE FROM {}").format(table(noun.name))
            lines.append(written(body, "delete", noun, Command.DELETE, reach=Reach.SQL))
        yield from (_program(vocabulary, line) for line in lines)


def _program(vocabulary: Vocabulary, line: Line) -> Program:
    return Program(lines=(line,), known=frozenset(known for known in vocabulary.unguessable if known in line.sql))


def _plantings(noun: Noun) -> Iterator[Line]:
    for draft in (*noun.drafts[:1], *noun.alien[:_MOST_PLANTED]):
        if noun.insertable:
            yield written(insert_into(noun, cells_of(noun, draft)), "insert", noun, Command.INSERT)


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
    return written(body, "update", noun, Command.UPDATE, reach=Reach.SQL)
