"""
One endpoint that writes: after each request the observer looks at the rows of other tenants, and puts all back.

For databases that are ours; what an application did elsewhere (mail, files, other services) is not undone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tenantproof.core.attempt import Change, Snapshot
from tenantproof.core.model import Persona, QName
from tenantproof.core.world import Row
from tenantproof.engine.endpoints.asking import Trial
from tenantproof.engine.endpoints.sightings import Sighting
from tenantproof.engine.endpoints.visit import Visit
from tenantproof.engine.plan import Plan
from tenantproof.engine.rest.keeping import Keeper
from tenantproof.targets.endpoints.client import Ask, Client, Reply

_DONE = {"insert": "added", "update": "changed", "delete": "deleted"}


@dataclass(slots=True)
class Watched:
    """A client whose every request is looked at by the observer.  `changes` are those of the last one."""

    client: Client
    plan: Plan
    keeper: Keeper
    changes: tuple[Change, ...] = ()
    _known: dict[QName, Snapshot] = field(default_factory=dict)

    def ask(self, asked: Ask) -> Reply:
        """The answer; what the request changed is remembered and undone."""
        before = {name: self._snapshot(name) for name in self.plan.watches}
        self.changes = ()
        try:
            reply = self.client.ask(asked)
            if self.keeper.written():
                self.changes = tuple(self._changes(before))
        finally:
            if self.keeper.restore():
                self._known.clear()  # rows that were put back have other versions
        return reply

    def _snapshot(self, name: QName) -> Snapshot:
        if name not in self._known:
            watch, seeded = self.plan.watches[name], self.plan.manifest.seeded_keys.get(name, frozenset())
            self._known[name] = watch.rows(self.keeper.read(watch.query), seeded)
        return self._known[name]

    def _changes(self, before: dict[QName, Snapshot]) -> Iterator[Change]:
        for name, was in before.items():
            watch, seeded = self.plan.watches[name], self.plan.manifest.seeded_keys.get(name, frozenset())
            yield from watch.changes(name, was, self.keeper.read(watch.query), seeded)


@dataclass
class WritingVisit(Visit):
    """A visit that judges what each request did, too; its client is a Watched."""

    def _ask(self, trial: Trial) -> Reply:
        reply = Visit._ask(self, trial)
        assert isinstance(self.client, Watched)
        for tenant, change in _touched(self.client.plan, trial.persona, self.client.changes).items():
            self.haul.sightings.append(_sighting(trial, reply, tenant, change))
        return reply


def _touched(plan: Plan, persona: Persona, changes: tuple[Change, ...]) -> dict[str, Change]:
    """Tenant that the persona is no member of -> one of its rows that changed."""
    found: dict[str, Change] = {}
    for change in changes:
        for row in (change.before, change.after):
            tenant = _tenant_of(plan, row) if row is not None else None
            if tenant is not None and tenant not in persona.tenants:
                found.setdefault(tenant, change)
    return found


def _tenant_of(plan: Plan, row: Row) -> str | None:
    """The row's tenant; of a row that only has an owner, a tenant of the owner's."""
    if row.tenant is not None:
        return plan.world.tenant_name(row.tenant)
    owner = next((who for who in plan.manifest.personas if who.user_id and who.user_id == row.owner), None)
    return owner.tenants[0] if owner is not None and owner.tenants else None


def _sighting(trial: Trial, reply: Reply, tenant: str, change: Change) -> Sighting:
    done = f"a row of {tenant} in {change.relation} was {_DONE[change.command]}"
    return Sighting(
        channel="ENDPOINT-WRITE",
        trial=trial,
        expected="no row of another tenant is touched",
        observed=f"{reply.in_words}: {done} ({trial.words})",
        shows=f"afterwards {done}",
    )
