"""What a persona does to one of its own rows that others may depend on: delete it, rename it, let go of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psycopg import sql

from tenantproof.core.model import Command
from tenantproof.core.program import Program
from tenantproof.generation.phrases import Cell, column, literal, table
from tenantproof.generation.vocabulary import Noun
from tenantproof.generation.writes import assignments, written


def endings(noun: Noun, keys: Sequence[tuple[str | None, ...]]) -> Iterator[Program]:
    """DELETE of each row, and UPDATE of each part of its key, as far as the role may."""
    for key in keys:
        if len(key) != len(noun.key) or not noun.key:
            continue
        where = sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(column(word), literal(part, word.type))
            for word, part in zip(noun.key, key, strict=True)
        )
        if noun.deletable:
            body = sql.SQL("DELETE FROM {} WHERE {}").format(table(noun.name), where)
            yield Program(lines=(written(body, "delete", noun, Command.DELETE),))
        settable = {word.name for word in noun.updatable}
        for word in noun.key:
            if word.name in settable and word.category in "NS":
                change = sql.SQL("'x' || {}" if word.category == "S" else "{} + 1000000").format(column(word))
                body = sql.SQL("UPDATE {} SET {} WHERE {}").format(
                    table(noun.name), assignments([Cell(word.name, change)]), where
                )
                yield Program(lines=(written(body, "update", noun, Command.UPDATE),))
