"""The rows that refused INSERT attempts would have made."""

from __future__ import annotations

from collections.abc import Sequence

from tenantproof.core.attempt import Attempt
from tenantproof.core.world import Row
from tenantproof.engine.bench import Ground
from tenantproof.engine.scripts import as_the_observer
from tenantproof.engine.talks import Talk


class Intended:
    """What INSERT statements do when only constraints and triggers hold them back.

    Learned by running each once as the observer: a statement that fails even then is no valid row, and its refusal
    for a persona proves nothing.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._answered: set[str] = set()
        self.rows: dict[str, Row] = {}

    def learn(self, attempts: Sequence[Attempt]) -> Talk[None]:
        """Find out about statements that nobody has asked about yet; the session may be anybody's."""
        new = {attempt.sql: attempt for attempt in attempts if attempt.sql not in self._answered}
        scripts = [as_the_observer(attempt, self._ground.watched_by(attempt)) for attempt in new.values()]
        answers = yield [script.statements for script in scripts]
        self._answered |= new.keys()
        for attempt, script, said in zip(new.values(), scripts, answers, strict=True):
            if script.acted(said).refused:
                continue
            for (name, watch), seen in zip(self._ground.watched_by(attempt).items(), script.seen(said), strict=True):
                changes = watch.changes(name, self._ground.before[name], seen, frozenset())
                made = next((change.after for change in changes if change.before is None and change.after), None)
                if made is not None:
                    self.rows[attempt.sql] = made
