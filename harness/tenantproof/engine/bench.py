"""Run the attempts of one persona and say what each of them did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

import psycopg

from tenantproof.core.attempt import Attempt, Change, Form, Observation, Outcome, Snapshot
from tenantproof.core.errors import TargetError
from tenantproof.core.model import Command, QName
from tenantproof.core.ports import Identity
from tenantproof.core.world import Key
from tenantproof.engine.scripts import Watch, as_persona, as_the_observer, as_the_persona
from tenantproof.engine.talks import Said, Talk, hold
from tenantproof.engine.wire import Script, Wire, stage_of


@dataclass(frozen=True, slots=True)
class Ground:
    """What the observer knows before anybody acts: every watched relation's query and rows."""

    watches: Mapping[QName, Watch]
    before: Mapping[QName, Snapshot]
    seeded: Mapping[QName, frozenset[Key]]
    hidden_writers: frozenset[tuple[QName, Command]] = frozenset()
    """Relations and commands of which a row count of 0 does not mean that nothing happened."""

    def watched_by(self, attempt: Attempt) -> Mapping[QName, Watch]:
        return {name: self.watches[name] for name in attempt.watch if name in self.watches}


class Acts:
    """What one persona does, in talks on a wire whose session is the persona whenever a script starts."""

    def __init__(self, identity: Identity, ground: Ground) -> None:
        self._identity, self._ground = identity, ground
        self.becoming = as_persona(identity)
        self._became = False

    def reads(self, attempts: Sequence[Attempt]) -> Talk[list[Outcome]]:
        """Run attempts that change nothing."""
        answers = yield from self._run([(attempt.sql,) for attempt in attempts])
        return [Outcome(attempt=a, observation=said[-1]) for a, said in zip(attempts, answers, strict=True)]

    def _run(self, scripts: Sequence[Script]) -> Talk[Said]:
        """Those that share a stage run next to each other.  Raises TargetError where nobody can become the persona."""
        order = _by_stage(scripts)
        try:
            answers = yield [scripts[i] for i in order]
        except psycopg.Error as error:
            raise TargetError(self._why(error)) from error
        self._became = True
        said = dict(zip(order, answers, strict=True))
        return [said[i] for i in range(len(scripts))]

    def _why(self, error: psycopg.Error) -> str:
        identity = self._identity
        return (
            f"nobody can become {identity.persona.name}{' again' * self._became}: {str(error).strip()}\n"
            f"  the session sets the role {identity.role}"
            + (f" as {identity.login}" if identity.login else "")
            + (f" and calls {identity.pre_request}()" if identity.pre_request else "")
        )

    def writes(self, attempts: Sequence[Attempt], promising: Sequence[bool]) -> Talk[list[Outcome]]:
        """Run attempts that may change rows; those that were not refused say what changed.

        After *promising* ones, which will be accepted or refused, the observer looks at once: a refusal skips the
        look.  The others mostly touch nothing, so they are tried first, and only those that did are looked at.
        """
        tried = [attempt for attempt, at_once in zip(attempts, promising, strict=True) if not at_once]
        acted = iter((yield from self._act(tried)))
        first = [None if at_once else next(acted) for at_once in promising]
        looked_at = [
            i
            for i, observation in enumerate(first)
            if observation is None or self._may_have_changed(attempts[i], observation)
        ]
        looked = yield from self._act_and_look([attempts[i] for i in looked_at])
        outcomes = dict(zip(looked_at, looked, strict=True))
        return [
            outcomes.get(i) or Outcome(attempt=attempt, observation=observation or Observation())
            for i, (attempt, observation) in enumerate(zip(attempts, first, strict=True))
        ]

    def _may_have_changed(self, attempt: Attempt, observation: Observation) -> bool:
        return not observation.refused and may_have_changed(attempt, observation, self._ground.hidden_writers)

    def _act(self, attempts: Sequence[Attempt]) -> Talk[list[Observation]]:
        scripts = [as_the_persona(attempt, self.becoming, {}) for attempt in attempts]
        answers = yield from self._run([script.statements for script in scripts])
        return [script.acted(said) for script, said in zip(scripts, answers, strict=True)]

    def controls(self, outcomes: Sequence[Outcome]) -> Talk[list[Outcome]]:
        """The same outcomes with what the observer gets for the same statement."""
        scripts = [as_the_observer(outcome.attempt, {}) for outcome in outcomes]
        answers = yield from self._run([script.statements for script in scripts])
        return [
            replace(outcome, control=script.acted(said))
            for outcome, script, said in zip(outcomes, scripts, answers, strict=True)
        ]

    def _act_and_look(self, attempts: Sequence[Attempt]) -> Talk[list[Outcome]]:
        watched = [self._ground.watched_by(attempt) for attempt in attempts]
        scripts = [
            as_the_persona(attempt, self.becoming, watches) for attempt, watches in zip(attempts, watched, strict=True)
        ]
        answers = yield from self._run([script.statements for script in scripts])
        return [
            Outcome(
                attempt=attempt,
                observation=script.acted(said),
                changes=self._compare(attempt, watches, script.seen(said)),
            )
            for attempt, watches, script, said in zip(attempts, watched, scripts, answers, strict=True)
        ]

    def _compare(
        self, attempt: Attempt, watches: Mapping[QName, Watch], seen: Sequence[Observation]
    ) -> tuple[Change, ...]:
        found: list[Change] = []
        for (name, watch), observation in zip(watches.items(), seen, strict=False):
            before = on_stage(name, self._ground.before[name], attempt)
            found.extend(watch.changes(name, before, observation, self._ground.seeded.get(name, frozenset())))
        return with_new_keys(found) if attempt.command is Command.UPDATE else tuple(found)


class Bench:
    """One persona alone on one wire.  The session is the persona whenever an attempt starts, as PostgREST makes it."""

    def __init__(self, wire: Wire, identity: Identity, ground: Ground) -> None:
        self._wire = wire
        self._acts = Acts(identity, ground)
        wire.restart(self._acts.becoming)

    def read(self, attempts: Sequence[Attempt]) -> list[Outcome]:
        """Run attempts that change nothing.  Raises TargetError where nobody can become the persona."""
        return hold(self._wire, self._acts.reads(attempts))

    def control(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """The same outcomes with what the observer gets for the same statement.  Raises as `read` does."""
        return hold(self._wire, self._acts.controls(outcomes))


def _by_stage(scripts: Sequence[Script]) -> list[int]:
    """The scripts' numbers: as they come, but those with the same stage follow the first of them."""
    first: dict[Script, int] = {}
    return sorted(
        range(len(scripts)), key=lambda i: first.setdefault(stage, i) if (stage := stage_of(scripts[i])) else i
    )


def may_have_changed(attempt: Attempt, observation: Observation, hidden_writers: Set[tuple[QName, Command]]) -> bool:
    """Whether an attempt that was accepted changed anything, as far as its row count tells."""
    inserted = attempt.form in (Form.VALUES, Form.UPSERT)
    return observation.count > 0 or inserted or (attempt.relation, attempt.command) in hidden_writers


def with_new_keys(changes: Sequence[Change]) -> tuple[Change, ...]:
    """An UPDATE deletes and inserts nothing: rows that went and rows that came are rows whose key changed."""
    went = any(change.after is None for change in changes)
    return tuple(
        replace(change, rewritten=True) if went and None in (change.before, change.after) else change
        for change in changes
    )


def on_stage(name: QName, before: Snapshot, attempt: Attempt) -> Snapshot:
    """The rows of a relation that are there when the persona acts."""
    if attempt.stage is None:
        return before
    if name in attempt.stage.clear:
        return Snapshot()
    if name != attempt.stage.relation:
        return before
    kept = set(attempt.stage.keep)
    return Snapshot({version: row for version, row in before.rows.items() if row.key in kept})
