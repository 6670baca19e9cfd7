"""
What PostgREST answers, as an observation
(https://docs.postgrest.org/en/v12/references/errors.html).

An error of the database keeps its SQLSTATE; one of PostgREST's own is PGRST and a number; what is no answer of
PostgREST at all is HTTP and its status.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tenantproof.core.attempt import Observation
from tenantproof.targets.rest.client import Answer

STALE = frozenset({"PGRST200", "PGRST202", "PGRST204", "PGRST205", "42P01"})
"""The server does not know a relation, function, column or link that the catalog holds."""

UNEXPOSED = "PGRST106"
UNAUTHORIZED = frozenset({"PGRST301", "PGRST302", "PGRST303", "HTTP401"})
NOT_POSTGREST = "HTTP"

CODE = re.compile(r"[0-9A-Z]{5}|PGRST[0-9A-Z]+")
"""An SQLSTATE, or a code of PostgREST's own."""


def observed(answer: Answer, width: int | None = None) -> Observation:
    """The observation of an answer; *width* is how many columns (c0, c1, …) each row has."""
    if not answer.ok:
        return refusal(answer)
    if answer.text and not answer.is_json:
        return _foreign(answer)
    rows = tuple(_row(row, width) for row in answer.rows) if width is not None else ()
    total = answer.total
    return Observation(rows=rows, count=len(rows) if total is None else total)


def refusal(answer: Answer) -> Observation:
    """The observation of an answer that is an error."""
    content = answer.content
    code = content.get("code") if isinstance(content, Mapping) else None
    if not (isinstance(content, Mapping) and isinstance(code, str) and CODE.fullmatch(code)):
        return _foreign(answer)
    told = Observation(sqlstate=code, message=_text(content, "message"))
    return replace(told, detail=_text(content, "details"), hint=_text(content, "hint"))


def _foreign(answer: Answer) -> Observation:
    kind = answer.headers.get("content-type", "no content type").split(";")[0]
    return Observation(
        sqlstate=f"{NOT_POSTGREST}{answer.status}",
        message=f"status {answer.status} with {kind}: no answer of PostgREST",
    )


def _row(row: Mapping[str, object], width: int) -> tuple[str | None, ...]:
    return tuple(as_text(row.get(f"c{number}")) for number in range(width))


def as_text(value: object) -> str | None:
    """A JSON value as the text that it was asked for."""
    return value if value is None or isinstance(value, str) else str(value)


def _text(content: Mapping[str, object], name: str) -> str:
    value = content.get(name)
    return "" if value is None else str(value)


def sees_more(here: Sequence[tuple[str | None, ...]], there: Sequence[tuple[str | None, ...]]) -> bool:
    """Whether there is a row here that is not there."""
    return bool(set(here) - set(there))
