"""Becoming a persona on a real server that looks like Supabase, and coming back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from psycopg import errors

from tenantproof.catalog import introspect
from tenantproof.core.model import Database, Persona, Platform, QName, Scenario, Session, Tenant
from tenantproof.core.ports import Identity
from tenantproof.identity.becoming import become, pre_request, rls_proof, unbecome
from tenantproof.identity.legacy import legacy_claims
from tenantproof.identity.personas import personas
from tenantproof.identity.sessions import identify
from tenantproof.identity.signing import Signer
from tenantproof.targets.embedded import EmbeddedTarget

SCHEMA = """
CREATE TABLE public.notes (id int PRIMARY KEY, owner uuid NOT NULL);
CREATE TABLE public.open_notes (id int PRIMARY KEY);
CREATE TABLE public.hidden_notes (id int PRIMARY KEY);
ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.hidden_notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.notes FOR SELECT USING (owner = (SELECT auth.uid()));
GRANT SELECT ON public.notes, public.open_notes TO anon, authenticated;
CREATE FUNCTION public.checked() RETURNS void LANGUAGE sql AS $$ SELECT set_config('app.checked', 'yes', true) $$;
"""

WHO = "SELECT session_user::text, current_user::text, current_setting('role'), current_setting('is_superuser')"


def scenario() -> Scenario:
    return Scenario(
        name="identity",
        path="identity.tenancy.yaml",
        database=Database(platform=Platform.SUPABASE, migrations=()),
        tenants=(Tenant(name="acme"), Tenant(name="globex")),
        roles=("owner", "viewer"),
        session=Session(login="authenticator", pre_request="public.checked"),
        claims={"app_metadata": {"org_id": "{tenant.id}", "quote": "it's; \\ %s ü"}},
    )


PERSONAS = {persona.name: persona for persona in personas(scenario(), 1)}


@pytest.fixture(scope="module")
def observer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[psycopg.Connection]:
    migration = tmp_path_factory.mktemp("identity") / "1.sql"
    migration.write_text(SCHEMA)
    database = Database(platform=Platform.SUPABASE, migrations=(migration,))
    with EmbeddedTarget(database).database() as handle, psycopg.connect(handle.conninfo) as opened:
        yield opened


@pytest.fixture
def connection(observer: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """A transaction of the observer, rolled back after the test, which leaves the session as it was."""
    before = observer.execute(WHO).fetchone()
    yield observer
    observer.rollback()
    assert observer.execute(WHO).fetchone() == before


def identity(connection: psycopg.Connection, persona: Persona) -> Identity:
    role = "anon" if persona.user_id is None else "authenticated"
    catalog = introspect(connection)
    return identify(
        persona,
        scenario=scenario(),
        tenants={"acme": "1", "globex": "2"},
        signer=Signer(),
        now=int(time.time()),
        role_settings=catalog.roles[role].settings,
        legacy=legacy_claims(catalog),
    )


def become_persona(connection: psycopg.Connection, name: str) -> Identity:
    found = identity(connection, PERSONAS[name])
    connection.execute(become(found))
    return found


def row(connection: psycopg.Connection, query: str) -> tuple[object, ...] | None:
    return connection.execute(query.encode()).fetchone()


@pytest.mark.parametrize(
    ("name", "role"), [("acme.owner", "authenticated"), ("dual", "authenticated"), ("anon", "anon")]
)
def test_one_statement_makes_the_session_the_persona(connection: psycopg.Connection, name: str, role: str) -> None:
    become_persona(connection, name)
    assert row(connection, WHO) == ("authenticator", role, role, "off")


def test_supabases_functions_read_the_claims(connection: psycopg.Connection) -> None:
    found = become_persona(connection, "acme.owner")
    uid, role, claims = row(connection, "SELECT auth.uid()::text, auth.role(), auth.jwt()") or ()
    assert (uid, role, claims) == (found.persona.user_id, "authenticated", found.claims)


def test_two_personas_on_one_connection_do_not_mix(connection: psycopg.Connection) -> None:
    become_persona(connection, "acme.owner")
    connection.execute(unbecome())
    become_persona(connection, "anon")
    assert row(connection, "SELECT auth.uid(), auth.role()") == (None, "anon")
    connection.rollback()
    become_persona(connection, "outsider")
    assert row(connection, "SELECT auth.uid()::text") == (PERSONAS["outsider"].user_id,)


def test_a_legacy_claim_is_left_alone_as_postgrest_leaves_it(observer: psycopg.Connection) -> None:
    """NULL, as for a real request; it would be '' for ever in a session that has set it once."""
    with psycopg.connect(observer.info.dsn) as fresh:
        for name in ("acme.owner", "anon"):
            become_persona(fresh, name)
            assert row(fresh, "SELECT current_setting('request.jwt.claim.sub', true)") == (None,)
            fresh.rollback()


def test_legacy_claims_that_a_function_of_the_database_sets_are_cleared(connection: psycopg.Connection) -> None:
    connection.execute(
        "CREATE FUNCTION public.act_as(who text) RETURNS text LANGUAGE sql"
        " AS $$ SELECT set_config('request.jwt.claim.sub', who, true) $$"
    )
    row(connection, "SELECT public.act_as(gen_random_uuid()::text)")
    become_persona(connection, "acme.owner")
    assert row(connection, "SELECT auth.uid()::text") == (PERSONAS["acme.owner"].user_id,)


def test_the_session_has_postgrests_settings(connection: psycopg.Connection) -> None:
    become_persona(connection, "anon")
    assert row(
        connection,
        "SELECT current_setting('search_path'), current_setting('statement_timeout'),"
        " current_setting('request.headers')::json ->> 'user-agent'",
    ) == ('"public", "public", "extensions"', "3s", "tenantproof")


def test_unbecome_returns_to_the_observer_inside_the_transaction(connection: psycopg.Connection) -> None:
    before = row(connection, WHO)
    become_persona(connection, "acme.owner")
    connection.execute(unbecome())
    assert row(connection, WHO) == before


def test_a_savepoint_restores_the_persona_and_the_observer(connection: psycopg.Connection) -> None:
    before = row(connection, WHO)
    with connection.transaction(force_rollback=True):
        become_persona(connection, "acme.owner")
        with connection.transaction(force_rollback=True):
            connection.execute(unbecome())
        assert row(connection, WHO) == ("authenticator", "authenticated", "authenticated", "off")
    assert row(connection, WHO) == before


def test_it_works_in_a_pipeline(connection: psycopg.Connection) -> None:
    before = row(connection, WHO)
    found = identity(connection, PERSONAS["acme.owner"])
    with connection.pipeline():
        connection.execute(become(found))
        inside = connection.execute(WHO)
        connection.execute(unbecome())
        outside = connection.execute(WHO)
    assert inside.fetchone() == ("authenticator", "authenticated", "authenticated", "off")
    assert outside.fetchone() == before


def test_without_a_login_only_the_role_changes(connection: psycopg.Connection) -> None:
    session_user = (row(connection, WHO) or ("",))[0]
    connection.execute(become(replace(identity(connection, PERSONAS["anon"]), login=None)))
    assert row(connection, WHO) == (session_user, "anon", "anon", "off")
    connection.execute(unbecome())
    assert row(connection, WHO) == (session_user, session_user, "none", "on")


def test_the_persona_may_take_no_role_but_the_logins(connection: psycopg.Connection) -> None:
    become_persona(connection, "acme.owner")
    with pytest.raises(errors.InsufficientPrivilege):
        connection.execute("SET LOCAL ROLE supabase_admin")


def test_the_pre_request_function_runs(connection: psycopg.Connection) -> None:
    call = pre_request(become_persona(connection, "acme.owner"))
    assert call is not None
    connection.execute(call)
    assert row(connection, "SELECT current_setting('app.checked')") == ("yes",)


def prove(connection: psycopg.Connection, table: str) -> None:
    for statement in rls_proof(QName("public", table)):
        connection.execute(statement)


@pytest.mark.parametrize("table", ["notes", "hidden_notes"])
def test_a_persona_is_proven_subject_to_policies_even_without_privileges(
    connection: psycopg.Connection, table: str
) -> None:
    become_persona(connection, "acme.owner")
    with pytest.raises(errors.InsufficientPrivilege, match="affected by row-level security"):
        prove(connection, table)


def test_nothing_is_proven_for_an_open_table_or_the_observer(connection: psycopg.Connection) -> None:
    prove(connection, "notes")
    become_persona(connection, "acme.owner")
    prove(connection, "open_notes")


def test_after_the_proof_a_savepoint_restores_row_security(connection: psycopg.Connection) -> None:
    become_persona(connection, "acme.owner")
    with pytest.raises(errors.InsufficientPrivilege), connection.transaction():
        prove(connection, "notes")
    assert row(connection, "SELECT count(*) FROM public.notes") == (0,)
