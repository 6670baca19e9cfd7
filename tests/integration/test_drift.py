"""`drift` against databases of the embedded server: silent on the same, and each kind of difference by its name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from tests.integration.conftest import Run

from tenantproof import api
from tenantproof.cli.main import run as run_here
from tenantproof.core.drift import Difference, Direction
from tenantproof.core.errors import TargetError, UsageError
from tenantproof.core.finding import Severity
from tenantproof.core.model import Scenario
from tenantproof.core.ports import Handle
from tenantproof.drift.compare import compare
from tenantproof.drift.names import MIGRATOR
from tenantproof.drift.respelling import respelled
from tenantproof.drift.roles import migrator_of, renamed
from tenantproof.drift.run import compare_live, read_live
from tenantproof.drift.scope import left_out, make_pair
from tenantproof.drift.side import Side, read_side
from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget
from tenantproof.targets.live import read_only

ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "fixtures" / "drift"
SCENARIO = FIXTURE / "drift.tenancy.yaml"
PG15 = Path("/usr/lib/postgresql/15/bin")

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Stage:
    """The small database twice: `ours` as the migrations make it, `live` to be changed."""

    scenario: Scenario
    side: Side
    ours: Connection
    live: Connection
    dsn: str

    def differences(self) -> tuple[Difference, ...]:
        """What differs now."""
        live = read_side(self.live)
        known_as = migrator_of(self.side, live)
        alike = respelled(renamed(live, known_as, MIGRATOR), self.side, self.ours)
        return compare(make_pair(self.side, alike, self.scenario))


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    scenario = load_scenario(SCENARIO)
    target = EmbeddedTarget(scenario.database)
    with (
        target.database() as one,
        target.database() as other,
        psycopg.connect(one.conninfo) as ours,
        psycopg.connect(other.conninfo) as live,
    ):
        yield Stage(scenario, read_side(ours), ours, live, other.conninfo)


@contextmanager
def changed(stage: Stage, statements: str) -> Iterator[None]:
    """The live database after these statements, until the end of the block."""
    try:
        stage.live.execute(statements.encode())
        yield
    finally:
        stage.live.rollback()


# The same database is the same

SAME = [
    ROOT / "scenarios" / "workflow_saas.tenancy.yaml",
    ROOT / "fixtures" / "strangers" / "quoted" / "quoted_full.tenancy.yaml",
    ROOT / "fixtures" / "strangers" / "guc" / "guc_full.tenancy.yaml",
    SCENARIO,
]


@pytest.mark.parametrize(
    "path", [pytest.param(SAME[0], marks=pytest.mark.thorough), *SAME[1:]], ids=lambda path: path.name.partition(".")[0]
)
def test_identical_databases_do_not_differ_seeded_or_not(path: Path) -> None:
    scenario = load_scenario(path)
    with EmbeddedTarget(scenario.database).database() as ours, EmbeddedTarget(scenario.database).database() as other:
        assert compare_live(ours, scenario, *read_live(other.conninfo)).differences == ()

        def compare_seeded(handle: Handle, _report: object) -> None:
            found = compare_live(ours, scenario, *read_live(handle.conninfo))
            assert found.differences == ()
            assert found.compared["policies"] > 0

        api.check(path, attempts=0, then=compare_seeded)


def test_another_owner_of_everything_is_the_role_that_migrated(stage: Stage) -> None:
    """Whoever applied the migrations there is `postgres` here, in owners, grants and policies alike."""
    relations = "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'public'"
    handed = "create role app_owner bypassrls; grant create on schema public to app_owner;"
    with changed(stage, handed):
        for (name,) in stage.live.execute(relations.encode()).fetchall():
            stage.live.execute(f"alter table {name} owner to app_owner".encode())
        for rest in (
            "view public.note_titles",
            "sequence public.ticket_numbers",
            "function public.my_organizations()",
            "function public.title_of(public.notes)",
            "function public.touch()",
        ):
            stage.live.execute(f"alter {rest} owner to app_owner".encode())
        kinds = {difference.kind for difference in stage.differences()}
    assert kinds <= {"schema-create"}


SPELLINGS = {
    "another name of a constraint": "alter table notes rename constraint notes_title_not_blank to title_is_there",
    "case, comments and spaces of a body": (
        "create or replace function touch() returns trigger language plpgsql as $$ BEGIN\n"
        "  /* now */ NEW.updated_at := now();\n\n  RETURN NEW; END $$"
    ),
    "parentheses": "alter policy notes_delete on notes using (((author_id = (select auth.uid()))))",
    "what WITH CHECK is by itself": "alter policy notes_update on notes with check (author_id = (select auth.uid()))",
    "roles in another order": "alter policy tags_select on tags to authenticated",
    "a grant on a column that the table's grant holds": "grant select (title) on notes to authenticated",
    "rows": "insert into organizations (name, slug) values ('x', 'y')",
    "a table of the migration tool": "create table _prisma_migrations (id text primary key)",
    "a schema that nobody names": "create schema other; create table other.things (id int)",
    "a role of the server": "create role reporting login",
}


@pytest.mark.parametrize("statements", SPELLINGS.values(), ids=SPELLINGS.keys())
def test_what_means_the_same_is_no_difference(stage: Stage, statements: str) -> None:
    with changed(stage, f"set local search_path = public; {statements}; reset search_path"):
        assert stage.differences() == ()


def test_what_is_left_out_is_said(stage: Stage) -> None:
    with changed(stage, "create schema other; create table public.flyway_schema_history (id int)"):
        said = " ".join(left_out(make_pair(stage.side, read_side(stage.live), stage.scenario)))
    assert "other" in said
    assert "public.flyway_schema_history" in said
    assert "storage" in said


# Each kind of difference, by its name

OPEN, LESS, OTHER = Direction.MORE_OPEN, Direction.LESS_OPEN, Direction.DIFFERENT
CRITICAL, HIGH, MEDIUM, LOW = Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW

KINDS = [
    # Row level security and policies
    ("rls-disabled", CRITICAL, OPEN, "public.notes", "alter table notes disable row level security"),
    ("rls-not-forced", HIGH, OPEN, "public.notes", "alter table notes no force row level security"),
    ("rls-forced", LOW, LESS, "public.members", "alter table members force row level security"),
    ("policy-missing", MEDIUM, LESS, "public.notes", "drop policy notes_select on notes"),
    ("policy-missing", CRITICAL, OPEN, "public.notes", "drop policy notes_members_only on notes"),
    ("policy-extra", CRITICAL, OPEN, "public.notes", "create policy open on notes for select using (true)"),
    ("policy-extra", LOW, LESS, "public.tags", "create policy shut on tags as restrictive using (id > 5)"),
    ("policy-using", CRITICAL, OPEN, "public.notes", "alter policy notes_select on notes using (true)"),
    ("policy-using", HIGH, OTHER, "public.notes", "alter policy notes_select on notes using (title <> 'x')"),
    ("policy-using", LOW, LESS, "public.tags", "alter policy tags_select on tags using (id > 5)"),
    ("policy-check", CRITICAL, OPEN, "public.notes", "alter policy notes_update on notes with check (true)"),
    ("policy-roles", HIGH, OPEN, "public.notes", "alter policy notes_select on notes to authenticated, anon"),
    (
        "policy-command",
        CRITICAL,
        OPEN,
        "public.notes",
        "drop policy notes_select on notes; create policy notes_select on notes to authenticated"
        " using (organization_id in (select my_organizations()))",
    ),
    (
        "policy-permissive",
        CRITICAL,
        OPEN,
        "public.notes",
        "drop policy notes_members_only on notes; create policy notes_members_only on notes to authenticated"
        " using (organization_id in (select my_organizations()))",
    ),
    # Grants
    ("grant-extra", CRITICAL, OPEN, "public.tags", "grant select on tags to anon"),
    ("grant-extra", CRITICAL, OPEN, "public.tags", "grant insert on tags to public"),
    ("grant-extra", HIGH, OPEN, "public.tags", "grant delete on tags to authenticated"),
    ("grant-extra", MEDIUM, OPEN, "public.tags", "grant truncate on tags to public"),
    ("grant-extra", LOW, OPEN, "public.tags", "grant references on tags to public"),
    ("grant-missing", MEDIUM, LESS, "public.tags", "revoke select on tags from authenticated"),
    ("column-grant-extra", HIGH, OPEN, "public.notes", "grant update (author_id) on notes to authenticated"),
    ("column-grant-missing", MEDIUM, LESS, "public.notes", "revoke update (state) on notes from authenticated"),
    ("sequence-grant-extra", LOW, OPEN, "public.ticket_numbers", "grant usage on sequence ticket_numbers to anon"),
    ("schema-create", HIGH, OPEN, "public", "grant create on schema public to authenticated"),
    ("schema-usage", LOW, LESS, "public", "revoke usage on schema public from anon"),
    (
        "default-privileges-extra",
        MEDIUM,
        OPEN,
        "public",
        "alter default privileges for role postgres in schema public grant select on tables to anon",
    ),
    # Functions
    ("function-missing", MEDIUM, LESS, "public.title_of(public.notes)", "drop function title_of(notes)"),
    (
        "function-extra",
        HIGH,
        OPEN,
        "public.all_notes()",
        "create function all_notes() returns setof notes language sql security definer as 'select * from notes'",
    ),
    ("function-definer", CRITICAL, OPEN, "public.touch()", "alter function touch() security definer"),
    (
        "function-invoker",
        MEDIUM,
        LESS,
        "public.my_organizations()",
        "alter function my_organizations() security invoker",
    ),
    ("function-search-path", HIGH, OPEN, "public.my_organizations()", "alter function my_organizations() reset all"),
    ("function-volatility", LOW, OTHER, "public.my_organizations()", "alter function my_organizations() volatile"),
    ("function-leakproof", HIGH, OPEN, "public.touch()", "alter function touch() leakproof"),
    (
        "function-owner",
        MEDIUM,
        OTHER,
        "public.my_organizations()",
        "alter function my_organizations() owner to supabase_admin",
    ),
    (
        "execute-extra",
        CRITICAL,
        OPEN,
        "public.my_organizations()",
        "grant execute on function my_organizations() to anon",
    ),
    (
        "execute-missing",
        LOW,
        LESS,
        "public.my_organizations()",
        "revoke execute on function my_organizations() from authenticated",
    ),
    (
        "function-body",
        HIGH,
        OTHER,
        "public.my_organizations()",
        "create or replace function my_organizations() returns setof uuid language sql stable security definer"
        " set search_path = '' as 'select id from public.organizations'",
    ),
    (
        "function-body",
        MEDIUM,
        OTHER,
        "public.title_of(public.notes)",
        "create or replace function title_of(note notes) returns text language sql stable"
        " begin atomic select note.title; end",
    ),
    # Views
    (
        "view-security-invoker-lost",
        CRITICAL,
        OPEN,
        "public.note_titles",
        "alter view note_titles reset (security_invoker)",
    ),
    ("view-security-barrier-lost", HIGH, OPEN, "public.note_titles", "alter view note_titles reset (security_barrier)"),
    (
        "view-definition",
        MEDIUM,
        OTHER,
        "public.note_titles",
        "create or replace view note_titles with (security_invoker = true, security_barrier = true) as"
        " select organization_id, title from notes",
    ),
    ("view-missing", MEDIUM, LESS, "public.note_titles", "drop view note_titles"),
    (
        "view-extra",
        CRITICAL,
        OPEN,
        "public.every_note",
        "create view every_note as select * from notes; grant select on every_note to authenticated",
    ),
    # Triggers
    ("trigger-disabled", HIGH, OPEN, "public.notes", "alter table notes disable trigger notes_touch"),
    ("trigger-missing", HIGH, OPEN, "public.notes", "drop trigger notes_touch on notes"),
    (
        "trigger-extra",
        MEDIUM,
        OTHER,
        "public.tags",
        "create trigger odd after insert on tags for each row execute function touch()",
    ),
    (
        "trigger-changed",
        MEDIUM,
        OTHER,
        "public.notes",
        "create or replace trigger notes_touch before insert or update on notes for each row execute function touch()",
    ),
    (
        "trigger-extra",
        MEDIUM,
        OTHER,
        "auth.users",
        "create trigger signed_up after insert on auth.users for each row execute function public.touch()",
    ),
    # Tables, columns, constraints
    ("table-missing", MEDIUM, LESS, "public.tags", "drop table tags"),
    ("table-extra", MEDIUM, OPEN, "public.drafts", "set local role postgres; create table drafts (id int); reset role"),
    ("table-extra", CRITICAL, OPEN, "public.drafts", "create table drafts (id int); grant select on drafts to anon"),
    ("column-missing", MEDIUM, OTHER, "public.organizations", "alter table organizations drop column name"),
    ("column-extra", MEDIUM, OPEN, "public.organizations", "alter table organizations add column iban text"),
    ("column-type", MEDIUM, OTHER, "public.tags", "alter table tags alter column label type varchar(20)"),
    ("column-nullable", MEDIUM, OPEN, "public.notes", "alter table notes alter column title drop not null"),
    ("column-default", MEDIUM, OTHER, "public.notes", "alter table notes alter column body set default 'empty'"),
    ("enum-values", MEDIUM, OTHER, "public.note_state", "alter type note_state rename value 'draft' to 'sketch'"),
    ("foreign-key-missing", MEDIUM, OPEN, "public.notes", "alter table notes drop constraint notes_author_id_fkey"),
    (
        "foreign-key-action",
        MEDIUM,
        OTHER,
        "public.members",
        "alter table members drop constraint members_user_id_fkey;"
        " alter table members add foreign key (user_id) references auth.users (id)",
    ),
    ("unique-missing", MEDIUM, OPEN, "public.notes", "drop index notes_title_once"),
    ("unique-extra", MEDIUM, LESS, "public.notes", "alter table notes add unique (title)"),
    ("check-missing", MEDIUM, OPEN, "public.notes", "alter table notes drop constraint notes_title_not_blank"),
    (
        "constraint-changed",
        MEDIUM,
        OTHER,
        "public.members",
        "alter table members drop constraint members_role_check;"
        " alter table members add constraint members_role_check check (role <> '')",
    ),
    (
        "constraint-not-valid",
        LOW,
        OPEN,
        "public.notes",
        "alter table notes drop constraint notes_title_not_blank;"
        " alter table notes add constraint notes_title_not_blank check (btrim(title) <> '') not valid",
    ),
    (
        "owner",
        CRITICAL,
        OPEN,
        "public.tags",
        "grant create on schema public to authenticated; alter table tags owner to authenticated",
    ),
    # Roles and publications
    ("role-bypassrls", CRITICAL, OPEN, "authenticated", "alter role authenticated bypassrls"),
    ("role-superuser", CRITICAL, OPEN, "anon", "alter role anon superuser"),
    ("role-membership-extra", CRITICAL, OPEN, "authenticated", "grant service_role to authenticated"),
    ("publication-extra", MEDIUM, OPEN, "public.members", "alter publication supabase_realtime add table members"),
    (
        "publication-missing-table",
        LOW,
        LESS,
        "public.notes",
        "alter publication supabase_realtime drop table notes",
    ),
]

BESIDE = {
    "owner": {"schema-create", "grant-missing", "sequence-grant-missing"},
    "enum-values": {"column-default", "constraint-changed", "view-definition"},
}
"""What a change brings with it."""


@pytest.mark.parametrize(
    ("kind", "severity", "direction", "name", "statements"),
    KINDS,
    ids=[f"{k[0]}-{k[1]}-{i}" for i, k in enumerate(KINDS)],
)
def test_each_kind_is_named(
    stage: Stage, kind: str, severity: Severity, direction: Direction, name: str, statements: str
) -> None:
    with changed(stage, f"set local search_path = public; {statements}; reset search_path"):
        found = stage.differences()
    told = [(d.kind, d.severity, d.direction, d.object) for d in found]
    assert (kind, severity, direction, name) in told
    assert all(d.migrations != d.live for d in found)
    assert {d.kind for d in found} - {kind} <= BESIDE.get(kind, set()), told
    assert len([d for d in found if d.kind == kind]) == 1


def test_at_least_ten_kinds_are_tried() -> None:
    assert len({kind for kind, *_ in KINDS}) > 40


# The live database is only read


def test_the_session_cannot_write_and_is_bounded(stage: Stage) -> None:
    with read_only(stage.dsn) as connection:
        settings = "select current_setting('transaction_read_only'), current_setting('statement_timeout')"
        assert connection.execute(settings.encode()).fetchone() == ("on", "30s")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), connection.transaction():
            connection.execute("create table public.x (id int)")
    with psycopg.connect(stage.dsn, autocommit=True) as connection, read_only(_without_name(stage.dsn)):
        named = connection.execute("select count(*) from pg_stat_activity where application_name = 'tenantproof drift'")
        assert named.fetchone() == (1,)


def _without_name(dsn: str) -> str:
    return " ".join(part for part in dsn.split() if not part.startswith("application_name="))


def test_a_server_that_does_not_answer_is_an_error_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(TargetError) as raised, read_only(f"host={tmp_path} password=hunter2 dbname=x"):
        pass
    assert "hunter2" not in str(raised.value)


# As a user runs it


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of a database with the fixture's migrations, changed in two places."""
    patch = tmp_path_factory.mktemp("live") / "changed.sql"
    patch.write_text(
        "create policy everything on public.notes using (true);\n"
        "alter view public.note_titles reset (security_invoker);\n"
    )
    scenario = load_scenario(SCENARIO)
    with EmbeddedTarget(scenario.database, patches=[patch]).database() as handle:
        yield make_conninfo(handle.conninfo, password="hunter2")


def test_the_verb_names_what_differs_and_exits_1(tenantproof: Run, tmp_path: Path, live: str) -> None:
    done = tenantproof("drift", SCENARIO, "--against", "env:LIVE", "-r", "json=out.json", LIVE=live)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "policy everything" in done.stdout
    assert "security_invoker" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr
    document = json.loads((tmp_path / "out.json").read_text())
    jsonschema.validate(document, json.loads((files("tenantproof.reports") / "drift-v1.schema.json").read_text()))
    assert [d["kind"] for d in document["differences"]] == ["view-security-invoker-lost", "policy-extra"]
    assert {(Path(d["file"]).name, d["line"]) for d in document["differences"]} == {
        ("03_access.sql", 27),
        ("01_tables.sql", 16),
    }


@pytest.mark.parametrize(("arguments", "code"), [((), 1), (("--exit-zero",), 0), (("--fail-on", "never"), 0)])
def test_the_gate(live: str, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: int) -> None:
    monkeypatch.setenv("LIVE", live)
    assert run_here(["drift", str(SCENARIO), "--against", "env:LIVE", "-q", *arguments]) == code


def test_a_password_on_the_command_line_is_warned_of(live: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here(["drift", str(SCENARIO), "--against", live, "-q"]) == 1
    said = capsys.readouterr()
    assert "warning: the password" in said.err
    assert "hunter2" not in said.out + said.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "nothing to compare with"),
        (("--against", "env:NOT_SET_AT_ALL"), 2, "NOT_SET_AT_ALL is not set"),
        (("--against", "nonsense"), 2, "--against: the DSN cannot be read"),
        (("--prisma", "nowhere.prisma"), 2, "cannot be read"),
        (("--prisma", "nowhere.prisma", "-r", "html=x.html"), 2, "json only"),
    ],
)
def test_bad_input_is_one_clear_error(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, said: str
) -> None:
    assert run_here(["drift", str(SCENARIO), "-q", *arguments]) == code
    assert said in capsys.readouterr().err


# Prisma


def test_a_prisma_schema_that_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here(["drift", str(SCENARIO), "--prisma", str(FIXTURE / "schema.prisma"), "-q"]) == 0
    assert "no difference" in capsys.readouterr().out


def test_a_prisma_schema_that_does_not() -> None:
    found = api.drift(SCENARIO, prisma=FIXTURE / "wrong.prisma")
    assert found.gating(Severity.MEDIUM)
    assert {(d.kind, d.object, d.part): d.line for d in found.differences} == WRONG


WRONG = {
    ("prisma-column-missing", "public.organizations", "column plan"): 8,
    ("prisma-column-unknown", "public.notes", "column body"): 17,
    ("prisma-nullability", "public.organizations", "column name"): 7,
    ("prisma-relation-missing", "public.organizations", "relation parent"): 10,
    ("prisma-type", "public.notes", "column number"): 19,
    ("prisma-native-type", "public.notes", "column updated_at"): 26,
    ("prisma-relation-action", "public.notes", "relation organization"): 27,
    ("prisma-model-missing", "public.projects", ""): 32,
    ("prisma-enum-values", "public.note_state", "enum"): 38,
    ("prisma-table-unknown", "public.members", ""): None,
    ("prisma-table-unknown", "public.tags", ""): None,
}


def test_the_python_interface() -> None:
    found = api.drift(SCENARIO, prisma=FIXTURE / "schema.prisma")
    assert found.differences == ()
    with pytest.raises(UsageError, match="nothing to compare with"):
        api.drift(SCENARIO)


# Another version of PostgreSQL prints other text for the same thing


@pytest.fixture(scope="module")
def fifteen() -> Iterator[str]:
    """A server of PostgreSQL 15: the folder of its socket, short enough for one."""
    if not (PG15 / "initdb").exists():
        pytest.skip(f"PostgreSQL 15 is not installed in {PG15}")
    root = os.geteuid() == 0
    if root and shutil.which("setpriv") is None:
        pytest.skip("setpriv is needed to run PostgreSQL as another user than root")
    as_nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if root else []
    home = Path(tempfile.mkdtemp(prefix="tp15-"))
    home.chmod(0o755)
    if root:
        shutil.chown(home, "nobody", "nogroup")

    def run(program: str, *arguments: str) -> None:
        command = [*as_nobody, str(PG15 / program), "-D", str(home / "data"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=home)

    run("initdb", "-U", "admin", "--auth=trust", "-E", "UTF8", "--no-sync", "--locale=C")
    options = f"-k {home} -c listen_addresses='' -c fsync=off -c wal_level=logical"
    run("pg_ctl", "-w", "-l", str(home / "log"), "-o", options, "start")
    try:
        yield str(home)
    finally:
        run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(home, ignore_errors=True)


PLAIN = """
create role authenticated; create role anon;
create schema auth; create table auth.users (id uuid primary key);
create function auth.uid() returns uuid language sql stable as 'select null::uuid';
create publication supabase_realtime;
"""


def test_the_same_migrations_on_postgresql_15_do_not_differ(fifteen: str, tmp_path: Path) -> None:
    """A view over one table, a body of parsed SQL, an expression index: printed otherwise, meaning the same."""
    plain = tmp_path / "00_plain.sql"
    plain.write_text(PLAIN)
    files_ = sorted((FIXTURE / "migrations").glob("*.sql"))
    path = tmp_path / "plain.tenancy.yaml"
    listed = ", ".join(str(file) for file in (plain, *files_))
    text = SCENARIO.read_text().replace(
        "platform: supabase, migrations: migrations", "platform: postgres, migrations: [%s]"
    )
    path.write_text(text.replace("[%s]", f"[{listed}]").replace("tenants:", "session: {role: authenticated}\ntenants:"))
    scenario = load_scenario(path)
    dsn = f"host={fifteen} dbname=postgres user=admin"
    with psycopg.connect(dsn, autocommit=True) as connection:
        for file in (plain, *files_):
            connection.execute(file.read_bytes())
    with EmbeddedTarget(scenario.database).database() as ours:
        live, label = read_live(dsn)
        assert "PostgreSQL 15" in label
        found = compare_live(ours, scenario, live, label)
        assert found.differences == ()
        raw = live.catalog.relations
        with psycopg.connect(ours.conninfo) as connection:
            assert read_side(connection).catalog.relations != raw, "the versions print the same: this test is idle"
