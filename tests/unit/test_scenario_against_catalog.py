"""What only the database can tell about a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tenantproof.core.catalog import Catalog, Column, Constraint, ConstraintKind, Relation, RelationKind, Role
from tenantproof.core.model import QName
from tenantproof.scenario import check_against_catalog, load_scenario

HEAD = """\
version: 1
database: {platform: supabase}
tenants: [acme, globex]
"""


def table(name: str, columns: str, references: Mapping[str, str] | None = None, generated: str = "") -> Relation:
    """A table; *references* maps its columns (several with a comma) to the table they refer to."""
    return Relation(
        name=QName("public", name),
        kind=RelationKind.TABLE,
        owner="postgres",
        rls=True,
        force_rls=False,
        columns=tuple(
            Column(name=c, position=n, type="uuid", base_type="pg_catalog.uuid", category="U", generated=c == generated)
            for n, c in enumerate(columns.split())
        ),
        constraints=tuple(
            Constraint(
                name=f"{name}_{n}",
                kind=ConstraintKind.FOREIGN,
                columns=tuple(key.split(",")),
                definition="",
                references=QName("public", target),
            )
            for n, (key, target) in enumerate((references or {}).items())
        ),
    )


TABLES = (
    table("organizations", "id name"),
    table("organization_members", "organization_id user_id role"),
    table("workflows", "id organization_id created_by slug", {"organization_id": "organizations"}, generated="slug"),
    table("steps", "id workflow_id run_no", {"workflow_id,run_no": "runs"}),
    table("runs", "workflow_id run_no", {"workflow_id": "workflows"}),
)
ROLES = {
    name: Role(name=name, superuser=False, bypass_rls=False, inherit=True, login=False)
    for name in ("anon", "authenticated", "authenticator")
}
CATALOG = Catalog(
    server_version=180006,
    relations={relation.name: relation for relation in TABLES},
    roles=ROLES,
    schema_usage={"public": frozenset({"public"})},
)


def check(folder: Path, text: str, catalog: Catalog = CATALOG) -> list[str]:
    """The problems of *text*, without the path."""
    path = folder / "x.yaml"
    path.write_text(text)
    problems = check_against_catalog(load_scenario(path), catalog)
    return [problem.render().removeprefix(f"{path.as_posix()}:") for problem in problems]


GOOD = """\
roles: [owner]
membership: {table: organization_members, user: user_id, tenant: organization_id, role: role}
tables:
  organizations: {tenant: id}
  workflows: {tenant: organization_id, owner: created_by, values: {id: "{uuid}"}}
  steps: {tenant: workflow_id.workflow_id.organization_id}
  runs: {tenant: workflow_id.organization_id, owner: {sql: anything goes here}}
expect:
  "*": {all: {anon: none}}
  organizations: {select: tenant}
"""


def test_good(tmp_path: Path) -> None:
    """Names that exist, a path along foreign keys, a composite one among them: nothing to say."""
    assert check(tmp_path, HEAD + GOOD) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "tables: {workflow: {tenant: id}}\n",
            "4:10: error[unknown-table] no table 'public.workflow' in the database\n"
            "  |\n"
            "4 | tables: {workflow: {tenant: id}}\n"
            "  |          ^^^^^^^^ did you mean 'workflows'?"
            " (known: organization_members, organizations, runs, steps, workflows)",
        ),
        (
            "expect: {workflow: {read: {anon: none}}}\n",
            "4:10: error[unknown-table] no table 'public.workflow' in the database\n"
            "  |\n"
            "4 | expect: {workflow: {read: {anon: none}}}\n"
            "  |          ^^^^^^^^ did you mean 'workflows'?"
            " (known: organization_members, organizations, runs, steps, workflows)",
        ),
        (
            "tables: {workflows: {tenant: org_id}}\n",
            "4:30: error[unknown-column] public.workflows has no column 'org_id'\n"
            "  |\n"
            "4 | tables: {workflows: {tenant: org_id}}\n"
            "  |                              ^^^^^^ no such name. (known: created_by, id, organization_id, slug)",
        ),
        (
            "tables: {runs: {tenant: workflow_id.organisation_id}}\n",
            "4:25: error[unknown-column] public.workflows has no column 'organisation_id'\n"
            "  |\n"
            "4 | tables: {runs: {tenant: workflow_id.organisation_id}}\n"
            "  |                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean 'organization_id'?"
            " (known: created_by, id, organization_id, slug)",
        ),
        (
            "tables: {runs: {tenant: run_no.organization_id}}\n",
            "4:25: error[no-foreign-key] public.runs.run_no has no foreign key,"
            " so the path 'run_no.organization_id' cannot be followed\n"
            "  |\n"
            "4 | tables: {runs: {tenant: run_no.organization_id}}\n"
            "  |                         ^^^^^^^^^^^^^^^^^^^^^^"
            " foreign keys start at: workflow_id; or use {sql: expression}",
        ),
        (
            "tables: {workflows: {values: {nmae: x}}}\n",
            "4:31: error[unknown-column] public.workflows has no column 'nmae'\n"
            "  |\n"
            "4 | tables: {workflows: {values: {nmae: x}}}\n"
            "  |                               ^^^^ no such name. (known: created_by, id, organization_id, slug)",
        ),
        (
            "tables: {workflows: {values: {slug: x}}}\n",
            "4:31: error[generated-column] public.workflows.slug is generated: PostgreSQL computes it\n"
            "  |\n"
            "4 | tables: {workflows: {values: {slug: x}}}\n"
            "  |                               ^^^^ remove it from values",
        ),
        (
            "membership: {table: members, user: u, tenant: t}\n",
            "4:21: error[unknown-table] no table 'public.members' in the database\n"
            "  |\n"
            "4 | membership: {table: members, user: u, tenant: t}\n"
            "  |                     ^^^^^^^ no such name."
            " (known: organization_members, organizations, runs, steps, workflows)",
        ),
        (
            "membership: [{table: organization_members, user: user, tenant: organization_id}]\n",
            "4:50: error[unknown-column] public.organization_members has no column 'user'\n"
            "  |\n"
            "4 | membership: [{table: organization_members, user: user, tenant: organization_id}]\n"
            "  |                                                  ^^^^ did you mean 'user_id'?"
            " (known: organization_id, role, user_id)",
        ),
        (
            "session: {role: authenticatd}\n",
            "4:17: error[unknown-database-role] no role 'authenticatd' in the database (session.role)\n"
            "  |\n"
            "4 | session: {role: authenticatd}\n"
            "  |                 ^^^^^^^^^^^^ did you mean 'authenticated'?"
            " (known: anon, authenticated, authenticator)",
        ),
    ],
)
def test_bad(tmp_path: Path, text: str, expected: str) -> None:
    """One wrong name, one problem with its place."""
    assert check(tmp_path, HEAD + text) == [expected]


def test_schema_without_anything(tmp_path: Path) -> None:
    """A schema in scope that the database does not have."""
    (problem,) = check(tmp_path, HEAD.replace("supabase", "supabase, schemas: [public, privat]"))
    assert problem.startswith("2:50: error[unknown-schema] no schema 'privat' in the database")


def test_table_in_both_sections_is_named_once(tmp_path: Path) -> None:
    """`tables:` and `expect:` with the same wrong name are one mistake."""
    assert len(check(tmp_path, HEAD + "tables: {nope: {}}\nexpect: {nope: none}\n")) == 1


def test_views_have_no_foreign_keys(tmp_path: Path) -> None:
    """A path starts at a table."""
    (problem,) = check(tmp_path, HEAD + "tables: {organizations: {tenant: id.name}}\n")
    assert "public.organizations has no foreign key; or use {sql: expression}" in problem


def test_scenario_file_gone(tmp_path: Path) -> None:
    """Without the file there is no excerpt, but the place remains."""
    path = tmp_path / "x.yaml"
    path.write_text(HEAD + "tables: {nope: {}}\n")
    scenario = load_scenario(path)
    path.unlink()
    (problem,) = check_against_catalog(scenario, CATALOG)
    assert (problem.line, problem.column, problem.source_line) == (4, 10, "")


def test_catalog_without_roles(tmp_path: Path) -> None:
    """Where the catalog could not read roles, nothing is said about them."""
    catalog = Catalog(server_version=180006, relations=CATALOG.relations)
    assert check(tmp_path, HEAD + "session: {role: nobody}\n", catalog) == []
