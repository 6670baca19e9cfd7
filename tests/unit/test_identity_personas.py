"""Who the personas are."""

from __future__ import annotations

from tenantproof.core.model import Database, Member, PersonaKind, Platform, Scenario, Tenant
from tenantproof.identity.personas import personas, without_dual


def scenario(*tenants: str, roles: tuple[str, ...] = ()) -> Scenario:
    return Scenario(
        name="people",
        path="people.tenancy.yaml",
        database=Database(platform=Platform.SUPABASE, migrations=()),
        tenants=tuple(Tenant(name=name) for name in tenants),
        roles=roles,
    )


def test_one_persona_per_tenant_and_role_then_the_built_in_ones() -> None:
    found = personas(scenario("acme", "globex", roles=("owner", "member", "viewer")), 1)
    assert [persona.name for persona in found] == [
        "acme.owner",
        "acme.member",
        "acme.viewer",
        "globex.owner",
        "globex.member",
        "globex.viewer",
        "dual",
        "outsider",
        "anon",
    ]
    assert found[0].memberships == (Member(tenant="acme", role="owner"),)
    assert found[0].email == "owner@acme.test"


def test_without_roles_two_members_per_tenant_tell_own_from_tenant() -> None:
    found = personas(scenario("acme", "globex"), 1)
    assert [persona.name for persona in found[:4]] == ["acme.user1", "acme.user2", "globex.user1", "globex.user2"]
    assert found[0].memberships == (Member(tenant="acme", role=None),)


def test_dual_is_strongest_in_the_first_tenant_and_weakest_in_the_second() -> None:
    found = personas(scenario("acme", "globex", "initech", roles=("owner", "member", "viewer")), 1)
    dual = next(persona for persona in found if persona.kind is PersonaKind.DUAL)
    assert dual.roles_in("acme") == ("owner",)
    assert dual.roles_in("globex") == ("viewer",)
    assert dual.tenants == ("acme", "globex")
    assert dual not in without_dual(found)
    assert len(without_dual(found)) == len(found) - 1


def test_ids_are_a_function_of_seed_and_name() -> None:
    people = scenario("acme", "globex", roles=("owner",))
    assert personas(people, 7) == personas(people, 7)
    more = scenario("initech", "acme", "globex", roles=("admin", "owner"))
    ids = {persona.name: persona.user_id for persona in personas(people, 7)}
    assert ids.items() <= {persona.name: persona.user_id for persona in personas(more, 7)}.items()
    assert not set(ids.values()) - {None} & {persona.user_id for persona in personas(people, 8)}


def test_users_and_addresses_are_all_different() -> None:
    found = personas(scenario("Acme Inc", "acme-inc", "Ünï", "日本", roles=("Owner!", "owner")), 1)
    signed_in = [persona for persona in found if persona.kind is not PersonaKind.ANON]
    assert len({persona.user_id for persona in signed_in}) == len(signed_in)
    assert len({persona.email for persona in signed_in}) == len(signed_in)
    assert all(persona.email is not None and persona.email.isascii() for persona in signed_in)


def test_anon_has_neither_user_nor_address() -> None:
    anon = personas(scenario("acme", "globex"), 1)[-1]
    assert (anon.kind, anon.user_id, anon.email, anon.memberships) == (PersonaKind.ANON, None, None, ())
