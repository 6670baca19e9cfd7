"""Whole programs: one statement, or a write and what it opened."""

from __future__ import annotations

import enum

from hypothesis import strategies as st

from tenantproof.core.program import PLAIN, Line, Program
from tenantproof.generation.calls import call
from tenantproof.generation.phrases import Draw, chance, pick
from tenantproof.generation.reads import API_READS, SQL_READS, unlimited
from tenantproof.generation.vocabulary import Noun, Verb, Vocabulary
from tenantproof.generation.writes import api_writes, insert, sql_writes, update


class Profile(enum.StrEnum):
    """What an attacker can express."""

    API = "api"
    """What PostgREST can: one relation at a time, filters, single writes, calls."""
    SQL = "sql"
    """Everything."""


@st.composite
def programs_about(draw: Draw, subject: Noun | Verb, vocabulary: Vocabulary, profile: Profile) -> Program:
    """Programs whose last or first statement is about *subject*, some of them under unusual requests."""
    lines: tuple[Line, ...] = (_line(draw, subject, vocabulary, profile),)
    if lines[0].writes or lines[0].calls:
        if chance(draw, 2 if isinstance(subject, Noun) and (subject.links or subject.read_by) else 4):
            lines = (*lines, *_afterwards(draw, subject, vocabulary))
    elif isinstance(subject, Noun) and chance(draw, 6) and (before := _beforehand(draw, vocabulary)):
        lines = (*before, unlimited(draw, subject))
    variation = pick(draw, vocabulary.variations) if vocabulary.variations and chance(draw, 3) else PLAIN
    text = " ".join(line.sql for line in lines)
    return Program(
        lines=lines,
        variation=variation,
        known=frozenset(known for known in vocabulary.unguessable if known in text or known in str(variation)),
    )


def _line(draw: Draw, subject: Noun | Verb, vocabulary: Vocabulary, profile: Profile) -> Line:
    if isinstance(subject, Verb):
        return call(draw, vocabulary, subject)
    reads = (API_READS if profile is Profile.API else SQL_READS) if subject.readable else ()
    writes = api_writes(subject) if profile is Profile.API else sql_writes(subject)
    if not writes or (reads and draw(st.integers(0, 2)) == 0):
        return pick(draw, reads)(draw, vocabulary, subject)
    return pick(draw, writes)(draw, vocabulary, subject)


def _afterwards(draw: Draw, subject: Noun | Verb, vocabulary: Vocabulary) -> tuple[Line, ...]:
    """What a write may have opened: what it refers to, what reads it, or anything."""
    readable = [noun for noun in vocabulary.nouns if noun.readable]
    anything: list[Noun | Verb] = [*readable, *vocabulary.verbs]
    near: list[Noun | Verb] = []
    if isinstance(subject, Noun):
        near += [noun for link in subject.links if (noun := vocabulary.noun(link.parent)) is not None]
        near += [noun for noun in readable if noun.name in subject.read_by]
        near += [verb for verb in vocabulary.verbs if verb.name in subject.read_by]
    others = near if near and not chance(draw, 3) else anything
    if not others:
        return ()
    other = pick(draw, others)
    return (call(draw, vocabulary, other) if isinstance(other, Verb) else unlimited(draw, other),)


def _beforehand(draw: Draw, vocabulary: Vocabulary) -> tuple[Line, ...]:
    """A write to something else that may open what comes next."""
    insertable = [noun for noun in vocabulary.nouns if noun.insertable and noun.drafts]
    updatable = [noun for noun in vocabulary.nouns if noun.updatable]
    if insertable and not (updatable and chance(draw, 3)):
        return (insert(draw, vocabulary, pick(draw, insertable)),)
    return (update(draw, vocabulary, pick(draw, updatable)),) if updatable else ()
