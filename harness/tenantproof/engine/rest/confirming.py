"""
The real `supabase` client asks once more: what plain HTTP came to must be what an application's own client comes to.

Of attempts alike one is enough: each relation, command, form and ending once, violations and positive controls first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tenantproof.core.attempt import Attempt, Deed, Observation, Outcome
from tenantproof.core.catalog import Relation
from tenantproof.core.model import Command, QName
from tenantproof.engine.rest.bench import RestBench, Stage, demand_rollback
from tenantproof.engine.rest.calls import Told
from tenantproof.engine.rest.differences import Side, compared
from tenantproof.engine.rest.hearing import CODE, NOT_POSTGREST, as_text
from tenantproof.engine.rest.matrix import Pair
from tenantproof.engine.rest.speaking import PARAMETERS, as_json, quoted, select_of
from tenantproof.targets.rest.client import Request
from tenantproof.targets.rest.supabase import Relay, supabase_client

if TYPE_CHECKING:
    import supabase


class Query(Protocol):
    """A builder of the client that only has to be executed."""

    def execute(self) -> Any:  # noqa: ANN401  # the client's own answer
        """Send it."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """One attempt that came to something else by the client."""

    pair: Pair
    by_http: Outcome
    by_client: Outcome
    side: Side

    @property
    def words(self) -> str:
        attempt, plain, client = self.by_http.attempt, self.by_http.observation, self.by_client.observation
        who = self.pair.by_http.stand.persona.name
        return f"{attempt.command} on {attempt.relation} as {who}: {plain.in_words()} / {client.in_words()}"


@dataclass(frozen=True, slots=True)
class Confirmed:
    """How many attempts the client made, how many it cannot say, and where it came to something else."""

    asked: int = 0
    unsaid: int = 0
    doubts: tuple[Doubt, ...] = ()


def worth_confirming(pairs: Iterable[Pair]) -> list[tuple[Pair, Outcome]]:
    """One of each kind of attempt: those that violate first, then those that came through, then the refused."""
    kept: dict[tuple[object, ...], tuple[Pair, Outcome]] = {}
    for pair in pairs:
        violating = {id(violation.outcome) for violation in pair.by_http.judgement.violations}
        for _, said in pair.outcomes:
            attempt, seen = said.attempt, said.observation
            ending = seen.sqlstate or ("something" if seen.rows or said.changes or seen.count else "nothing")
            kind = (attempt.relation, attempt.command, attempt.channel, attempt.form, id(said) in violating, ending)
            kept.setdefault(kind, (pair, said))
    return list(kept.values())


def confirm(
    chosen: Sequence[tuple[Pair, Outcome]], bench_of: Callable[[Pair], RestBench], *, api_key: str
) -> Confirmed:
    """Make each attempt with the client, as the same persona.  Raises MissingExtra, ServerGone."""
    asked, doubts, tellers = 0, list[Doubt](), dict[str, _Teller]()
    for pair, plain in chosen:
        who = pair.by_http.stand.persona.name
        if who not in tellers:
            tellers[who] = _Teller(bench_of(pair), api_key)
        try:
            said = tellers[who].outcome(plain.attempt)
        except UnicodeEncodeError:  # a schema's name goes into a header, and the client's headers are ASCII
            continue
        if said is None:
            continue
        asked += 1
        side = compared(plain, said)
        if side is not Side.SAME:
            doubts.append(Doubt(pair, plain, said, side))
    return Confirmed(asked, len(chosen) - asked, tuple(doubts))


def retells(bench: RestBench, told: Told, *, api_key: str) -> bool | None:
    """Whether a function tells the client's user, too, what it must not; None where it was no call of a function."""
    if told.relation is not None:
        return None
    mark = bench.plan.manifest.canaries[told.tenant]
    return mark in _Teller(bench, api_key).called(told.object, told.request)


class _Teller:
    """A persona that speaks through the client."""

    def __init__(self, bench: RestBench, api_key: str) -> None:
        self._bench = bench
        self._relay = Relay(bench.client, () if bench.stage is not None else ("tx=rollback",))
        token = bench.identity.token
        authorization = f"Bearer {token}" if token is not None else None
        self._client = supabase_client(self._relay, bench.client.url, key=api_key, authorization=authorization)

    def outcome(self, attempt: Attempt) -> Outcome | None:
        """What the attempt comes to; None where the client cannot say it, or nothing may be committed for it."""
        deed, stage = attempt.deed, self._bench.stage
        if deed is None or not _sayable(deed) or (stage is None and attempt.stage is not None):
            return None
        relation = self._bench.plan.catalog.relations[deed.through]
        width = len(deed.columns)

        def act() -> Observation:
            return executed(said(self._client, attempt, deed, relation), width)

        if attempt.command is Command.SELECT:
            seen = act()
            return None if len(seen.rows) < seen.count else Outcome(attempt=attempt, observation=seen)
        return self._written(attempt, stage, act)

    def called(self, name: QName, request: Request) -> str:
        """The text of the answer to a call of a function."""
        from postgrest.exceptions import APIError

        reads = request.method == "GET"
        arguments: Any = dict(request.query) if reads else request.body
        with suppress(APIError):
            self._client.schema(name.schema).rpc(name.name, arguments, get=reads).execute()
        if self._bench.stage is not None:
            self._bench.stage.clear()
        return self._relay.last.text

    def _written(self, attempt: Attempt, stage: Stage | None, act: Callable[[], Observation]) -> Outcome:
        if stage is not None:
            return self._bench.committed(stage, attempt, act)
        seen = act()
        demand_rollback(self._relay.last)
        return Outcome(attempt=attempt, observation=seen)


def _sayable(deed: Deed) -> bool:
    """The client quotes no name with a dot, and PostgREST takes some names of columns for its own parameters."""
    name = deed.filter_column
    return name is None or not (name in PARAMETERS or "." in name)


def said(client: supabase.Client, attempt: Attempt, deed: Deed, relation: Relation) -> Query:
    """The client's builder for an attempt, ready to be executed."""
    from postgrest import CountMethod, ReturnMethod

    table = client.schema(relation.name.schema).table(deed.through.name)
    counted: dict[str, Any] = {"count": CountMethod.exact}
    if attempt.command is Command.SELECT:
        return table.select(select_of(deed.columns), **counted)
    counted["returning"] = ReturnMethod.minimal
    row: Any = as_json(relation, deed.values)
    if deed.conflict:
        return table.upsert([row], on_conflict=",".join(map(quoted, deed.conflict)), **counted)
    if attempt.command is Command.INSERT:
        return table.insert([row] if row else {}, **counted)
    builder = table.delete(**counted) if attempt.command is Command.DELETE else table.update(row, **counted)
    return builder if deed.filter_column is None else builder.not_.is_(deed.filter_column, "null")


def executed(builder: Query, width: int) -> Observation:
    """What the client's user perceives: rows and count, or the error that it raises."""
    from postgrest.exceptions import APIError

    try:
        answer = builder.execute()
    except APIError as error:
        code = str(error.code or "")
        known = code if CODE.fullmatch(code) else f"{NOT_POSTGREST}{code}"
        return Observation(sqlstate=known, message=error.message or "", detail=error.details or "")
    rows = tuple(_rows(answer.data, width))
    return Observation(rows=rows, count=len(rows) if answer.count is None else answer.count)


def _rows(data: object, width: int) -> Iterator[tuple[str | None, ...]]:
    for row in data if isinstance(data, list) else ():
        if isinstance(row, dict) and width:
            yield tuple(as_text(row.get(f"c{number}")) for number in range(width))
