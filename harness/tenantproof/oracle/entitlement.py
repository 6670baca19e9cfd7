"""
Intent: may this persona do this command on this row?

Computed from the scenario and from whose the row is, never from policies.  Where no `expect` line speaks, the
border itself is the intent: nobody reaches rows of a tenant they do not belong to.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from tenantproof.core.model import (
    Command,
    Expectation,
    Member,
    Persona,
    PersonaKind,
    Place,
    QName,
    Scenario,
    Scope,
    ScopeKind,
    SystemRows,
    Tenancy,
)
from tenantproof.core.world import Row
from tenantproof.oracle.expectations import resolve


class Stance(enum.IntEnum):
    """What the scenario says of one persona, command and row."""

    FORBIDDEN = 0
    ALLOWED = 1
    """Inside the border, but nothing was declared: reaching it is no leak, not reaching it no over-blocking."""
    REQUIRED = 2


_Lines = dict[tuple[QName, Command, str | None], Expectation | None]
_Kind = tuple[Persona, QName, Command, str | None, str | None, frozenset[str]]
"""All that a stance depends on: persona, relation, command, and the row's tenant, owner and flags."""


@dataclass(frozen=True, slots=True)
class Oracle:
    """The scenario's intent, ready to be asked.

    `partitions` maps a partition to its root: it holds the same rows, but nobody promised that it can be reached
    directly, so what is REQUIRED of the root is only ALLOWED of the partition.
    """

    scenario: Scenario
    tenancy: Mapping[QName, Tenancy]
    tenant_ids: Mapping[str, str]
    partitions: Mapping[QName, QName] = field(default_factory=dict)
    people: Mapping[str | None, frozenset[str]] = field(default_factory=dict)
    """User id -> ids of the tenants they belong to."""
    directories: frozenset[QName] = frozenset()
    """Tables with one row for each user and no tenant (profiles): without an `expect` line, who of one tenant sees
    whom there is not judged."""
    founding: frozenset[QName] = frozenset()
    """Tables whose rows are tenants: without an `expect` line, whoever adds a new one crosses no border."""
    one_tenant_a_session: bool = False
    """Whether claims or settings carry one tenant: then nobody promised the others of several memberships."""
    _lines: _Lines = field(default_factory=dict, repr=False, compare=False)
    """Memo of resolved lines: the same few are asked for once per row."""
    _stances: dict[_Kind, Stance] = field(default_factory=dict, init=False, repr=False, compare=False)
    """Memo of stances: rows of one tenant and owner are alike.  Not of `init`, so that `replace` forgets them: they
    depend on `people`."""

    def stance(self, persona: Persona, relation: QName, command: Command, row: Row) -> Stance:
        """What the scenario says of *persona* doing *command* on *row* of *relation*."""
        kind = (persona, relation, command, row.tenant, row.owner, row.flags)
        if kind not in self._stances:
            self._stances[kind] = self._decide(persona, relation, command, row)
        return self._stances[kind]

    def _decide(self, persona: Persona, relation: QName, command: Command, row: Row) -> Stance:
        root = self.partitions.get(relation)
        if root is not None:
            return min(self.stance(persona, root, command, row), Stance.ALLOWED)
        tenancy = self.tenancy.get(relation, Tenancy())
        return max(
            (self._stance_as(persona, member, relation, command, row, tenancy) for member in _capacities(persona)),
            default=Stance.FORBIDDEN,
        )

    def declared(self, persona: Persona, relation: QName, command: Command) -> bool:
        """Whether every capacity of the persona has an `expect` line for this command."""
        return all(self._line(relation, command, persona, member) is not None for member in _capacities(persona))

    def speaks_of(self, persona: Persona, relation: QName, command: Command) -> bool:
        """Whether for every capacity of the persona it is a line about this very relation that decides."""
        lines = (self._line(relation, command, persona, member) for member in _capacities(persona))
        return all(line is not None and line.table == relation for line in lines)

    def place(self, persona: Persona, relation: QName, command: Command) -> Place | None:
        """The line of the scenario that governs the cell: the `expect` line, else the table's declaration."""
        for member in _capacities(persona):
            line = self._line(relation, command, persona, member)
            if line is not None and line.place is not None:
                return line.place
        tenancy = self.tenancy.get(relation)
        return tenancy.place if tenancy else None

    def promise(self, persona: Persona, relation: QName, command: Command) -> str:
        """The intent in words, for a person."""
        words = []
        for member in _capacities(persona):
            line = self._line(relation, command, persona, member)
            said = " + ".join(map(str, line.scopes)) if line else "inside the own tenant"
            words.append(f"{said} in {member.tenant}" if member and len(persona.memberships) > 1 else said)
        return "; ".join(dict.fromkeys(words))

    def _line(self, relation: QName, command: Command, persona: Persona, member: Member | None) -> Expectation | None:
        asked = (self.partitions.get(relation, relation), command, member.role if member else persona.kind.value)
        if asked not in self._lines:
            self._lines[asked] = resolve(self.scenario.expectations, *asked)
        return self._lines[asked]

    def _stance_as(
        self,
        persona: Persona,
        member: Member | None,
        relation: QName,
        command: Command,
        row: Row,
        tenancy: Tenancy,
    ) -> Stance:
        home = self.tenant_ids.get(member.tenant) if member else None
        line = self._line(relation, command, persona, member)
        if line is None:
            return self._border(persona, home, relation, command, row, tenancy)
        scopes = (self._scope(scope, line, persona, home, relation, command, row, tenancy) for scope in line.scopes)
        stance = max(scopes, default=Stance.FORBIDDEN)
        if self.one_tenant_a_session and member is not None and member.tenant != persona.tenants[0]:
            return min(stance, Stance.ALLOWED)
        return stance

    def _scope(
        self,
        scope: Scope,
        line: Expectation,
        persona: Persona,
        home: str | None,
        relation: QName,
        command: Command,
        row: Row,
        tenancy: Tenancy,
    ) -> Stance:
        unknown = {ScopeKind.OWN: tenancy.owner, ScopeKind.TENANT: tenancy.tenant}.get(scope.kind, ...) is None
        if not unknown:
            return _within(scope, persona, home, command, row, tenancy)
        if line.table is not None and scope.kind is ScopeKind.TENANT and tenancy.owner is not None:
            return Stance.REQUIRED if home is not None and home in self.people.get(row.owner, ()) else Stance.FORBIDDEN
        if line.table is not None:
            return Stance.FORBIDDEN
        # A line for every table says nothing about tables that know no tenant (or no owner): the border holds.
        return self._border(persona, home, relation, command, row, tenancy)

    def _border(
        self, persona: Persona, home: str | None, relation: QName, command: Command, row: Row, tenancy: Tenancy
    ) -> Stance:
        if _inside_border(persona, home, command, row, tenancy):
            return Stance.ALLOWED
        if command is Command.INSERT and relation in self.founding and row.tenant is None:
            return Stance.ALLOWED if row.owner in (None, persona.user_id) else Stance.FORBIDDEN
        colleague = home is not None and home in self.people.get(row.owner, ())
        reads = command is Command.SELECT and relation in self.directories
        return Stance.ALLOWED if colleague and reads else Stance.FORBIDDEN


def _capacities(persona: Persona) -> tuple[Member | None, ...]:
    """The hats a persona wears: one per membership, or none at all."""
    return persona.memberships or (None,)


def _within(scope: Scope, persona: Persona, home: str | None, command: Command, row: Row, tenancy: Tenancy) -> Stance:
    if scope.kind is ScopeKind.ALL:
        return Stance.REQUIRED
    if scope.kind is ScopeKind.WHERE:
        return Stance.REQUIRED if scope.predicate in row.flags else Stance.FORBIDDEN
    if scope.kind is ScopeKind.OWN:
        return _own(persona, home, row, tenancy)
    if scope.kind is ScopeKind.TENANT:
        if row.tenant is None:
            return max(_system_row(persona, command, tenancy, Stance.REQUIRED), _own(persona, home, row, tenancy))
        return Stance.REQUIRED if home is not None and row.tenant == home else Stance.FORBIDDEN
    return Stance.FORBIDDEN


def _own(persona: Persona, home: str | None, row: Row, tenancy: Tenancy) -> Stance:
    if persona.user_id is None or row.owner != persona.user_id:
        return Stance.FORBIDDEN
    if tenancy.tenant is not None and row.tenant is None:
        return Stance.ALLOWED  # one's own, and in nobody's tenant: no promise was made, and no border is crossed
    return Stance.REQUIRED if tenancy.tenant is None or row.tenant == home else Stance.FORBIDDEN


def _system_row(persona: Persona, command: Command, tenancy: Tenancy, shared: Stance) -> Stance:
    if tenancy.system_rows is SystemRows.PRIVATE:
        return Stance.FORBIDDEN
    if tenancy.system_rows is SystemRows.SHARED:
        reads = command is Command.SELECT and persona.kind is not PersonaKind.ANON
        return shared if reads else Stance.FORBIDDEN
    return Stance.ALLOWED if command is Command.SELECT and persona.user_id is not None else Stance.FORBIDDEN


def _inside_border(persona: Persona, home: str | None, command: Command, row: Row, tenancy: Tenancy) -> bool:
    if tenancy.private:
        return False
    if tenancy.shared:
        return command is Command.SELECT
    if tenancy.tenant is None:
        return persona.user_id is not None and row.owner == persona.user_id
    if row.tenant is None:
        mine = persona.user_id is not None and row.owner == persona.user_id
        return mine or _system_row(persona, command, tenancy, Stance.ALLOWED) is not Stance.FORBIDDEN
    return home is not None and row.tenant == home


def predicates_of(scenario: Scenario, relation: QName) -> tuple[str, ...]:
    """Every `where:` predicate that an expectation uses on this relation, sorted."""
    found = {
        scope.predicate
        for line in scenario.expectations
        if line.table == relation
        for scope in line.scopes
        if scope.kind is ScopeKind.WHERE
    }
    return tuple(sorted(found))
