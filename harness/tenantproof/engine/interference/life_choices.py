"""What can happen next in the life of a membership: the choices that are possible in a state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tenantproof.core.attempt import Snapshot
from tenantproof.core.model import Member, QName
from tenantproof.core.world import Key
from tenantproof.engine.interference.life_terrain import Terrain
from tenantproof.engine.plan import Plan
from tenantproof.properties.membership import Belongings

LOSSES = frozenset({"remove", "leave", "demote", "transfer", "remove owners", "relocate"})
"""After these somebody has fewer rights than before, and what they may still write is tried too."""

OFTEN_REFUSED = ("remove", "leave", "promote", "demote", "transfer", "remove owners", "relocate", "hang")
"""By foreign keys to the membership, by triggers that keep an owner, by policies that let nobody leave."""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the observer sees at one moment."""

    belongings: Belongings
    rows: Mapping[QName, Snapshot]
    founded: Mapping[str, frozenset[str]]
    """Persona -> ids of the tenants whose own row names it."""
    invited: Mapping[str, Mapping[str, frozenset[Key]]]
    """Persona -> tenant -> keys of its invitations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One thing that may happen next.  What it is about depends on the kind; `place` is a number in the terrain."""

    kind: str
    persona: str = ""
    tenant: str = ""
    role: str | None = None
    other: str = ""
    people: tuple[str, ...] = ()
    """Whose rights it may change, where that is not only the persona's."""
    place: int = 0


class Choices:
    """What is possible, the plainest first, so that Hypothesis shrinks towards it."""

    def __init__(self, plan: Plan, terrain: Terrain) -> None:
        self._terrain = terrain
        self._ids = plan.manifest.tenant_ids
        self._people = tuple(persona.name for persona in plan.manifest.personas if persona.user_id is not None)
        learned = {role for roll in terrain.rolls for role in roll.roles}
        self._roles: tuple[str | None, ...] = tuple(r for r in plan.scenario.roles if r in learned) or (None,)
        self._seats = any(roll.seat for roll in terrain.rolls)
        """Whether a user's own row holds the tenant: then nobody belongs to two."""
        self._blocked: frozenset[Choice] = frozenset()
        self._first: State | None = None
        self._may_leave = True
        self._kinds: Mapping[str, Callable[[State], Iterator[Choice]]] = {
            "join": self._joins,
            "join another": self._second_joins,
            "invite": self._invites,
            "accept": self._accepts,
            "come": self._comes,
            "remove": self._removes,
            "leave": self._leaves,
            "promote": self._promotes,
            "demote": self._demotes,
            "transfer": self._transfers,
            "remove owners": self._removes_of_owners,
            "relocate": self._relocates,
            "hide": self._marks("hide"),
            "restore": self._marks("restore"),
            "hang": self._hangs,
        }

    @property
    def tenants(self) -> tuple[str, ...]:
        return tuple(self._ids)

    @property
    def kinds(self) -> Iterable[str]:
        return self._kinds

    def of(self, kind: str, state: State) -> Sequence[Choice]:
        """What of this kind is possible now."""
        return tuple(choice for choice in self._kinds[kind](state) if not self._is_blocked(choice, state))

    def every(self, state: State) -> Sequence[Choice]:
        """What of the kinds that databases often refuse is possible now."""
        return tuple(choice for kind in OFTEN_REFUSED for choice in self.of(kind, state))

    def block(self, choices: Iterable[Choice], first: State) -> None:
        """Leave out what the database refused in the first state, as long as the reason for it may last.

        A membership to which rows refer cannot be deleted; where nobody may leave, nobody ever may; who is the last
        owner stays so while the tenant's members are the same; and a row that cannot be moved never can.
        """
        self._blocked = frozenset(replace(choice, people=()) for choice in choices)
        self._first = first
        offered = list(self._leaves(first))
        self._may_leave = not offered or any(choice not in self._blocked for choice in offered)

    def _is_blocked(self, choice: Choice, state: State) -> bool:
        if choice.kind == "leave" and not self._may_leave:
            return True
        if self._first is None or replace(choice, people=()) not in self._blocked:
            return False
        if choice.kind in ("remove", "leave", "remove owners", "hang"):
            return True
        return self._at(choice.tenant, state) == self._at(choice.tenant, self._first)

    def _at(self, tenant: str, state: State) -> list[tuple[str, Member]]:
        return [(name, member) for name, member in self._members(state) if member.tenant == tenant]

    def _members(self, state: State) -> Iterator[tuple[str, Member]]:
        for name in self._people:
            for member in state.belongings.get(name, ()):
                yield name, member

    def _missing(self, state: State) -> Iterator[tuple[str, str]]:
        for name in self._people:
            tenants = {member.tenant for member in state.belongings.get(name, ())}
            if not (self._seats and tenants):
                yield from ((name, tenant) for tenant in self._ids if tenant not in tenants)

    def _joins(self, state: State) -> Iterator[Choice]:
        for name, tenant in self._missing(state):
            if not state.belongings.get(name):
                yield from (Choice(kind="join", persona=name, tenant=tenant, role=role) for role in self._roles)

    def _second_joins(self, state: State) -> Iterator[Choice]:
        for name, tenant in self._missing(state):
            if state.belongings.get(name):
                yield from (Choice(kind="join another", persona=name, tenant=tenant, role=r) for r in self._roles)

    def _invites(self, state: State) -> Iterator[Choice]:
        drafts = self._terrain.invitations.drafts if self._terrain.invitations is not None else {}
        for name, tenant in self._missing(state):
            if self._ids[tenant] in drafts and tenant not in state.invited.get(name, {}):
                yield Choice(kind="invite", persona=name, tenant=tenant)

    def _comes(self, state: State) -> Iterator[Choice]:
        for choice in self._invites(state):
            yield from (replace(choice, kind="come", role=role) for role in self._roles)

    def _accepts(self, state: State) -> Iterator[Choice]:
        for name, tenant in self._missing(state):
            if tenant in state.invited.get(name, {}):
                yield from (Choice(kind="accept", persona=name, tenant=tenant, role=role) for role in self._roles)

    def _removes(self, state: State) -> Iterator[Choice]:
        return (Choice(kind="remove", persona=name, tenant=m.tenant) for name, m in self._members(state))

    def _leaves(self, state: State) -> Iterator[Choice]:
        if not self._seats:
            yield from (Choice(kind="leave", persona=name, tenant=m.tenant) for name, m in self._members(state))

    def _promotes(self, state: State) -> Iterator[Choice]:
        for name, member in self._members(state):
            if member.role in self._roles:
                for role in self._roles[: self._roles.index(member.role)]:
                    yield Choice(kind="promote", persona=name, tenant=member.tenant, role=role)

    def _demotes(self, state: State) -> Iterator[Choice]:
        for name, member in self._members(state):
            if member.role in self._roles:
                for role in reversed(self._roles[self._roles.index(member.role) + 1 :]):
                    yield Choice(kind="demote", persona=name, tenant=member.tenant, role=role)

    def _transfers(self, state: State) -> Iterator[Choice]:
        if len(self._roles) < 2:
            return
        members = list(self._members(state))
        for name, member in members:
            if member.role == self._roles[0]:
                for other, theirs in members:
                    if theirs.tenant == member.tenant and theirs.role != self._roles[0] and other != name:
                        yield Choice(
                            kind="transfer", persona=name, other=other, tenant=member.tenant, role=self._roles[1]
                        )

    def _removes_of_owners(self, state: State) -> Iterator[Choice]:
        strongest = self._roles[0]
        for tenant in self._ids if strongest is not None else ():
            owner = Member(tenant=tenant, role=strongest)
            gone = tuple(name for name, member in self._members(state) if member == owner)
            if gone:
                yield Choice(kind="remove owners", tenant=tenant, role=strongest, people=gone)

    def _relocates(self, state: State) -> Iterator[Choice]:
        for name, member in self._members(state) if self._seats else ():
            for tenant in self._ids:
                if tenant != member.tenant:
                    yield Choice(kind="relocate", persona=name, tenant=tenant, role=member.role)

    def _marks(self, kind: str) -> Callable[[State], Iterator[Choice]]:
        def marks(state: State) -> Iterator[Choice]:
            for place, marked in enumerate(self._terrain.marked):
                yield Choice(kind=kind, place=place, people=self._some_of(state, marked.tenant))

        return marks

    def _hangs(self, state: State) -> Iterator[Choice]:
        for place, moving in enumerate(self._terrain.moving):
            left, met = self._some_of(state, moving.source), self._some_of(state, moving.target)
            yield Choice(kind="hang", place=place, people=tuple(dict.fromkeys([*left, *met[:1]])))

    def _some_of(self, state: State, tenant: str) -> tuple[str, ...]:
        """The first and the last member of a tenant: mostly the strongest and the weakest."""
        names = [name for name, member in self._members(state) if member.tenant == tenant]
        return tuple(dict.fromkeys([*names[:1], *names[-1:]]))
