"""Integrity over scripted changes: whose rows a program may change directly, and what its side effects may reach."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantproof.core.attempt import Change
from tenantproof.core.model import (
    Command,
    Database,
    Expectation,
    Locator,
    Member,
    Persona,
    PersonaKind,
    Platform,
    QName,
    Scenario,
    Scope,
    ScopeKind,
    Tenancy,
)
from tenantproof.core.world import Row
from tenantproof.oracle.entitlement import Oracle
from tenantproof.properties.border import Border
from tenantproof.properties.integrity import Breach, Hanging, Ranks, breaches

NOTES, AUDIT, INBOX, MEMBERS = (QName("public", name) for name in ("notes", "audit", "inbox", "members"))
IDS = {"acme": "a", "globex": "g"}
ME = Persona(
    name="acme.member", kind=PersonaKind.MEMBER, user_id="me", memberships=(Member(tenant="acme", role="member"),)
)
ANON = Persona(name="anon", kind=PersonaKind.ANON)
BY_BOTH = Tenancy(tenant=Locator(path=("org_id",)), owner=Locator(path=("user_id",)))
TENANCY = {NOTES: BY_BOTH, AUDIT: BY_BOTH, MEMBERS: BY_BOTH, INBOX: Tenancy(owner=Locator(path=("user_id",)))}
RANKS = {MEMBERS: Ranks(flags=("owner", "admin", "member"))}
TEAMS: Mapping[str | None, frozenset[str]] = {
    "me": frozenset("a"),
    "colleague": frozenset("a"),
    "them": frozenset("g"),
    "theirs": frozenset("g"),
}
"""Two people in each tenant."""

MINE, COLLEAGUES, THEIRS = (
    Row(key=(who,), tenant=tenant, owner=who) for who, tenant in (("me", "a"), ("colleague", "a"), ("them", "g"))
)
BOTH = [*product(TENANCY, (MINE, COLLEAGUES, THEIRS))]


def border(
    persona: Persona = ME,
    lines: Iterable[Expectation] = (),
    people: Mapping[str | None, frozenset[str]] = TEAMS,
) -> Border:
    scenario = Scenario(
        name="s",
        path="s.yaml",
        database=Database(platform=Platform.POSTGRES, migrations=()),
        tenants=(),
        expectations=tuple(lines),
    )
    return Border(Oracle(scenario, TENANCY, IDS, people=people), persona)


def own_only(relation: QName) -> list[Expectation]:
    scopes = (Scope(ScopeKind.OWN),)
    return [Expectation(table=relation, command=command, breadth=0, role=None, scopes=scopes) for command in Command]


def inserted(row: Row, relation: QName = NOTES) -> Change:
    return Change(relation=relation, before=None, after=row)


def updated(row: Row, after: Row | None = None, relation: QName = NOTES) -> Change:
    return Change(relation=relation, before=row, after=after or row)


def deleted(row: Row, relation: QName = NOTES) -> Change:
    return Change(relation=relation, before=row, after=None)


def done(
    change: Change,
    direct: Mapping[QName, Command] | None = None,
    *,
    by: Border | None = None,
    memberships: Mapping[QName, Ranks] | None = None,
) -> list[Breach]:
    return breaches(by or border(), [change], direct or {}, memberships or {}, {})


def directly(change: Change, by: Border | None = None) -> list[Breach]:
    return done(change, {change.relation: change.command}, by=by)


KINDS = (inserted, updated, deleted)


@pytest.mark.parametrize("kind", KINDS)
def test_a_write_to_rows_of_another_tenant_crosses(kind) -> None:
    (breach,) = directly(kind(THEIRS))
    assert breach.crosses
    assert not breach.raised
    assert breach.row == THEIRS


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("row", [MINE, COLLEAGUES])
def test_a_write_inside_the_tenant_is_fine_where_nothing_was_declared(kind, row: Row) -> None:
    assert directly(kind(row)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_write_that_a_line_forbids_is_a_breach_that_does_not_cross(kind) -> None:
    strict = border(lines=own_only(NOTES))
    (breach,) = directly(kind(COLLEAGUES), strict)
    assert not breach.crosses
    assert directly(kind(MINE), strict) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_side_effect_inside_the_tenant_is_the_applications_business(kind) -> None:
    strict = border(lines=own_only(AUDIT))
    assert done(kind(COLLEAGUES, relation=AUDIT), {NOTES: Command.INSERT}, by=strict) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_side_effect_on_another_tenant_crosses(kind) -> None:
    (breach,) = done(kind(THEIRS, relation=AUDIT), {NOTES: Command.DELETE})
    assert breach.crosses


def test_moving_a_row_across_the_border_is_a_breach_both_ways() -> None:
    moved_out = updated(MINE, Row(key=MINE.key, tenant="g", owner="me"))
    moved_in = updated(THEIRS, Row(key=THEIRS.key, tenant="a", owner="me"))
    assert [breach.row.tenant for change in (moved_out, moved_in) for breach in directly(change)] == ["g", "g"]


def test_a_delete_that_a_trigger_turns_into_a_mark_is_judged_by_the_row_as_it_was() -> None:
    """The mark may say that somebody else owns the row now: the persona asked for its deletion."""
    marked = updated(MINE, Row(key=MINE.key, tenant="a", owner="colleague"))
    strict = border(lines=own_only(NOTES))
    assert done(marked, {NOTES: Command.DELETE}, by=strict) == []
    assert done(updated(COLLEAGUES), {NOTES: Command.DELETE}, by=strict)


def test_what_an_insert_updates_beside_it_is_a_side_effect() -> None:
    strict = border(lines=own_only(NOTES))
    assert done(updated(COLLEAGUES), {NOTES: Command.INSERT}, by=strict) == []
    assert done(updated(THEIRS), {NOTES: Command.INSERT}, by=strict)


def test_a_message_for_a_stranger_is_what_an_inbox_is_for_unless_people_have_teams() -> None:
    letter = Row(key=("1",), owner="them")
    alone = border(people={"me": frozenset("a"), "them": frozenset("g")})
    assert done(inserted(letter, relation=INBOX), by=alone) == []
    assert done(inserted(letter, relation=INBOX))
    assert done(updated(letter, relation=INBOX), by=alone)


def test_a_message_for_a_colleague_is_no_trespass() -> None:
    for kind in KINDS:
        assert done(kind(Row(key=("1",), owner="colleague"), relation=INBOX)) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_direct_write_to_a_strangers_row_crosses(kind) -> None:
    (breach,) = directly(kind(Row(key=("1",), owner="them"), relation=INBOX))
    assert breach.crosses


def member(tenant: str, role: str | None, owner: str = "me") -> Row:
    return Row(key=(owner, tenant), tenant=tenant, owner=owner, flags=frozenset({role} if role else ()))


def raised(change: Change) -> bool:
    found = done(change, {MEMBERS: change.command}, memberships=RANKS)
    return any(breach.raised for breach in found)


@pytest.mark.parametrize(("before", "after"), [("member", "admin"), ("member", "owner"), (None, "member")])
def test_a_stronger_role_of_ones_own_is_a_breach_even_where_everything_is_allowed(
    before: str | None, after: str
) -> None:
    assert raised(updated(member("a", before), member("a", after), relation=MEMBERS))
    assert not raised(updated(member("a", after), member("a", before), relation=MEMBERS))


def test_the_same_role_or_somebody_elses_is_not_raised() -> None:
    assert not raised(updated(member("a", "admin"), relation=MEMBERS))
    promoted = updated(member("a", "member", "colleague"), member("a", "owner", "colleague"), relation=MEMBERS)
    assert not raised(promoted)


def test_a_membership_of_another_tenant_is_raised_however_it_came() -> None:
    gained = inserted(member("g", "member"), relation=MEMBERS)
    taken = updated(member("g", "owner", "them"), member("g", "owner"), relation=MEMBERS)
    moved = updated(member("a", "owner"), member("g", "owner"), relation=MEMBERS)
    for change in (gained, taken, moved):
        (breach,) = done(change, memberships=RANKS)
        assert breach.raised
        assert breach.crosses


def test_a_second_membership_of_the_own_tenant_is_not_raised() -> None:
    assert not raised(inserted(member("a", "member"), relation=MEMBERS))


def test_losing_a_membership_raises_nobody() -> None:
    assert not raised(deleted(member("a", "owner"), relation=MEMBERS))


def test_nobody_without_a_user_id_is_raised() -> None:
    change = inserted(member("g", "owner"), relation=MEMBERS)
    found = done(change, by=border(ANON), memberships=RANKS)
    assert [breach.raised for breach in found] == [False]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("relation", "row"), BOTH)
def test_to_anon_rows_of_every_tenant_are_foreign(kind, relation: QName, row: Row) -> None:
    (breach,) = done(kind(row, relation=relation), {relation: kind(row).command}, by=border(ANON))
    assert breach.crosses


TANGLED = {NOTES: Hanging(tangled=True)}
UNDER_NOTES = {INBOX: Hanging(parents=frozenset({NOTES}))}
LETTER = Row(key=("1",), owner="them")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("hanging", "excused"), [({}, False), (TANGLED, True), ({AUDIT: TANGLED[NOTES]}, False)])
def test_a_row_goes_along_with_a_right_one_only_where_the_relation_is_tangled(
    kind, hanging: Mapping[QName, Hanging], excused: bool
) -> None:
    strict, told = border(lines=own_only(NOTES)), [kind(MINE), kind(COLLEAGUES)]
    found = breaches(strict, told, {NOTES: told[0].command}, {}, hanging)
    assert [breach.row for breach in found] == ([] if excused else [COLLEAGUES])


def test_a_row_goes_along_with_none_but_right_ones() -> None:
    strict = border(lines=own_only(NOTES))
    other = Row(key=("other",), tenant="a", owner="colleague")
    assert len(breaches(strict, [updated(COLLEAGUES), updated(other)], {NOTES: Command.UPDATE}, {}, TANGLED)) == 2


def test_a_row_goes_along_inside_one_tenant_only() -> None:
    """Somebody of both tenants, who may write to own rows alone."""
    members = (*ME.memberships, Member(tenant="globex", role="member"))
    both = border(replace(ME, memberships=members), lines=own_only(NOTES))
    (breach,) = breaches(both, [updated(MINE), updated(THEIRS)], {NOTES: Command.UPDATE}, {}, TANGLED)
    assert breach.row == THEIRS
    assert not breach.crosses


def test_no_right_change_excuses_another_tenants_row_or_a_gained_role() -> None:
    crossing = [updated(MINE), updated(THEIRS)]
    assert len(breaches(border(), crossing, {NOTES: Command.UPDATE}, {}, TANGLED)) == 1
    promoted = updated(member("a", "member"), member("a", "owner"), relation=MEMBERS)
    told = [updated(member("a", "member", "colleague"), relation=MEMBERS), promoted]
    (breach,) = breaches(border(), told, {MEMBERS: Command.UPDATE}, RANKS, {MEMBERS: Hanging(tangled=True)})
    assert breach.raised


@pytest.mark.parametrize(
    ("hurt", "beside", "hanging", "excused"),
    [
        (deleted(LETTER, INBOX), deleted(MINE), UNDER_NOTES, True),
        (deleted(LETTER, INBOX), deleted(MINE), {}, False),
        (deleted(LETTER, INBOX), deleted(MINE), {INBOX: Hanging(parents=frozenset({AUDIT}))}, False),
        (deleted(LETTER, INBOX), updated(MINE), UNDER_NOTES, False),
        (deleted(LETTER, INBOX), deleted(THEIRS), UNDER_NOTES, False),
        (updated(LETTER, relation=INBOX), deleted(MINE), UNDER_NOTES, False),
        (deleted(THEIRS, AUDIT), deleted(MINE), {AUDIT: UNDER_NOTES[INBOX]}, False),
    ],
    ids=["hangs", "does not", "on another", "not deleted", "not rightly", "changed", "another tenant's"],
)
def test_a_strangers_row_goes_only_with_the_right_deletion_of_what_it_hangs_on(
    hurt: Change, beside: Change, hanging: Mapping[QName, Hanging], excused: bool
) -> None:
    for order in ([hurt, beside], [beside, hurt]):
        found = breaches(border(), order, {NOTES: beside.command}, {}, hanging)
        assert (hurt not in [breach.change for breach in found]) == excused


owners = st.sampled_from([None, "me", "colleague", "them", "nobody"])
anybodys = st.builds(Row, key=st.tuples(st.sampled_from("12")), tenant=st.sampled_from([None, "a", "g"]), owner=owners)
relations = st.sampled_from(sorted(TENANCY))
changes = st.builds(
    Change, relation=relations, before=st.none() | anybodys, after=st.none() | anybodys, rewritten=st.booleans()
).filter(lambda change: change.before or change.after)
directs = st.dictionaries(relations, st.sampled_from([Command.INSERT, Command.UPDATE, Command.DELETE]), max_size=2)
hangs = st.builds(Hanging, parents=st.frozensets(relations, max_size=2), tangled=st.booleans())
hangings = st.dictionaries(relations, hangs, max_size=4)


def by_themselves(many: list[Change], direct: dict[QName, Command], hanging: dict[QName, Hanging]) -> list[Breach]:
    return [breach for change in many for breach in breaches(border(), [change], direct, RANKS, hanging)]


@given(st.lists(changes, max_size=5), directs, hangings)
def test_each_breach_is_one_by_itself(
    many: list[Change], direct: dict[QName, Command], hanging: dict[QName, Hanging]
) -> None:
    alone = by_themselves(many, direct, hanging)
    assert all(breach in alone for breach in breaches(border(), many, direct, RANKS, hanging))


@given(st.lists(changes, max_size=5), directs)
def test_where_nothing_hangs_on_anything_nothing_is_excused(many: list[Change], direct: dict[QName, Command]) -> None:
    assert breaches(border(), many, direct, RANKS, {}) == by_themselves(many, direct, {})


@given(st.lists(changes, max_size=5), directs, hangings)
def test_company_never_excuses_what_crosses_to_a_tenant_or_raises(
    many: list[Change], direct: dict[QName, Command], hanging: dict[QName, Hanging]
) -> None:
    together = breaches(border(), many, direct, RANKS, hanging)
    alone = by_themselves(many, direct, hanging)
    assert [b for b in together if b.raised or b.row.tenant == "g"] == [
        b for b in alone if b.raised or b.row.tenant == "g"
    ]


@given(changes, directs)
def test_a_row_of_another_tenant_is_never_touched_in_silence(change: Change, direct: dict[QName, Command]) -> None:
    """Whatever else happened: a row that was another tenant's before is a breach (notes have a tenant)."""
    before = change.before
    if before is not None and before.tenant == "g" and change.relation != INBOX:
        assert breaches(border(), [change], direct, {}, {})


@given(changes, directs)
def test_what_stays_mine_is_never_a_breach(change: Change, direct: dict[QName, Command]) -> None:
    states = [row for row in (change.before, change.after) if row is not None]
    if all(row.tenant == "a" and row.owner == "me" for row in states):
        assert breaches(border(), [change], direct, {}, {}) == []
