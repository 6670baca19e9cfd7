"""Which tables a write can be expected to reach: those are looked at after each request, the others now and then."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from tenantproof.core.attempt import Attempt
from tenantproof.core.model import Command, QName
from tenantproof.engine.plan import Plan


class Nearby:
    """What the catalog says of the ways of a write: cascades, triggers and what their functions name, partitions."""

    def __init__(self, plan: Plan) -> None:
        self._catalog = plan.catalog
        self._wake = plan.wake
        self._step = cache(self._one_step)
        self._reach = cache(self._reached)

    def of(self, attempt: Attempt) -> frozenset[QName]:
        """The tables that the attempt, or the stage that is set for it, may write to."""
        staged = (attempt.stage.relation, *attempt.stage.clear) if attempt.stage is not None else ()
        return self._reach(frozenset({attempt.relation, *attempt.watch, *staged}))

    def _reached(self, start: frozenset[QName]) -> frozenset[QName]:
        seen: set[QName] = set()
        due = set(start)
        while due:
            name = due.pop()
            seen.add(name)
            due |= set(self._step(name)) - seen
        return frozenset(seen)

    def _one_step(self, name: QName) -> Iterable[QName]:
        relation = self._catalog.relations.get(name)
        if relation is None:
            return ()
        parts = (part.name for part in self._catalog.relations.values() if part.parent == name)
        above = () if relation.parent is None else (relation.parent,)
        below = relation.base_relations
        written = (name for command in Command for name in self._wake.of(relation, command))
        return frozenset((*written, *parts, *above, *below))
