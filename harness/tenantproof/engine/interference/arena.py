"""
Programs of one persona in several worlds, on one connection.

A batch runs in world 1, then behind a savepoint the other worlds are made one after the other and the same batch runs
in each; all of it is pipelined and undone.  Only where observations differ it looks closer.  What a program wrote is
looked for only in relations that the statistics of the transaction say it touched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from tenantproof.core.attempt import Observation, Snapshot
from tenantproof.core.catalog import Relation
from tenantproof.core.errors import TargetError
from tenantproof.core.model import Command, QName
from tenantproof.core.program import Answer, Line, Program
from tenantproof.engine.interference.elsewhere import Elsewhere
from tenantproof.engine.interference.facts import Facts
from tenantproof.engine.scripts import as_observer, as_persona, set_settings
from tenantproof.engine.wire import Part, Script, Wire
from tenantproof.properties.border import Border
from tenantproof.properties.confidentiality import Difference, differ, interference
from tenantproof.properties.integrity import Breach, Hanging, breaches

if TYPE_CHECKING:
    from tenantproof.engine.interference.scene import Scene


_LASTING = 4
_BASE = "SAVEPOINT world_1"
_BACK = "ROLLBACK TO SAVEPOINT world_1"
_TIMEOUTS = (
    "SELECT pg_catalog.set_config('statement_timeout', '400', true), pg_catalog.set_config('lock_timeout', '300', true)"
)
_TIMEOUT = "57014"
_TOO_DEEP = "54001"
_NOT_PREPARED = "26000"
_MANY_ROWS = 5000
PREPARED = "tenantproof_touched"
"""What outlives a transaction: a prepared statement, for as long as the session does."""
_TOUCHED = """
PREPARE tenantproof_touched AS
SELECT pg_catalog.string_agg(t.oid::text || ':' || t.n::text, ' ')
FROM (SELECT o AS oid, pg_catalog.pg_stat_get_xact_tuples_inserted(o) + pg_catalog.pg_stat_get_xact_tuples_updated(o)
             + pg_catalog.pg_stat_get_xact_tuples_deleted(o) AS n
      FROM pg_catalog.unnest({}::pg_catalog.oid[]) AS o) AS t
WHERE t.n > 0
"""
_ASK_TOUCHED = f"EXECUTE {PREPARED}"


@dataclass(slots=True)
class Tally:
    """What was tried, and how the database took it."""

    attempts: int = 0
    pairs: int = 0
    passed: int = 0
    denied: int = 0
    failed: int = 0
    unsteady: int = 0
    """Attempts whose observations are not the same twice in the same world."""
    seen: set[tuple[str, str, str]] = field(default_factory=set)
    """Distinct (subject, shape, outcome)."""
    slow: dict[tuple[QName, bool], str] = field(default_factory=dict)
    """Subjects (with whether they are called) that hung or went astray, with what the database said."""
    timeouts: Counter[tuple[QName, bool]] = field(default_factory=Counter)
    failures: dict[str, int] = field(default_factory=dict)
    """SQLSTATE -> how often."""
    given_up: dict[str, str] = field(default_factory=dict)
    """Worlds that could be made at first and not later on -> the persona before whom that was."""

    def count(self, program: Program, answer: Answer) -> None:
        """Take note of one attempt in world 1."""
        self.attempts += 1
        last = answer[-1]
        outcome = _outcome(last)
        if outcome == "passed":
            self.passed += 1
        elif outcome == "denied":
            self.denied += 1
        else:
            self.failed += 1
            self.failures[last.sqlstate or ""] = self.failures.get(last.sqlstate or "", 0) + 1
        line = program.lines[len(answer) - 1]
        self.seen.add((str(line.subject), line.shape, outcome))
        subject = (line.subject, line.calls)
        if last.sqlstate in (_TIMEOUT, _TOO_DEEP):
            self.timeouts[subject] += 1
            if last.sqlstate == _TOO_DEEP or self.timeouts[subject] > 1:
                self.slow[subject] = last.message
        elif last.count > _MANY_ROWS:
            self.slow[subject] = f"returns {last.count} rows"


def _outcome(last: Observation) -> str:
    if not last.refused or last.passed_policy:
        return "passed"
    return "denied" if last.denied or last.sqlstate == "P0001" else f"failed {last.sqlstate}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """A program whose observations depend on what happened elsewhere."""

    program: Program
    world: Elsewhere
    difference: Difference
    first: Answer
    second: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A program that changed what it may not change."""

    program: Program
    breaches: tuple[Breach, ...]
    answer: Answer
    world: Elsewhere | None = None
    """Where it happened, if not in world 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stay:
    """Programs in a state of the database, and the statements that make it (none: as it is)."""

    entering: Script
    programs: Sequence[Program]


_Acted = tuple[list[Answer], list[tuple[QName, ...]]]
"""Answers of programs, and the relations that each of them wrote to."""

_Heard = tuple[list[Answer], list[Damage]]
"""Answers of programs in another world, and what they damaged there."""


def learn_oids(wire: Wire, facts: Facts) -> Mapping[QName, str]:
    """The oid of each known relation, and the prepared question which of them were written to."""
    names = list(facts.relations)
    ask = sql.SQL("SELECT {}::pg_catalog.regclass::pg_catalog.oid")
    queries = [ask.format(sql.Literal(sql.Identifier(*name).as_string(None))).as_string(None) for name in names]
    answers = wire.run([(query,) for query in queries])
    oids = {name: str(said[-1].rows[0][0]) for name, said in zip(names, answers, strict=True)}
    prepare_question(wire, oids.values())
    return oids


def prepare_question(wire: Wire, oids: Iterable[str]) -> None:
    """Prepare the question which relations were written to; what is prepared outlives transactions."""
    listed = "{" + ",".join(oids) + "}"
    wire.run([(f"DEALLOCATE {PREPARED}",), (sql.SQL(_TOUCHED).format(sql.Literal(listed)).as_string(None),)])


class Arena:
    """One persona, and the worlds that differ behind its back."""

    def __init__(self, scene: Scene, border: Border, worlds: Sequence[Elsewhere], tally: Tally) -> None:
        self._wire, self._facts, self._border = scene.wire, scene.facts, border
        self.persona, self.worlds, self.tally = border.persona, tuple(worlds), tally
        self._names = {oid: name for name, oid in scene.oids.items()}
        self._memberships = scene.memberships
        self._proven = False
        self._becoming = (*as_persona(scene.plan.identities[self.persona.name]), _TIMEOUTS)
        self._counted: dict[str, int] = {}
        self._hangs = {name: relation_parents(relation) for name, relation in scene.facts.relations.items()}
        # Refreshed here as in the other worlds: when that was done may stand in a row, and must not differ.
        self._world_1 = (*scene.refresh, _BASE, *self._becoming)

    def run(self, programs: Sequence[Program]) -> tuple[list[Suspicion], list[Damage]]:
        """Run the programs in all worlds; returns what was learned and what was damaged, confirmed."""
        self._begin()
        answers, touched = self._act(programs)
        for program, answer in zip(programs, answers, strict=True):
            self.tally.count(program, answer)
        visits = [(world, self._comparable(world, programs, answers)) for world in self.worlds]
        visits = [(world, places) for world, places in visits if places]
        suspects: list[tuple[int, Elsewhere, Answer]] = []
        elsewhere: list[Damage] = []
        for world, places, (seconds, damages) in self._visited(programs, visits):
            elsewhere += damages
            self.tally.pairs += len(places)
            suspects += [
                (i, world, second) for i, second in zip(places, seconds, strict=True) if differ(answers[i], second)
            ]
        found = self._confirmed(programs, answers, suspects)
        return found, [*self._damages(programs, touched, self._facts.before), *elsewhere]

    @staticmethod
    def _comparable(world: Elsewhere, programs: Sequence[Program], answers: Sequence[Answer]) -> list[int]:
        """Places of the programs that the world can tell something about."""
        return [
            i for i, program in enumerate(programs) if _applies(world, program) and answers[i][-1].sqlstate != _TIMEOUT
        ]

    def learned(self, program: Program, worlds: Sequence[Elsewhere]) -> list[Difference | None]:
        """What the program tells about each of these worlds, nondeterminism left out; None also of those that the
        database refuses: part of what it accepts may violate a constraint."""
        found = self._suspicions(program, worlds)
        return [suspicion.difference if suspicion is not None else None for suspicion in found]

    def suspicion(self, program: Program, world: Elsewhere) -> Suspicion | None:
        """The program and the world with both observations; None where they are the same, or it is refused."""
        return self._suspicions(program, [world])[0]

    def lasting(self, suspicion: Suspicion) -> bool:
        """Whether it is the same every time, alternating between the worlds: what draws lots differs in the end."""
        program, world = suspicion.program, suspicion.world
        self._begin()
        both = (self._stay(None, [program] * 3), self._stay(world, [program] * 2))
        acted = self._act_each(both * _LASTING)
        self._leave()
        found = (_told(program, world, own, there) for own, there in zip(acted[::2], acted[1::2], strict=True))
        return all(one is not None and _alike(one, suspicion) for one in found)

    def _suspicions(self, program: Program, worlds: Sequence[Elsewhere]) -> list[Suspicion | None]:
        self._begin()
        stays = [self._stay(None, [program] * 3), *(self._stay(world, [program] * 2) for world in worlds)]
        own, *elsewhere = self._act_each(stays)
        self._leave()
        return [_told(program, world, own, there) for world, there in zip(worlds, elsewhere, strict=True)]

    def in_turn(self, program: Program, between: Elsewhere) -> tuple[Answer, Answer, Answer] | None:
        """The program's answers twice in world 1, then in another: what is not undone (sequences) goes on counting.

        None where the database refuses to make that world.
        """
        self._begin()
        stays = [self._stay(None, [program] * 2), self._stay(between, [program])]
        own, there = self._act_each(stays)
        self._leave()
        if own is None or there is None:
            return None
        (first, second), (third,) = own[0], there[0]
        return first, second, third

    def damage(self, program: Program, world: Elsewhere | None = None) -> Damage | None:
        """What the program changes that it may not change, in world 1 or in another."""
        self._begin()
        if world is not None:
            (heard,) = self._in_each([program], [(world, [0])])
            found = heard[1] if heard is not None else []
        else:
            _, touched = self._act([program])
            found = self._damages([program], touched, self._facts.before)
        return found[0] if found else None

    def _begin(self) -> None:
        try:
            self._wire.restart(self._world_1)
            if not self._proven:
                self._wire.settle()
                self._proven = True
        except psycopg.Error as error:
            raise TargetError(f"nobody can become {self.persona.name}: {str(error).strip()}") from error

    def _in_each(
        self, programs: Sequence[Program], visits: Sequence[tuple[Elsewhere, Sequence[int]]]
    ) -> list[_Heard | None]:
        """Answers of the programs at these places in other worlds; where others depend on what the persona does, also
        what was damaged there.  None of worlds that the database refuses."""
        chosen = [(world, [programs[i] for i in places]) for world, places in visits]
        acted = self._act_each([self._stay(world, here) for world, here in chosen])
        found = [
            self._heard(world, here, *there) if there is not None else None
            for (world, here), there in zip(chosen, acted, strict=True)
        ]
        self._leave()
        return found

    def _heard(
        self, world: Elsewhere, programs: Sequence[Program], answers: list[Answer], touched: Sequence[Sequence[QName]]
    ) -> _Heard:
        return answers, self._damages_in(world, programs, touched) if world.targets and any(touched) else []

    def _visited(
        self, programs: Sequence[Program], visits: Sequence[tuple[Elsewhere, list[int]]]
    ) -> list[tuple[Elsewhere, list[int], _Heard]]:
        """The visits that could be made and what was heard there.

        A world that the database refuses twice by now is given up: a number that a trigger draws anew may be taken.
        """
        heard = self._in_each(programs, visits)
        refused = [visit for visit, there in zip(visits, heard, strict=True) if there is None]
        again = iter(self._in_each(programs, refused) if refused else ())
        heard = [there if there is not None else next(again) for there in heard]
        self._give_up({world.name for (world, _), there in zip(visits, heard, strict=True) if there is None})
        return [(*visit, there) for visit, there in zip(visits, heard, strict=True) if there is not None]

    def _give_up(self, names: Set[str]) -> None:
        """Other worlds that programs are not run in any more."""
        self.worlds = tuple(world for world in self.worlds if world.name not in names)
        for name in names:
            self.tally.given_up.setdefault(name, self.persona.name)

    def _damages_in(
        self, world: Elsewhere, programs: Sequence[Program], touched: Sequence[Sequence[QName]]
    ) -> list[Damage]:
        names = sorted({name for names in touched for name in names})
        looking = [(as_observer(), self._facts.watches[name].query) for name in names]
        (said,) = self._wire.try_each([Part(set_up=self._entering(world), scripts=looking)])
        if said is None:
            return []  # the database refuses the world by now
        before = {
            name: self._facts.watches[name].rows(answer[-1], frozenset())
            for name, answer in zip(names, said, strict=True)
        }
        return [replace(damage, world=world) for damage in self._damages(programs, touched, before)]

    def _stay(self, world: Elsewhere | None, programs: Sequence[Program]) -> _Stay:
        return _Stay(entering=self._entering(world), programs=programs)

    def _entering(self, world: Elsewhere | None) -> Script:
        """What makes another world (None: world 1) around the persona."""
        return (_BACK, *(world.statements if world is not None else ()), *self._becoming)

    def _leave(self) -> None:
        self._wire.prepare(self._entering(None))

    def _act(self, programs: Sequence[Program]) -> _Acted:
        """Answers, and the relations that each program wrote to, in the world as it is."""
        (acted,) = self._act_each([_Stay(entering=(), programs=programs)])
        assert acted is not None, "nothing is entered"
        return acted

    def _act_each(self, stays: Sequence[_Stay]) -> list[_Acted | None]:
        """What programs came to in each of these states, all of them sent ahead; None of those that are refused."""
        parts = [Part(set_up=stay.entering, scripts=[_script(program) for program in stay.programs]) for stay in stays]
        heard = self._wire.try_each(parts)
        if any(said[-1].sqlstate == _NOT_PREPARED for answers in heard for said in answers or ()):
            prepare_question(self._wire, self._names)  # somebody forgot what the session had prepared
            heard = self._wire.try_each(parts)
        return [
            self._understood(stay.programs, answers) if answers is not None else None
            for stay, answers in zip(stays, heard, strict=True)
        ]

    def _understood(self, programs: Sequence[Program], heard: Sequence[Answer]) -> _Acted:
        answers: list[Answer] = []
        touched: list[tuple[QName, ...]] = []
        for program, said in zip(programs, heard, strict=True):
            lead = 1 if program.variation.settings else 0
            answers.append(said[lead : lead + len(program.lines)] or said[-1:])
            asked = program.writes and len(said) == lead + len(program.lines) + 1 and not said[-1].refused
            touched.append(self._touched(said[-1]) if asked else ())
        return answers, touched

    def _touched(self, observation: Observation) -> tuple[QName, ...]:
        """What was written to since the last look: the counters grow, and rolling back does not reset them."""
        found = []
        for pair in (observation.rows[0][0] or "").split():
            oid, count = pair.split(":")
            if int(count) != self._counted.get(oid, 0):
                self._counted[oid] = int(count)
                found.append(self._names[oid])
        return tuple(found)

    def _confirmed(
        self, programs: Sequence[Program], answers: Sequence[Answer], suspects: Sequence[tuple[int, Elsewhere, Answer]]
    ) -> list[Suspicion]:
        """Those that differ for no reason but the world: each world is asked again, and must say the same."""
        if not suspects:
            return []
        places = sorted({i for i, _, _ in suspects})
        own = self._stay(None, [programs[i] for i in places for _ in range(2)])
        visits = [(world, list(group)) for world, group in groupby(suspects, key=lambda suspect: suspect[1])]
        others = [self._stay(world, [programs[i] for i, _, _ in group]) for world, group in visits]
        mine, *elsewhere = self._act_each([own, *others])
        self._leave()
        if mine is None:
            return []
        repeats, _ = mine
        again = {i: repeats[2 * n : 2 * n + 2] for n, i in enumerate(places)}
        judged = [
            _judged(programs[i], world, answers[i], again[i], (second, repeat))
            for (world, group), there in zip(visits, elsewhere, strict=True)
            if there is not None
            for (i, _, second), repeat in zip(group, there[0], strict=True)
        ]
        self.tally.unsteady += judged.count(None)
        return [suspicion for suspicion in judged if suspicion is not None]

    def _damages(
        self, programs: Iterable[Program], touched: Iterable[Sequence[QName]], before: Mapping[QName, Snapshot]
    ) -> list[Damage]:
        """Look at what the programs wrote to, row by row."""
        todo = [(program, _acting(program), names) for program, names in zip(programs, touched, strict=True) if names]
        scripts = [
            (*acting, as_observer(), *(self._facts.watches[name].query for name in names)) for _, acting, names in todo
        ]
        found: list[Damage] = []
        for (program, acting, names), said in zip(todo, self._wire.run(scripts), strict=True):
            seen = said[len(acting) + 1 :]
            if len(seen) < len(names) or any(observation.refused for observation in seen):
                continue
            changes = [
                change
                for name, look in zip(names, seen, strict=True)
                for change in self._facts.watches[name].changes(name, before[name], look, frozenset())
            ]
            done = breaches(self._border, changes, _direct(program.lines), self._memberships, self._hangs)
            if done and len(program.lines) > 1:
                done = self._line_by_line(program, names, before)
            if program.variation.settings:  # an unusual token may entitle to more inside the own tenant
                done = [breach for breach in done if breach.crosses or breach.raised]
            if done:
                answer = said[len(acting) - len(program.lines) : len(acting)]
                found.append(Damage(program=program, breaches=tuple(done), answer=answer))
        return found

    def _line_by_line(self, program: Program, names: Sequence[QName], before: Mapping[QName, Snapshot]) -> list[Breach]:
        """Who changed what: what a call does to a relation that another line writes to is no direct write."""
        looks = (as_observer(), *(self._facts.watches[name].query for name in names))
        again = (*self._becoming, *_varied(program))
        parts = [(*(again if at else _varied(program)), line.sql, *looks) for at, line in enumerate(program.lines)]
        said = self._wire.run([tuple(statement for part in parts for statement in part)])[0]
        found: list[Breach] = []
        end = 0
        for line, part in zip(program.lines, parts, strict=True):
            end += len(part)
            seen = dict(zip(names, said[end - len(names) : end], strict=False))
            if len(said) < end or any(observation.refused for observation in seen.values()):
                break
            changes = [
                change
                for name, look in seen.items()
                for change in self._facts.watches[name].changes(name, before[name], look, frozenset())
            ]
            found += breaches(self._border, changes, _direct([line]), self._memberships, self._hangs)
            before = {name: self._facts.watches[name].rows(look, frozenset()) for name, look in seen.items()}
        return found


def _judged(
    program: Program, world: Elsewhere, first: Answer, again: Sequence[Answer], elsewhere: Sequence[Answer]
) -> Suspicion | None:
    """What differs for no reason but the world: asked *again*, in both of them, it is the same."""
    second, repeat = elsewhere
    difference = interference(first, second, again)
    if difference is None or interference(second, first, (repeat,)) is None:
        return None
    return Suspicion(program=program, world=world, difference=difference, first=first, second=second)


def _told(program: Program, world: Elsewhere, own: _Acted | None, there: _Acted | None) -> Suspicion | None:
    """What the program's answers in world 1 and in another tell; None where one of them could not be made."""
    if own is None or there is None:
        return None
    first, *again = own[0]
    return _judged(program, world, first, again, there[0])


def _alike(one: Suspicion, other: Suspicion) -> bool:
    at = one.difference.at
    pairs = ((one.first, other.first), (one.second, other.second))
    return at == other.difference.at and all(
        a[at].count == b[at].count and a[at].sqlstate == b[at].sqlstate for a, b in pairs
    )


def _applies(world: Elsewhere, program: Program) -> bool:
    """Inside the own tenant, functions and views are how the application opens what policies withhold, and an unusual
    token may entitle to less or more: there only plain statements on tables count."""
    if world.targets:
        targets = {target.relation for target in world.targets}
        return any(line.writes is not None and line.writes[0] in targets for line in program.lines)
    calls = any(line.calls for line in program.lines)
    return not world.inside or not (program.variation.settings or calls)


def _acting(program: Program) -> tuple[str, ...]:
    return (*_varied(program), *(line.sql for line in program.lines))


def _varied(program: Program) -> tuple[str, ...]:
    return (set_settings(program.variation.settings),) if program.variation.settings else ()


def _script(program: Program) -> tuple[str, ...]:
    return (*_acting(program), _ASK_TOUCHED) if program.writes else _acting(program)


def relation_parents(relation: Relation) -> Hanging:
    """What a row of the relation can hang on, and whether a write to one row may write to others of it."""
    parents = frozenset(key.references for key in relation.foreign_keys if key.references is not None)
    return Hanging(parents=parents, tangled=relation.name in parents or bool(relation.triggers))


def _direct(lines: Iterable[Line]) -> dict[QName, Command]:
    return {line.writes[0]: line.writes[1] for line in lines if line.writes is not None}
