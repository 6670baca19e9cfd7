"""What can happen in the life of a membership, as choices that are possible now and as the statements of one step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from psycopg import sql

from tenantproof.core.attempt import Snapshot
from tenantproof.core.model import Member, QName
from tenantproof.core.ports import Identity
from tenantproof.core.world import Key
from tenantproof.engine.interference.life_terrain import Marked, Moving, Roll, Terrain, Values
from tenantproof.engine.plan import Plan
from tenantproof.engine.replay import timeless
from tenantproof.engine.scripts import as_observer, as_persona, has_key_of
from tenantproof.properties.membership import Belongings

LOSSES = frozenset({"remove", "leave", "demote", "transfer", "remove_owners", "relocate"})
"""After these somebody has fewer rights than before, and what they may still write is tried too."""


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
    """One thing that may happen next.  What it is about depends on the kind."""

    kind: str
    persona: str = ""
    tenant: str = ""
    role: str | None = None
    other: str = ""
    place: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that happens, from a session of the observer and back to it."""

    kind: str
    words: str
    statements: tuple[str, ...]
    people: tuple[str, ...]
    """Personas whose rights it may change."""
    main: int = 0
    """Which statement must touch a row for the step to have happened."""


class Moves:
    """The choices in a state, and their statements."""

    def __init__(self, plan: Plan, terrain: Terrain) -> None:
        self._plan, self._terrain = plan, terrain
        self._ids = plan.manifest.tenant_ids
        self._people = {p.name: p for p in plan.manifest.personas if p.user_id is not None}
        self._identities: dict[str, Identity] = {name: timeless(plan.identities[name]) for name in self._people}

    @cached_property
    def _roles(self) -> tuple[str | None, ...]:
        known = [role for role in self._plan.scenario.roles if any(role in roll.roles for roll in self._terrain.rolls)]
        return tuple(known) or (None,)

    @cached_property
    def _seats(self) -> bool:
        """Whether a user's own row holds the tenant: then nobody belongs to two."""
        return any(roll.seat for roll in self._terrain.rolls)

    def choices(self, kind: str, state: State) -> Sequence[Choice]:
        """What of this kind is possible now, the plainest first."""
        return tuple(getattr(self, f"_{kind}s")(state))

    def step(self, choice: Choice, state: State) -> Step:
        """The statements of a choice."""
        told: Step = getattr(self, f"_tell_{choice.kind}")(choice, state)
        return told

    # -- what is possible ------------------------------------------------------------------------------------------

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

    def _join_anothers(self, state: State) -> Iterator[Choice]:
        for name, tenant in self._missing(state):
            if state.belongings.get(name):
                yield from (Choice(kind="join_another", persona=name, tenant=tenant, role=r) for r in self._roles)

    def _invites(self, state: State) -> Iterator[Choice]:
        invitations = self._terrain.invitations
        for name, tenant in self._missing(state) if invitations is not None else ():
            if invitations is not None and self._ids[tenant] in invitations.drafts:
                if tenant not in state.invited.get(name, {}):
                    yield Choice(kind="invite", persona=name, tenant=tenant)

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

    def _remove_ownerss(self, state: State) -> Iterator[Choice]:
        strongest = self._roles[0]
        for tenant in self._ids if strongest is not None else ():
            if any(member == Member(tenant=tenant, role=strongest) for _, member in self._members(state)):
                yield Choice(kind="remove_owners", tenant=tenant, role=strongest)

    def _relocates(self, state: State) -> Iterator[Choice]:
        for name, member in self._members(state) if self._seats else ():
            for tenant in self._ids:
                if tenant != member.tenant:
                    yield Choice(kind="relocate", persona=name, tenant=tenant, role=member.role)

    def _hides(self, state: State) -> Iterator[Choice]:
        del state
        return (Choice(kind="hide", place=i) for i in range(len(self._terrain.marked)))

    def _restores(self, state: State) -> Iterator[Choice]:
        del state
        return (Choice(kind="restore", place=i) for i in range(len(self._terrain.marked)))

    def _hangs(self, state: State) -> Iterator[Choice]:
        del state
        return (Choice(kind="hang", place=i) for i in range(len(self._terrain.moving)))

    # -- what is done ----------------------------------------------------------------------------------------------

    def _tell_join(self, choice: Choice, state: State) -> Step:
        del state
        return Step(
            kind=choice.kind,
            words=f"{choice.persona} becomes {_as(choice.role)} of {choice.tenant}",
            statements=tuple(self._joining(choice)),
            people=(choice.persona,),
        )

    _tell_join_another = _tell_join

    def _joining(self, choice: Choice) -> Iterator[str]:
        user, tenant = self._people[choice.persona].user_id, self._ids[choice.tenant]
        for roll in self._terrain.rolls:
            template = roll.templates.get((tenant, user)) or roll.templates.get((tenant, None))
            if roll.seat:
                yield _text(
                    self._update(roll, {roll.membership.tenant: tenant, **_role(roll, choice.role)}, user, None)
                )
            elif template is not None:
                own = {roll.membership.user: user, roll.membership.tenant: tenant, **_role(roll, choice.role)}
                yield _insert(roll.relation.name, {**template, **own})

    def _tell_invite(self, choice: Choice, state: State) -> Step:
        del state
        invitations = self._terrain.invitations
        assert invitations is not None
        persona, tenant = self._people[choice.persona], self._ids[choice.tenant]
        relation, draft = invitations.relation, invitations.drafts[tenant]
        named = {invitations.invitee.name: _named(invitations.invitee.name, persona)}
        values = {**_fresh(relation.primary_key, relation.indexes, draft.values, choice.persona), **named}
        made = {c.name for c in relation.columns if c.name in relation.primary_key and c.default is not None}
        return Step(
            kind="invite",
            words=f"{choice.persona} is invited to {choice.tenant}",
            statements=(_insert(relation.name, {k: v for k, v in values.items() if k not in made}),),
            people=(choice.persona,),
        )

    def _tell_accept(self, choice: Choice, state: State) -> Step:
        invitations = self._terrain.invitations
        assert invitations is not None
        keys = sorted(state.invited[choice.persona][choice.tenant], key=str)
        name = sql.Identifier(*invitations.relation.name)
        named = sql.SQL("{} = {} AND {} = {}").format(
            sql.Identifier(invitations.invitee.name),
            sql.Literal(_named(invitations.invitee.name, self._people[choice.persona])),
            sql.Identifier(invitations.tenant),
            sql.Literal(self._ids[choice.tenant]),
        )
        written = dict(invitations.acceptance)
        if written and invitations.accepted_by is not None:
            written[invitations.accepted_by] = self._people[choice.persona].user_id
        done = (
            sql.SQL("UPDATE {} SET {} WHERE {}").format(name, _assigned(written), named)
            if written
            else sql.SQL("DELETE FROM {} WHERE {}").format(name, named)
        )
        del keys
        return Step(
            kind="accept",
            words=f"{choice.persona} accepts the invitation and becomes {_as(choice.role)} of {choice.tenant}",
            statements=(_text(done), *self._joining(choice)),
            people=(choice.persona,),
            main=1,
        )

    def _tell_remove(self, choice: Choice, state: State) -> Step:
        del state
        return Step(
            kind="remove",
            words=f"{choice.persona} is removed from {choice.tenant}",
            statements=tuple(self._removing(choice.persona, choice.tenant)),
            people=(choice.persona,),
        )

    def _removing(self, persona: str, tenant: str) -> Iterator[str]:
        user, tenant_id = self._people[persona].user_id, self._ids[tenant]
        for roll in reversed(self._terrain.rolls):
            if roll.seat:
                yield _text(self._update(roll, {roll.membership.tenant: None}, user, tenant_id))
            else:
                statement = sql.SQL("DELETE FROM {} WHERE {}").format(
                    sql.Identifier(*roll.relation.name), _who(roll, user, tenant_id)
                )
                yield _text(statement)

    def _tell_leave(self, choice: Choice, state: State) -> Step:
        del state
        identity = self._identities[choice.persona]
        becoming = as_persona(identity)
        return Step(
            kind="leave",
            words=f"{choice.persona} leaves {choice.tenant}, by deleting the membership as themselves",
            statements=(*becoming, *self._removing(choice.persona, choice.tenant), as_observer(), *_forget(identity)),
            people=(choice.persona,),
            main=len(becoming),
        )

    def _tell_promote(self, choice: Choice, state: State) -> Step:
        del state
        user, tenant = self._people[choice.persona].user_id, self._ids[choice.tenant]
        return Step(
            kind=choice.kind,
            words=f"{choice.persona} is made {_as(choice.role)} of {choice.tenant}",
            statements=tuple(self._made(choice.role, user, tenant)),
            people=(choice.persona,),
        )

    _tell_demote = _tell_promote

    def _made(self, role: str | None, user: str | None, tenant: str) -> Iterator[str]:
        for roll in self._terrain.rolls:
            if role in roll.roles:
                yield _text(self._update(roll, _role(roll, role), user, tenant))

    def _tell_transfer(self, choice: Choice, state: State) -> Step:
        del state
        tenant = self._ids[choice.tenant]
        given = self._made(self._roles[0], self._people[choice.other].user_id, tenant)
        taken = self._made(choice.role, self._people[choice.persona].user_id, tenant)
        return Step(
            kind="transfer",
            words=f"{choice.persona} hands {choice.tenant} over to {choice.other} and becomes {_as(choice.role)}",
            statements=(*given, *taken),
            people=(choice.persona, choice.other),
        )

    def _tell_remove_owners(self, choice: Choice, state: State) -> Step:
        gone = [name for name, m in self._members(state) if m == Member(tenant=choice.tenant, role=choice.role)]
        return Step(
            kind="remove_owners",
            words=f"the last {choice.role} of {choice.tenant} is removed ({', '.join(gone)})",
            statements=tuple(text for name in gone for text in self._removing(name, choice.tenant)),
            people=tuple(gone),
        )

    def _tell_relocate(self, choice: Choice, state: State) -> Step:
        del state
        return Step(
            kind="relocate",
            words=f"{choice.persona} is moved to {choice.tenant}",
            statements=tuple(self._joining(choice)),
            people=(choice.persona,),
        )

    def _tell_hide(self, choice: Choice, state: State) -> Step:
        marked = self._terrain.marked[choice.place]
        value = "true" if marked.column.category == "B" else "2026-01-02 00:00:00+00"
        return self._mark(marked, "hide", "marked as deleted", value, state)

    def _tell_restore(self, choice: Choice, state: State) -> Step:
        marked = self._terrain.marked[choice.place]
        value = "false" if marked.column.category == "B" else None
        return self._mark(marked, "restore", "restored", value, state)

    def _mark(self, marked: Marked, kind: str, done: str, value: str | None, state: State) -> Step:
        return Step(
            kind=kind,
            words=f"a row of {marked.relation.name} of {marked.tenant} is {done}",
            statements=(
                _change(marked.relation.name, marked.relation.primary_key, marked.key, {marked.column.name: value}),
            ),
            people=self._some_of(state, marked.tenant),
        )

    def _tell_hang(self, choice: Choice, state: State) -> Step:
        moving: Moving = self._terrain.moving[choice.place]
        whose = "another tenant" if moving.source != moving.target else "its own tenant"
        people = (*self._some_of(state, moving.source), *self._some_of(state, moving.target)[:1])
        return Step(
            kind="hang",
            words=f"a row of {moving.relation.name} of {moving.source} is moved to a row of {moving.parent} of {whose}"
            + (f", {moving.target}" if moving.source != moving.target else ""),
            statements=(_change(moving.relation.name, moving.relation.primary_key, moving.key, moving.changes),),
            people=tuple(dict.fromkeys(people)),
        )

    def _some_of(self, state: State, tenant: str) -> tuple[str, ...]:
        """The first and the last member of a tenant: mostly the strongest and the weakest."""
        names = [name for name, member in self._members(state) if member.tenant == tenant]
        return tuple(dict.fromkeys([*names[:1], *names[-1:]]))

    def _update(self, roll: Roll, changes: Values, user: str | None, tenant: str | None) -> sql.Composable:
        return sql.SQL("UPDATE {} SET {} WHERE {}").format(
            sql.Identifier(*roll.relation.name), _assigned(changes), _who(roll, user, tenant)
        )


def _who(roll: Roll, user: str | None, tenant: str | None) -> sql.Composable:
    parts = [(roll.membership.user, user), (roll.membership.tenant, tenant)]
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(value))
        for column, value in parts
        if value is not None
    )


def _role(roll: Roll, role: str | None) -> dict[str, str | None]:
    column = roll.membership.role
    return {column: roll.roles[role]} if column is not None and role in roll.roles else {}


def _assigned(changes: Values) -> sql.Composable:
    return sql.SQL(", ").join(
        sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(value)) for column, value in changes.items()
    )


def _change(relation: QName, key_columns: Sequence[str], key: Key, changes: Values) -> str:
    return _text(
        sql.SQL("UPDATE {} SET {} WHERE {}").format(
            sql.Identifier(*relation), _assigned(changes), has_key_of(key_columns, [key])
        )
    )


def _insert(relation: QName, values: Values) -> str:
    columns = sql.SQL(", ").join(map(sql.Identifier, values))
    literals = sql.SQL(", ").join(sql.Literal(value) for value in values.values())
    return _text(sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(*relation), columns, literals))


def _text(statement: sql.Composable) -> str:
    return statement.as_string(None)


def _as(role: str | None) -> str:
    return role if role is not None else "a member"


def _forget(identity: Identity) -> tuple[str, ...]:
    """Custom settings outlive a change of role; triggers of the observer's later steps must not meet them."""
    names = [name for name, value in identity.settings if "." in name and value]
    if not names:
        return ()
    calls = sql.SQL(", ").join(sql.SQL("pg_catalog.set_config({}, '', true)").format(sql.Literal(n)) for n in names)
    return (_text(sql.SQL("SELECT {}").format(calls)),)
