"""
Membership life, searched by Hypothesis: people join, are promoted, demoted and removed; rows move and are marked.

A rule-based state machine (Hypothesis docs: "Stateful tests") takes steps in one transaction that is always rolled
back.  After each step personas read everything they can, those who lost something try to write, and the properties
judge with the memberships of that moment.  First the machine runs without stopping and collects what is reached
against the scenario; then, for each relation and property, it runs again until Hypothesis has shrunk the steps.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from typing import cast

from hypothesis import Phase
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tenantproof.core.finding import Finding, Property
from tenantproof.core.model import QName
from tenantproof.core.seeds import child_seed
from tenantproof.engine.findings import Locate
from tenantproof.engine.interference.drawing import by_seed_alone, drawing
from tenantproof.engine.interference.life_choices import LOSSES, Choice, Choices, State
from tenantproof.engine.interference.life_findings import Catch, findings_of
from tenantproof.engine.interference.life_moves import Moves, Step
from tenantproof.engine.interference.life_stage import Known, Neighbour, Sighting, Stage
from tenantproof.engine.interference.life_terrain import survey
from tenantproof.engine.plan import Plan
from tenantproof.engine.wire import Wire
from tenantproof.properties.membership import carried_by

_OTHERS = 2
_HEROES = 2
_SHRINKS = 60
"""Lives that are tried to find a shorter one."""

CARRIED = (
    "a token or a setting says by itself which tenant or role somebody has, until it expires: what removed or "
    "demoted members still reach with it was not judged"
)

_Key = tuple[QName, Property]


@dataclass(slots=True)
class Tally:
    """How the lives went."""

    steps: int = 0
    refused: int = 0
    """Steps that the database refused, or that touched nothing."""
    states: int = 0
    """States of one persona that were checked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """What was found, and how it went."""

    findings: tuple[Finding, ...]
    steps: int
    refused: int
    states: int
    notes: tuple[str, ...] = ()


class _Reached(Exception):
    """The target was reached: what Hypothesis shrinks towards the shortest life that does."""


class _Enough(BaseException):
    """Shrinking has taken long enough; Hypothesis lets through what is no Exception."""


@dataclass(slots=True)
class Watch:
    """What all lives of a run share: the stage, what may happen, and what was caught."""

    stage: Stage
    choices: Choices
    moves: Moves
    neighbour: Neighbour | None
    tally: Tally = field(default_factory=Tally)
    target: _Key | None = None
    """Stop where this is reached; None: collect."""
    catches: dict[_Key, Catch] = field(default_factory=dict)
    best: Catch | None = None
    lives: int = 0

    def caught(self, steps: Sequence[Step], sightings: Iterable[Sighting]) -> None:
        """Keep what is new; raise where it is the target."""
        for sighting in sightings:
            if self.target is None:
                self._collect(Catch.of(steps, sighting))
            elif sighting.key == self.target:
                if self.best is None or len(steps) <= len(self.best.steps):
                    self.best = Catch.of(steps, sighting)
                raise _Reached

    def _collect(self, catch: Catch) -> None:
        known = self.catches.get(catch.sighting.key)
        if known is None:
            self.catches[catch.sighting.key] = catch
        else:
            witnesses = (*known.witnesses, *(name for name in catch.witnesses if name not in known.witnesses))
            shorter = catch if len(catch.steps) < len(known.steps) else known
            self.catches[catch.sighting.key] = replace(shorter, witnesses=witnesses)

    def learn(self) -> None:
        """Find out what the database refuses to begin with, so that no life is spent on it."""
        first = self.stage.first
        offered = self.choices.every(first)
        refused = self.stage.refused([self.moves.step(choice) for choice in offered])
        self.choices.block((choice for choice, no in zip(offered, refused, strict=True) if no), first)

    def aim(self, target: _Key | None) -> None:
        """Stop where this is reached from now on."""
        self.target, self.best, self.lives = target, None, 0

    def begin(self) -> None:
        """A new life.  Raises _Enough where a shorter one was looked for long enough."""
        self.lives += self.best is not None
        if self.lives > _SHRINKS:
            raise _Enough
        self.stage.begin()

    def end(self) -> None:
        if self.neighbour is not None:
            self.neighbour.give_up()


def _any(kind: str) -> st.SearchStrategy[Choice]:
    """One of the choices of a kind that are possible in the machine's state."""
    return st.runner().flatmap(lambda machine: st.sampled_from(machine.possible(kind)))


def _some_of(names: Sequence[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.tuples(*(st.sampled_from(names) for _ in range(_HEROES)))


def _may(kind: str) -> Callable[[MembershipLife], bool]:
    return lambda machine: bool(machine.possible(kind))


class MembershipLife(RuleBasedStateMachine):
    """Who belongs where and as what, and everything that may change it."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch
        self.state: State = watch.stage.first
        self.before = self.state
        self.trail: list[Step] = []
        self.new: Step | None = None
        self.writing = False
        """Whether the neighbour is in the middle of a transaction: then writes would wait for its locks."""
        self.heroes: tuple[str, ...] = ()
        """Whom this life is about: few people, so that one thing after another happens to the same."""
        self._possible: dict[str, Sequence[Choice]] = {}
        watch.begin()

    def possible(self, kind: str) -> Sequence[Choice]:
        """The choices of this kind in the present state."""
        if kind not in self._possible:
            choices = self.watch.choices.of(kind, self.state)
            self._possible[kind] = [choice for choice in choices if choice.persona in ("", *self.heroes)]
        return self._possible[kind]

    @initialize(heroes=st.runner().flatmap(lambda machine: _some_of(tuple(machine.watch.stage.people))))
    def choose(self, heroes: tuple[str, ...]) -> None:
        self.heroes = heroes

    def take(self, choice: Choice) -> None:
        step = self.watch.moves.step(choice)
        state = self.watch.stage.take(step)
        if state is None:
            self.watch.tally.refused += 1
            return
        self.watch.tally.steps += 1
        self.before, self.state, self.new = self.state, state, step
        self.trail.append(step)
        self._possible.clear()

    @precondition(_may("join"))
    @rule(choice=_any("join"))
    def join(self, choice: Choice) -> None:
        self.take(choice)

    @precondition(_may("join another"))
    @rule(choice=_any("join another"))
    def join_another(self, choice: Choice) -> None:
        self.take(choice)

    @precondition(_may("invite"))
    @rule(choice=_any("invite"))
    def invite(self, choice: Choice) -> None:
        self.take(choice)

    @precondition(_may("accept"))
    @rule(choice=_any("accept"))
    def accept(self, choice: Choice) -> None:
        self.take(choice)

    @precondition(_may("come"))
    @rule(choice=_any("come"))
    def come(self, choice: Choice) -> None:
        self.take(choice)

    @precondition(_may("remove"))
    @rule(choice=_any("remove"))
    def remove(self, choice: Choice) -> None:
        self.take(choice)

    @precondition(_may("leave"))
    @rule(choice=_any("leave"))
    def leave(self, choice: Choice) -> None:
        self.take(choice)

    @precondition(_may("promote"))
    @rule(choice=_any("promote"))
    def promote(self, choice: Choice) -> None:
        self.take(choice)

    @precondition(_may("demote"))
    @rule(choice=_any("demote"))
    def demote(self, choice: Choice) -> None:
        self.take(choice)

    @precondition(_may("transfer"))
    @rule(choice=_any("transfer"))
    def transfer(self, choice: Choice) -> None:
        self.take(choice)

    @precondition(_may("remove owners"))
    @rule(choice=_any("remove owners"))
    def remove_owners(self, choice: Choice) -> None:
        self.take(choice)

    @precondition(_may("relocate"))
    @rule(choice=_any("relocate"))
    def relocate(self, choice: Choice) -> None:
        self.take(choice)

    @precondition(_may("hide"))
    @rule(choice=_any("hide"))
    def hide(self, choice: Choice) -> None:
        self.take(choice)

    @precondition(lambda machine: any(step.kind == "hide" for step in machine.trail))
    @rule(choice=_any("restore"))
    def restore(self, choice: Choice) -> None:
        self.take(choice)

    @precondition(_may("hang"))
    @rule(choice=_any("hang"))
    def hang(self, choice: Choice) -> None:
        self.take(choice)

    @precondition(lambda machine: machine.watch.neighbour is not None and not machine.writing)
    @rule(tenant=st.runner().flatmap(lambda machine: st.sampled_from(machine.watch.choices.tenants)))
    def somebody_elsewhere_writes(self, tenant: str) -> None:
        assert self.watch.neighbour is not None
        self.watch.neighbour.write(tenant)
        self.writing = True

    @precondition(lambda machine: machine.writing)
    @rule()
    def somebody_elsewhere_gives_up(self) -> None:
        assert self.watch.neighbour is not None
        self.watch.neighbour.give_up()
        self.writing = False

    @precondition(lambda machine: not any(machine.possible(kind) for kind in machine.watch.choices.kinds))
    @rule()
    def nothing_happens(self) -> None:
        """Hypothesis asks for something to be possible always."""

    @invariant()
    def nobody_reaches_more_than_they_may(self) -> None:
        step, self.new = self.new, None
        if step is None:
            return
        people = (*step.people, *self._others(step))
        self.watch.tally.states += len(people)
        self.watch.caught(self.trail, self.watch.stage.read(self.state, people))
        if step.kind in LOSSES and not self.writing:
            self.watch.caught(self.trail, self.watch.stage.write(self.state, step.people, self.before))

    def _others(self, step: Step) -> tuple[str, ...]:
        """Two more: first those to whom something happened before, then everybody in turn."""
        names = list(self.watch.stage.people)
        before = dict.fromkeys(name for earlier in reversed(self.trail[:-1]) for name in earlier.people)
        turn = (len(self.trail) * _OTHERS) % len(names)
        candidates = dict.fromkeys([*before, *names[turn:], *names[:turn]])
        return tuple([name for name in candidates if name not in step.people][:_OTHERS])

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self._farewell()
        finally:
            self.watch.end()

    def _farewell(self) -> None:
        """In the end those whom the life was about lose their roles, and then their memberships."""
        for kind in ("demote", "remove"):
            ways = {(choice.persona, choice.tenant): choice for choice in reversed(self.possible(kind))}
            for choice in ways.values():
                self.take(choice)
                self.nobody_reaches_more_than_they_may()


def life_findings(
    wire: Wire,
    plan: Plan,
    *,
    seed: int,
    examples: int,
    steps: int,
    known: Known,
    locate: Locate,
    conninfo: str | None = None,
) -> Lived:
    """Let *examples* lives of at most *steps* steps happen, and say who reached what they may not any more.

    *known* are (relation, command) pairs that leak already without any step; *conninfo* opens a second connection
    that writes at the same time (None: nobody does).  The wire's session must be the observer's; nothing is committed.
    """
    terrain = survey(wire, plan)
    if not terrain.rolls:
        return Lived(findings=(), steps=0, refused=0, states=0)
    with closing(Neighbour(conninfo, plan)) if conninfo is not None else nullcontext() as neighbour:
        watch = Watch(
            stage=Stage(wire, plan, terrain, known),
            choices=Choices(plan, terrain),
            moves=Moves(plan, terrain),
            neighbour=neighbour,
        )
        watch.learn()
        number = child_seed(seed, "life")
        _live(watch, number, examples, steps, (Phase.generate,))
        catches = list(_shortest(watch, number, examples, steps))
    wire.restart(())
    return Lived(
        findings=tuple(findings_of(plan, catches, locate)),
        steps=watch.tally.steps,
        refused=watch.tally.refused,
        states=watch.tally.states,
        notes=(CARRIED,) if carried_by(plan.scenario).anything else (),
    )


def _live(watch: Watch, number: int, examples: int, steps: int, phases: Sequence[Phase]) -> None:
    """Run the machine.  Raises _Reached, _Enough or an exception of Hypothesis where it stops before the end."""

    @seeded(number)
    def life() -> MembershipLife:
        return MembershipLife(watch)

    machine = cast("type[MembershipLife]", life)  # anything that returns a machine will do, says the docstring
    with by_seed_alone():
        run_state_machine_as_test(machine, settings=drawing(examples, phases, steps=steps))


def _shortest(watch: Watch, number: int, examples: int, steps: int) -> Iterator[Catch]:
    """Each catch with the fewest steps.  A life that shows one thing mostly shows others, so it is tried on them."""
    tally, watch.tally = watch.tally, Tally()
    done: list[Catch] = []
    for key, catch in sorted(watch.catches.items(), key=lambda item: (len(item[1].steps), str(item[0]))):
        if _always(watch, key):
            continue
        again = next((c for shown in done if (c := _shown_by(watch, key, shown.steps)) is not None), None)
        shortest = again or _shrunk(watch, key, catch, number, examples, steps)
        if shortest is not None:
            done.append(shortest)
            yield replace(shortest, witnesses=catch.witnesses)
    watch.tally = tally


def _always(watch: Watch, key: _Key) -> bool:
    """Whether it is reached without any step: then it is the matrix's affair."""
    stage = watch.stage
    stage.begin()
    sightings = stage.read if key[1] is Property.VISIBILITY else stage.write
    return any(sighting.key == key for sighting in sightings(stage.first, stage.people))


def _shrunk(watch: Watch, key: _Key, catch: Catch, number: int, examples: int, steps: int) -> Catch | None:
    """Steps left out as far as that goes; where several are needed, Hypothesis looks for a simpler life."""
    found = _without_idle(watch, key, catch.steps)
    if found is not None and len(found.steps) == 1:
        return _plainer(watch, key, found)
    watch.aim(key)
    try:
        _live(watch, number, examples, steps, (Phase.generate, Phase.shrink))
    except (_Reached, _Enough, HypothesisException):
        watch.end()
    best = watch.best
    watch.aim(None)
    simpler = _without_idle(watch, key, best.steps) if best is not None else None
    return min((c for c in (simpler, found) if c is not None), key=lambda c: len(c.steps), default=None)


def _plainer(watch: Watch, key: _Key, catch: Catch) -> Catch:
    """One person is removed or demoted, where that shows as much as something that happens to several at once."""
    if len(catch.steps[0].people) == 1:
        return catch
    first = watch.stage.first
    plain = [choice for kind in ("remove", "demote") for choice in watch.choices.of(kind, first)]
    touched = [watch.moves.step(choice) for choice in plain if choice.persona in catch.steps[0].people]
    return next((c for step in touched if (c := _shown_by(watch, key, (step,))) is not None), catch)


def _without_idle(watch: Watch, key: _Key, steps: tuple[Step, ...]) -> Catch | None:
    """The same with single steps left out, as long as it shows; None where it does not show again at all."""
    found = _shown_by(watch, key, steps)
    place = 0
    while found is not None and place < len(found.steps):
        fewer = _shown_by(watch, key, (*found.steps[:place], *found.steps[place + 1 :]))
        if fewer is None:
            place += 1
        else:
            found = fewer
    return found


def _shown_by(watch: Watch, key: _Key, steps: Sequence[Step]) -> Catch | None:
    """What these steps show of *key*; None where one of them is refused, or nothing shows."""
    stage = watch.stage
    stage.begin()
    before = state = stage.first
    for step in steps:
        after = stage.take(step)
        if after is None:
            return None
        before, state = state, after
    people = list(dict.fromkeys(name for step in reversed(steps) for name in step.people))
    if key[1] is Property.VISIBILITY:
        sightings = stage.read(state, dict.fromkeys([*people, *stage.people]))
    else:
        sightings = stage.write(state, people, before)
    return next((Catch.of(steps, sighting) for sighting in sightings if sighting.key == key), None)
