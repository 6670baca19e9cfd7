"""
Functions over HTTP: by GET and POST, and as columns of a relation (computed fields).

A call is judged by its answer alone: the mark (canary) of a tenant that the persona does not belong to, in a text that
no table shows to the same persona.  What a call does to rows, the search by SQL asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tenantproof.core.catalog import Argument, Function, Relation
from tenantproof.core.model import QName
from tenantproof.engine.plan import Plan
from tenantproof.engine.rest.bench import RestBench, demand_rollback
from tenantproof.engine.rest.speaking import quoted, select_of
from tenantproof.targets.rest.client import Answer, Request

_UUID, _TEXT = frozenset({"uuid"}), frozenset({"text", "character varying", "citext", "name"})
_NUMBERS = frozenset({"integer", "bigint", "smallint", "numeric", "real", "double precision"})
_JSON = frozenset({"json", "jsonb"})
_WORD = "canary"
"""In every text that the seeder wrote, and no tenant's whole mark: an answer that only repeats it tells nothing."""

_PLENTY = 100
_STABLE = "si"
_IS_UUID = re.compile(r"[0-9a-fA-F-]{36}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An answer that holds another tenant's mark: `object` is the function, or the relation whose column it is."""

    object: QName
    relation: QName | None
    request: Request
    tenant: str


def calls_of(bench: RestBench, schemas: Sequence[str]) -> Iterator[Told]:
    """Call every function that the persona may execute, with what belongs to others."""
    plan = bench.plan
    held = plan.catalog.privileges_of(bench.identity.role)
    for function in plan.callable_by(held):
        if function.name.schema not in schemas:
            continue
        for request in _requests(bench, function):
            answer = _called(bench, function, request)
            if (tenant := _whose_mark(bench, answer)) is not None:
                yield Told(object=function.name, relation=None, request=request, tenant=tenant)
                break


def computed_of(bench: RestBench, readable: Sequence[Relation]) -> Iterator[Told]:
    """Ask for every function of one row as a column of the relation whose rows it takes."""
    functions = [function for function in bench.plan.catalog.functions if len(_given(function)) == 1]
    for relation in readable:
        for function in functions:
            if _given(function)[0].type not in (relation.name.name, str(relation.name)) or not relation.primary_key:
                continue
            request = Request(
                method="GET",
                path=f"/{relation.name.name}",
                query=(("select", f"{select_of(relation.primary_key)},{_as_column(function)}"),),
                headers=bench.tongue.profile(relation.name, reads=True),
            )
            if (tenant := _whose_mark(bench, bench.ask(request))) is not None:
                yield Told(object=function.name, relation=relation.name, request=request, tenant=tenant)


def _as_column(function: Function) -> str:
    """A function that returns a table is embedded, any other is a column."""
    name = quoted(function.name.name)
    return f"{name}(*)" if function.returns_set else name


def _given(function: Function) -> list[Argument]:
    return [argument for argument in function.arguments if argument.mode in ("i", "b", "v")]


def _requests(bench: RestBench, function: Function) -> Iterator[Request]:
    """The calls to try: with the ids of another tenant, then of another user; by POST, and by GET what only reads."""
    seen: list[dict[str, object]] = []
    for ids in _foreign_ids(bench.plan, bench):
        given = _arguments(function, ids)
        if given is None or given in seen:
            continue
        seen.append(given)
        path = f"/rpc/{function.name.name}"
        undo = ("prefer", "tx=commit" if bench.stage is not None else "tx=rollback")
        writing = (*bench.tongue.profile(function.name, reads=False), undo)
        yield Request(method="POST", path=path, headers=writing, body=given)
        if function.volatility in _STABLE:
            query = tuple((name, str(value)) for name, value in given.items())
            reading = bench.tongue.profile(function.name, reads=True)
            yield Request(method="GET", path=path, query=query, headers=reading)


def _foreign_ids(plan: Plan, bench: RestBench) -> Iterator[tuple[str, ...]]:
    """Ids to call with, the first that fits an argument is taken: another tenant's, then another user's."""
    own = set(bench.identity.persona.tenants)
    others = (who for who in plan.manifest.personas if who.user_id and set(who.tenants) and not set(who.tenants) & own)
    users = tuple(who.user_id for who in list(others)[:1] if who.user_id is not None)
    tenants = [(id, *users) for name, id in plan.manifest.tenant_ids.items() if name not in own]
    yield from tenants
    yield from ((*users, *ids) for ids in tenants[:1])


def _arguments(function: Function, ids: Sequence[str]) -> dict[str, object] | None:
    """A value for every argument without a default; None where one has no name or a type that we cannot fill."""
    given: dict[str, object] = {}
    for argument in _given(function):
        value = _value(argument, ids)
        if value is None and argument.has_default:
            continue
        if value is None or not argument.name:
            return None
        given[argument.name] = value
    return given


def _value(argument: Argument, ids: Sequence[str]) -> object:
    if argument.type in _UUID:
        return next((id for id in ids if not id.isdigit()), None)
    if argument.type in _TEXT:
        return next((id for id in ids if not id.isdigit() and not _IS_UUID.fullmatch(id)), _WORD)
    if argument.type in _NUMBERS:
        return next((int(id) for id in ids if id.isdigit()), _PLENTY)
    if argument.type in _JSON:
        return {}
    return True if argument.type == "boolean" else None


def _called(bench: RestBench, function: Function, request: Request) -> Answer:
    """The answer; what the call did is undone."""
    answer = bench.ask(request)
    if request.method == "POST" and function.volatility not in _STABLE:
        if bench.stage is not None:
            bench.stage.clear()
        else:
            demand_rollback(answer)
    return answer


def _whose_mark(bench: RestBench, answer: Answer) -> str | None:
    """The tenant whose mark stands in the answer, in a text that no table shows to the persona."""
    own = set(bench.identity.persona.tenants)
    for tenant, mark in bench.plan.manifest.canaries.items():
        if tenant not in own and mark in answer.text:
            texts = {text for text in _texts(answer.content) if mark in text} or {answer.text}
            if texts - _known(bench):
                return tenant
    return None


def _known(bench: RestBench) -> set[str]:
    """Every text that the tables show to the persona."""
    known: set[str] = set()
    for relation in bench.plan.relations:
        headers = bench.tongue.profile(relation.name, reads=True)
        request = Request(method="GET", path=f"/{relation.name.name}", query=(("select", "*"),), headers=headers)
        known.update(_texts(bench.ask(request).content))
    return known


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            yield from _texts(part)
    elif isinstance(content, dict):
        yield from _texts(list(content.values()))
