"""Drafts: rows that are valid and absent, for attempts to INSERT.  Each is tried by the observer first."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tenantproof.core.catalog import Catalog
from tenantproof.core.model import QName, Scenario
from tenantproof.core.world import Draft, Unseeded
from tenantproof.seeding.answers import Answer
from tenantproof.seeding.cast import Cast
from tenantproof.seeding.plan import Plan, TablePlan
from tenantproof.seeding.probing import Candidate
from tenantproof.seeding.repair import Repairs
from tenantproof.seeding.replacing import Replacement, can_replace
from tenantproof.seeding.rows import FULL, Builder, Impossible, Want
from tenantproof.seeding.store import SeedRow, Store, Values
from tenantproof.seeding.trials import Court
from tenantproof.seeding.wants import Tenanted, drafts_wanted

_MOST_FAILURES = 3
"""Drafts of a table that could not be mended before no more are tried."""
_MOST_REPAIRS = 120

_Place = tuple[QName, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafting:
    """What drafts are made of."""

    plan: Plan
    cast: Cast
    store: Store
    builders: Mapping[QName, Builder]
    tenanted: Tenanted
    court: Court


def make_drafts(
    *,
    catalog: Catalog,
    scenario: Scenario,
    drafting: Drafting,
) -> tuple[dict[QName, tuple[Draft, ...]], list[Unseeded]]:
    """
    Drafts by relation, and what could not be drafted.

    Runs in a transaction that is rolled back: the observer tries to insert every candidate, with triggers and
    foreign keys on and the session settings of the user who would insert it.
    """
    candidates: list[Candidate] = []
    problems: dict[_Place, Answer] = {}
    for table in drafting.plan.tables:
        if table.name.schema in scenario.database.schemas:
            candidates += _candidates(table, drafting, problems)
    accepted = _settle(candidates, drafting, problems)
    parts = _for_partitions(accepted, catalog, scenario)
    answers = drafting.court.ask(parts, keeping=False)
    accepted += [part for part, answer in zip(parts, answers, strict=True) if answer.accepted]
    return _by_relation(accepted), _unserved(problems, accepted, drafting.store)


def _candidates(table: TablePlan, drafting: Drafting, problems: dict[_Place, Answer]) -> list[Candidate]:
    """One for each wanted draft; the first of each tenant is tried with the database's own defaults first."""
    builder, replaceable = drafting.builders[table.name], can_replace(table, drafting.plan)
    found: list[Candidate] = []
    begun: set[str | None] = set()
    for want in drafts_wanted(table, drafting.cast, drafting.store, drafting.tenanted):
        built = builder.build(want, table.foreign_keys)
        if isinstance(built, Impossible) and table.late:
            built = builder.build(want, table.early)
        made: SeedRow | Replacement | None
        if isinstance(built, Impossible):
            problems.setdefault((table.name, want.tenant), Answer(sqlstate=built.sqlstate, message=built.message))
            made = builder.replace(want) if replaceable and built.message.startswith(FULL) else None
        else:
            made = built
        if made is None:
            continue
        found.append(_candidate(table, made, want, drafting.cast, bare_first=want.tenant not in begun))
        begun.add(want.tenant)
    return found


def _candidate(table: TablePlan, made: SeedRow | Replacement, want: Want, cast: Cast, *, bare_first: bool) -> Candidate:
    """The tenant of a new row of the tenant table is its own fresh id."""
    row = made.row if isinstance(made, Replacement) else made
    if table.is_tenants and not table.memberships and row.tenant is None:
        tenant_id = row.values.get(table.tenant_column or "")
    else:
        tenant_id = cast.tenant_ids.get(row.tenant or "")
    draft = Draft(
        relation=table.name,
        tenant=tenant_id,
        owner=row.owner,
        values=_written(table, row.values),
        replaces=made.key(table) if isinstance(made, Replacement) else None,
    )
    plain, bare = _written(table, row.values | row.plain), _bare(table, draft.values)
    order = [bare, draft.values, plain] if bare_first else [draft.values, plain, bare]
    # A row of nothing but defaults cannot be said with a list of columns.
    ways = tuple(v for n, v in enumerate(order) if v and v not in order[:n]) or tuple(order[:1])
    return Candidate(draft=draft, table=table, tenant=row.tenant, actor=want.actor or row.owner, ways=ways)


def _written(table: TablePlan, values: Mapping[str, str | None]) -> Values:
    left_out = {column.name for column in table.relation.columns if column.identity == "a" or column.generated}
    return {name: value for name, value in values.items() if name not in left_out}


def _bare(table: TablePlan, values: Mapping[str, str | None]) -> Values:
    """What an application must say: neither what has a default nor what may be NULL, but for the key (so that the
    same row comes in every run) and what says whose the row is."""
    needed = {c.name for c in table.relation.columns if c.not_null and c.default is None}
    kept = needed | table.locating | set(table.relation.primary_key) | set(table.tenancy.values)
    return {name: value for name, value in values.items() if name in kept}


def _settle(candidates: Sequence[Candidate], drafting: Drafting, problems: dict[_Place, Answer]) -> list[Candidate]:
    """The candidates that the database accepts, each in the first of its ways that it does, in their order."""
    accepted: dict[int, Candidate] = {}
    first: dict[int, Answer] = {}
    todo = dict(enumerate(candidates))
    for way in range(max((len(candidate.ways) for candidate in candidates), default=0)):
        tried = {n: c.going(way) for n, c in todo.items() if n not in accepted and way < len(c.ways)}
        answers = drafting.court.ask(list(tried.values()), keeping=False)
        for (number, candidate), answer in zip(tried.items(), answers, strict=True):
            if answer.accepted:
                accepted[number] = candidate
            else:
                first.setdefault(number, answer)
    rest = {number: (todo[number], answer) for number, answer in first.items() if number not in accepted}
    accepted |= _mended(rest, drafting)
    for number, answer in first.items():
        if number not in accepted:
            problems.setdefault((todo[number].draft.relation, todo[number].tenant), answer)
    return [accepted[number] for number in sorted(accepted)]


def _mended(refused: Mapping[int, tuple[Candidate, Answer]], drafting: Drafting) -> dict[int, Candidate]:
    """Those that go in with other values, or in the place of a row of their tenant."""
    found: dict[int, Candidate] = {}
    repairs: dict[QName, Repairs] = {}
    failures: Counter[QName] = Counter()
    for number, (candidate, answer) in refused.items():
        name = candidate.draft.relation
        if failures[name] >= _MOST_FAILURES:
            continue
        mender = repairs.setdefault(name, Repairs(candidate.table, drafting.court.bodies))
        mended = _in_place(candidate, answer, drafting) or _repaired(candidate, answer, mender, drafting.court)
        if mended is None:
            failures[name] += 1
        else:
            found[number] = mended
    return found


def _in_place(candidate: Candidate, answer: Answer, drafting: Drafting) -> Candidate | None:
    """Where code refuses (a plan allows so many rows), the row that takes the place of another."""
    table = candidate.table
    if not answer.by_code or candidate.draft.replaces is not None or not can_replace(table, drafting.plan):
        return None
    rows = [row for row in drafting.store.of(table.name) if row.tenant == candidate.tenant and not row.existing]
    if not rows:
        return None
    gone = next((row for row in reversed(rows) if row.childless), rows[-1])
    key = tuple(gone.values.get(column) for column in table.relation.primary_key)
    tried = replace(candidate, draft=replace(candidate.draft, replaces=key))
    (found,) = drafting.court.ask([tried], keeping=False)
    return tried if found.accepted else None


def _repaired(candidate: Candidate, answer: Answer, repairs: Repairs, court: Court) -> Candidate | None:
    """The candidate with the first small change that makes it go in."""
    number = int(hashlib.sha256(str(candidate.draft.values).encode()).hexdigest()[:4], 16)
    changes = list(itertools.islice(repairs.changes(answer, number), _MOST_REPAIRS))
    values = candidate.draft.values
    offers = [replace(candidate.draft, values={**values, **change}) for change in changes]
    tried = [replace(candidate, draft=draft) for draft in offers]
    for change, offer, found in zip(changes, tried, court.ask(tried, keeping=False), strict=True):
        if found.accepted:
            repairs.learn(change)
            return offer
    return None


def _for_partitions(candidates: Sequence[Candidate], catalog: Catalog, scenario: Scenario) -> list[Candidate]:
    """The parent's drafts offered to each of its partitions in scope; the bounds decide which fit."""
    found = []
    for relation in catalog.in_schemas(scenario.database.schemas):
        if not relation.partition_bound or not relation.is_table:
            continue
        root = relation
        while root.partition_bound and root.parent is not None:
            root = catalog.relations[root.parent]
        for candidate in candidates:
            if candidate.draft.relation == root.name and candidate.draft.replaces is None:
                draft = replace(candidate.draft, relation=relation.name)
                table = replace(candidate.table, relation=relation)
                found.append(replace(candidate, draft=draft, table=table))
    return found


def _by_relation(accepted: Sequence[Candidate]) -> dict[QName, tuple[Draft, ...]]:
    found: dict[QName, list[Draft]] = defaultdict(list)
    for candidate in accepted:
        found[candidate.draft.relation].append(candidate.draft)
    return {relation: tuple(drafts) for relation, drafts in sorted(found.items())}


def _unserved(problems: Mapping[_Place, Answer], accepted: Sequence[Candidate], store: Store) -> list[Unseeded]:
    """Where there is no draft for a tenant; that its places are taken by rows is no lack of rows."""
    served = {(candidate.draft.relation, candidate.tenant) for candidate in accepted}
    filled = {(name, row.tenant) for name, rows in store.rows.items() for row in rows}
    return [
        Unseeded(relation=relation, tenant=tenant, sqlstate=answer.sqlstate, message=f"insert: {answer.message}")
        for (relation, tenant), answer in sorted(problems.items(), key=str)
        if (relation, tenant) not in served and not (answer.message.startswith(FULL) and (relation, tenant) in filled)
    ]
