"""The exhaustive matrix: every persona before every relation, four commands, judged cell by cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter

import psycopg

from tenantproof.channels import matrix as _filled  # noqa: F401  (importing it fills the catalogue)
from tenantproof.channels.registry import CHANNELS
from tenantproof.channels.stand import Stand
from tenantproof.core.attempt import Attempt, Form, Outcome, Snapshot
from tenantproof.core.catalog import Relation, RelationKind
from tenantproof.core.events import Sweeping
from tenantproof.core.finding import Verdict
from tenantproof.core.model import Command, Persona, QName
from tenantproof.core.world import Row
from tenantproof.engine.bench import Acts, Ground
from tenantproof.engine.intended import Intended
from tenantproof.engine.lanes import Course, in_lanes
from tenantproof.engine.plan import Plan
from tenantproof.engine.talks import Talk
from tenantproof.engine.wire import Wire
from tenantproof.oracle.entitlement import Stance
from tenantproof.properties.visibility import Judgement, Question, judge_change, judge_count, judge_insert, judge_read

WRITES = (Command.INSERT, Command.UPDATE, Command.DELETE)
NOT_REACHED = "interrupted before it was tried"


@dataclass(frozen=True, slots=True)
class Judged:
    """One cell with its judgement and everything that was tried in it.  `object` is the relation of the cell; the
    stand's relation is the table below it where it is a view that was written through."""

    object: Relation
    stand: Stand
    command: Command
    judgement: Judgement
    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class MatrixRun:
    """All cells, how many of them were read, and how long all of it took."""

    cells: tuple[Judged, ...]
    reads: int
    seconds: float


def look(wire: Wire, plan: Plan) -> Ground:
    """What the observer sees before anybody acts.  The wire's session must be the observer."""
    names = list(plan.watches)
    answers = wire.run([(plan.watches[name].query,) for name in names])
    seeded = plan.manifest.seeded_keys
    before = {
        name: plan.watches[name].rows(said[-1], seeded.get(name, frozenset()))
        for name, said in zip(names, answers, strict=True)
    }
    return Ground(plan.watches, before, seeded, plan.hidden_writers)


def sweep(
    wire: Wire,
    plan: Plan,
    ground: Ground,
    personas: Sequence[Persona],
    stop: Callable[[], bool] = lambda: False,
) -> MatrixRun:
    """All cells of these personas, as `sweeping` makes them."""
    going = sweeping(wire, plan, ground, personas, stop)
    while True:
        try:
            next(going)
        except StopIteration as end:
            run: MatrixRun = end.value
            return run


def sweeping(
    wire: Wire,
    plan: Plan,
    ground: Ground,
    personas: Sequence[Persona],
    stop: Callable[[], bool] = lambda: False,
) -> Generator[Sweeping, None, MatrixRun]:
    """All cells of these personas.  What the database refuses is an answer, never an exception.

    Says after each persona how far it has come.  *stop* is asked all the time: from then on cells are untested, as they
    are once the server is gone.
    """
    rows = {name: _in_order(snapshot) for name, snapshot in ground.before.items()}
    intended = Intended(ground)
    known: dict[str, list[Judged]] = defaultdict(list)
    start = perf_counter()

    def courses() -> Iterator[Course[None]]:
        for persona in personas:
            acts = Acts(plan.identities[persona.name], ground)
            yield Course(acts.becoming, _cells_of(acts, plan, persona, rows, intended, known[persona.name]))

    try:
        for _ in in_lanes(wire, courses(), lambda: stop() or wire.lost):
            yield Sweeping(sum(map(len, known.values())), len(personas) * _cells_of_each(plan))
    except psycopg.OperationalError:
        if not wire.lost:
            raise
    seconds = perf_counter() - start
    reads = sum(cell.command is Command.SELECT for cells in known.values() for cell in cells)
    for persona in personas:
        known[persona.name] += _not_reached(plan, persona, rows, known[persona.name])
    return MatrixRun(tuple(cell for persona in personas for cell in known[persona.name]), reads, seconds)


def _cells_of(
    acts: Acts,
    plan: Plan,
    persona: Persona,
    rows: Mapping[QName, tuple[Row, ...]],
    intended: Intended,
    known: list[Judged],
) -> Talk[None]:
    """All cells of one persona are added to *known*, as soon as they are: what is known stands, whatever comes."""
    stands = [plan.before(persona, relation, rows.get(relation.name, ())) for relation in plan.relations]
    outcomes = yield from acts.reads([next(_attempts(stand, Command.SELECT)) for stand in stands])
    known += _with_control(plan, list(_judge_reads(plan, stands, outcomes)))
    known += yield from _judged_writes(acts, plan, list(_write_stands(plan, stands, rows)), intended)


def _cells_of_each(plan: Plan) -> int:
    """How many cells a persona has."""
    return sum(1 + sum(command in relation.updatable for command in WRITES) for relation in plan.relations)


def _not_reached(
    plan: Plan, persona: Persona, rows: Mapping[QName, tuple[Row, ...]], known: Sequence[Judged]
) -> list[Judged]:
    """The persona's cells that are not among the *known*: reads and writes become known together, each."""
    untested = Judgement(verdict=Verdict.UNTESTED, reason=NOT_REACHED)
    stands = [plan.before(persona, relation, rows.get(relation.name, ())) for relation in plan.relations]
    reads = [] if known else [Judged(stand.relation, stand, Command.SELECT, untested, ()) for stand in stands]
    writes = [Judged(*write, untested, ()) for write in _write_stands(plan, stands, rows)]
    return reads + (writes if len(known) <= len(stands) else [])


def _in_order(snapshot: Snapshot) -> tuple[Row, ...]:
    """Rows that the seeder wrote first: their keys are the same in every run."""
    return tuple(sorted(snapshot.rows.values(), key=lambda row: (not row.seeded, *map(str, row.key))))


def _attempts(stand: Stand, command: Command) -> Iterator[Attempt]:
    tried = set()
    for channel in CHANNELS.values():
        if channel.command is command:
            for attempt in channel.attempts(stand):
                what = (attempt.sql, attempt.stage)
                if what not in tried:
                    tried.add(what)
                    yield attempt


def _question(plan: Plan, stand: Stand, command: Command) -> Question:
    return Question(
        oracle=plan.oracle,
        persona=stand.persona,
        relation=stand.name,
        command=command,
        rows=stand.rows,
        through=stand.through if stand.through != stand.name else None,
    )


def _judge_reads(plan: Plan, stands: Sequence[Stand], outcomes: Sequence[Outcome]) -> Iterator[Judged]:
    for stand, outcome in zip(stands, outcomes, strict=True):
        yield Judged(stand.relation, stand, Command.SELECT, judgement_of_read(plan, stand, outcome), (outcome,))


def judgement_of_read(plan: Plan, stand: Stand, outcome: Outcome) -> Judgement:
    """The verdict on what was read."""
    question = _question(plan, stand, Command.SELECT)
    rows = _rows_behind(stand, outcome)
    if not stand.tenancy.decided:
        return _undecided([outcome])
    if rows is None:
        return judge_count(question, outcome)
    if outcome.attempt.form is Form.BELONGING:
        return judge_read(_without_keys(plan, question, stand), outcome, rows)
    return judge_read(question, outcome, rows)


def _without_keys(plan: Plan, question: Question, stand: Stand) -> Question:
    """The question about (tenant, owner) pairs instead of rows; what a view hides lies in the tables below it."""
    below = tuple(row for name in plan.below(stand.relation) for row in plan.world.rows.get(name, ()))
    return replace(question, rows=tuple(replace(row, key=()) for row in question.rows), elsewhere=below)


def _with_control(plan: Plan, cells: list[Judged]) -> list[Judged]:
    """A member who reaches no row of their own anywhere proves nothing: perhaps the session is simply not theirs."""
    unmade = _unmade_membership(plan, cells[0].stand.persona) if cells else ""
    lawful = [cell for cell in cells if any(cell.stand.rows_with(Command.SELECT, Stance.ALLOWED, Stance.REQUIRED))]
    if not unmade and (
        not lawful or not lawful[0].stand.persona.memberships or any(c.judgement.reached for c in lawful)
    ):
        return cells
    reason = f"no positive control: {unmade or 'this member reaches no row of their own anywhere'}"
    return [
        replace(cell, judgement=Judgement(verdict=Verdict.UNTESTED, reason=reason))
        if cell.judgement.verdict is Verdict.ISOLATED
        else cell
        for cell in cells
    ]


def _unmade_membership(plan: Plan, persona: Persona) -> str:
    """Why the persona is no member although the scenario says so; empty where they are."""
    tables = {membership.table for membership in plan.scenario.memberships}
    for item in plan.manifest.unseeded:
        concerns = item.tenant is None or item.tenant in persona.tenants
        if persona.memberships and item.relation in tables and concerns and not item.message.startswith("insert: "):
            return f"the membership row could not be made: {item.message} ({item.sqlstate})"
    return ""


def _rows_behind(stand: Stand, outcome: Outcome) -> list[Row] | None:
    """The rows that the persona saw: by key, or as (tenant, owner) pairs; None where they cannot be known."""
    answers = outcome.observation.rows
    if outcome.attempt.form is Form.BELONGING:
        return [_belonging(answer, stand.predicates) for answer in answers]
    known = {row.key: row for row in stand.rows}
    if outcome.attempt.form is Form.COUNTED or any(answer not in known for answer in answers):
        return None
    return [known[answer] for answer in answers]


def _belonging(answer: tuple[str | None, ...], predicates: Sequence[str]) -> Row:
    tenant, owner, *flags = answer
    held = (predicate for predicate, flag in zip(predicates, flags, strict=True) if flag == "true")
    return Row(key=(), tenant=tenant, owner=owner, flags=frozenset(held))


def _write_stands(
    plan: Plan, stands: Sequence[Stand], rows: Mapping[QName, tuple[Row, ...]]
) -> Iterator[tuple[Relation, Stand, Command]]:
    """Every cell of a write: its relation, and the stand before the table that the write reaches."""
    for stand in stands:
        possible = [command for command in WRITES if command in stand.relation.updatable]
        if stand.relation.kind is RelationKind.VIEW and possible:
            below = plan.behind(stand.persona, stand.relation, rows)
            yield from ((stand.relation, below, command) for command in possible)
        else:
            yield from ((stand.relation, stand, command) for command in possible)


def _judged_writes(
    acts: Acts, plan: Plan, cells: Sequence[tuple[Relation, Stand, Command]], intended: Intended
) -> Talk[list[Judged]]:
    planned = [tuple(_attempts(stand, command)) for _, stand, command in cells]
    flat = yield from acts.writes(
        [attempt for attempts in planned for attempt in attempts],
        [
            _promising(stand, attempt)
            for (_, stand, _), attempts in zip(cells, planned, strict=True)
            for attempt in attempts
        ],
    )
    grouped = yield from _settled(acts, cells, _regroup(flat, planned))
    yield from learn(plan, cells, grouped, intended)
    return [
        Judged(
            relation,
            stand,
            command,
            judgement_of_write(plan, relation, stand, command, outcomes, intended.rows),
            outcomes,
        )
        for (relation, stand, command), outcomes in zip(cells, grouped, strict=True)
    ]


def judgement_of_write(
    plan: Plan,
    relation: Relation,
    stand: Stand,
    command: Command,
    outcomes: Sequence[Outcome],
    intended: Mapping[str, Row],
) -> Judgement:
    """The verdict on what was written to *relation*, before whose table the *stand* is."""
    question = _question(plan, stand, command)
    if not stand.tenancy.decided:
        judgement = _undecided(outcomes)
    elif command is Command.INSERT:
        judgement = judge_insert(question, outcomes, intended)
    else:
        judgement = judge_change(question, outcomes)
    return judgement if relation is stand.relation else _nothing_promised(judgement)


def _promising(stand: Stand, attempt: Attempt) -> bool:
    """Whether the attempt will be accepted or refused, rather than touch nothing."""
    if attempt.command is Command.INSERT:
        return True
    return attempt.stage is None and any(stand.rows_with(attempt.command, Stance.ALLOWED, Stance.REQUIRED))


def _undecided(outcomes: Sequence[Outcome]) -> Judgement:
    """Where nobody said whose the rows are, a denial is all that can be understood."""
    if outcomes and all(outcome.observation.denied for outcome in outcomes):
        return Judgement(verdict=Verdict.ISOLATED)
    reason = "undecided: it can be reached, and the scenario does not say whose its rows are"
    return Judgement(verdict=Verdict.UNTESTED, reason=reason)


def _nothing_promised(judgement: Judgement) -> Judgement:
    """A table's promise is kept by the table; that a view over it refuses is no over-blocking."""
    if judgement.verdict is Verdict.OVERBLOCKED:
        return replace(judgement, verdict=Verdict.ISOLATED, missing=())
    return judgement


def _regroup(flat: Sequence[Outcome], shape: Sequence[Sequence[Attempt]]) -> list[tuple[Outcome, ...]]:
    remaining = iter(flat)
    return [tuple(next(remaining) for _ in part) for part in shape]


def _settled(
    acts: Acts, cells: Sequence[tuple[Relation, Stand, Command]], grouped: Sequence[tuple[Outcome, ...]]
) -> Talk[list[tuple[Outcome, ...]]]:
    """Second round: where a constraint or trigger spoke for many rows at once, each kind of row speaks alone instead;
    what was refused in an unclear way gets the observer's answer to the same statement."""
    result: list[list[Outcome]] = [[] for _ in grouped]
    unclear: list[tuple[int, Outcome]] = []
    again: list[tuple[int, Attempt]] = []
    for i, ((_, stand, command), outcomes) in enumerate(zip(cells, grouped, strict=True)):
        for outcome in outcomes:
            if command is Command.INSERT or not _doubtful(outcome):
                result[i].append(outcome)
            elif alone := tuple(_one_by_one(stand, command, outcome)):
                again.extend((i, attempt) for attempt in alone)
            else:
                unclear.append((i, outcome))
    second = yield from acts.writes([attempt for _, attempt in again], [True] * len(again))
    unclear.extend((i, outcome) for (i, _), outcome in zip(again, second, strict=True))
    controls = yield from acts.controls([outcome for _, outcome in unclear])
    for (i, _), controlled in zip(unclear, controls, strict=True):
        result[i].append(controlled)
    return [tuple(group) for group in result]


def _doubtful(outcome: Outcome) -> bool:
    return outcome.observation.refused and not outcome.observation.denied


def _one_by_one(stand: Stand, command: Command, outcome: Outcome) -> Iterator[Attempt]:
    attempt = outcome.attempt
    if attempt.stage is None and attempt.form in (Form.BLIND, Form.FILTERED):
        for row in stand.one_of_each_tenant(command, *Stance):
            yield replace(attempt, stage=stand.alone(row))


def learn(
    plan: Plan,
    cells: Sequence[tuple[Relation, Stand, Command]],
    grouped: Sequence[tuple[Outcome, ...]],
    intended: Intended,
) -> Talk[None]:
    """Ask the observer about refused INSERTs whose meaning depends on whether the row was valid."""
    asked: list[Attempt] = []
    for (_, stand, command), outcomes in zip(cells, grouped, strict=True):
        if command is Command.INSERT:
            question = _question(plan, stand, command)
            asked.extend(outcome.attempt for outcome in outcomes if _depends_on_validity(plan, question, outcome))
    yield from intended.learn(asked)


def _depends_on_validity(plan: Plan, question: Question, outcome: Outcome) -> bool:
    if not outcome.observation.denied:
        return outcome.observation.refused
    row = outcome.attempt.row
    if row is None:
        return False
    return question.stance(row) is Stance.REQUIRED or bool(plan.watches[question.relation].predicates)
