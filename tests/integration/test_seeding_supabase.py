"""Seeding the fixture workflow_saas: every table filled for every tenant, quickly, and sign-up triggers met."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tenantproof.catalog.inference import infer_tenancy
from tenantproof.catalog.introspection import introspect
from tenantproof.core.model import (
    Database,
    Locator,
    Membership,
    Persona,
    Platform,
    QName,
    Scenario,
    Tenancy,
    Tenant,
)
from tenantproof.core.world import World
from tenantproof.identity.personas import personas
from tenantproof.scenario.loading import load_scenario
from tenantproof.seeding import read_world, seed
from tenantproof.targets.embedded import EmbeddedTarget

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = QName("public", "organization_members")


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return load_scenario(ROOT / "scenarios" / "workflow_saas.tenancy.yaml")


@pytest.fixture(scope="module")
def cache() -> Iterator[Path]:
    # A socket's path must be short, which pytest's own folders are not.
    with tempfile.TemporaryDirectory(prefix="tp-seed-") as folder:
        os.chmod(folder, 0o755)  # as root the server runs as another user
        yield Path(folder)


def seeded(scenario: Scenario, cache: Path) -> Iterator[tuple[psycopg.Connection, World]]:
    with ExitStack() as stack:
        handle = stack.enter_context(EmbeddedTarget(scenario.database, cache=cache).database())
        with psycopg.connect(handle.conninfo) as connection:
            catalog = introspect(connection)
            tenancy = infer_tenancy(catalog, scenario)
            connection.rollback()
            people: tuple[Persona, ...] = personas(scenario, 7)
            manifest = seed(connection, catalog=catalog, scenario=scenario, tenancy=tenancy, personas=people, seed=7)
            world = read_world(connection, catalog=catalog, scenario=scenario, tenancy=tenancy, manifest=manifest)
            yield connection, world


@pytest.fixture(scope="module")
def saas(scenario: Scenario, cache: Path) -> Iterator[tuple[psycopg.Connection, World]]:
    yield from seeded(scenario, cache)


def test_everything_is_seeded_and_drafted(saas: tuple[psycopg.Connection, World]) -> None:
    assert saas[1].manifest.unseeded == ()


def test_every_table_with_tenants_has_rows_of_each(saas: tuple[psycopg.Connection, World]) -> None:
    _, world = saas
    ids = set(world.manifest.tenant_ids.values())
    for relation, rows in world.rows.items():
        known = world.tenancy[relation]
        if known.tenant is not None and rows:
            assert {row.tenant for row in rows} - {None} == ids, relation
        parts = relation.name.startswith("events_") or known.private
        assert rows or parts, f"{relation} is empty"


def test_memberships_are_exactly_the_personas(saas: tuple[psycopg.Connection, World]) -> None:
    _, world = saas
    expected = {
        (world.manifest.tenant_ids[m.tenant], p.user_id) for p in world.manifest.personas for m in p.memberships
    }
    assert {(row.tenant, row.owner) for row in world.rows[MEMBERS]} == expected


SIGN_UP = """
CREATE TABLE public.accounts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, personal boolean NOT NULL DEFAULT false);
CREATE TABLE public.profiles (
    id uuid PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE, full_name text NOT NULL, email text);
CREATE TABLE public.account_users (account_id uuid NOT NULL REFERENCES public.accounts ON DELETE CASCADE,
    user_id uuid NOT NULL REFERENCES auth.users, role text NOT NULL, PRIMARY KEY (account_id, user_id));
CREATE FUNCTION public.handle_new_user() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE made uuid;
BEGIN
    INSERT INTO public.profiles VALUES (new.id, new.raw_user_meta_data ->> 'full_name', new.email);
    INSERT INTO public.accounts (name, personal) VALUES (new.email, true) RETURNING id INTO made;
    INSERT INTO public.account_users VALUES (made, new.id, 'owner');
    RETURN new;
END $$;
CREATE TRIGGER on_auth_user_created AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.handle_new_user();
"""


def test_what_sign_up_makes_is_used_or_removed(tmp_path: Path, cache: Path) -> None:
    """Profiles stay; personal accounts and their memberships, which nobody declared, go."""
    migration = tmp_path / "0001.sql"
    migration.write_text(SIGN_UP)
    members = QName("public", "account_users")
    scenario = Scenario(
        name="sign-up",
        path="x.yaml",
        database=Database(platform=Platform.SUPABASE, migrations=(migration,)),
        tenants=(Tenant(name="acme"), Tenant(name="globex")),
        roles=("owner", "member"),
        memberships=(Membership(table=members, user="user_id", tenant="account_id", role="role"),),
        tables={QName("public", "profiles"): Tenancy(owner=Locator(path=("id",)))},
    )
    for _, world in seeded(scenario, cache):
        users = {p.user_id for p in world.manifest.personas if p.user_id}
        assert {row.owner for row in world.rows[QName("public", "profiles")]} == users
        assert len(world.rows[QName("public", "profiles")]) == len(users)
        accounts = {row.tenant for row in world.rows[QName("public", "accounts")]}
        assert accounts == set(world.manifest.tenant_ids.values())
        assert len(world.rows[members]) == sum(len(p.memberships) for p in world.manifest.personas)
        drafts = world.manifest.drafts[QName("public", "profiles")]
        assert {draft.replaces == (draft.owner,) for draft in drafts if draft.owner in users} == {True}
        assert [draft.replaces for draft in drafts if draft.owner not in users] == [None]
