"""
Sequences that all tenants draw from: told once, as volume inference.

A row of one's own gets the next number; a number that jumps because others added rows in between tells how many they
added.  Observed, not concluded: the same INSERT … RETURNING runs twice in a row, and twice with rows of others between.
"""

from __future__ import annotations

from collections.abc import Iterator

from psycopg import sql

from tenantproof.core.finding import Property, Severity
from tenantproof.core.model import Command
from tenantproof.core.program import Answer, Line, Program
from tenantproof.engine.interference.catch import Catch, Mechanism, Root
from tenantproof.engine.interference.elsewhere import Elsewhere
from tenantproof.engine.interference.scene import Seat
from tenantproof.engine.interference.weight import is_serial
from tenantproof.generation.phrases import cells_of, column
from tenantproof.generation.vocabulary import Noun, Word
from tenantproof.generation.writes import insert_into, written


def shared_sequences(seat: Seat) -> Iterator[Catch]:
    """One catch per relation in which the persona sees the numbers that others draw."""
    for noun in seat.vocabulary.nouns:
        relation = seat.scene.plan.catalog.relations[noun.name]
        for word in noun.readable:
            if noun.drafts and noun.insertable and not noun.view and is_serial(relation.column(word.name)):
                catch = _told(seat, noun, word)
                if catch is not None:
                    yield catch


def _told(seat: Seat, noun: Noun, word: Word) -> Catch | None:
    addition = seat.builder.addition(noun.name, leaving_out=word.name)
    if addition is None:
        return None
    program = Program(lines=(_insert_returning(noun, word),))
    between = Elsewhere(name="others added a row", happenings=(addition,))
    answers = seat.arena.in_turn(program, between)
    if answers is None:
        return None
    numbers = [_number(answer) for answer in answers]
    one, two, three = (number if number is not None else 0 for number in numbers)
    if None in numbers or three - two <= two - one:
        return None
    return Catch(
        property=Property.CONFIDENTIALITY,
        root=Root(mechanism=Mechanism.SEQUENCE, object=noun.name),
        program=program,
        first=answers[1],
        second=answers[2],
        world=between,
        severity=Severity.LOW,
        witnesses=[seat.persona.name],
    )


def _insert_returning(noun: Noun, word: Word) -> Line:
    cells = [cell for cell in cells_of(noun, noun.drafts[0]) if cell.column != word.name]
    body = insert_into(noun, cells) + sql.SQL(" RETURNING {}").format(column(word))
    return written(body, "insert", noun, Command.INSERT)


def _number(answer: Answer) -> int | None:
    rows = answer[-1].rows
    return int(rows[0][0]) if rows and rows[0][0] is not None else None
