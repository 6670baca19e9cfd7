"""
Rows that CHECKs refuse, changed until they hold: simple conditions solved, the rest searched, the database judging.

A row is judged as a whole; the CHECKs that share columns are solved together.  First the ways in which they can hold
are tried, those first that ask for the fewest changes; what is left is searched at random, by seed, up to a budget.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tenantproof.core.catalog import ConstraintKind, Relation
from tenantproof.core.seeds import child_random
from tenantproof.seeding.branches import Atom, Branch, branches
from tenantproof.seeding.checks import identifiers_in
from tenantproof.seeding.demands import Demand, Reading, read_branch
from tenantproof.seeding.equations import Step, solutions
from tenantproof.seeding.expressions import expression_of, parse
from tenantproof.seeding.inlining import Body, written_out
from tenantproof.seeding.judging import Judge, Proposal, Trial, Verdict
from tenantproof.seeding.proposals import Place, proposals
from tenantproof.seeding.store import Values

_ROUNDS = 4
_COMBINATIONS = 24
_TRIALS = 240
_RANDOM_ROUNDS = 3
_REMEMBERED = 4
_GIVE_UP = 4
"""Rows of a table that were not solved, one after the other, before no more are tried."""

Changes = tuple[tuple[str, Proposal], ...]
"""Columns and what they become, one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One CHECK of the table, or of a domain with the column in place of VALUE."""

    name: str
    sql: str
    names: frozenset[str]
    ways: tuple[Branch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The row to solve: what may change, and where new values come from."""

    values: Values
    number: int
    frozen: frozenset[str]
    """Columns that keep their value."""
    detachable: frozenset[str]
    """Columns that keep their value or become NULL."""
    unique: frozenset[str]
    """Columns of unique indexes and exclusion constraints: what suits one row there is no good for the next."""
    choices: Mapping[str, tuple[str | None, ...]]
    """Columns that refer to a row, and the values there are: they take one of these, or NULL."""
    dear: frozenset[str]
    """Columns whose value the rows of a tenant differ in: changed only where nothing else helps."""
    make: Callable[[str], str | None]
    element: Callable[[str], str | None]
    acceptable: Callable[[Values], bool]
    """Whether such a row would break no unique key."""


class Solver:
    """Solves rows of one table; remembers which changes helped."""

    def __init__(
        self, relation: Relation, judge: Judge, bodies: Mapping[str, Body], seed: int, *, routing: str = ""
    ) -> None:
        self._relation, self._judge, self._bodies, self._seed = relation, judge, bodies, seed
        self._columns = {column.name: column for column in relation.columns}
        checks = checks_of(relation, bodies, routing)
        required = frozenset(column.name for column in relation.columns if column.not_null)
        self._groups = [_Group(judge, checks, required) for checks in _groups(checks)]
        self._readings: dict[Atom, Reading] = {}
        self._failures = 0

    @property
    def has_checks(self) -> bool:
        """Whether there is anything to solve."""
        return bool(self._groups)

    def mend(self, subject: Subject) -> Values | None:
        """The row's values, changed so that every CHECK holds, or None where that was not achieved."""
        if self._failures >= _GIVE_UP:
            return None
        for group in self._broken(subject):
            solved = self._solve(group, subject)
            if solved is None:
                self._failures += 1
                return None
            subject = replace(subject, values=solved)
        self._failures = 0
        return subject.values

    def _broken(self, subject: Subject) -> list[_Group]:
        """The groups that do not hold of the row as it is: one question for all CHECKs."""
        conditions = [condition for group in self._groups for condition in group.conditions]
        names = frozenset().union(*(group.names for group in self._groups))
        (verdict,) = self._judge.ask([Trial(values=subject.values)], conditions, names)
        answers = iter(verdict.holds)
        held = [all(list(itertools.islice(answers, len(group.conditions)))) for group in self._groups]
        return [group for group, holds in zip(self._groups, held, strict=True) if not holds]

    def _solve(self, group: _Group, subject: Subject) -> Values | None:
        """The values with the CHECKs of one group solved."""
        search = _Search(group, subject)
        if search.go([(), *group.helpful(subject)]):
            return search.subject.values
        for _ in range(_ROUNDS):
            met = search.met
            if search.go(list(itertools.islice(self._trials(group, search.subject), _TRIALS))):
                return search.subject.values
            if search.met == met:
                break
        for turn in range(_RANDOM_ROUNDS):
            if search.go(self._random(group, search.subject, turn)):
                return search.subject.values
        return None

    def _trials(self, group: _Group, subject: Subject) -> Iterator[Changes]:
        truth = self._truth(group, subject)
        ways = [_ordered(check.ways, truth, subject) for check in group.checks if check.ways]
        combined = itertools.islice(itertools.product(*ways), 4_000)
        cheapest = sorted(combined, key=lambda combo: _cost(combo, truth, subject))[:_COMBINATIONS]
        offers = [self._changes(tuple(itertools.chain(*combo)), truth, subject) for combo in cheapest]
        yield from _interleaved(offers)

    def _truth(self, group: _Group, subject: Subject) -> dict[Atom, bool]:
        """Which simple conditions hold of the row as it is."""
        atoms = group.atoms
        (verdict,) = self._judge.ask([Trial(values=subject.values)], [atom.sql for atom in atoms], group.names)
        return dict(zip(atoms, verdict.holds, strict=True)) if verdict.holds else {}

    def _changes(self, atoms: Branch, truth: Mapping[Atom, bool], subject: Subject) -> Iterator[Changes]:
        """Changes that may make all atoms hold, the likely ones first."""
        wrong = [atom for atom in atoms if not truth.get(atom)]
        demanded = dict.fromkeys(name for atom in wrong for name in self._reading(atom).demands)
        whole = read_branch(atoms, self._bodies)
        free = [name for name in demanded if self._may_change(name, subject)]
        width = {1: 40, 2: 9, 3: 5}.get(len(free), 3)
        options = [[(name, value) for value in self._options(name, whole, subject)[:width]] for name in free]
        steps = list(self._steps(wrong, atoms, frozenset(free), subject))
        filled = [option for option in options if option]
        for chosen in itertools.islice(itertools.product(*filled), _TRIALS):
            for ending in steps or [()]:
                yield (*chosen, *ending)

    def _may_change(self, name: str, subject: Subject) -> bool:
        column = self._columns.get(name)
        return column is not None and name not in subject.frozen and not column.generated

    def _options(self, name: str, reading: Reading, subject: Subject, turn: int = 0) -> list[Proposal]:
        demand = reading.demands.get(name, Demand())
        found, excluded = proposals(demand, self._place(name, subject, turn)), demand.excluded
        if name in subject.choices:
            known = subject.choices[name]
            return [*(value for value in known if value not in excluded), *([None] if None in found else [])]
        return [value for value in found if value is None] if name in subject.detachable else found

    def _place(self, name: str, subject: Subject, turn: int) -> Place:
        return Place(
            column=self._columns[name],
            now=subject.values.get(name),
            number=subject.number,
            rng=child_random(self._seed, self._relation.name, name, subject.number, turn),
            make=subject.make,
            element=subject.element,
        )

    def _steps(
        self, wrong: Iterable[Atom], atoms: Branch, changed: frozenset[str], subject: Subject
    ) -> Iterator[tuple[Step, ...]]:
        """Sequences of computed changes, one for each comparison between columns that does not hold."""
        columns = {
            name: column
            for name, column in self._columns.items()
            if self._may_change(name, subject) and name not in subject.detachable | subject.choices.keys()
        }
        broken = set(wrong)
        ways: list[list[Step]] = []
        for atom in atoms:
            for left, operator, right in self._reading(atom).relations:
                if atom in broken or changed & (left.names | right.names):
                    found = list(solutions(left, operator, right, columns))
                    ways += [found] if found else []
        for order in (ways, ways[::-1]) if len(ways) > 1 else (ways,):
            yield from itertools.islice(itertools.product(*order), 24)

    def _reading(self, atom: Atom) -> Reading:
        if atom not in self._readings:
            self._readings[atom] = read_branch([atom], self._bodies)
        return self._readings[atom]

    def _random(self, group: _Group, subject: Subject, turn: int) -> list[Changes]:
        """Random changes of one to three columns, from everything that any way of the CHECKs suggests."""
        rng = child_random(self._seed, self._relation.name, group.checks[0].name, subject.number, turn)
        names = sorted(name for name in group.names if self._may_change(name, subject))
        pools = {}
        for name in names:
            about = [read_branch([atom], self._bodies) for atom in group.atoms if name in atom.node.names]
            offers = (self._options(name, reading, subject, turn + 1) for reading in [*about, Reading()])
            pools[name] = list(dict.fromkeys(itertools.chain(*offers)))
        known = [name for name in names if pools[name]]
        if not known:
            return []
        return [
            tuple((name, rng.choice(pools[name])) for name in rng.sample(known, min(len(known), rng.randint(1, 3))))
            for _ in range(_TRIALS)
        ]


class _Group:
    """CHECKs that share columns, and what helped rows before."""

    def __init__(self, judge: Judge, checks: Sequence[Check], required: frozenset[str]) -> None:
        self.checks, self._judge, self._required = checks, judge, required
        self.conditions = [f"(({check.sql}) IS NOT FALSE)" for check in checks]
        self.names = frozenset().union(*(check.names for check in checks))
        self.atoms = list(dict.fromkeys(atom for check in checks for way in check.ways for atom in way))
        self.helped: list[Changes] = []

    def judge(self, offers: Sequence[Changes], subject: Subject) -> Iterator[tuple[Changes, Verdict]]:
        """The offers with what the database says of them, asked in small portions first."""
        for start, end in ((0, 12), (12, 60), (60, len(offers))):
            trials = [Trial(values=subject.values, changes=changes) for changes in offers[start:end]]
            yield from zip(offers[start:end], self._judge.ask(trials, self.conditions, self.names), strict=True)

    def is_solved(self, verdict: Verdict) -> bool:
        """Whether all hold, and no required column was computed to be NULL."""
        lost = any(value is None and name in self._required for name, value in verdict.values.items())
        return all(verdict.holds) and not lost

    def helpful(self, subject: Subject) -> list[Changes]:
        """What helped before and leaves alone what should stay."""
        kept = subject.frozen | subject.dear | subject.detachable | subject.unique | subject.choices.keys()
        return [changes for changes in self.helped if not any(name in kept for name, _ in changes)]

    def learn(self, changes: Changes) -> None:
        """Try these first on the next row."""
        if changes:
            self.helped = [changes, *(known for known in self.helped if known != changes)][:_REMEMBERED]


class _Search:
    """The best row so far, and how many of the group's conditions it meets."""

    def __init__(self, group: _Group, subject: Subject) -> None:
        self._group, self.subject = group, subject
        self.met = -1

    def go(self, offers: Sequence[Changes]) -> bool:
        """Try changes until some solve the row; otherwise keep those that get nearest."""
        nearest = self.subject
        for changes, verdict in self._group.judge(offers, self.subject):
            values = self.subject.values | verdict.values
            if self._group.is_solved(verdict) and self.subject.acceptable(values):
                self.subject = replace(self.subject, values=values)
                self._group.learn(changes)
                return True
            if verdict.met > self.met and not all(verdict.holds):
                self.met, nearest = verdict.met, replace(self.subject, values=values)
        self.subject = nearest
        return False


def checks_of(relation: Relation, bodies: Mapping[str, Body], routing: str = "") -> list[Check]:
    """The CHECKs that can be judged before a row is written: those on columns that are not computed.

    *routing* is the condition that a row has a partition.
    """
    found = [
        _check(constraint.name, expression_of(constraint.definition), relation, bodies)
        for constraint in relation.constraints
        if constraint.kind is ConstraintKind.CHECK
    ]
    for column in relation.columns:
        for number, definition in enumerate(column.domain_checks):
            text = _with_column(expression_of(definition), column.name)
            found.append(_check(f"{column.name} {number}", text, relation, bodies))
    if routing:
        found.append(_check("partition", routing, relation, bodies))
    computed = {column.name for column in relation.columns if column.generated}
    return [check for check in found if not check.names & computed]


def _check(name: str, text: str, relation: Relation, bodies: Mapping[str, Body]) -> Check:
    node = parse(written_out(text, bodies)) or parse(text)
    words = node.names if node is not None else identifiers_in(text)
    return Check(
        name=name,
        sql=text,
        names=frozenset(words) & set(relation.column_names),
        ways=branches(node) if node is not None else (),
    )


def _with_column(text: str, column: str) -> str:
    """A domain's CHECK with the column where it says VALUE."""
    quoted = '"' + column.replace('"', '""') + '"'
    pieces = re.split(r"('(?:[^']|'')*'|\"(?:[^\"]|\"\")+\")", text)
    return "".join(p if n % 2 else re.sub(r"\bVALUE\b", lambda _: quoted, p) for n, p in enumerate(pieces))


def _groups(checks: Sequence[Check]) -> list[list[Check]]:
    """CHECKs that share columns, together."""
    groups: list[list[Check]] = []
    for check in checks:
        near = [group for group in groups if any(check.names & other.names for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([*itertools.chain(*near), check])
    return groups


def _ordered(ways: Sequence[Branch], truth: Mapping[Atom, bool], subject: Subject) -> list[Branch]:
    """The cheapest ways: few of a CHECK that holds as it is."""
    found = sorted(ways, key=lambda way: _cost([way], truth, subject))
    return found[:2] if not any(_cost(found[:1], truth, subject)) else found[:8]


def _cost(combo: Sequence[Branch], truth: Mapping[Atom, bool], subject: Subject) -> tuple[int, int, int]:
    """How many simple conditions cannot be changed, had better not be, and must be."""
    wrong = {atom for way in combo for atom in way if not truth.get(atom)}
    stuck = sum(atom.node.names <= subject.frozen for atom in wrong)
    dear = sum(atom.node.names <= subject.frozen | subject.dear for atom in wrong)
    opposed = {atom for way in combo for atom in way}
    contradictions = sum(Atom(atom.node, not atom.holds) in opposed for atom in opposed)
    return stuck + contradictions, dear, len(wrong)


def _interleaved(offers: Sequence[Iterator[Changes]]) -> Iterator[Changes]:
    """The first of each, then the second of each…"""
    pending = list(offers)
    share = 24
    while pending:
        following = []
        for offer in pending:
            part = list(itertools.islice(offer, share))
            yield from part
            following += [offer] if len(part) == share else []
        pending = following
