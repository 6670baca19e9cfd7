"""
Visibility: what a persona reaches is exactly what the scenario declares.  Not more (a leak), not less (over-blocked).

Pure functions over what was observed; how a refusal is read:

* 42501 is a denial, by privilege or by policy.
* Class 23 means that the policies had let the row through: PostgreSQL asks them before NOT NULL, CHECK, UNIQUE and
  FOREIGN KEY.  So it counts as reached, provided that the same statement is valid for the observer.
* Anything else (a trigger, a cast, a policy that itself fails) proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tenantproof.core.attempt import Attempt, Change, Form, Observation, Outcome
from tenantproof.core.finding import Verdict
from tenantproof.core.model import Command, Persona, QName, Tenancy
from tenantproof.core.world import Key, Row
from tenantproof.oracle.entitlement import Oracle, Stance

BROKEN_POLICY = {
    "42P17": "a policy recurses into its own table",
    "54001": "a policy recurses without end",
    "21000": "a sub-query in a policy returns more than one row",
    "22P02": "a policy casts a value that cannot be cast",
    "57014": "the statement ran into its timeout",
}
"""Refusals that say the policy is broken rather than strict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One row that was reached against the scenario, and how."""

    outcome: Outcome
    row: Row
    """The row as it was, or as it became where it was harmless before."""
    change: Change | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict on one cell.  `violations` for a leak, `missing` for over-blocking, `reason` for the rest."""

    verdict: Verdict
    violations: tuple[Violation, ...] = ()
    missing: tuple[Row, ...] = ()
    reached: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One cell: may this persona do this command on these rows?"""

    oracle: Oracle
    persona: Persona
    relation: QName
    command: Command
    rows: tuple[Row, ...]
    elsewhere: tuple[Row, ...] = ()
    """Rows of the tables below a view, which it may show to others than the observer."""
    through: QName | None = None
    """The view that the command goes through to the rows of the relation."""

    def stance(self, row: Row) -> Stance:
        """What is promised of the table's rows, or of those that the view, where the scenario speaks of it, lets go."""
        stance = self.oracle.stance(self.persona, self.relation, self.command, row)
        if self.through is None or not self.oracle.speaks_of(self.persona, self.through, self.command):
            return stance
        return max(stance, self.oracle.stance(self.persona, self.through, self.command, row))

    @property
    def nothing_at_stake(self) -> bool:
        """Whether all rows are the persona's own, so that not reaching others' proves nothing."""
        own = {self.oracle.tenant_ids.get(name) for name in self.persona.tenants}
        if self._for_everybody or own >= set(self.oracle.tenant_ids.values()):
            return False
        rows = (*self.rows, *self.elsewhere)
        return all(self._mine(row) if row.tenant is None else row.tenant in own for row in rows)

    def _mine(self, row: Row) -> bool:
        return row.owner is not None and row.owner == self.persona.user_id

    @property
    def _for_everybody(self) -> bool:
        return bool(self.rows) and self.oracle.tenancy.get(self.relation, Tenancy()).shared

    @property
    def required(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if self.stance(row) is Stance.REQUIRED)


def _identity(row: Row) -> Key:
    """What tells rows apart; the rows of a view have no key and are told apart by whose they are."""
    return row.key or (row.tenant, row.owner)


def judge_read(question: Question, outcome: Outcome, rows_read: Sequence[Row]) -> Judgement:
    """The verdict on a SELECT.  *rows_read* are the rows behind what the persona saw."""
    required = question.required
    refused = _judge_refusal(outcome.observation, required)
    if refused is not None:
        return refused
    read = {_identity(row) for row in rows_read}
    leaked = [row for row in rows_read if question.stance(row) is Stance.FORBIDDEN]
    missing = [row for row in required if _identity(row) not in read]
    if leaked:
        violations = tuple(Violation(outcome=outcome, row=row) for row in leaked)
        return Judgement(verdict=Verdict.LEAK, violations=violations, missing=tuple(missing), reached=len(read))
    if missing:
        return Judgement(verdict=Verdict.OVERBLOCKED, missing=tuple(missing), reached=len(read))
    if question.nothing_at_stake:
        return Judgement(verdict=Verdict.UNTESTED, reason="there is no row of anybody else that could have been read")
    return Judgement(verdict=Verdict.ISOLATED, reached=len(read))


def judge_count(question: Question, outcome: Outcome) -> Judgement:
    """The verdict on a SELECT whose rows cannot be told apart: more of them than the persona may see is a leak."""
    refused = _judge_refusal(outcome.observation, question.required)
    if refused is not None:
        return refused
    forbidden = [row for row in question.rows if question.stance(row) is Stance.FORBIDDEN]
    seen, permitted = outcome.observation.count, len(question.rows) - len(forbidden)
    if seen > permitted and forbidden:
        violations = tuple(Violation(outcome=outcome, row=row) for row in forbidden[: seen - permitted])
        return Judgement(verdict=Verdict.LEAK, violations=violations, reached=seen)
    if seen == 0 and forbidden and not question.required:
        return Judgement(verdict=Verdict.ISOLATED)
    reason = "its key may not be read, so nobody can tell whose the rows are that were seen"
    return Judgement(verdict=Verdict.UNTESTED, reason=reason, reached=seen)


def judge_change(question: Question, outcomes: Sequence[Outcome]) -> Judgement:
    """The verdict on UPDATE or DELETE over all attempts of the cell."""
    violations = [violation for outcome in outcomes for violation in _trespasses(question, outcome)]
    reached = _reached(outcomes)
    if violations:
        return Judgement(verdict=Verdict.LEAK, violations=tuple(violations), reached=len(reached))
    if not outcomes:
        return Judgement(verdict=Verdict.UNTESTED, reason="no column can be changed without touching a key")
    if not question.required and all(outcome.observation.denied for outcome in outcomes):
        return Judgement(verdict=Verdict.ISOLATED)
    tried = _rows_tried(question, outcomes)
    missing = tuple(row for row in tried if question.stance(row) is Stance.REQUIRED and row.key not in reached)
    broken = _broken(outcomes)
    if broken and not reached:
        return Judgement(verdict=Verdict.ERROR, reason=broken, missing=missing)
    if missing:
        return _explain_missing(question, outcomes, missing, len(reached))
    if question.nothing_at_stake:
        return Judgement(
            verdict=Verdict.UNTESTED, reason="there is no row of anybody else that could have been touched"
        )
    unclear = next((o for o in outcomes if _unclear(question, o) and _about_any_row(o)), None) or _mute(outcomes)
    if unclear is not None:
        return Judgement(verdict=Verdict.UNTESTED, reason=_silence(unclear), reached=len(reached))
    return Judgement(verdict=Verdict.ISOLATED, reached=len(reached))


def _mute(outcomes: Sequence[Outcome]) -> Outcome | None:
    """An attempt of a channel none of whose attempts said anything, because no policy was what refused them."""
    for channel in dict.fromkeys(outcome.attempt.channel for outcome in outcomes):
        tried = [outcome for outcome in outcomes if outcome.attempt.channel == channel]
        if all(outcome.observation.refused and not outcome.observation.denied for outcome in tried):
            return tried[0]
    return None


def judge_insert(question: Question, outcomes: Sequence[Outcome], intended: Mapping[str, Row]) -> Judgement:
    """The verdict on INSERT.

    *intended* maps an attempt's SQL to the row it makes when the observer runs it.  It need only hold the refused
    attempts; one that is refused and is not in there is no valid row and proves nothing, unless it was denied.
    """
    violations = [violation for outcome in outcomes for violation in _plantings(question, outcome, intended)]
    accepted = sum(1 for outcome in outcomes if not outcome.observation.refused)
    if violations:
        return Judgement(verdict=Verdict.LEAK, violations=tuple(violations), reached=accepted)
    broken = _broken(outcomes)
    if broken and not accepted:
        return Judgement(verdict=Verdict.ERROR, reason=broken)
    given = {_kind(question, change.after) for o in outcomes for change in o.changes if change.after is not None}
    withheld = (row for outcome in outcomes for row in _withheld(question, outcome, intended))
    missing = tuple(row for row in withheld if _kind(question, row) not in given)
    if missing:
        return Judgement(verdict=Verdict.OVERBLOCKED, missing=missing, reached=accepted)
    if not any(_conclusive(outcome, intended) for outcome in outcomes):
        return Judgement(verdict=Verdict.UNTESTED, reason=_no_valid_row(outcomes))
    return Judgement(verdict=Verdict.ISOLATED, reached=accepted)


def _kind(question: Question, row: Row) -> tuple[str | None, bool]:
    """One accepted row of a tenant, one's own or not, shows that such rows are let in."""
    return (row.tenant, row.owner is not None and row.owner == question.persona.user_id)


def _withheld(question: Question, outcome: Outcome, intended: Mapping[str, Row]) -> Iterable[Row]:
    row = intended.get(outcome.attempt.sql)
    refused = outcome.observation.refused and not outcome.observation.passed_policy
    if refused and row is not None and question.stance(row) is Stance.REQUIRED:
        yield row


def _conclusive(outcome: Outcome, intended: Mapping[str, Row]) -> bool:
    """Whether the attempt tells anything: it was accepted, it was denied, or only the persona was refused."""
    observation = outcome.observation
    return not observation.refused or observation.denied or outcome.attempt.sql in intended


def _no_valid_row(outcomes: Sequence[Outcome]) -> str:
    if not outcomes:
        return "no valid row could be made up for it"
    return f"no valid row could be made up for it: {outcomes[0].observation.in_words()}"


def _judge_refusal(observation: Observation, required: Sequence[Row]) -> Judgement | None:
    if not observation.refused:
        return None
    if observation.sqlstate in BROKEN_POLICY or not observation.denied:
        why = BROKEN_POLICY.get(observation.sqlstate or "", "the statement failed")
        return Judgement(verdict=Verdict.ERROR, reason=f"{why}: {observation.in_words()}", missing=tuple(required))
    if required:
        return Judgement(verdict=Verdict.OVERBLOCKED, missing=tuple(required), reason=observation.in_words())
    return Judgement(verdict=Verdict.ISOLATED)


def _trespasses(question: Question, outcome: Outcome) -> Iterable[Violation]:
    for change in outcome.changes:
        if change.after is not None and _reaches_goal(outcome.attempt, change):
            yield Violation(outcome=outcome, row=change.after, change=change)
            continue
        for row in _at_stake(question, change):
            if _stance_on(question, change, row) is Stance.FORBIDDEN:
                yield Violation(outcome=outcome, row=row, change=change)
                break
    if outcome.observation.passed_policy and _control_passed(outcome):
        staged = _on_stage(question, outcome.attempt)
        about = [] if staged is None else [row for row in (outcome.attempt.row, staged) if row is not None]
        let_through = [row for row in about if question.stance(row) is Stance.FORBIDDEN]
        yield from (Violation(outcome=outcome, row=row) for row in let_through[:1])


def _on_stage(question: Question, attempt: Attempt) -> Row | None:
    """The row that the stage was set for."""
    if attempt.stage is None:
        return None
    return next((row for row in question.rows if row.key == attempt.stage.keep[0]), None)


def _reaches_goal(attempt: Attempt, change: Change) -> bool:
    """Whether the row that the attempt was about now has the flag that it must not get."""
    if attempt.goal is None or attempt.stage is None or change.before is None or change.after is None:
        return False
    about = change.before.key == attempt.stage.keep[0]
    return about and attempt.goal in change.after.flags and attempt.goal not in change.before.flags


def _at_stake(question: Question, change: Change) -> tuple[Row, ...]:
    """The row as it was and as it became; of a DELETE that a trigger turns into a mark, only as it was."""
    deleted = question.command is Command.DELETE and change.relation == question.relation and change.before is not None
    states = (change.before,) if deleted else (change.before, change.after)
    return tuple(row for row in states if row is not None)


def _stance_on(question: Question, change: Change, row: Row) -> Stance:
    """What the scenario says of the row that was changed.

    In the relation that the attempt is about, the attempt's own command counts, whatever a trigger makes of it.  In any
    other, what triggers and cascades do inside the own tenant is the
    application's affair; there the border alone holds.
    """
    if change.relation == question.relation:
        return question.stance(row)
    foreign = set(question.oracle.tenant_ids.values()) - {
        question.oracle.tenant_ids.get(name) for name in question.persona.tenants
    }
    return Stance.FORBIDDEN if row.tenant in foreign else Stance.ALLOWED


def _plantings(question: Question, outcome: Outcome, intended: Mapping[str, Row]) -> Iterable[Violation]:
    yield from _trespasses(question, outcome)
    row = intended.get(outcome.attempt.sql)
    if row is None or not outcome.observation.passed_policy:
        return
    if question.stance(row) is Stance.FORBIDDEN:
        yield Violation(outcome=outcome, row=row)


def _control_passed(outcome: Outcome) -> bool:
    return outcome.control is not None and not outcome.control.refused


def _reached(outcomes: Iterable[Outcome]) -> set[Key]:
    """Keys of the rows that were changed, or that only a constraint kept from being changed."""
    found: set[Key] = set()
    for outcome in outcomes:
        own = (change for change in outcome.changes if change.relation == outcome.attempt.relation)
        found.update(change.before.key for change in own if change.before is not None)
        if outcome.attempt.stage is not None and outcome.observation.passed_policy:
            found.add(outcome.attempt.stage.keep[0])
    return found


def _rows_tried(question: Question, outcomes: Sequence[Outcome]) -> list[Row]:
    plain = [outcome for outcome in outcomes if outcome.attempt.form in (Form.BLIND, Form.FILTERED)]
    if any(outcome.attempt.stage is None for outcome in plain):
        return list(question.rows)
    alone = {outcome.attempt.stage.keep[0] for outcome in plain if outcome.attempt.stage is not None}
    return [row for row in question.rows if row.key in alone]


def _broken(outcomes: Iterable[Outcome]) -> str:
    for outcome in outcomes:
        if outcome.observation.sqlstate in BROKEN_POLICY:
            return f"{BROKEN_POLICY[outcome.observation.sqlstate]}: {outcome.observation.in_words()}"
    return ""


def _explain_missing(
    question: Question, outcomes: Iterable[Outcome], missing: tuple[Row, ...], reached: int
) -> Judgement:
    """Over-blocked, unless something other than a policy may be what refused: then nobody can tell."""
    unclear = next((outcome for outcome in outcomes if _unclear(question, outcome)), None)
    if unclear is not None:
        return Judgement(verdict=Verdict.UNTESTED, missing=missing, reached=reached, reason=_silence(unclear))
    return Judgement(verdict=Verdict.OVERBLOCKED, missing=missing, reached=reached)


def _about_any_row(outcome: Outcome) -> bool:
    """Whether the attempt wants to touch rows as they are, not to move one or to overwrite one by its key."""
    attempt = outcome.attempt
    return attempt.form in (Form.BLIND, Form.FILTERED) and attempt.row is None and attempt.goal is None


def _unclear(question: Question, outcome: Outcome) -> bool:
    """Whether the attempt was refused in a way that says nothing about policies.

    A row that was alone on the stage and that only the persona could not touch was refused for who they are; one that
    they may touch, and that only a constraint kept as it was, had been let through.
    """
    if not outcome.observation.refused or outcome.observation.denied:
        return False
    row = _on_stage(question, outcome.attempt)
    if row is None:
        return True
    let_through = outcome.observation.passed_policy and question.stance(row) is not Stance.FORBIDDEN
    return not let_through and not _control_passed(outcome)


def _silence(outcome: Outcome) -> str:
    for_all = outcome.control is not None and outcome.control.sqlstate == outcome.observation.sqlstate
    whom = "for everybody, even the owner of the table" if for_all else "before the policies could be told apart"
    return f"refused {whom}: {outcome.observation.in_words()}"
