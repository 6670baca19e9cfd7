"""Membership life: who somebody is now, what is excused, and which reads and writes are against the scenario."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

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
    Session,
    Tenancy,
    Tenant,
)
from tenantproof.core.world import Row
from tenantproof.oracle.entitlement import Oracle
from tenantproof.properties.membership import (
    Carried,
    Reading,
    Standing,
    as_now,
    carried_by,
    changed_against,
    people_of,
    seen_against,
)

NOTES, PROFILES = QName("public", "notes"), QName("public", "profiles")
IDS = {"acme": "a-id", "globex": "g-id"}
NOTHING, EVERYTHING = Carried(tenant=False, role=False), Carried(tenant=True, role=True)
ACME_ADMIN, ACME_MEMBER = Member(tenant="acme", role="admin"), Member(tenant="acme", role="member")
GLOBEX_MEMBER = Member(tenant="globex", role="member")

ADMIN = Persona(name="acme.admin", kind=PersonaKind.MEMBER, user_id="u-1", memberships=(ACME_ADMIN,))
ANON = Persona(name="anon", kind=PersonaKind.ANON)

THEIRS = Row(key=("1",), tenant="a-id", owner="u-2")
MINE = Row(key=("2",), tenant="a-id", owner="u-1")
FAR = Row(key=("3",), tenant="g-id", owner="u-3")


def scenario(**changes: object) -> Scenario:
    plain = Scenario(
        name="s",
        path="s.yaml",
        database=Database(platform=Platform.POSTGRES, migrations=(Path("s.sql"),)),
        tenants=(Tenant(name="acme"), Tenant(name="globex")),
        roles=("admin", "member"),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def oracle(*lines: Expectation) -> Oracle:
    by_both = Tenancy(tenant=Locator(path=("org_id",)), owner=Locator(path=("user_id",)))
    return Oracle(scenario(expectations=lines), {NOTES: by_both, PROFILES: by_both}, IDS)


def standing(*belongs: Member, carried: Carried = NOTHING, **more: object) -> Standing:
    return replace(Standing(oracle=oracle(), persona=as_now(ADMIN, belongs, carried)), **more)  # type: ignore[arg-type]


def test_a_removed_member_is_an_outsider() -> None:
    now = as_now(ADMIN, (), NOTHING)

    assert now.memberships == ()
    assert now.kind is PersonaKind.OUTSIDER


def test_anon_stays_anon() -> None:
    assert as_now(ANON, (), EVERYTHING) == ANON


def test_a_token_that_names_the_tenant_still_grants_it() -> None:
    assert as_now(ADMIN, (), Carried(tenant=True, role=False)).memberships == (ACME_ADMIN,)


def test_a_token_that_names_the_role_grants_it_wherever_the_persona_belongs() -> None:
    now = as_now(ADMIN, (GLOBEX_MEMBER,), Carried(tenant=False, role=True))

    assert now.memberships == (GLOBEX_MEMBER, Member(tenant="globex", role="admin"))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, NOTHING),
        ({"claims": {"app_metadata": {"org": "{tenant.id}"}}}, Carried(tenant=True, role=False)),
        ({"session": Session(settings={"app.role": "{role}"})}, Carried(tenant=False, role=True)),
        ({"session": Session(headers={"x-org": "{tenant.id}"})}, NOTHING),
    ],
    ids=["nothing", "claims", "settings", "headers are the client's"],
)
def test_what_claims_and_settings_carry(changes: dict[str, object], expected: Carried) -> None:
    assert carried_by(scenario(**changes)) == expected


def test_people_are_where_they_belong_now() -> None:
    assert people_of([ADMIN, ANON], {"acme.admin": (GLOBEX_MEMBER,)}, IDS) == {"u-1": frozenset({"g-id"})}


def test_rows_of_the_tenant_are_withheld_after_removal_and_not_before() -> None:
    assert not standing(ACME_ADMIN).forbidden(NOTES, Command.SELECT, THEIRS)
    assert standing().forbidden(NOTES, Command.SELECT, THEIRS)
    assert standing().crosses(NOTES, THEIRS)


def test_what_somebody_wrote_stays_theirs() -> None:
    assert not standing().forbidden(NOTES, Command.SELECT, MINE)


def test_a_tenant_whose_own_row_names_the_persona_is_not_judged() -> None:
    founder = standing(founded=frozenset({"a-id"}))

    assert not founder.forbidden(NOTES, Command.DELETE, THEIRS)
    assert founder.forbidden(NOTES, Command.DELETE, FAR)


def test_an_invitation_is_shown_to_who_is_invited() -> None:
    assert not standing(shown=frozenset({(NOTES, ("1",))})).forbidden(NOTES, Command.SELECT, THEIRS)


def test_a_row_about_a_person_of_two_tenants_is_seen_in_both() -> None:
    met = replace(oracle(), people={"u-3": frozenset({"a-id", "g-id"})})
    now = Standing(oracle=met, persona=ADMIN, of_people=frozenset({PROFILES}))

    assert not now.forbidden(PROFILES, Command.SELECT, FAR)
    assert now.forbidden(NOTES, Command.SELECT, FAR)


def test_only_withheld_rows_that_were_seen_are_told() -> None:
    reading = Reading(relation=NOTES, rows=(THEIRS, MINE))

    assert seen_against(standing(), reading) == (THEIRS,)
    assert seen_against(standing(ACME_MEMBER), reading) == ()


@pytest.mark.parametrize(("count", "told"), [(0, 0), (1, 0), (2, 1), (3, 2)])
def test_more_rows_than_permitted_were_seen(count: int, told: int) -> None:
    reading = Reading(relation=NOTES, rows=None, count=count, present=(THEIRS, MINE, FAR))

    assert len(seen_against(standing(), reading)) == told


def test_a_demoted_role_keeps_no_rights_inside_the_tenant() -> None:
    def line(role: str, kind: ScopeKind) -> Expectation:
        return Expectation(table=NOTES, command=Command.UPDATE, breadth=0, role=role, scopes=(Scope(kind),))

    told = oracle(line("admin", ScopeKind.TENANT), line("member", ScopeKind.NONE))
    change = Change(relation=NOTES, before=THEIRS, after=THEIRS)

    for belongs, hurt in ((ACME_ADMIN, ()), (ACME_MEMBER, (change,))):
        now = Standing(oracle=told, persona=as_now(ADMIN, (belongs,), NOTHING))
        assert changed_against(now, NOTES, Command.UPDATE, [change], 1) == hurt
        assert not now.crosses(NOTES, THEIRS)


def test_what_triggers_did_beside_the_statement_is_not_judged() -> None:
    changes = [Change(relation=NOTES, before=row, after=None) for row in (THEIRS, FAR)]

    assert changed_against(standing(), NOTES, Command.DELETE, changes, 1) == ()
    assert changed_against(standing(), NOTES, Command.DELETE, changes, 2) == tuple(changes)
