"""What happens in the life of a membership, as statements: those of the application's backend, or of a persona."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from psycopg import sql

from tenantproof.channels.statements import insert
from tenantproof.core.catalog import Relation
from tenantproof.core.model import Persona, QName
from tenantproof.core.ports import Identity
from tenantproof.core.world import Key
from tenantproof.engine.interference.life_choices import Choice
from tenantproof.engine.interference.life_terrain import Roll, Terrain, Values
from tenantproof.engine.interference.recipes import delete_rows, literals, update_rows
from tenantproof.engine.plan import Plan
from tenantproof.engine.replay import timeless
from tenantproof.engine.scripts import as_observer, as_persona, has_key_of, set_settings

_SOME_TIME = "2026-01-02 00:00:00+00"


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

    @property
    def shown(self) -> tuple[str, ...]:
        """What tells a person enough: the statements without those that make the session somebody."""
        return self.statements[self.main : self.main + 1] if self.kind == "leave" else self.statements


class Moves:
    """Tells each choice as a step."""

    def __init__(self, plan: Plan, terrain: Terrain) -> None:
        self._plan, self._terrain = plan, terrain
        self._ids = plan.manifest.tenant_ids
        self._people = {p.name: p for p in plan.manifest.personas if p.user_id is not None}
        self._identities: dict[str, Identity] = {name: timeless(plan.identities[name]) for name in self._people}
        self._told: Mapping[str, Callable[[Choice], Step]] = {
            "join": self._join,
            "join another": self._join,
            "invite": self._invite,
            "accept": self._accept,
            "come": self._come,
            "remove": self._remove,
            "leave": self._leave,
            "promote": self._make,
            "demote": self._make,
            "transfer": self._transfer,
            "remove owners": self._remove_owners,
            "relocate": self._relocate,
            "hide": self._hide,
            "restore": self._restore,
            "hang": self._hang,
        }

    def step(self, choice: Choice) -> Step:
        """The statements of a choice."""
        return self._told[choice.kind](choice)

    def _join(self, choice: Choice) -> Step:
        return Step(
            kind=choice.kind,
            words=f"{choice.persona} becomes {_as(choice.role)} of {choice.tenant}",
            statements=tuple(self._joining(choice)),
            people=(choice.persona,),
        )

    def _joining(self, choice: Choice) -> Iterator[str]:
        user, tenant = self._people[choice.persona].user_id, self._ids[choice.tenant]
        for roll in self._terrain.rolls:
            template = roll.templates.get((tenant, user)) or roll.templates.get((tenant, None))
            if roll.seat:
                yield _seated(roll, {roll.membership.tenant: tenant, **_role(roll, choice.role)}, user, None)
            elif template is not None:
                own = {roll.membership.user: user, roll.membership.tenant: tenant, **_role(roll, choice.role)}
                yield _insert(roll.relation.name, {**template, **own})

    def _invite(self, choice: Choice) -> Step:
        invitations = self._terrain.invitations
        assert invitations is not None
        relation, draft = invitations.relation, invitations.drafts[self._ids[choice.tenant]]
        invitee = invitations.invitee.name
        named = {invitee: _named(invitee, self._people[choice.persona])}
        return Step(
            kind="invite",
            words=f"{choice.persona} is invited to {choice.tenant}",
            statements=(_insert(relation.name, {**_fresh(relation, draft.values, choice.persona), **named}),),
            people=(choice.persona,),
        )

    def _accept(self, choice: Choice) -> Step:
        invitations = self._terrain.invitations
        assert invitations is not None
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
            update_rows(invitations.relation.name, literals(written), named)
            if written
            else delete_rows(invitations.relation.name, named)
        )
        return Step(
            kind="accept",
            words=f"{choice.persona} accepts the invitation and becomes {_as(choice.role)} of {choice.tenant}",
            statements=(done, *self._joining(choice)),
            people=(choice.persona,),
            main=1,
        )

    def _come(self, choice: Choice) -> Step:
        invited, accepted = self._invite(choice), self._accept(choice)
        return Step(
            kind="come",
            words=f"{choice.persona} is invited to {choice.tenant}, accepts and becomes {_as(choice.role)}",
            statements=(*invited.statements, *accepted.statements),
            people=(choice.persona,),
            main=len(invited.statements) + accepted.main,
        )

    def _remove(self, choice: Choice) -> Step:
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
                yield _seated(roll, {roll.membership.tenant: None}, user, tenant_id)
            else:
                yield delete_rows(roll.relation.name, _who(roll, user, tenant_id))

    def _leave(self, choice: Choice) -> Step:
        identity = self._identities[choice.persona]
        becoming = as_persona(identity)
        return Step(
            kind="leave",
            words=f"{choice.persona} leaves {choice.tenant}, by deleting the membership as themselves",
            statements=(*becoming, *self._removing(choice.persona, choice.tenant), as_observer(), *_forget(identity)),
            people=(choice.persona,),
            main=len(becoming),
        )

    def _make(self, choice: Choice) -> Step:
        user, tenant = self._people[choice.persona].user_id, self._ids[choice.tenant]
        return Step(
            kind=choice.kind,
            words=f"{choice.persona} is made {_as(choice.role)} of {choice.tenant}",
            statements=tuple(self._made(choice.role, user, tenant)),
            people=(choice.persona,),
        )

    def _made(self, role: str | None, user: str | None, tenant: str) -> Iterator[str]:
        for roll in self._terrain.rolls:
            if _role(roll, role):
                yield _seated(roll, _role(roll, role), user, tenant)

    def _transfer(self, choice: Choice) -> Step:
        tenant = self._ids[choice.tenant]
        given = self._made(self._plan.scenario.roles[0], self._people[choice.other].user_id, tenant)
        taken = self._made(choice.role, self._people[choice.persona].user_id, tenant)
        return Step(
            kind="transfer",
            words=f"{choice.persona} hands {choice.tenant} over to {choice.other} and becomes {_as(choice.role)}",
            statements=(*given, *taken),
            people=(choice.persona, choice.other),
        )

    def _remove_owners(self, choice: Choice) -> Step:
        return Step(
            kind=choice.kind,
            words=f"the last {choice.role} of {choice.tenant} is removed ({', '.join(choice.people)})",
            statements=tuple(text for name in choice.people for text in self._removing(name, choice.tenant)),
            people=choice.people,
        )

    def _relocate(self, choice: Choice) -> Step:
        return Step(
            kind="relocate",
            words=f"{choice.persona} is moved to {choice.tenant}",
            statements=tuple(self._joining(choice)),
            people=(choice.persona,),
        )

    def _hide(self, choice: Choice) -> Step:
        dated = self._terrain.marked[choice.place].column.category == "D"
        return self._mark(choice, "marked as deleted", _SOME_TIME if dated else "true")

    def _restore(self, choice: Choice) -> Step:
        dated = self._terrain.marked[choice.place].column.category == "D"
        return self._mark(choice, "restored", None if dated else "false")

    def _mark(self, choice: Choice, done: str, value: str | None) -> Step:
        marked = self._terrain.marked[choice.place]
        return Step(
            kind=choice.kind,
            words=f"a row of {marked.relation.name} of {marked.tenant} is {done}",
            statements=(_change(marked.relation, marked.key, {marked.column.name: value}),),
            people=choice.people,
        )

    def _hang(self, choice: Choice) -> Step:
        moving = self._terrain.moving[choice.place]
        whose = "its own tenant" if moving.source == moving.target else f"another tenant, {moving.target}"
        return Step(
            kind="hang",
            words=f"a row of {moving.relation.name} of {moving.source} is moved to a row of {moving.parent} of {whose}",
            statements=(_change(moving.relation, moving.key, moving.changes),),
            people=choice.people,
        )


def _seated(roll: Roll, changes: Values, user: str | None, tenant: str | None) -> str:
    """The user's membership row is changed."""
    return update_rows(roll.relation.name, literals(changes), _who(roll, user, tenant))


def _who(roll: Roll, user: str | None, tenant: str | None) -> sql.Composable:
    parts = [(roll.membership.user, user), (roll.membership.tenant, tenant)]
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(column), sql.Literal(value))
        for column, value in parts
        if value is not None
    )


def _role(roll: Roll, role: str | None) -> dict[str, str | None]:
    column = roll.membership.role
    return {column: roll.roles[role]} if column and role is not None and role in roll.roles else {}


def _change(relation: Relation, key: Key, changes: Values) -> str:
    return update_rows(relation.name, literals(changes), has_key_of(relation.primary_key, [key]))


def _insert(relation: QName, values: Values) -> str:
    return insert(relation, tuple(values.items()))


def _as(role: str | None) -> str:
    return role if role is not None else "a member"


def _forget(identity: Identity) -> tuple[str, ...]:
    """Custom settings outlive a change of role; triggers of the observer's later steps must not meet them."""
    names = [name for name, value in identity.settings if "." in name and value]
    return (set_settings((name, "") for name in names),) if names else ()


def _named(column: str, persona: Persona) -> str | None:
    return persona.email if "email" in column.lower() else persona.user_id


def _fresh(relation: Relation, values: Values, mark: str) -> dict[str, str | None]:
    """The values of a draft, keys that the database makes left out, and other unique texts made unique by a mark."""
    keyed = {name for key in relation.foreign_keys for name in key.columns}
    unique = {name for index in relation.indexes if index.unique for name in index.columns} - keyed
    found: dict[str, str | None] = {}
    for name, value in values.items():
        column = relation.column(name)
        if name in unique and column.default is not None:
            continue
        found[name] = f"{value}-{mark}" if name in unique and column.category == "S" and value else value
    return found
