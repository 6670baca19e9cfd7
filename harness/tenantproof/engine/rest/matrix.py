"""
The matrix once more, by HTTP: the attempts that SQL made, as far as PostgREST can say them, judged by the same rules.

Of attempts that differ in nothing but the tenant or the draft, a few are enough: the border was measured by SQL, and
here is asked whether HTTP is another border.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tenantproof.core.attempt import Attempt, Form, Outcome
from tenantproof.core.finding import Verdict
from tenantproof.core.model import Command, Persona
from tenantproof.engine.bench import Bench, Ground
from tenantproof.engine.intended import Intended
from tenantproof.engine.matrix import Judged, judgement_of_read, judgement_of_write, learn
from tenantproof.engine.plan import Plan
from tenantproof.engine.rest.bench import RestBench
from tenantproof.engine.talks import hold
from tenantproof.engine.wire import Wire
from tenantproof.properties.visibility import Judgement

BenchOf = Callable[[Persona], RestBench]

_ALIKE = 1
"""Attempts of one kind that are tried, of those that SQL saw end in the same way."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One cell by SQL and by HTTP; `outcomes` pairs what each attempt did (SQL, HTTP)."""

    by_sql: Judged
    by_http: Judged
    outcomes: tuple[tuple[Outcome, Outcome], ...]


@dataclass(frozen=True, slots=True)
class Swept:
    """All cells that were asked by HTTP, and the cells that could not be, with the reason."""

    pairs: tuple[Pair, ...]
    unsaid: tuple[tuple[Judged, str], ...]


def sweep_by_http(wire: Wire, plan: Plan, ground: Ground, cells: Sequence[Judged], bench_of: BenchOf) -> Swept:
    """Ask every cell of *cells* (those of the exposed schemas) once more."""
    intended = Intended(ground)
    pairs: list[Pair] = []
    unsaid: list[tuple[Judged, str]] = []
    for persona in plan.manifest.personas:
        own = [cell for cell in cells if cell.stand.persona == persona]
        bench = bench_of(persona)
        answers = _all_asked(bench, own)
        if bench.stage is not None and bench.stage.surprised():  # some were asked of a world that was not as it was
            answers = _all_asked(bench, own)
        asked = [(cell, outcomes) for cell, outcomes in zip(own, answers, strict=True) if outcomes]
        silent = (cell for cell, outcomes in zip(own, answers, strict=True) if not outcomes)
        unsaid.extend((cell, _why_unsaid(bench, cell)) for cell in silent)
        pairs.extend(_judged(wire, plan, ground, intended, persona, asked))
    return Swept(tuple(pairs), tuple(unsaid))


def _all_asked(bench: RestBench, cells: Sequence[Judged]) -> list[list[tuple[Outcome, Outcome]]]:
    return [list(_asked(bench, cell)) for cell in cells]


def _asked(bench: RestBench, cell: Judged) -> Iterator[tuple[Outcome, Outcome]]:
    act = bench.read if cell.command is Command.SELECT else bench.write
    for outcome in worth_asking(cell):
        said = act(outcome.attempt)
        if said is not None:
            yield outcome, said


def worth_asking(cell: Judged) -> list[Outcome]:
    """A few of the attempts of each kind: those that violate first, then those that passed, then the refused."""
    violating = {id(violation.outcome) for violation in cell.judgement.violations}
    kept: dict[tuple[object, ...], list[Outcome]] = {}
    for outcome in cell.outcomes:
        attempt = outcome.attempt
        kind = (attempt.channel, attempt.form, _whose(cell, attempt), id(outcome) in violating, _ended(outcome))
        kept.setdefault(kind, []).append(outcome)
    return [outcome for alike in kept.values() for outcome in alike[:_ALIKE]]


def _whose(cell: Judged, attempt: Attempt) -> str:
    if attempt.row is None:
        return "any"
    if attempt.row.tenant in cell.stand.own_tenants:
        return "own"
    return "nobody's" if attempt.row.tenant is None else "foreign"


def _ended(outcome: Outcome) -> str:
    if outcome.observation.refused:
        return outcome.observation.sqlstate or ""
    return "changed" if outcome.changes else "accepted"


def _why_unsaid(bench: RestBench, cell: Judged) -> str:
    if not cell.outcomes:
        return cell.judgement.reason
    if bench.stage is None:
        return "its writes need a stage or a commit, and this database is not ours"
    return "only SQL can say what is to be tried"


def _judged(
    wire: Wire,
    plan: Plan,
    ground: Ground,
    intended: Intended,
    persona: Persona,
    asked: Sequence[tuple[Judged, list[tuple[Outcome, Outcome]]]],
) -> Iterator[Pair]:
    settled = [(cell, _controlled(wire, plan, ground, persona, outcomes)) for cell, outcomes in asked]
    writes = [(cell, outcomes) for cell, outcomes in settled if cell.command is not Command.SELECT]
    learning = learn(
        plan,
        [(cell.object, cell.stand, cell.command) for cell, _ in writes],
        [tuple(said for _, said in outcomes) for _, outcomes in writes],
        intended,
    )
    hold(wire, learning)
    for cell, outcomes in settled:
        said = tuple(http for _, http in outcomes)
        if cell.command is Command.SELECT:
            judgement = _read(plan, cell, outcomes)
        else:
            judgement = judgement_of_write(plan, cell.object, cell.stand, cell.command, said, intended.rows)
        yield Pair(cell, replace(cell, judgement=judgement, outcomes=said), tuple(outcomes))


def _read(plan: Plan, cell: Judged, outcomes: Sequence[tuple[Outcome, Outcome]]) -> Judgement:
    ((by_sql, by_http),) = outcomes
    if by_http.attempt.form is not Form.BELONGING or by_http.observation.refused:
        return judgement_of_read(plan, cell.stand, by_http)
    whole = _with_null_for_what_is_not_there(cell, by_http)
    if not cell.stand.predicates:
        return judgement_of_read(plan, cell.stand, whole)
    if {row[:2] for row in whole.observation.rows} <= {row[:2] for row in by_sql.observation.rows}:
        return cell.judgement  # conditions in SQL tell its rows apart, and HTTP shows no other ones
    return Judgement(verdict=Verdict.UNTESTED, reason="its rows are told apart by conditions that only SQL can ask")


def _with_null_for_what_is_not_there(cell: Judged, outcome: Outcome) -> Outcome:
    """The (tenant, owner) pairs, where only one of the two is a column of the relation."""
    tenancy = cell.stand.tenancy
    columns = iter(range(2))
    place = [next(columns) if loc is not None and loc.path else None for loc in (tenancy.tenant, tenancy.owner)]
    seen = dict.fromkeys(tuple(None if at is None else row[at] for at in place) for row in outcome.observation.rows)
    return replace(outcome, observation=replace(outcome.observation, rows=tuple(seen), count=len(seen)))


def _controlled(
    wire: Wire, plan: Plan, ground: Ground, persona: Persona, outcomes: Sequence[tuple[Outcome, Outcome]]
) -> list[tuple[Outcome, Outcome]]:
    """Refusals that may be nobody's fault get the observer's answer to the same statement, as in the matrix by SQL."""
    unclear = [
        at
        for at, (by_sql, said) in enumerate(outcomes)
        if said.observation.refused
        and not said.observation.denied
        and by_sql.control is None
        and said.attempt.command in (Command.UPDATE, Command.DELETE)
    ]
    result = [(by_sql, replace(said, control=by_sql.control)) for by_sql, said in outcomes]
    if unclear:
        bench = Bench(wire, plan.identities[persona.name], ground)
        for at, controlled in zip(unclear, bench.control([result[at][1] for at in unclear]), strict=True):
            result[at] = (result[at][0], controlled)
    return result
