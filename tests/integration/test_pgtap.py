"""The pgTAP suite under pg_prove: passes where tenants are isolated, fails where not, and leaves nothing behind.

Needs pg_prove and pgTAP (Debian: libtap-parser-sourcehandler-pgtap-perl, postgresql-15-pgtap).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tenantproof.api import seeded
from tenantproof.core.model import Command
from tenantproof.core.ports import Handle
from tenantproof.engine.suite import suite_of
from tenantproof.reports.pgtap import write_suite
from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget

PGTAP = sorted(Path("/usr/share/postgresql").glob("*/extension/pgtap.sql"))
"""Where Debian keeps it as a script; the embedded server does not know it as an extension."""

pytestmark = pytest.mark.skipif(
    not PGTAP or shutil.which("pg_prove") is None, reason="needs pg_prove and pgTAP, see the module's docstring"
)

APP = Path(__file__).parent / "small_app" / "app.tenancy.yaml"
Proved = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pgtap") / "tenantproof.test.sql"
    with seeded(APP) as (handle, plan), psycopg.connect(handle.conninfo) as connection:
        found = suite_of(plan, lambda query: connection.execute(query.encode()).fetchall())
    with path.open("w", encoding="utf-8") as out:
        write_suite(found, out)
    return path


def everything(handle: Handle) -> list[tuple[object, ...]]:
    """All relations and functions, and how many rows the application's tables hold."""
    with psycopg.connect(handle.conninfo) as connection:
        return [
            *connection.execute("select oid, relname from pg_class order by oid").fetchall(),
            *connection.execute("select oid, proname from pg_proc order by oid").fetchall(),
            *connection.execute("select count(*), 'users' from auth.users").fetchall(),
            *connection.execute("select count(*), 'notes' from public.notes").fetchall(),
        ]


@pytest.fixture
def prove(suite: Path, tmp_path: Path) -> Callable[..., Proved]:
    """Runs the suite against the application with a patch, as pg_prove would in a project."""

    def run(patch: str = "", user: str = "supabase_admin") -> Proved:
        (tmp_path / "patch.sql").write_text(patch)
        target = EmbeddedTarget(load_scenario(APP).database, patches=[tmp_path / "patch.sql"])
        with target.database() as handle:
            with psycopg.connect(handle.conninfo) as connection:
                connection.execute(PGTAP[-1].read_bytes())
                # Hosted Supabase lets postgres set it (supautils); a bare server does not.
                connection.execute("grant set on parameter session_replication_role to postgres")
            before = everything(handle)
            done = subprocess.run(
                ["pg_prove", "--verbose", str(suite)],
                env={**os.environ, **environment(handle, user)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert everything(handle) == before
            return done

    return run


def environment(handle: Handle, user: str) -> dict[str, str]:
    known = psycopg.conninfo.conninfo_to_dict(handle.conninfo)
    names = {"PGHOST": "host", "PGPORT": "port", "PGDATABASE": "dbname", "PGPASSWORD": "password"}
    return {name: str(known[key]) for name, key in names.items() if key in known} | {"PGUSER": user}


def test_what_was_accepted_is_not_tested() -> None:
    accepted = {("public.notes", "acme.admin", Command.DELETE)}
    with seeded(APP) as (handle, plan), psycopg.connect(handle.conninfo) as connection:
        found = suite_of(plan, lambda query: connection.execute(query.encode()).fetchall(), accepted)
    keys = {(probe.object, probe.persona, probe.command) for probe in found.probes}
    assert ("public.notes", "acme.member", Command.DELETE) in keys
    assert not keys & accepted
    assert "public.notes · delete · acme.admin: accepted" in found.left_out


@pytest.mark.parametrize("user", ["supabase_admin", "postgres"])
def test_it_passes_where_tenants_are_isolated(prove: Callable[..., Proved], user: str) -> None:
    done = prove(user=user)
    assert done.returncode == 0, done.stderr
    assert "Result: PASS" in done.stdout


@pytest.mark.parametrize(
    ("patch", "failing"),
    [
        ("create policy x on notes for select to authenticated using (true)", "others' rows stay hidden"),
        ("create policy x on notes for update to authenticated using (true)", "update on public.notes"),
        ("create policy x on notes for delete to authenticated using (true)", "delete on public.notes"),
        ("create policy x on notes for insert to authenticated with check (true)", "cannot add a row for globex"),
        ("drop policy notes_select on notes", "their own rows are there"),
        ("alter table notes disable row level security", "others' rows stay hidden"),
    ],
)
def test_it_fails_where_they_are_not(prove: Callable[..., Proved], patch: str, failing: str) -> None:
    done = prove(patch)
    assert done.returncode != 0
    assert any(failing in line for line in done.stdout.splitlines() if line.startswith("not ok")), done.stdout


def test_rows_that_are_there_already_do_no_harm(prove: Callable[..., Proved]) -> None:
    rows = """
        insert into teams (id, name) values ('00000000-0000-4000-8000-000000000001', 'here before');
        insert into auth.users (id, email) values ('00000000-0000-4000-8000-000000000002', 'before@example.test');
        insert into notes (team_id, author_id)
          values ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002');
    """
    assert prove(rows).returncode == 0
