"""One persona before an API: runs attempts by HTTP and says what each of them did."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from tenantproof.core.attempt import Attempt, Change, Deed, Observation, Outcome, Snapshot
from tenantproof.core.catalog import Column
from tenantproof.core.errors import TargetError
from tenantproof.core.model import Command, QName
from tenantproof.core.ports import Identity
from tenantproof.engine.bench import may_have_changed, on_stage, with_new_keys
from tenantproof.engine.plan import Plan
from tenantproof.engine.rest.hearing import observed
from tenantproof.engine.rest.keeping import Keeper
from tenantproof.engine.rest.nearby import Nearby
from tenantproof.engine.rest.speaking import Tongue, quoted
from tenantproof.engine.scripts import set_stage
from tenantproof.targets.rest.client import Answer, Client, Request

_PAGES = 200


class Undo(enum.StrEnum):
    """How a write over HTTP becomes undone."""

    RESTORE = "restore"
    """The request commits; the observer looks, and puts back what the tables held."""
    ROLLBACK = "tx=rollback"
    """The server rolls it back, as it was asked to and as was seen that it does."""


@dataclass(slots=True)
class Stage:
    """The database under the API, as the observer knows it."""

    plan: Plan
    keeper: Keeper
    _before: dict[QName, Snapshot] = field(default_factory=dict)
    _wary: bool = False
    _nearby: Nearby = field(init=False)

    def __post_init__(self) -> None:
        self._nearby = Nearby(self.plan)

    def before(self, name: QName) -> Snapshot:
        """The rows of a relation before anybody acts."""
        if name not in self._before:
            self._before[name] = self._snapshot(name)
        return self._before[name]

    def set(self, attempt: Attempt) -> None:
        """Leave only the rows that the attempt wants on its stage."""
        if attempt.stage is not None:
            self.keeper.run(set_stage(attempt.stage))

    def changes(self, attempt: Attempt, before: Mapping[QName, Snapshot]) -> tuple[Change, ...]:
        """What the attempt did to the relations that it watches."""
        found: list[Change] = []
        for name, was in before.items():
            watch = self.plan.watches[name]
            seeded = self.plan.manifest.seeded_keys.get(name, frozenset())
            found.extend(watch.changes(name, on_stage(name, was, attempt), self.keeper.read(watch.query), seeded))
        return with_new_keys(found) if attempt.command is Command.UPDATE else tuple(found)

    def clear(self, attempt: Attempt | None = None) -> None:
        """Put everything back that the attempt can be expected to have written (None: whatever was)."""
        expected = None if attempt is None or self._wary else self._nearby.of(attempt)
        self._forget(self.keeper.restore(expected))

    def surprised(self) -> bool:
        """Whether something was written far from where it was expected; from then on all tables are looked at."""
        far = self.keeper.restore()
        self._forget(far)
        self._wary = self._wary or bool(far)
        return bool(far)

    def _forget(self, restored: Iterable[QName]) -> None:
        """Rows that were put back are other versions of themselves."""
        for written in restored:
            name: QName | None = written
            while name is not None:  # a partition's rows are those of the table above it, too
                self._before.pop(name, None)
                known = self.plan.catalog.relations.get(name)
                name = known.parent if known is not None else None

    def _snapshot(self, name: QName) -> Snapshot:
        watch = self.plan.watches[name]
        return watch.rows(self.keeper.read(watch.query), self.plan.manifest.seeded_keys.get(name, frozenset()))


@dataclass(frozen=True, slots=True)
class RestBench:
    """A persona with its token.  Without a stage nothing is committed: writes then need a server that rolls back."""

    client: Client
    tongue: Tongue
    plan: Plan
    identity: Identity
    stage: Stage | None

    def ask(self, request: Request) -> Answer:
        """The answer to the persona's request; anon sends what a client without a session sends."""
        if self.identity.token is None:
            return self.client.send(request, self.client.anonymous())
        return self.client.ask(request, self.identity.token)

    def request(self, attempt: Attempt) -> Request | None:
        """The attempt in HTTP, with what makes it undone; None where it cannot be said."""
        relation = self.plan.catalog.relations[attempt.deed.through] if attempt.deed is not None else None
        if relation is None or (self.stage is None and attempt.stage is not None):
            return None
        undo = () if attempt.command is Command.SELECT else ("tx=commit",) if self.stage else ("tx=rollback",)
        return self.tongue.request(attempt, relation, *undo)

    def read(self, attempt: Attempt) -> Outcome | None:
        """What the persona reads, all pages of it; None where HTTP cannot say it."""
        request = self.request(attempt)
        if request is None or attempt.deed is None:
            return None
        seen = observed(self.ask(request), len(attempt.deed.columns))
        if seen.refused or len(seen.rows) >= seen.count:
            return Outcome(attempt=attempt, observation=seen)
        rows = self._all_pages(request, attempt.deed)
        return Outcome(attempt=attempt, observation=Observation(rows=rows, count=len(rows)))

    def _all_pages(self, request: Request, deed: Deed) -> tuple[tuple[str | None, ...], ...]:
        """Every row of an answer that the server cut off (max-rows), in an order that holds from page to page."""
        relation = self.plan.catalog.relations[deed.through]
        orderly = [name for name in deed.columns if _can_be_ordered(relation.column(name))]
        query = (*request.query, ("order", ",".join(map(quoted, orderly)))) if orderly else request.query
        rows: tuple[tuple[str | None, ...], ...] = ()
        for _ in range(_PAGES):
            page = replace(request, query=(*query, ("offset", str(len(rows)))))
            more = observed(self.ask(page), len(deed.columns))
            rows = (*rows, *more.rows)
            if more.refused or not more.rows or len(rows) >= more.count:
                break
        return rows

    def write(self, attempt: Attempt) -> Outcome | None:
        """What the persona's write did; None where HTTP cannot say it, or it could not be undone."""
        request = self.request(attempt)
        if request is None:
            return None
        if self.stage is None:
            answer = self.ask(request)
            demand_rollback(answer)
            return Outcome(attempt=attempt, observation=observed(answer))
        return self.committed(self.stage, attempt, lambda: observed(self.ask(request)))

    def committed(self, stage: Stage, attempt: Attempt, act: Callable[[], Observation]) -> Outcome:
        """What *act*, which makes the attempt, changes on its stage; all of it is put back."""
        before = {name: stage.before(name) for name in attempt.watch if name in self.plan.watches}
        stage.set(attempt)
        acted = True
        try:
            seen = act()
            acted = not seen.refused
            changed = acted and may_have_changed(attempt, seen, self.plan.hidden_writers)
            changes = stage.changes(attempt, before) if changed else ()
        finally:
            if acted or attempt.stage is not None:
                stage.clear(attempt)
        return Outcome(attempt=attempt, observation=seen, changes=changes)


def demand_rollback(answer: Answer) -> None:
    """Raise TargetError where a write was accepted and not rolled back as it was asked to be."""
    if answer.ok and "tx=rollback" not in answer.headers.get("preference-applied", ""):
        raise TargetError(
            "the API accepted a write with `Prefer: tx=rollback` and did not say that it rolled it back:\n"
            "  nothing more is written; look after the rows of the run's own tenants"
        )


def _can_be_ordered(column: Column) -> bool:
    """Whether PostgreSQL has an order for the column's type."""
    return column.category != "G" and column.base_type not in ("pg_catalog.json", "pg_catalog.xml")
