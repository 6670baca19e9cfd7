"""
The search: programs drawn by Hypothesis, run in batches in all worlds; what differs is traced to its root cause.

A root cause is looked into once.  Whoever meets it again is one more witness.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import Phase, given, seed
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase, ReadOnlyDatabase

from tenantproof.core.catalog import RelationKind
from tenantproof.core.finding import Property, Severity
from tenantproof.core.model import Persona, QName
from tenantproof.core.program import Line, Program
from tenantproof.core.seeds import child_random, child_seed
from tenantproof.engine.interference.arena import Damage, Suspicion, Tally
from tenantproof.engine.interference.catch import (
    Catch,
    Mechanism,
    Root,
    line_that_tells,
    root_of_damage,
    root_of_suspicion,
)
from tenantproof.engine.interference.drawing import by_seed_alone, drawing
from tenantproof.engine.interference.elsewhere import Elsewhere
from tenantproof.engine.interference.scene import Scene, Seat
from tenantproof.engine.interference.sequences import shared_sequences
from tenantproof.engine.interference.smallest import narrowed, plainer, smallest_program, smallest_world
from tenantproof.engine.interference.weight import severity_of
from tenantproof.generation.endings import endings
from tenantproof.generation.obvious import collisions, obvious_reads, obvious_writes
from tenantproof.generation.programs import Profile, programs_about
from tenantproof.generation.reads import everything
from tenantproof.generation.vocabulary import Noun, Verb

_AT_ONCE = 80
"""Subjects of one batch: more do not fit into one example of Hypothesis."""

_CALLS = 16
"""Functions called for the first time in one batch: each may hang until its time is up."""

_EXAMPLES = 8
"""Batches drawn at a time; the first of Hypothesis is always the simplest, which was said before."""

_SHORT = 60
"""Characters of a program that need not be shrunk."""

_RETRIES = 4
_TRIES = 250
"""Programs drawn to meet a violation again and shrink it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How far to search, and where from."""

    attempts: int
    seed: int
    profile: Profile = Profile.SQL
    obvious: bool = False
    """Whether to begin with the plainest writes, which the matrix tries too."""
    examples: Path | None = None
    """A folder that keeps what was found, to be tried first the next time."""


@dataclass(slots=True)
class Hunt:
    """One search over all personas.  `known` are (relation, command) pairs that the matrix says leak already."""

    scene: Scene
    budget: Budget
    known: frozenset[tuple[QName, str]] = frozenset()
    tally: Tally = field(default_factory=Tally)
    catches: dict[tuple[Property, Root], Catch] = field(default_factory=dict)
    share: float = 0.0
    """How much of the round is done, from 0 to 1, as the persona's turn tells it."""
    _alias: dict[tuple[object, ...], tuple[Property, Root]] = field(default_factory=dict)
    _traced: Counter[tuple[object, ...]] = field(default_factory=Counter)
    _seats: dict[str, Seat] = field(default_factory=dict)
    _tried: set[int] = field(default_factory=set)
    """Hashes of what was run: a long search says a lot."""
    _round: int = 0

    def sweep(self, enough: Callable[[], bool] = lambda: False) -> Iterator[Tally]:
        """One pass over the cast, each with a part of the budget.  Yields after each batch."""
        self._round += 1
        cast = self.scene.cast
        for number, persona in enumerate(cast):
            self.share = number / len(cast)
            seat = self.seat(persona)
            self._sequences(seat)
            yield from self._stored(seat)
            yield from self._batches(seat, max(1, self.budget.attempts // len(cast)), enough)
            if enough():
                return

    def seat(self, persona: Persona) -> Seat:
        """The persona's seat, made once."""
        if persona.name not in self._seats:
            self._seats[persona.name] = Seat(self.scene, persona, self.tally)
        return self._seats[persona.name]

    def _sequences(self, seat: Seat) -> None:
        if self._round == 1:
            for catch in shared_sequences(seat):
                known = self.catches.setdefault((catch.property, catch.root), catch)
                known.seen_by(seat.persona.name)

    def _stored(self, seat: Seat) -> Iterator[Tally]:
        """What an earlier search found, before anything new."""
        if self._round > 1 or self.budget.examples is None or not self.budget.examples.is_dir():
            return
        for subject in seat.vocabulary.subjects:
            place = self._folder(subject.name)
            if place is not None and place.is_dir():
                programs = programs_about(subject, seat.vocabulary, self.budget.profile)
                found = smallest_program(
                    programs,
                    lambda program: any(seat.arena.run([program])),
                    number=1,
                    tries=_TRIES,
                    database=ReadOnlyDatabase(DirectoryBasedExampleDatabase(place)),  # of use to others, if not here
                    only_stored=True,
                )
                self._run(seat, [found] if found is not None else [])
                yield self.tally

    def _batches(self, seat: Seat, attempts: int, enough: Callable[[], bool]) -> Iterator[Tally]:
        subjects = list(seat.subjects)
        if not subjects:
            return
        self._first_calls(seat, enough)
        self._run(seat, list(obvious_reads(seat.vocabulary)))
        self._run(seat, list(collisions(seat.vocabulary)))
        if self.budget.obvious:
            self._run(seat, list(obvious_writes(seat.vocabulary)))
        self._run(seat, self._endings(seat))
        # Each persona begins elsewhere: in a large schema nobody comes round.
        child_random(self.budget.seed, "order", seat.persona.name, self._round).shuffle(subjects)
        start = self.tally.attempts
        turn = idle = 0
        while self.tally.attempts - start < attempts and turn < attempts and not enough():
            turn += 1
            before = self.tally.attempts
            left = attempts - self.tally.attempts + start
            chosen, subjects = subjects[:_AT_ONCE], [*subjects[_AT_ONCE:], *subjects[:_AT_ONCE]]
            for batch in self._draw(seat, chosen, turn, min(_EXAMPLES, left // len(chosen) + 2)):
                self._run(seat, batch)
                yield self.tally
                if self.tally.attempts - start >= attempts or enough():
                    return
            idle = idle + 1 if self.tally.attempts == before else 0
            if idle * _AT_ONCE >= len(subjects):
                return  # everything that can be said was said

    def _draw(self, seat: Seat, subjects: Sequence[Noun | Verb], turn: int, examples: int) -> list[list[Program]]:
        """Batches with a program about each subject."""
        drawn: list[list[Program]] = []
        alive = [subject for subject in subjects if _key(subject) not in self.tally.slow]
        strategy = st.tuples(*(programs_about(subject, seat.vocabulary, self.budget.profile) for subject in alive))

        @drawing(examples, [Phase.generate])
        @seed(child_seed(self.budget.seed, "hunt", seat.persona.name, self._round, turn))
        @given(strategy)
        def draw(programs: tuple[Program, ...]) -> None:
            drawn.append(list(programs))

        with by_seed_alone():
            draw()
        return drawn

    def _first_calls(self, seat: Seat, enough: Callable[[], bool]) -> None:
        """Each function once by itself, to learn which of them hang; until it is *enough*."""
        if self._round > 1:
            return
        verbs = [verb for verb in seat.vocabulary.verbs if _key(verb) not in self.tally.slow]
        for start in range(0, len(verbs), _CALLS):
            drawn = [self._draw(seat, [verb], 0, 1)[0] for verb in verbs[start : start + _CALLS]]
            self._run(seat, [program for programs in drawn for program in programs])
            if enough():
                return

    def _endings(self, seat: Seat) -> list[Program]:
        targets = [target for world in seat.worlds for target in world.targets]
        return [
            program
            for noun in seat.vocabulary.nouns
            for program in endings(noun, [target.key for target in targets if target.relation == noun.name])
        ]

    def _run(self, seat: Seat, programs: Sequence[Program]) -> None:
        fresh = [program for program in programs if self._is_new(seat, program)]
        if not fresh:
            return
        suspicions, damages = seat.arena.run(fresh)
        for damage in sorted(damages, key=lambda damage: _size(damage.program)):
            self._meet_damage(seat, damage)
        for suspicion in sorted(suspicions, key=lambda suspicion: _size(suspicion.program)):
            self._meet_suspicion(seat, suspicion)

    def _is_new(self, seat: Seat, program: Program) -> bool:
        what = hash((seat.persona.name, program.text, program.variation.settings))
        if what in self._tried or any((line.subject, line.calls) in self.tally.slow for line in program.lines):
            return False
        self._tried.add(what)
        return True

    def _meet_suspicion(self, seat: Seat, suspicion: Suspicion) -> None:
        alias = _alias_of(suspicion.program, self._root(suspicion), line_that_tells(suspicion))
        if self._is_witnessed(seat, alias):
            return
        if not seat.arena.lasting(suspicion):
            self.tally.unsteady += 1
            return
        self._keep(seat, alias, self._trace(seat, suspicion))

    def _meet_damage(self, seat: Seat, damage: Damage) -> None:
        root = root_of_damage(damage)
        alias = ("damage", *_alias_of(damage.program, root, damage.program.lines[-1]))
        if not self._is_witnessed(seat, alias):
            self._keep(seat, alias, self._trace_damage(seat, damage))

    def _is_witnessed(self, seat: Seat, alias: tuple[object, ...]) -> bool:
        """Whether a violation of that look was traced before, and to something that counts.

        Of a look that came to little more than one is traced: a function that tells whether an id exists may also tell
        what stands there.
        """
        known = self._alias.get(alias)
        if known is None:
            return False
        catch = self.catches[known]
        if not _counts(catch.severity) and self._traced[alias] < _RETRIES:
            return False
        catch.seen_by(seat.persona.name)
        return True

    def _keep(self, seat: Seat, alias: tuple[object, ...], catch: Catch) -> None:
        catch.severity = severity_of(seat, catch)
        key = (catch.property, catch.root)
        known = self.catches.get(key)
        if known is None or _rank(catch) > _rank(known):
            catch.witnesses = [*(known.witnesses if known is not None else ()), *catch.witnesses]
            self.catches[key] = catch
        self.catches[key].seen_by(seat.persona.name)
        self._alias[alias] = key
        self._traced[alias] += 1

    def _root(self, suspicion: Suspicion) -> Root:
        return root_of_suspicion(suspicion, is_view=self._is_view(line_that_tells(suspicion).subject))

    def _is_view(self, name: QName) -> bool:
        relation = self.scene.plan.catalog.relations.get(name)
        return relation is not None and relation.kind in (RelationKind.VIEW, RelationKind.MATVIEW)

    def _trace(self, seat: Seat, suspicion: Suspicion) -> Catch:
        """From a raw suspicion to a root cause with the smallest evidence."""
        suspicion = self._plainest(seat, suspicion)
        as_met = self._as_catch(suspicion)
        if severity_of(seat, as_met) is None:
            return as_met  # no news, in whatever world
        world = smallest_world(seat, suspicion.program, suspicion.world)
        open_table = self._openly_read(seat, suspicion.program, world)
        if open_table is not None:
            return open_table
        root = self._root(suspicion)
        subject = self._subject(seat, line_that_tells(suspicion).subject)
        program = suspicion.program
        if not _counts(severity_of(seat, self._as_catch(replace(suspicion, world=world)))):
            subject = None  # what comes to little is told as it was met
        if subject is not None:

            def shows(candidate: Program) -> bool:
                again = seat.arena.suspicion(candidate, world)
                return again is not None and self._root(again) == root

            program = self._smaller(seat, subject, shows) or program
        world = narrowed(seat, program, world)
        final = seat.arena.suspicion(program, world) or suspicion
        return self._as_catch(final)

    def _smaller(self, seat: Seat, subject: Noun | Verb, shows: Callable[[Program], bool]) -> Program | None:
        """The simplest program about the subject that still shows it; None where none is met again."""
        folder = self._folder(subject.name)
        return smallest_program(
            programs_about(subject, seat.vocabulary, self.budget.profile),
            shows,
            number=child_seed(self.budget.seed, "shrink", str(subject.name)),
            tries=_TRIES,
            database=DirectoryBasedExampleDatabase(folder) if folder is not None else None,
        )

    def _as_catch(self, suspicion: Suspicion) -> Catch:
        root = self._root(suspicion)
        line = line_that_tells(suspicion)
        command = str(line.writes[1]) if line.writes is not None else "select"
        told = (root.object, command) not in self.known or root.mechanism is Mechanism.CONSTRAINT
        return Catch(
            property=Property.CONFIDENTIALITY,
            root=root,
            program=suspicion.program,
            first=suspicion.first,
            second=suspicion.second,
            world=suspicion.world,
            at=suspicion.difference.at,
            told=told,
        )

    def _plainest(self, seat: Seat, suspicion: Suspicion) -> Suspicion:
        """The same without the unusual request and without other statements, where it does not take them."""
        for candidate in plainer(suspicion.program):
            found = seat.arena.suspicion(candidate, suspicion.world)
            if found is not None:
                return found
        return suspicion

    def _openly_read(self, seat: Seat, program: Program, world: Elsewhere) -> Catch | None:
        """The catch of a plain SELECT, where what happened can simply be read in a relation that the program names or
        that was changed: that is the root cause then."""
        if program.variation.settings or len(program.lines) > 1:
            return None
        named = [happening.relation for happening in world.happenings[:1]]
        line = program.lines[0]
        named += [*line.relations, line.subject] if len(line.relations) > 1 or line.shape != "select" else []
        for name in dict.fromkeys(named):
            noun = seat.vocabulary.noun(name)
            plain = Program(lines=(everything(noun),)) if noun is not None else None
            suspicion = seat.arena.suspicion(plain, world) if plain is not None else None
            if suspicion is not None:
                smaller = seat.arena.suspicion(suspicion.program, narrowed(seat, suspicion.program, world))
                return self._as_catch(smaller or suspicion)
        return None

    def _trace_damage(self, seat: Seat, damage: Damage) -> Catch:
        damage = self._plainest_damage(seat, damage)
        hurt = damage.breaches[0]
        subject = self._subject(seat, root_of_damage(damage).object)
        program = damage.program
        if subject is not None and damage.world is None and len(damage.program.text) > _SHORT:

            def shows(candidate: Program) -> bool:
                again = seat.arena.damage(candidate)
                return again is not None and any(
                    breach.change.relation == hurt.change.relation and breach.crosses == hurt.crosses
                    for breach in again.breaches
                )

            program = self._smaller(seat, subject, shows) or program
        world = self._smallest_dependence(seat, program, damage)
        final = seat.arena.damage(program, world) or replace(damage, world=world)
        root = root_of_damage(final)
        breach = final.breaches[0]
        told = (root.object, str(breach.change.command)) not in self.known
        return Catch(
            property=Property.INTEGRITY,
            root=root,
            program=final.program,
            first=final.answer,
            world=final.world,
            at=len(final.answer) - 1,
            breaches=final.breaches,
            told=told,
        )

    def _plainest_damage(self, seat: Seat, damage: Damage) -> Damage:
        for candidate in plainer(damage.program):
            found = seat.arena.damage(candidate, damage.world)
            if found is not None:
                return found
        return damage

    def _smallest_dependence(self, seat: Seat, program: Program, damage: Damage) -> Elsewhere | None:
        if damage.world is None:
            return None
        hurt = {breach.change.relation for breach in damage.breaches}
        for happening in damage.world.happenings:
            if happening.relation not in hurt:
                continue
            single = damage.world.only([happening])
            if seat.arena.damage(program, single) is not None:
                return single
        return damage.world

    def _subject(self, seat: Seat, name: QName) -> Noun | Verb | None:
        return next((subject for subject in seat.vocabulary.subjects if subject.name == name), None)

    def _folder(self, name: QName) -> Path | None:
        return self.budget.examples / f"{name.schema}.{name.name}" if self.budget.examples is not None else None


def _counts(severity: Severity | None) -> bool:
    return severity is not None and severity.rank >= Severity.MEDIUM.rank


def _key(subject: Noun | Verb) -> tuple[QName, bool]:
    return subject.name, isinstance(subject, Verb)


def _rank(catch: Catch) -> int:
    return -1 if catch.severity is None else catch.severity.rank


def _alias_of(program: Program, root: Root, line: Line) -> tuple[object, ...]:
    """What a raw violation looks like: another of the same look is taken for the same root cause."""
    steps = tuple(line.subject for line in program.lines)
    return (root, line.shape if len(line.relations) > 1 else "", frozenset(line.relations), steps)


def _size(program: Program) -> tuple[int, int, int]:
    return (len(program.lines), len(program.variation.settings), len(program.text))
