"""A valid file becomes exactly the values that it declares."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tenantproof.core.model import (
    Command,
    Locator,
    Membership,
    Place,
    Platform,
    QName,
    Scenario,
    Scope,
    ScopeKind,
    SystemRows,
    Tenant,
)
from tenantproof.scenario import load_scenario

MINIMAL = """\
version: 1
database: {platform: supabase}
tenants: [acme, globex]
"""

FULL = """\
# yaml-language-server: $schema=scenario.schema.json
version: 1
name: Workflow SaaS
database:
  platform: supabase
  migrations: [migrations, extra.sql]
  schemas: [public, storage]
  auto_expose_new_tables: true
session:
  settings: {app.tenant_id: "{tenant.id}", app.limit: 0010}
  pre_request: public.check_request
  headers: {x-org: "{tenant.id}"}
tenants: [acme, {name: globex, id: 0042}]
roles: [owner, member]
membership:
  - {table: organization_members, user: user_id, tenant: organization_id, role: role}
  - {table: auth.group_members, user: user_id, tenant: group_id, values: {rank: 1.10, active: true}}
claims: {app_metadata: {org_id: "{tenant.id}", level: 3, nothing: null}}
tables:
  organizations: {tenant: id}
  workflow_executions: {tenant: workflow_id.organization_id, rows: 5, values: {note: "{n}: {\\"a\\": 1}"}}
  teams: {tenant: id, system_rows: shared}
  storage.objects: {tenant: {sql: "(storage.foldername(name))[1]"}, owner: owner}
  '"Order.Items"': {tenant: '"org.id"', owner: User}
  auth.group_members: {tenant: group_id}
  plans: {shared: true}
  job_locks: {private: true}
expect:
  "*": {all: {anon: none, outsider: none}}
  organizations: {select: tenant, write: {owner: tenant, "*": none}}
  teams: {read: [tenant, {where: is_public}]}
  job_locks: none
endpoints:
  - {name: report, url: "{base}/functions/v1/report?org={tenant.id}"}
accept:
  - {channel: SEQ-GAP, object: public.events, reason: ids are public, until: 2027-03-01}
"""


def load(folder: Path, text: str) -> Scenario:
    """Load *text* as app.tenancy.yaml."""
    path = folder / "app.tenancy.yaml"
    path.write_bytes(text.encode())
    return load_scenario(path)


@pytest.fixture
def full(tmp_path: Path) -> Scenario:
    """The scenario that uses every key."""
    (tmp_path / "migrations").mkdir()
    for name in ("0010_b.sql", "0002_a.sql", "readme.md"):
        (tmp_path / "migrations" / name).write_text("select 1;")
    (tmp_path / "extra.sql").write_text("select 1;")
    return load(tmp_path, FULL)


def test_minimal(tmp_path: Path) -> None:
    """What is left out has the platform's defaults."""
    scenario = load(tmp_path, MINIMAL)
    assert scenario.name == "app"
    assert scenario.tenants == (Tenant(name="acme"), Tenant(name="globex"))
    assert (scenario.session.login, scenario.session.role, scenario.session.anon_role) == (
        "authenticator",
        "authenticated",
        "anon",
    )
    assert scenario.database.schemas == ("public",)
    assert scenario.database.migrations == ()
    assert not scenario.expectations


def test_postgres_defaults(tmp_path: Path) -> None:
    """On plain PostgreSQL the anonymous persona has the application's role, and login is nobody's business."""
    text = MINIMAL.replace("supabase", "postgres") + "session: {role: app}\n"
    session = load(tmp_path, text).session
    assert (session.login, session.role, session.anon_role) == (None, "app", "app")


def test_empty_sections(tmp_path: Path) -> None:
    """A section of which only comments are left is as good as none."""
    text = MINIMAL + "".join(f"{key}:\n" for key in ("roles", "claims", "tables", "expect", "endpoints", "accept"))
    assert load(tmp_path, text).tables == {}


def test_database(full: Scenario, tmp_path: Path) -> None:
    """A folder stays one, for its tool to order; a list keeps its order."""
    assert full.database.platform is Platform.SUPABASE
    assert full.database.auto_expose_new_tables
    names = [path.relative_to(tmp_path).as_posix() for path in full.database.migrations]
    assert names == ["migrations", "extra.sql"]
    assert full.database.shims is None


def test_migrations_beside_the_scenario(tmp_path: Path) -> None:
    """`..` does not stay in the path that reports will print."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "schema.sql").write_text("select 1;")
    text = MINIMAL.replace("supabase", "supabase, migrations: ../schema.sql")
    assert load(tmp_path / "scenarios", text).database.migrations == (tmp_path / "schema.sql",)


def test_scalars_as_written(full: Scenario) -> None:
    """Where the database gets text, `0010` keeps its zeros."""
    assert full.tenants[1] == Tenant(name="globex", id="0042")
    assert full.session.settings == {"app.tenant_id": "{tenant.id}", "app.limit": "0010"}
    assert full.memberships[1].values == {"rank": "1.10", "active": "true"}
    assert full.claims == {"app_metadata": {"org_id": "{tenant.id}", "level": 3, "nothing": None}}


def test_memberships(full: Scenario) -> None:
    """One or several, in any schema."""
    assert full.memberships[0] == Membership(
        table=QName("public", "organization_members"), user="user_id", tenant="organization_id", role="role"
    )
    assert full.memberships[1].table == QName("auth", "group_members")


def test_tables(full: Scenario) -> None:
    """Names keep their case, paths are split, expressions are not."""
    table = {str(name): tenancy for name, tenancy in full.tables.items()}
    assert table["public.workflow_executions"].tenant == Locator(path=("workflow_id", "organization_id"))
    assert table["public.workflow_executions"].rows == 5
    assert table["public.workflow_executions"].values == {"note": '{n}: {"a": 1}'}
    assert table["storage.objects"].tenant == Locator(sql="(storage.foldername(name))[1]")
    assert table["public.teams"].system_rows is SystemRows.SHARED
    assert full.tables[QName("public", "Order.Items")].tenant == Locator(path=("org.id",))
    assert full.tables[QName("public", "Order.Items")].owner == Locator(path=("User",))
    assert table["public.plans"].shared
    assert table["public.job_locks"].private
    assert table["public.plans"].place == Place(full.path, 26, 3)


def test_expectations(full: Scenario) -> None:
    """Every line is one expectation for each command, table, role and breadth, in the order of the file."""
    flat = [
        (str(e.table or "*"), e.command.value, e.breadth, e.role, " + ".join(map(str, e.scopes)))
        for e in full.expectations
    ]
    writes = ("insert", "update", "delete")
    assert flat == [
        *(("*", command.value, 2, role, "none") for role in ("anon", "outsider") for command in Command),
        ("public.organizations", "select", 0, None, "tenant"),
        *(("public.organizations", word, 1, "owner", "tenant") for word in writes),
        *(("public.organizations", word, 1, "*", "none") for word in writes),
        ("public.teams", "select", 1, None, "tenant + where is_public"),
        *(("public.job_locks", command.value, 2, None, "none") for command in Command),
    ]
    assert full.expectations[0].place == Place(full.path, 29, 21)


def test_union(tmp_path: Path) -> None:
    """A list is a union, and what stands there twice counts once."""
    scenario = load(tmp_path, MINIMAL + "expect: {a: [own, {where: x = 'none'}, own]}\n")
    assert scenario.expectations[0].scopes == (Scope(ScopeKind.OWN), Scope(ScopeKind.WHERE, "x = 'none'"))


def test_where_directly(tmp_path: Path) -> None:
    """`{where: …}` is a scope wherever a scope may stand."""
    scenario = load(
        tmp_path, MINIMAL + "expect: {a: {where: x}, b: {read: {where: y}}, c: {read: {anon: {where: z}}}}\n"
    )
    assert [e.scopes[0].predicate for e in scenario.expectations] == ["x"] * 4 + ["y", "z"]


def test_endpoints_and_acceptances(full: Scenario) -> None:
    """A YAML date is text, and GET is the method where none is given."""
    assert full.endpoints[0].method == "GET"
    assert full.accepted[0].until == "2027-03-01"
    assert full.accepted[0].place == Place(full.path, 36, 5)


def test_places(full: Scenario) -> None:
    """Scalars by their value, the rest by the key; tables by the name as written and by the qualified one."""
    places = {key: (place.line, place.column) for key, place in full.places.items()}
    assert places["roles.1"] == (14, 16)
    assert places["membership.0.role"] == (16, 81)
    assert places["tables.teams"] == places["tables.public.teams"] == (22, 3)
    assert places["tables.public.teams.tenant"] == (22, 19)
    assert places["tables.storage.objects.owner"] == (23, 76)
    assert places["tables.public.Order.Items"] == (24, 3)
    assert places["expect.*"] == (29, 3)
    assert places["expect.public.organizations.write.owner"] == (30, 50)


def test_declared_rows_alone_do_not_decide(tmp_path: Path) -> None:
    """A table of which only the number of rows is declared may still have an inferred owner."""
    assert load(tmp_path, MINIMAL + "tables: {a: {rows: 9}}\nexpect: {a: own}\n").expectations


def test_large_file(tmp_path: Path) -> None:
    """Fifteen thousand lines are an ordinary file."""
    tables = "".join(f"  t{n}: {{tenant: org_id}}\n" for n in range(7500))
    expect = "".join(f"  t{n}: {{all: tenant}}\n" for n in range(7500))
    scenario = load(tmp_path, f"{MINIMAL}tables:\n{tables}expect:\n{expect}")
    assert len(scenario.expectations) == 30_000


def test_help_stays_light() -> None:
    """The package alone loads neither pydantic nor yaml."""
    program = "import sys, tenantproof; print(sorted({'pydantic', 'yaml'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
