"""The verdict on what a persona read of rows that nobody seeded."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tenantproof.channels.stand import Stand
from tenantproof.core.attempt import Form, Outcome
from tenantproof.core.finding import Verdict
from tenantproof.core.model import Command, QName
from tenantproof.core.world import Row
from tenantproof.engine.existing.probes import Probe
from tenantproof.engine.existing.samples import Sample, Sampler
from tenantproof.engine.existing.wording import NOBODY_ELSES, NOTHING_THERE, OPEN, out_of_bounds, told, writes
from tenantproof.engine.matrix import Judged, judgement_of_read
from tenantproof.engine.plan import Plan
from tenantproof.oracle.entitlement import Stance
from tenantproof.properties.visibility import Judgement

_COUNTED = "only some of its columns may be read, none of which tells whose the rows are, and it is too large to count"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One read cell: what was judged, on how many rows, and how much of the relation the limits kept unread."""

    judged: Judged
    cut: str = ""
    """What the limits cut off, although there is a verdict."""


def judge_whole(plan: Plan, stand: Stand, sample: Sample, outcome: Outcome) -> Cell:
    """The cell of a relation of which every row is known."""
    judgement = _refused_otherwise(outcome) or judgement_of_read(plan, stand, outcome)
    return Cell(judged=_judged(stand, _settled(stand, sample, judgement, (outcome,)), (outcome,)))


def judge_unreadable(stand: Stand, sample: Sample, outcome: Outcome) -> Cell:
    """The cell of a relation that the observer cannot read: that the persona may not either needs no rows."""
    if outcome.observation.denied:
        judgement = Judgement(verdict=Verdict.ISOLATED)
    else:
        reason = f"no positive control: the observer could not read it: {sample.unreadable}"
        judgement = Judgement(verdict=Verdict.UNTESTED, reason=reason)
    return Cell(judged=_judged(stand, judgement, (outcome,)))


def judge_part(
    plan: Plan, stand: Stand, sample: Sample, sampler: Sampler, asked: Sequence[tuple[Probe, Outcome]], most: int
) -> Cell:
    """The cell of a relation of which a part was read: all probes together, each of which told *most* rows at most."""
    failed = [(probe, outcome) for probe, outcome in asked if outcome.observation.refused]
    worked = [(probe, outcome) for probe, outcome in asked if not outcome.observation.refused]
    outcomes = tuple(outcome for _, outcome in asked)
    if not asked or outcomes[0].attempt.form is Form.COUNTED:
        return Cell(judged=_judged(stand, Judgement(verdict=Verdict.UNTESTED, reason=_COUNTED), outcomes))
    decisive = [outcome for probe, outcome in failed if probe.decisive]
    if decisive and not worked:
        judgement = _refused_otherwise(decisive[0]) or judgement_of_read(plan, stand, decisive[0])
        return Cell(judged=_judged(stand, _settled(stand, sample, judgement, outcomes), outcomes))
    known = _known(stand, sampler, [outcome for _, outcome in worked])
    stand = replace(stand, rows=known)
    judgement = _together(plan, stand, [outcome for _, outcome in worked])
    if decisive and judgement.verdict is not Verdict.LEAK:
        judgement = _refused_otherwise(decisive[0]) or Judgement(
            verdict=Verdict.ERROR, reason=f"the statement failed: {told(decisive[0].observation)}"
        )
    cut = next((told(outcome.observation) for probe, outcome in failed if not probe.decisive), "")
    if not cut and any(outcome.observation.count == most for _, outcome in worked):
        cut = f"they see more than {most:,} rows that are not of their tenants and that they may see"
    return Cell(judged=_judged(stand, _settled(stand, sample, judgement, outcomes), outcomes), cut=cut)


def _judged(stand: Stand, judgement: Judgement, outcomes: tuple[Outcome, ...]) -> Judged:
    return Judged(stand.relation, stand, Command.SELECT, judgement, outcomes)


def _known(stand: Stand, sampler: Sampler, outcomes: Iterable[Outcome]) -> tuple[Row, ...]:
    """The rows of the sample, and those that the persona saw beside them as the observer sees them."""
    if outcomes and any(outcome.attempt.form is not Form.READ for outcome in outcomes):
        return stand.rows
    keys = {row.key for row in stand.rows}
    more = {answer for outcome in outcomes for answer in outcome.observation.rows} - keys
    found = sampler.rows_of(stand.relation, sorted(more, key=lambda key: tuple(map(str, key))))
    return (*stand.rows, *(row for row in found if row.key in more))


def _together(plan: Plan, stand: Stand, outcomes: Sequence[Outcome]) -> Judgement:
    """One judgement over several reads: what any of them saw was seen."""
    seen = tuple(dict.fromkeys(answer for outcome in outcomes for answer in outcome.observation.rows))
    first = outcomes[0]
    joined = replace(first, observation=replace(first.observation, rows=seen, count=len(seen)))
    judgement = judgement_of_read(plan, stand, joined)
    if judgement.verdict is not Verdict.LEAK:
        return judgement
    telling = [violation for one in outcomes for violation in judgement_of_read(plan, stand, one).violations]
    return replace(judgement, violations=tuple(telling))


def _refused_otherwise(outcome: Outcome) -> Judgement | None:
    """Where neither a policy nor a grant refused: our limits did, or the READ ONLY transaction."""
    said = outcome.observation
    if out_of_bounds(said):
        return Judgement(verdict=Verdict.UNTESTED, reason=f"{OPEN}: {told(said)}")
    if writes(said):
        return Judgement(verdict=Verdict.UNTESTED, reason=f"to read it writes something: {said.in_words()}")
    return None


def _settled(stand: Stand, sample: Sample, judgement: Judgement, outcomes: Sequence[Outcome]) -> Judgement:
    """The judgement with what is special about rows that nobody seeded.

    A denial needs no rows: it is one for want of privilege.
    """
    denied = bool(outcomes) and all(outcome.observation.denied for outcome in outcomes)
    if judgement.verdict is Verdict.OVERBLOCKED:
        missing = tuple(row for row in judgement.missing if sample.counts(row))
        if not missing:
            judgement = replace(judgement, verdict=Verdict.ISOLATED, missing=(), reason="")
        else:
            return replace(judgement, missing=missing)
    if judgement.verdict not in (Verdict.ISOLATED, Verdict.UNTESTED) or denied:
        return judgement
    if not stand.rows and not judgement.reached and stand.tenancy.decided:
        return Judgement(verdict=Verdict.UNTESTED, reason=NOTHING_THERE)
    if judgement.verdict is Verdict.UNTESTED:
        return judgement
    stances = {stand.stance(Command.SELECT, row) for row in stand.rows}
    if Stance.FORBIDDEN not in stances and stances != {Stance.REQUIRED} and not stand.tenancy.shared:
        return Judgement(verdict=Verdict.UNTESTED, reason=NOBODY_ELSES, reached=judgement.reached)
    return judgement


def with_controls(cells: Sequence[Cell]) -> tuple[list[Cell], list[str]]:
    """The cells of all personas with positive controls, and remarks.

    A member who sees no row of their tenants anywhere may be no member in the database's eyes: then neither what they
    do not see of others nor what they miss of their own says anything.  A row that is missed while others of its kind
    are seen is kept back by its content, of which the scenario did not speak.
    """
    silent = _silent(cells)
    seen = _seen_kinds(cells)
    settled: list[Cell] = []
    partly: dict[QName, set[str]] = defaultdict(set)
    for cell in cells:
        judged = cell.judged
        name, judgement = judged.stand.persona.name, judged.judgement
        if name in silent and judgement.verdict in (Verdict.ISOLATED, Verdict.OVERBLOCKED):
            judgement = Judgement(verdict=Verdict.UNTESTED, reason=silent[name])
        elif judgement.verdict is Verdict.OVERBLOCKED and not judgement.reason:
            withheld = _withheld(judged, seen)
            if not withheld:
                partly[judged.object.name].add(name)
                judgement = replace(judgement, verdict=Verdict.ISOLATED, missing=())
            else:
                judgement = replace(judgement, missing=withheld)
        settled.append(replace(cell, judged=replace(judged, judgement=judgement)))
    remarks = [
        f"{relation}: some promised rows are not seen by {', '.join(sorted(names))}, while others of the same kind "
        "are: a state or a mark of deletion may keep them back, which `where:` could say"
        for relation, names in sorted(partly.items())
    ]
    return settled, remarks


_Kind = tuple[bool, bool]
"""(of a tenant of the persona's, owned by the persona)."""


def _kind(judged: Judged, row: Row) -> _Kind:
    persona = judged.stand.persona
    return (row.tenant in judged.stand.own_tenants, row.owner is not None and row.owner == persona.user_id)


def _capacity(judged: Judged) -> str:
    """What makes personas comparable: their roles."""
    persona = judged.stand.persona
    return " ".join(sorted({member.role or "" for member in persona.memberships})) or persona.kind.value


def _promised_and_seen(judged: Judged) -> set[_Kind]:
    lost = {_identity(row) for row in judged.judgement.missing}
    return {
        _kind(judged, row)
        for row in judged.stand.rows_with(Command.SELECT, Stance.REQUIRED)
        if judged.judgement.verdict in (Verdict.ISOLATED, Verdict.OVERBLOCKED, Verdict.LEAK)
        and _identity(row) not in lost
        and judged.judgement.reached
    }


def _identity(row: Row) -> tuple[str | None, ...]:
    return row.key or (row.tenant, row.owner)


def _seen_kinds(cells: Sequence[Cell]) -> Mapping[tuple[QName, str], set[_Kind]]:
    found: dict[tuple[QName, str], set[_Kind]] = defaultdict(set)
    for cell in cells:
        found[cell.judged.object.name, _capacity(cell.judged)] |= _promised_and_seen(cell.judged)
    return found


def _withheld(judged: Judged, seen: Mapping[tuple[QName, str], set[_Kind]]) -> tuple[Row, ...]:
    """Missing rows of kinds of which this persona sees none: several, or none that anybody in the same role sees."""
    own = _promised_and_seen(judged)
    others = seen[judged.object.name, _capacity(judged)]
    by_kind: dict[_Kind, list[Row]] = defaultdict(list)
    for row in judged.judgement.missing:
        by_kind[_kind(judged, row)].append(row)
    return tuple(
        row
        for kind, rows in by_kind.items()
        if kind not in own and (len(rows) > 1 or kind not in others)
        for row in rows
    )


def _silent(cells: Sequence[Cell]) -> Mapping[str, str]:
    """Members who see nothing that is theirs, and why their cells prove nothing.

    Where they were promised rows of their tenant, it must be such a row; elsewhere a row of their own will do.
    """
    found: dict[str, _Control] = {}
    for cell in cells:
        judged = cell.judged
        persona, own = judged.stand.persona, judged.stand.own_tenants
        if persona.memberships:
            control = found.setdefault(persona.name, _Control())
            reached = judged.judgement.reached > 0
            for row in judged.stand.rows_with(Command.SELECT, Stance.ALLOWED, Stance.REQUIRED):
                if row.tenant in own:
                    required = judged.stand.stance(Command.SELECT, row) is Stance.REQUIRED
                    control.add("promised" if required else "tenant", reached=reached)
                elif row.owner is not None and row.owner == persona.user_id:
                    control.add("own", reached=reached)
    return {name: why for name, control in found.items() if (why := control.doubt())}


@dataclass(slots=True)
class _Control:
    """Of which kinds rows are there that a member may see, and of which they saw any in the same relation."""

    there: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)

    def add(self, kind: str, *, reached: bool) -> None:
        self.there.add(kind)
        if reached:
            self.seen.add(kind)

    def doubt(self) -> str:
        if not self.there:
            return "no positive control: there are no rows that they might see"
        enough = {"promised", "tenant"} if "promised" in self.there else {"promised", "tenant", "own"}
        if self.seen & enough:
            return ""
        return (
            "no positive control: this member sees no row of their tenant anywhere, perhaps the database does not take "
            "them for a member"
        )
