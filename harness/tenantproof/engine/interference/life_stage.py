"""
The database during a life: one transaction in which steps follow each other, and looks that leave no trace.

After each step a savepoint marks the state; what personas read or try to write there is undone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

import psycopg
from psycopg import sql

from tenantproof.channels.matrix.delete import delete_rows
from tenantproof.channels.matrix.read import read_rows
from tenantproof.channels.matrix.update import change_rows
from tenantproof.channels.stand import Stand
from tenantproof.channels.statements import insert, values_of
from tenantproof.core.attempt import Attempt, Change, Form, Observation, Snapshot
from tenantproof.core.catalog import RelationKind
from tenantproof.core.finding import Property
from tenantproof.core.model import Command, Member, Persona, QName
from tenantproof.core.world import Key, Row
from tenantproof.engine.interference.facts import contents_of, contents_query
from tenantproof.engine.interference.life_choices import State
from tenantproof.engine.interference.life_moves import Step
from tenantproof.engine.interference.life_terrain import Roll, Terrain
from tenantproof.engine.plan import Plan
from tenantproof.engine.replay import timeless
from tenantproof.engine.scripts import as_observer, as_persona
from tenantproof.engine.wire import Wire
from tenantproof.properties.membership import (
    Reading,
    Standing,
    as_now,
    carried_by,
    changed_against,
    people_of,
    seen_against,
)

SET_UP = "SET CONSTRAINTS ALL IMMEDIATE"
"""The transaction never ends, so what waits for its end would never speak."""

_TIMEOUTS = """\
SELECT pg_catalog.set_config('statement_timeout', '2000', true), pg_catalog.set_config('lock_timeout', '100', true)"""
_PATIENCE = "SET LOCAL lock_timeout = '100ms'"
_MARK = "SAVEPOINT state"
_BACK = "ROLLBACK TO SAVEPOINT state"

_LOOKED = 3
"""Answers to a write, to the way back to the observer, and to the look."""

Known = frozenset[tuple[QName, str]]
"""(relation, command) pairs of which the matrix said already that they leak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Something that a persona reached against the scenario, as it stood then."""

    standing: Standing
    attempt: Attempt
    rows: tuple[Row, ...]
    observation: Observation
    present: int = 0
    """For a count: how many rows the persona may see."""

    @property
    def key(self) -> tuple[QName, Property]:
        """What becomes one finding."""
        reads = self.attempt.command is Command.SELECT
        return self.attempt.relation, Property.VISIBILITY if reads else Property.INTEGRITY


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What one persona's role can try: reads first, then writes to tables."""

    reads: tuple[tuple[Stand, Attempt], ...]
    writes: tuple[Attempt, ...]


class Stage:
    """Takes steps, and looks.  The wire's session must be the observer, and is again after each call."""

    def __init__(self, wire: Wire, plan: Plan, terrain: Terrain, known: Known) -> None:
        self._wire, self._plan, self._terrain, self._known = wire, plan, terrain, known
        self._carried = carried_by(plan.scenario)
        self.people: Mapping[str, Persona] = {p.name: p for p in plan.manifest.personas if p.user_id is not None}
        self._becoming = {name: (*as_persona(timeless(plan.identities[name])), _TIMEOUTS) for name in self.people}
        self._reaches: dict[str, Reach] = {}
        self.begin()
        self.first = self._look()

    def begin(self) -> None:
        """Back to the seeded database."""
        self._wire.restart((SET_UP, _PATIENCE, _MARK))

    def refused(self, steps: Sequence[Step]) -> list[bool]:
        """For each step alone whether the database refuses it, or nothing comes of it; none of them happens."""
        answers = self._wire.run([step.statements for step in steps])
        return [_is_idle(step, said) for step, said in zip(steps, answers, strict=True)]

    def take(self, step: Step) -> State | None:
        """The state after a step; None where the database refused it or nothing came of it: then nothing changed."""
        if self.refused([step])[0]:
            return None
        try:
            self._wire.prepare((*step.statements, _MARK))
            self._wire.settle()
        except psycopg.Error:
            self._wire.prepare((_BACK,))
            return None
        return self._look()

    def read(self, state: State, names: Iterable[str]) -> Iterator[Sighting]:
        """What these people see that they may not."""
        for name in names:
            standing, reach = self._standing(name, state), self._reach(name)
            self._wire.prepare(self._becoming[name])
            answers = self._wire.run([(attempt.sql,) for _, attempt in reach.reads])
            self._wire.prepare((_BACK,))
            for (stand, attempt), said in zip(reach.reads, answers, strict=True):
                if not said[-1].refused:
                    yield from self._judged(standing, stand, attempt, said[-1], state)

    def write(self, state: State, names: Iterable[str], before: State | None = None) -> Iterator[Sighting]:
        """What these people change or delete that they may not; with *before*, where they might do so then."""
        for name in names:
            standing = self._standing(name, state)
            attempts = self._reach(name).writes
            if before is not None:
                lost = self._lost(
                    self._standing(name, before), standing, state, {(a.relation, a.command) for a in attempts}
                )
                attempts = tuple(a for a in attempts if (a.relation, a.command) in lost)
            self._wire.prepare(self._becoming[name])
            outcomes = self._touching(attempts)
            self._wire.prepare((_BACK,))
            for attempt, observation, look in outcomes:
                changes = self._changes(attempt.relation, state, look)
                hurt = changed_against(standing, attempt.relation, attempt.command, changes, observation.count)
                rows = tuple(change.before for change in hurt if change.before is not None)
                if rows:
                    yield Sighting(standing=standing, attempt=attempt, rows=rows, observation=observation)

    def _lost(
        self, then: Standing, now: Standing, state: State, asked: Iterable[tuple[QName, Command]]
    ) -> set[tuple[QName, Command]]:
        """Where a row is withheld now that was not."""
        return {
            (name, command)
            for name, command in asked
            if any(
                now.forbidden(name, command, row) and not then.forbidden(name, command, row)
                for row in state.rows[name].rows.values()
            )
        }

    def _touching(self, attempts: Sequence[Attempt]) -> list[tuple[Attempt, Observation, Observation]]:
        """The attempts that touch a row, what the persona perceived, and what the observer sees then."""
        first = self._wire.run([(attempt.sql,) for attempt in attempts])
        touching = [a for a, said in zip(attempts, first, strict=True) if not said[-1].refused and said[-1].count]
        scripts = [(a.sql, as_observer(), self._plan.watches[a.relation].query) for a in touching]
        return [
            (attempt, said[0], said[-1])
            for attempt, said in zip(touching, self._wire.run(scripts), strict=True)
            if len(said) == _LOOKED and not said[-1].refused
        ]

    def _changes(self, name: QName, state: State, look: Observation) -> tuple[Change, ...]:
        seeded = self._plan.manifest.seeded_keys.get(name, frozenset())
        return self._plan.watches[name].changes(name, state.rows[name], look, seeded)

    def _judged(
        self, standing: Standing, stand: Stand, attempt: Attempt, observation: Observation, state: State
    ) -> Iterator[Sighting]:
        present = tuple(state.rows[stand.name].rows.values()) if stand.name in state.rows else ()
        reading = Reading(
            relation=stand.name,
            rows=_rows_behind(stand, attempt, observation, present),
            count=observation.count,
            present=present,
        )
        rows = seen_against(standing, reading)
        if rows:
            counted = replace(attempt, form=Form.COUNTED) if reading.rows is None else attempt
            yield Sighting(
                standing=standing,
                attempt=counted,
                rows=rows,
                observation=observation,
                present=observation.count - len(rows),
            )

    def _reach(self, name: str) -> Reach:
        """What somebody with the persona's role may try; the statements are the same in every state."""
        if name not in self._reaches:
            role = self._plan.identities[name].role
            persona = self.people[name]
            stands = [
                self._plan.before(persona, relation, self._plan.world.rows.get(relation.name, ()))
                for relation in self._plan.relations
                if self._plan.privileges(role, relation) and self._is_judged(relation.name)
            ]
            # What can be done over the API comes first: it is the worse of two ways to the same row.
            writes = sorted(self._writes(stands), key=lambda attempt: attempt.form is Form.BLIND)
            self._reaches[name] = Reach(reads=tuple(self._reads(stands)), writes=tuple(writes))
        return self._reaches[name]

    def _is_judged(self, name: QName) -> bool:
        tenancy = self._plan.tenancy_of(name)
        return tenancy.decided and not tenancy.shared

    def _reads(self, stands: Sequence[Stand]) -> Iterator[tuple[Stand, Attempt]]:
        for stand in stands:
            if stand.holds("SELECT") and (stand.name, Command.SELECT) not in self._known:
                yield stand, next(read_rows(stand))

    def _writes(self, stands: Sequence[Stand]) -> Iterator[Attempt]:
        for stand in stands:
            if not stand.relation.is_table or stand.name not in self._plan.watches:
                continue
            for privilege, attempts in (("UPDATE", change_rows), ("DELETE", delete_rows)):
                if stand.holds(privilege) and (stand.name, privilege.lower()) not in self._known:
                    yield from (attempt for attempt in attempts(stand) if attempt.stage is None)

    def _standing(self, name: str, state: State) -> Standing:
        people = people_of(self.people.values(), state.belongings, self._plan.manifest.tenant_ids)
        return Standing(
            oracle=replace(self._plan.oracle, people=people),
            persona=as_now(self.people[name], state.belongings.get(name, ()), self._carried),
            founded=state.founded.get(name, frozenset()),
            shown=self._shown(state, name),
            of_people=self._of_people,
        )

    @cached_property
    def _of_people(self) -> frozenset[QName]:
        tables = [roll.relation.name.name for roll in self._terrain.rolls]
        expressions = {
            name: tenancy.tenant.sql for name, tenancy in self._plan.tenancy.items() if tenancy.tenant is not None
        }
        return frozenset(
            name for name, text in expressions.items() if any(re.search(rf"\b{re.escape(t)}\b", text) for t in tables)
        )

    def _shown(self, state: State, name: str) -> frozenset[tuple[QName, Key]]:
        invitations = self._terrain.invitations
        if invitations is None:
            return frozenset()
        invited = state.invited.get(name, {})
        ids = self._plan.manifest.tenant_ids
        own = {(invitations.relation.name, key) for keys in invited.values() for key in keys}
        hosts: set[tuple[QName, Key]] = {(t.name, (ids[tenant],)) for t in self._terrain.tenants for tenant in invited}
        return frozenset(own | hosts)

    # -- the observer's look ---------------------------------------------------------------------------------------

    @cached_property
    def _tables(self) -> tuple[QName, ...]:
        relations = self._plan.catalog.relations
        return tuple(name for name in self._plan.watches if relations[name].kind is not RelationKind.VIEW)

    @cached_property
    def _texts(self) -> tuple[QName, ...]:
        """Relations whose contents say who founded or was invited."""
        invitations = self._terrain.invitations
        return tuple(t.name for t in self._terrain.tenants) + ((invitations.relation.name,) if invitations else ())

    def _look(self) -> State:
        rolls = self._terrain.rolls
        relations = self._plan.catalog.relations
        said = self._wire.run(
            [
                *((_roll_query(roll),) for roll in rolls),
                *((contents_query(relations[name]),) for name in self._texts),
                *((self._plan.watches[name].query,) for name in self._tables),
            ]
        )
        answers = iter(said)
        belongings = self._belongings([(roll, next(answers)[-1]) for roll in rolls])
        contents = {name: contents_of(next(answers)[-1].rows) for name in self._texts}
        seeded = self._plan.manifest.seeded_keys
        rows = {
            name: self._plan.watches[name].rows(next(answers)[-1], seeded.get(name, frozenset()))
            for name in self._tables
        }
        return State(
            belongings=belongings,
            rows=rows,
            founded={name: frozenset(self._founded(p, contents)) for name, p in self.people.items()},
            invited=self._invited(rows, contents),
        )

    def _belongings(self, said: Sequence[tuple[Roll, Observation]]) -> Mapping[str, tuple[Member, ...]]:
        names = {tenant_id: name for name, tenant_id in self._plan.manifest.tenant_ids.items()}
        users = {persona.user_id: name for name, persona in self.people.items()}
        found: dict[str, dict[str, Member]] = {name: {} for name in self.people}
        for roll, answer in said:
            for user, tenant, value in answer.rows:
                person, home = users.get(user), names.get(tenant or "")
                if person is not None and home is not None:
                    before = found[person].get(home)
                    role = roll.role_of(value) if roll.membership.role else None
                    if before is None or before.role is None:
                        found[person][home] = Member(tenant=home, role=role)
        order = list(self._plan.manifest.tenant_ids)
        return {name: tuple(members[t] for t in order if t in members) for name, members in found.items()}

    def _founded(
        self, persona: Persona, contents: Mapping[QName, Mapping[Key, tuple[str | None, ...]]]
    ) -> Iterator[str]:
        for relation in self._terrain.tenants:
            for key, values in contents[relation.name].items():
                if key[0] is not None and persona.user_id in values and persona.user_id != key[0]:
                    yield key[0]

    def _invited(
        self, rows: Mapping[QName, Snapshot], contents: Mapping[QName, Mapping[Key, tuple[str | None, ...]]]
    ) -> Mapping[str, Mapping[str, frozenset[Key]]]:
        invitations = self._terrain.invitations
        if invitations is None:
            return {}
        name = invitations.relation.name
        place = invitations.relation.column_names.index(invitations.invitee.name)
        tenants = {row.key: self._plan.world.tenant_name(row.tenant) for row in rows[name].rows.values()}
        found: dict[str, dict[str, frozenset[Key]]] = {}
        for person, persona in self.people.items():
            for key, values in contents[name].items():
                tenant = tenants.get(key)
                if tenant is not None and values[place] in (persona.email, persona.user_id):
                    homes = found.setdefault(person, {})
                    homes[tenant] = homes.get(tenant, frozenset()) | {key}
        return found


def _is_idle(step: Step, said: Sequence[Observation]) -> bool:
    return len(said) < len(step.statements) or said[-1].refused or said[step.main].count == 0


def _roll_query(roll: Roll) -> str:
    columns = (roll.membership.user, roll.membership.tenant, roll.membership.role)
    listed = sql.SQL(", ").join(
        sql.SQL("{}::text").format(sql.Identifier(column)) if column else sql.SQL("NULL") for column in columns
    )
    return sql.SQL("SELECT {} FROM {}").format(listed, sql.Identifier(*roll.relation.name)).as_string(None)


def _rows_behind(
    stand: Stand, attempt: Attempt, observation: Observation, present: Sequence[Row]
) -> tuple[Row, ...] | None:
    """The rows that the persona saw: by key, or as (tenant, owner) pairs; None where they cannot be known."""
    if attempt.form is Form.BELONGING:
        return tuple(_belonging(answer, stand.predicates) for answer in observation.rows)
    known = {row.key: row for row in present}
    if attempt.form is Form.COUNTED or any(answer not in known for answer in observation.rows):
        return None
    return tuple(known[answer] for answer in observation.rows)


def _belonging(answer: tuple[str | None, ...], predicates: Sequence[str]) -> Row:
    tenant, owner, *flags = answer
    held = (predicate for predicate, flag in zip(predicates, flags, strict=True) if flag == "true")
    return Row(key=(), tenant=tenant, owner=owner, flags=frozenset(held))


class Neighbour:
    """Another session in the middle of a transaction: uncommitted rows of a tenant, always rolled back."""

    def __init__(self, conninfo: str, plan: Plan) -> None:
        self._connection = psycopg.connect(conninfo, prepare_threshold=None)
        self._drafts = plan.manifest.drafts
        self._ids = plan.manifest.tenant_ids

    def write(self, tenant: str) -> None:
        """Begin, and insert a row of the tenant into each table that takes one."""
        self.give_up()
        self._connection.execute("SET LOCAL lock_timeout = '100ms'")
        self._connection.execute("SET LOCAL statement_timeout = '2s'")
        for drafts in self._drafts.values():
            draft = next((d for d in drafts if d.tenant == self._ids[tenant] and d.replaces is None), None)
            if draft is not None:
                with suppress(psycopg.Error), self._connection.transaction():
                    self._connection.execute(insert(draft.relation, values_of(draft.values)).encode())

    def give_up(self) -> None:
        """Roll back."""
        self._connection.rollback()

    def close(self) -> None:
        self._connection.close()
