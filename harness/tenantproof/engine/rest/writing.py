"""
The other shapes in which PostgREST writes: several rows at once (`columns=`), and rows that a write returns.

One attempt of each kind for each relation, on a database that is ours.  Source:
https://docs.postgrest.org/en/v12/references/api/tables_views.html, "Bulk Insert" and "Specifying Columns".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tenantproof.core.attempt import Attempt, Form, Observation, Outcome
from tenantproof.core.model import Command, QName
from tenantproof.core.world import Key, Row
from tenantproof.engine.rest.bench import RestBench, Stage
from tenantproof.engine.rest.hearing import observed
from tenantproof.engine.rest.matrix import Pair
from tenantproof.engine.rest.shapes import Excess, Reads
from tenantproof.engine.rest.speaking import select_of
from tenantproof.targets.rest.client import Answer, Request

PLAIN = ("UPDATE", "DELETE")
"""Channels whose attempts leave the keys of rows as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Smuggled:
    """Rows for others that were refused one by one, and taken together with a row of the persona's own."""

    relation: QName
    request: Request
    rows: tuple[Row, ...]


def together_of(bench: RestBench, stage: Stage, pair: Pair) -> Smuggled | None:
    """Insert a row of one's own and one for others in one request; None where the second does not come through."""
    own = next((said.attempt for said in _inserts(pair) if not said.observation.refused and _is_own(pair, said)), None)
    others = (said.attempt for said in _inserts(pair) if said.observation.denied and not _is_own(pair, said))
    foreign = next((one for one in others if own is not None and _columns(one) == _columns(own)), None)
    if own is None or foreign is None:
        return None
    first, second = bench.request(own), bench.request(foreign)
    if first is None or second is None:
        return None
    request = replace(second, body=[*_rows_of(first), *_rows_of(second)])
    done = bench.committed(stage, foreign, lambda: observed(bench.ask(request)))
    added = (change.after for change in done.changes if change.before is None and change.relation == foreign.relation)
    mine = pair.by_http.stand.own_tenants
    rows = tuple(row for row in added if row is not None and row.tenant not in mine)
    return Smuggled(relation=pair.by_http.object.name, request=request, rows=rows) if rows else None


def _inserts(pair: Pair) -> Iterator[Outcome]:
    for _, said in pair.outcomes:
        deed = said.attempt.deed
        if said.attempt.form is Form.VALUES and deed is not None and deed.values and said.attempt.row is not None:
            yield said


def _is_own(pair: Pair, said: Outcome) -> bool:
    return said.attempt.row is not None and said.attempt.row.tenant in pair.by_http.stand.own_tenants


def _columns(attempt: Attempt) -> tuple[str, ...]:
    return tuple(column for column, _ in attempt.deed.values) if attempt.deed is not None else ()


def _rows_of(request: Request) -> list[object]:
    return request.body if isinstance(request.body, list) else []


def returned_by(bench: RestBench, stage: Stage, pair: Pair, reads: Reads) -> Excess | None:
    """Let a write that changes rows return them; what comes back must be among what the plain read shows."""
    name, columns = pair.by_http.object.name, pair.by_http.object.primary_key
    known = reads.get(name)
    said = next(filter(_changed, (said for _, said in pair.outcomes)), None)
    if known is None or said is None or not columns:
        return None
    plain = bench.request(said.attempt)
    if plain is None:
        return None
    headers = [(kind, value.replace("return=minimal", "return=representation")) for kind, value in plain.headers]
    query = (*plain.query, ("select", select_of(columns)))
    request = replace(plain, headers=tuple(headers), query=query)
    answers: list[Answer] = []

    def act() -> Observation:
        answers.append(bench.ask(request))
        return observed(answers[0], len(columns))

    bench.committed(stage, said.attempt, act)
    shown: frozenset[Key] = frozenset(observed(answers[0], len(columns)).rows)
    more = tuple(sorted(shown - known, key=str))
    words = f"returned by {request.method}"
    return Excess(relation=name, request=request, words=words, keys=more) if more else None


def _changed(said: Outcome) -> bool:
    attempt = said.attempt
    return attempt.channel in PLAIN and attempt.form is Form.FILTERED and bool(said.changes)


def first_of_each(pairs: Iterable[Pair], *commands: Command) -> list[Pair]:
    """The first member's cell that came through, for each relation and each of the commands."""
    chosen: dict[tuple[QName, Command], Pair] = {}
    for pair in pairs:
        cell = pair.by_http
        through = any(not said.observation.refused for said in cell.outcomes)
        if cell.command in commands and cell.stand.persona.memberships and through:
            chosen.setdefault((cell.object.name, cell.command), pair)
    return list(chosen.values())
