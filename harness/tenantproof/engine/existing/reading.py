"""Each persona before each relation: what they see, within the limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg

from tenantproof.channels import matrix as _filled  # noqa: F401  (importing it fills the catalogue)
from tenantproof.channels.registry import CHANNELS
from tenantproof.channels.stand import Stand
from tenantproof.core.attempt import Attempt, Outcome
from tenantproof.core.catalog import Relation
from tenantproof.core.errors import TargetError
from tenantproof.core.finding import Verdict
from tenantproof.core.model import Command, Persona, QName
from tenantproof.engine.bench import Bench, Ground
from tenantproof.engine.existing.judging import Cell, judge_part, judge_unreadable, judge_whole
from tenantproof.engine.existing.limits import Deadline
from tenantproof.engine.existing.probes import Probe, probes
from tenantproof.engine.existing.remarks import acting_outside
from tenantproof.engine.existing.samples import Sample, Sampler
from tenantproof.engine.existing.wording import OPEN, out_of_bounds
from tenantproof.engine.matrix import NOT_REACHED, Judged
from tenantproof.engine.plan import Plan
from tenantproof.engine.wire import Wire
from tenantproof.properties.visibility import Judgement

_AT_ONCE = 10
"""Relations that are asked for in one go; between two the clock is looked at."""

_PATIENCE = 2
"""Timeouts of one relation after which no further persona is sent there."""

_IN_VAIN = f"the search ran into the time limit for {_PATIENCE} personas before"

READ = "READ"


@dataclass(kw_only=True)
class Reader:
    """Asks as one persona after another.  `asked` keeps the probes by what they asked, for the scripts."""

    wire: Wire
    plan: Plan
    samples: Mapping[QName, Sample]
    sampler: Sampler
    deadline: Deadline
    stop: Callable[[], bool]
    asked: dict[str, Probe] = field(default_factory=dict)
    _timeouts: Counter[QName] = field(default_factory=Counter)
    _searched_in_vain: Counter[QName] = field(default_factory=Counter)
    """Timeouts of the search of a large relation for rows of others, after which its sample alone is asked for."""

    def read(self, persona: Persona) -> Iterator[Cell]:
        """The persona's read cells, in no order."""
        bench: Bench | None = None
        stands = [self._stand(persona, relation) for relation in self.plan.relations]
        waiting: list[Stand] = []
        for stand in stands:
            reason = self._passed_over(stand.relation)
            if reason:
                yield _untested(stand, reason)
            else:
                waiting.append(stand)
        for place in range(0, len(waiting), _AT_ONCE):
            batch = waiting[place : place + _AT_ONCE]
            reason = self._over()
            if reason:
                yield from (_untested(stand, reason) for stand in batch)
                continue
            try:
                bench = bench or Bench(self.wire, self.plan.identities[persona.name], Ground({}, {}, {}))
                cells = list(self._ask(bench, batch))
            except (psycopg.OperationalError, TargetError):
                if not self.wire.lost:
                    raise
                cells = [_untested(stand, self._over()) for stand in batch]
            yield from cells

    def _stand(self, persona: Persona, relation: Relation) -> Stand:
        return self.plan.before(persona, relation, self.samples[relation.name].rows)

    def _passed_over(self, relation: Relation) -> str:
        outside = acting_outside(self.plan.catalog, relation)
        if outside:
            return f"not read: {outside}"
        if self._timeouts[relation.name] >= _PATIENCE:
            return f"{OPEN}: it ran into the time limit for {_PATIENCE} personas before"
        return ""

    def _over(self) -> str:
        if self.wire.lost:
            return f"{OPEN}: the database went away in the middle of the run"
        if self.stop():
            return NOT_REACHED
        if self.deadline.over():
            return f"{OPEN}: the time limit of the run, {self.deadline.limits.seconds:g} s, was over"
        return ""

    def _ask(self, bench: Bench, stands: Sequence[Stand]) -> Iterator[Cell]:
        planned = [(stand, list(self._planned(stand))) for stand in stands]
        outcomes = iter(bench.read([probe.attempt for _, asked in planned for probe in asked]))
        for stand, asked in planned:
            answers = [(probe, next(outcomes)) for probe in asked]
            self._count_timeouts(stand.name, answers)
            sample = self.samples[stand.name]
            if sample.unreadable:
                yield judge_unreadable(stand, sample, answers[0][1])
            elif sample.whole:
                yield judge_whole(self.plan, stand, sample, answers[0][1])
            else:
                cell = judge_part(self.plan, stand, sample, self.sampler, answers, self.deadline.limits.rows)
                yield cell if cell.cut or not self._given_up(stand.name) else replace(cell, cut=_IN_VAIN)

    def _count_timeouts(self, name: QName, answers: Sequence[tuple[Probe, Outcome]]) -> None:
        late = [probe.decisive for probe, outcome in answers if out_of_bounds(outcome.observation)]
        self._timeouts[name] += any(late)
        self._searched_in_vain[name] += bool(late) and not all(late)

    def _given_up(self, name: QName) -> bool:
        return self._searched_in_vain[name] >= _PATIENCE

    def _planned(self, stand: Stand) -> Iterator[Probe]:
        whole: Attempt = next(CHANNELS[READ].attempts(stand))
        sample = self.samples[stand.name]
        if sample.unreadable:
            whole = replace(whole, sql=f"{whole.sql} LIMIT 1")
        found = (
            [Probe(whole, whole.sql, whole.sql, decisive=True)]
            if sample.whole or sample.unreadable
            else list(probes(stand, whole, sample.rows, self.deadline.limits.rows, self.plan.catalog))
        )
        if self._given_up(stand.name):
            found = [probe for probe in found if probe.decisive]
        for probe in found:
            self.asked[probe.attempt.sql] = probe
            yield probe


def _untested(stand: Stand, reason: str) -> Cell:
    judgement = Judgement(verdict=Verdict.UNTESTED, reason=reason)
    return Cell(judged=Judged(stand.relation, stand, Command.SELECT, judgement, ()))
