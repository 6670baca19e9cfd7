"""`supabase_as` as other repositories use it: their application's own client, as a persona, before a real PostgREST."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.plugin.test_plugin import outcomes, small, suite
from tests.rest.postgrest import Unavailable, postgrest

__all__ = ["small"]

TESTS = """
import pytest
from postgrest import APIError
from tenantproof.core.errors import UsageError

NEW = "0f0f0f0f-0000-4000-8000-000000000001"


def notes(client):
    return {row["id"] for row in client.table("notes").select("id").execute().data}


@pytest.mark.persona("acme.admin", "acme.member", "globex.member")
def test_a_member_sees_the_notes_of_the_own_team(supabase_as, tenancy, persona):
    team = tenancy.tenant_ids[persona.split(".")[0]]
    assert notes(supabase_as(persona)) == {row.key[0] for row in tenancy.rows("notes") if row.tenant == team} != set()


def row(tenancy, team, author):
    author = tenancy.identity(author).persona.user_id
    return {"id": NEW, "team_id": tenancy.tenant_ids[team], "author_id": author, "body": "mine"}


@pytest.mark.parametrize("time", ["once", "again"])
def test_what_is_written_stays_for_this_test_alone(supabase_as, tenancy, time):
    acme = supabase_as("acme.member")
    assert NEW not in notes(acme)
    acme.table("notes").insert(row(tenancy, "acme", "acme.member")).execute()
    acme.table("notes").upsert(row(tenancy, "acme", "acme.member")).execute()
    assert NEW in notes(acme)
    assert NEW not in notes(supabase_as("globex.member"))
    acme.table("notes").delete().eq("id", NEW).execute()
    acme.table("notes").insert(row(tenancy, "acme", "acme.member")).execute()


def test_nothing_can_be_planted_elsewhere(supabase_as, tenancy):
    with pytest.raises(APIError) as caught:
        supabase_as("acme.member").table("notes").insert(row(tenancy, "globex", "acme.member")).execute()
    assert caught.value.code == "42501"


def test_functions_and_nobody(supabase_as, tenancy):
    with pytest.raises(UsageError, match="did you mean 'acme.member'"):
        supabase_as("acme.membre")
    assert supabase_as("acme.member").rpc("my_teams").execute().data == [tenancy.tenant_ids["acme"]]
    with pytest.raises(APIError):
        notes(supabase_as("anon"))
"""

CONFTEST = """
import json
import pytest
from tenantproof.identity.signing import Signer
from tenantproof.targets.rest.program import find_postgrest
from tenantproof.targets.rest.server import Settings, serving
from tenantproof.testing import Api


@pytest.fixture(scope="session")
def tenantproof_api(tenancy):
    signer = Signer(key=b"a secret of our own, of 32 bytes or more")
    login = tenancy.conninfo + " user=authenticator"
    with serving(find_postgrest(), Settings(conninfo=login, verifier=json.dumps(signer.jwks()))) as place:
        print("OUR OWN", place.url)
        yield Api(url=place.url, signer=signer)
"""


@pytest.fixture
def program(small: Path) -> str:
    (small / "pytest.ini").write_text("[pytest]\ntenantproof_scenarios = app.tenancy.yaml\n")
    (small / "test_api.py").write_text(TESTS)
    try:
        return str(postgrest())
    except Unavailable as reason:
        pytest.skip(str(reason))


def test_the_client_acts_as_a_persona(small: Path, program: str) -> None:
    done = suite(small, "-q", "test_api.py", TENANTPROOF_POSTGREST=program)

    assert done.returncode == 0, done.stdout + done.stderr
    assert outcomes(done).startswith("7 passed")


def test_an_api_of_the_suite_is_used_instead(small: Path, program: str) -> None:
    (small / "conftest.py").write_text(CONFTEST)
    done = suite(small, "-q", "-s", "test_api.py", "-k", "planted", TENANTPROOF_POSTGREST=program)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("OUR OWN") == 1
