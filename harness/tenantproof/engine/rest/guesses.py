"""
What PostgREST tells beside rows: estimated counts, query plans, and the description of itself.

Sources: https://docs.postgrest.org/en/v12/references/api/pagination_count.html, …/observability.html, …/openapi.html.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from tenantproof.core.catalog import Relation
from tenantproof.core.model import Command, QName
from tenantproof.core.seeds import child_uuid
from tenantproof.engine.plan import Plan
from tenantproof.engine.rest.bench import RestBench
from tenantproof.engine.rest.speaking import where
from tenantproof.oracle.entitlement import Stance
from tenantproof.targets.rest.client import Request

_PLAN = "application/vnd.pgrst.plan+json; options=analyze"
_REMOVED = "Rows Removed by Filter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """Something that an answer lets its reader infer about rows that it does not show."""

    channel: str
    relation: QName
    request: Request
    observed: str


def guesses_at(bench: RestBench, relation: Relation) -> Iterator[Guess]:
    """What the persona may infer of a relation's hidden rows."""
    yield from _by_counts(bench, relation)
    yield from _by_plan(bench, relation)


def _by_counts(bench: RestBench, relation: Relation) -> Iterator[Guess]:
    """Count the rows of another tenant, and those of a tenant that is not there."""
    tenancy = bench.plan.tenancy_of(relation.name)
    column = tenancy.tenant.path[0] if tenancy.tenant is not None and len(tenancy.tenant.path) == 1 else None
    foreign = _foreign_tenant(bench, relation.name) if column is not None else None
    if column is None or foreign is None:
        return
    nobody = child_uuid(bench.plan.manifest.seed, "nobody", str(relation.name))
    for kind in ("planned", "estimated"):
        theirs, none = (_counting(bench, relation.name, column, value, kind) for value in (foreign, nobody))
        there, nowhere = bench.ask(theirs), bench.ask(none)
        hidden = there.ok and nowhere.ok and there.rows == [] and there.total is not None
        if hidden and there.total != nowhere.total:
            told = f"{there.total} rows for another tenant, {nowhere.total} for one that is not there; no row is shown"
            yield Guess(channel="API-COUNT", relation=relation.name, request=theirs, observed=told)
            return


def _foreign_tenant(bench: RestBench, name: QName) -> str | None:
    """A tenant none of whose rows the persona may see."""
    persona, oracle = bench.identity.persona, bench.plan.oracle
    rows = bench.plan.world.rows.get(name, ())
    visible = {row.tenant for row in rows if oracle.stance(persona, name, Command.SELECT, row) is not Stance.FORBIDDEN}
    hidden = sorted({row.tenant for row in rows if row.tenant is not None} - visible)
    return hidden[0] if hidden else None


def _counting(bench: RestBench, name: QName, column: str, value: str, kind: str) -> Request:
    plain = bench.tongue.reading(name, (column,), f"count={kind}")
    return replace(plain, query=(*plain.query, where(column, f"eq.{value}")))


def _by_plan(bench: RestBench, relation: Relation) -> Iterator[Guess]:
    if not relation.primary_key:
        return
    plain = bench.tongue.reading(relation.name, relation.primary_key)
    request = replace(plain, headers=(*plain.headers, ("accept", _PLAN)))
    answer = bench.ask(request)
    removed = _removed(answer.content) if answer.ok else 0
    if removed:
        told = f"the plan says that {removed} rows were removed by the policies"
        yield Guess(channel="API-PLAN", relation=relation.name, request=request, observed=told)


def _removed(plan: object) -> int:
    """How many rows a plan's filters removed, all nodes together."""
    if isinstance(plan, list):
        return sum(map(_removed, plan))
    if isinstance(plan, Mapping):
        here = plan.get(_REMOVED)
        return (here if isinstance(here, int) else 0) + sum(map(_removed, plan.values()))
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the API's description names to one role: relations and functions of the exposed schemas."""

    relations: frozenset[str]
    functions: frozenset[str]
    request: Request


def described_to(bench: RestBench, schema: str) -> Described | None:
    """The OpenAPI root as the persona gets it; None where there is none."""
    request = Request(
        method="GET", path="/", headers=(("accept", "application/openapi+json"), *_profile(bench, schema))
    )
    answer = bench.ask(request)
    content = answer.content if answer.ok else None
    paths = content.get("paths") if isinstance(content, Mapping) else None
    if not isinstance(paths, Mapping):
        return None
    names = [str(path).lstrip("/") for path in paths if path != "/"]
    return Described(
        relations=frozenset(name for name in names if not name.startswith("rpc/")),
        functions=frozenset(name.removeprefix("rpc/") for name in names if name.startswith("rpc/")),
        request=request,
    )


def _profile(bench: RestBench, schema: str) -> tuple[tuple[str, str], ...]:
    return bench.tongue.profile(QName(schema, ""), reads=True)


def told_too_much(plan: Plan, role: str, schema: str, described: Described) -> list[QName]:
    """Relations that the description names although the role holds no privilege on them.

    Any privilege counts, as for PostgREST's follow-privileges: Supabase grants TRUNCATE and the like to everybody.
    """
    found = (plan.catalog.relations.get(QName(schema, name)) for name in sorted(described.relations))
    return [relation.name for relation in found if relation is not None and not plan.privileges(role, relation)]
