"""What a persona does to one of its own rows that others may depend on: delete it, rename it, let go of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from psycopg import sql

from tenantproof.core.model import Command
from tenantproof.core.program import Line, Program
from tenantproof.generation.phrases import literal, table
from tenantproof.generation.vocabulary import Noun


def endings(noun: Noun, keys: Sequence[tuple[str | None, ...]]) -> Iterator[Program]:
    """DELETE of each row, and UPDATE of each part of its key, as far as the role may."""
    for key in keys:
        if len(key) != len(noun.key) or not noun.key:
            continue
        where = sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(sql.Identifier(word.name), literal(part, word.type))
            for word, part in zip(noun.key, key, strict=True)
        )
        if noun.deletable:
            body = sql.SQL("DELETE FROM {} WHERE {}").format(table(noun.name), where)
            yield _program(body, noun, "delete", Command.DELETE)
        settable = {word.name for word in noun.updatable}
        for word in noun.key:
            if word.name in settable and word.category in "NS":
                change = sql.SQL("'x' || {}" if word.category == "S" else "{} + 1000000").format(
                    sql.Identifier(word.name)
                )
                body = sql.SQL("UPDATE {} SET {} = {} WHERE {}").format(
                    table(noun.name), sql.Identifier(word.name), change, where
                )
                yield _program(body, noun, "update", Command.UPDATE)


def _program(body: sql.Composable, noun: Noun, shape: str, command: Command) -> Program:
    line = Line(
        sql=body.as_string(None), shape=shape, subject=noun.name, relations=(noun.name,), writes=(noun.name, command)
    )
    return Program(lines=(line,))
