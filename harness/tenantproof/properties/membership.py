"""
Membership life: who belongs where now, and what somebody reaches who does not belong there any more.

Pure functions.  The intent is the oracle's, asked with the memberships as they are at the moment.  Three things are
not judged, since many correct designs allow them: rows that the persona itself owns, rows of a tenant whose own row
names the persona (organizations.owner_id), and what a token or a setting says for as long as it lives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tenantproof.core.attempt import Change
from tenantproof.core.model import Command, Member, Persona, PersonaKind, QName, Scenario
from tenantproof.core.world import Key, Row
from tenantproof.oracle.entitlement import Oracle, Stance
from tenantproof.properties.border import Border

Belongings = Mapping[str, tuple[Member, ...]]
"""Persona name -> where it belongs, and as what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What a persona's token or settings say by themselves, whatever the membership table says meanwhile."""

    tenant: bool
    role: bool

    @property
    def anything(self) -> bool:
        return self.tenant or self.role


def carried_by(scenario: Scenario) -> Carried:
    """What the claims and settings of the scenario carry."""
    text = f"{scenario.claims} {scenario.session.settings}"
    return Carried(tenant="{tenant." in text, role="{role}" in text)


def as_now(persona: Persona, belongs: tuple[Member, ...], carried: Carried) -> Persona:
    """The persona with the memberships it has now, and those that its unexpired token still grants.

    Somebody who belongs nowhere is an outsider.
    """
    token = persona.memberships[:1]
    granted = list(belongs)
    if carried.tenant:
        granted += token
    if carried.role:
        granted += [Member(tenant=tenant, role=m.role) for m in token for tenant in _tenants(granted)]
    kind = persona.kind if granted or persona.kind is PersonaKind.ANON else PersonaKind.OUTSIDER
    return replace(persona, memberships=tuple(dict.fromkeys(granted)), kind=kind)


def _tenants(members: Iterable[Member]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(member.tenant for member in members))


def people_of(
    personas: Iterable[Persona], belongings: Belongings, tenant_ids: Mapping[str, str]
) -> dict[str | None, frozenset[str]]:
    """User id -> ids of the tenants they belong to now."""
    return {
        persona.user_id: frozenset(tenant_ids[member.tenant] for member in belongings.get(persona.name, ()))
        for persona in personas
        if persona.user_id is not None
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One persona at one moment.

    `oracle` knows who belongs where at that moment, and `persona` has the memberships of that moment (`as_now`).
    """

    oracle: Oracle
    persona: Persona
    founded: frozenset[str] = frozenset()
    """Ids of the tenants whose own row names the persona."""
    shown: frozenset[tuple[QName, Key]] = frozenset()
    """Rows that are shown to whoever they name: the persona's invitation, and the row of the tenant that invites."""
    of_people: frozenset[QName] = frozenset()
    """Relations whose rows have the tenant of a person, looked up in the memberships.  A row says one tenant there
    where its person may belong to two."""

    def forbidden(self, relation: QName, command: Command, row: Row) -> bool:
        """Whether the scenario withholds the row from the persona as it stands now, and nothing excuses it."""
        if self.oracle.stance(self.persona, relation, command, row) is not Stance.FORBIDDEN:
            return False
        return not self._excused(relation, row)

    def crosses(self, relation: QName, row: Row) -> bool:
        """Whether the row is of a tenant to which the persona does not belong now."""
        return Border(self.oracle, self.persona).crosses(relation, row)

    def _excused(self, relation: QName, row: Row) -> bool:
        mine = row.owner is not None and row.owner == self.persona.user_id
        return mine or row.tenant in self.founded or (relation, row.key) in self.shown or self._colleague(relation, row)

    def _colleague(self, relation: QName, row: Row) -> bool:
        if relation not in self.of_people:
            return False
        ids = {self.oracle.tenant_ids[name] for name in self.persona.tenants if name in self.oracle.tenant_ids}
        return bool(self.oracle.people.get(row.owner, frozenset()) & ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a persona saw of a relation: the rows, or only how many where they cannot be told apart (`rows` None)."""

    relation: QName
    rows: Sequence[Row] | None
    count: int = 0
    present: Sequence[Row] = field(default_factory=tuple)
    """All rows that are there, for the case that only a count is known."""


def seen_against(standing: Standing, reading: Reading) -> tuple[Row, ...]:
    """The rows that were read and are withheld.  Rows that were not seen are not judged."""
    if reading.rows is not None:
        return tuple(row for row in reading.rows if standing.forbidden(reading.relation, Command.SELECT, row))
    withheld = [row for row in reading.present if standing.forbidden(reading.relation, Command.SELECT, row)]
    surplus = reading.count - (len(reading.present) - len(withheld))
    return tuple(withheld[: max(surplus, 0)])


def changed_against(
    standing: Standing, relation: QName, command: Command, changes: Sequence[Change], count: int
) -> tuple[Change, ...]:
    """The changes to rows that the persona may not UPDATE or DELETE, after such a statement on *relation*.

    Where more rows changed than the statement says it touched (*count*), triggers wrote too, and nobody can tell
    whose doing a change is: that is the matrix's and the search's affair.
    """
    touched = [change for change in changes if change.before is not None]
    if len(touched) > count:
        return ()
    return tuple(
        change
        for change in touched
        if change.before is not None and standing.forbidden(relation, command, change.before)
    )
