"""Functions that tell a persona it belongs where it does not: one broken helper opens every policy that calls it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from psycopg import sql

from tenantproof.core.catalog import Catalog, Policy, Relation
from tenantproof.core.model import QName
from tenantproof.core.world import Row
from tenantproof.engine.wire import Wire

Call = tuple[QName, str]
"""A function, and the text of one call to it inside a policy."""


def calls_in(catalog: Catalog, policies: Sequence[Policy], platform_schemas: frozenset[str]) -> list[Call]:
    """The calls to the project's own functions in the policies' expressions, each once."""
    own = {function.name.name: function.name for function in catalog.functions}
    found: dict[Call, None] = {}
    for policy in policies:
        for expression in (policy.using or "", policy.check or ""):
            for name, text in _calls(expression):
                if name in own and own[name].schema not in platform_schemas:
                    found[own[name], text] = None
    return list(found)


def that_vouch_for(wire: Wire, relation: Relation, row_json: str, row: Row, calls: Sequence[Call]) -> list[QName]:
    """Functions whose call, made by the persona of the wire over this row, says true or gives the row's tenant."""
    scripts = [(_asked(relation, row_json, text),) for _, text in calls]
    answers = wire.run(scripts)
    wanted = {("true",), (row.tenant,)} if row.tenant is not None else {("true",)}
    vouching = [name for (name, _), said in zip(calls, answers, strict=True) if wanted & set(said[-1].rows)]
    return list(dict.fromkeys(vouching))


def _asked(relation: Relation, row_json: str, call: str) -> str:
    return (
        sql.SQL("SELECT ({})::text FROM jsonb_populate_record(NULL::{}, {}) AS {}")
        .format(
            sql.SQL(call),  # as pg_get_expr printed it
            sql.Identifier(relation.name.schema, relation.name.name),
            sql.Literal(row_json),
            sql.Identifier(relation.name.name),
        )
        .as_string(None)
    )


def _calls(expression: str) -> Iterator[tuple[str, str]]:
    """(function name, text of the call) for everything that looks like a call."""
    for match in re.finditer(r'(?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?\(', expression):
        end = _closing(expression, match.end())
        if end is not None:
            name = match.group()[:-1].rsplit(".", 1)[-1].strip('"')
            yield name, expression[match.start() : end]


def _closing(text: str, start: int) -> int | None:
    """The index after the parenthesis that closes the one before *start*; quoted text does not count."""
    depth, quoted = 1, False
    for index in range(start, len(text)):
        character = text[index]
        if character == "'":
            quoted = not quoted
        elif not quoted and character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0:
                return index + 1
    return None
