"""`tenantproof init`: drafts from real schemas, and one clear message where there is none to be made."""

from __future__ import annotations

import os
import re
import shutil
import time
from pathlib import Path

import psycopg
import pytest
from tests.integration.agreement import compared
from tests.integration.conftest import Run
from tests.integration.golden_drafts import EXPECTED, drafted, folders

from tenantproof import api
from tenantproof.catalog.evidence import read_evidence
from tenantproof.catalog.inference import propose
from tenantproof.catalog.inference.proposal import Kind
from tenantproof.catalog.introspection import introspect
from tenantproof.core.errors import UsageError
from tenantproof.core.model import Database, Platform, QName
from tenantproof.drafting import Draft
from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget

ROOT = Path(__file__).parents[2]
THOROUGH = bool(os.environ.get("TENANTPROOF_THOROUGH"))
ORGS = """
create table public.orgs (id uuid primary key default gen_random_uuid(), name text);
create table public.org_members (
  org_id uuid not null references public.orgs, user_id uuid not null references auth.users,
  role text not null check (role in ('guest', 'owner', 'editor')), primary key (org_id, user_id));
grant select on public.orgs, public.org_members to authenticated;
"""
FENCED = (
    ORGS
    + """
alter table public.orgs enable row level security; alter table public.org_members enable row level security;
create policy p on public.org_members for select to authenticated using (user_id = auth.uid());
create policy p on public.orgs for select to authenticated
  using (id in (select org_id from public.org_members where user_id = auth.uid()));
"""
)


def init(folder: Path, sql: str, **options: str) -> Draft:
    """A draft for one file of SQL."""
    (folder / "schema.sql").write_text(sql)
    return api.init(folder / "x.tenancy.yaml", migrations=folder / "schema.sql", force=True, **options)  # type: ignore[arg-type]


def said(draft: Draft) -> dict[str, str]:
    """Table -> what the draft says of it, in short."""
    told = {}
    for decision in draft.decisions:
        tenancy = decision.tenancy
        words = [f"tenant {tenancy.tenant}"] if tenancy.tenant else []
        words += [f"owner {tenancy.owner}"] if tenancy.owner else []
        told[decision.name.name] = ", ".join(words) or decision.kind.value
    return told


# Golden files


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: folder.name)
def test_golden_draft(folder: Path) -> None:
    """The draft is the one that was read against INTENT.md by hand; it loads."""
    expected = folder / EXPECTED
    assert drafted(folder).text == expected.read_text(encoding="utf-8")
    assert load_scenario(expected).tenants


@pytest.mark.parametrize(
    "name",
    [
        "accounts",
        "claim",
        "circular",
        "composite",
        "groups",
        "guc",
        "nulls",
        "quoted",
        "storage",
        "system",
        "workspaces",
    ],
)
def test_drafts_agree_with_scenarios_by_hand(name: str) -> None:
    """Strangers' databases: nothing is decided otherwise than their authors did; roles in claims alone are guesses."""
    path = max((ROOT / "fixtures" / "strangers" / name).glob("*.tenancy.yaml"), key=lambda file: file.stat().st_size)
    agreement = compared(path)
    assert [
        line for line in agreement.told if line.startswith(("wrong: public", "wrong: membership", "undecided"))
    ] == []


# The command line


def test_a_project_needs_no_edit(tenantproof: Run, tmp_path: Path) -> None:
    """init, validate and check, one after the other, and a second init that is refused."""
    (tmp_path / "supabase" / "migrations").mkdir(parents=True)
    (tmp_path / "supabase" / "config.toml").write_text("[api]\nauto_expose_new_tables = true\n")
    (tmp_path / "supabase" / "migrations" / "20260101000000_a.sql").write_text(FENCED)
    first = tenantproof("init")
    assert (first.returncode, "2 relations: 2 tenant-owned" in first.stdout) == (0, True), first.stderr
    scenario = tmp_path / "scenarios" / "app.tenancy.yaml"
    assert scenario.read_text().startswith("# yaml-language-server: $schema=scenario.schema.json\n")
    assert (scenario.parent / "scenario.schema.json").is_file()
    assert "roles: [owner, editor, guest]" in scenario.read_text()
    assert tenantproof("validate", scenario).returncode == 0
    assert tenantproof("check", scenario, "--attempts", 0).returncode == 0
    again = tenantproof("init", "--supabase")
    assert (again.returncode, again.stdout) == (2, "")
    assert "--force" in again.stderr
    explained = tenantproof("init", "--force", "--explain")
    assert explained.returncode == 0
    assert "because: the tenants themselves" in explained.stdout


PROJECT = ROOT / "fixtures" / "supabase_project"
LEAKS = sorted((PROJECT / "leaks").glob("*.sql"))


@pytest.mark.parametrize("given", ["supabase", "."])
def test_the_project_of_a_stranger(tenantproof: Run, tmp_path: Path, given: str) -> None:
    """Baseline, twenty migrations, seeds and storage: init, then check, and nothing between."""
    shutil.copytree(PROJECT / "supabase", tmp_path / "supabase")
    drafted = tenantproof("init", "--supabase", given, "--output", "app.tenancy.yaml")
    assert drafted.returncode == 0, drafted.stderr
    printed = " ".join(drafted.stdout.split())
    assert "seed.sql ([db.seed] of config.toml)" in printed
    assert "is a dump of some schemas" in printed
    if given == "supabase":
        checked = tenantproof("check", "app.tenancy.yaml", "--attempts", 50 if THOROUGH else 0)
        assert checked.returncode == 0, checked.stdout
    else:
        assert tenantproof("validate", "app.tenancy.yaml").returncode == 0


@pytest.mark.thorough
def test_leaks_of_the_project() -> None:
    """Each planted leak is found from the draft, untouched."""
    report = api.check(PROJECT / EXPECTED, attempts=0, patches=LEAKS)
    assert api.exit_code(report) == 1
    opened = {name for finding in report.findings for name in (finding.object, *finding.objects)}
    for leak in LEAKS:
        said = re.search(r"^-- object: *(.+)$", leak.read_text(), re.MULTILINE)
        assert said is not None
        assert said[1].strip() in opened, leak.name


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "tenantproof init --migrations DIR|FILE"),
        (("--migrations", "nowhere"), 2, "--migrations nowhere: there is no such file or folder"),
        (("--migrations", "."), 5, "no *.sql file in this folder"),
        (("--supabase",), 2, "supabase"),
        (("--from", "env:NOT_SET_ANYWHERE"), 2, "the environment variable NOT_SET_ANYWHERE is not set"),
        (("--pg-dump", "a.sql", "--migrations", "b.sql"), 2, "give one of --supabase"),
    ],
)
def test_no_schema(tenantproof: Run, arguments: tuple[str, ...], code: int, words: str) -> None:
    """One clear message that says what to do."""
    done = tenantproof("init", *arguments)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_schema_without_tables(tenantproof: Run, tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("create function public.f() returns int language sql as 'select 1';")
    done = tenantproof("init", "--pg-dump", "a.sql")
    assert (done.returncode, "make no table" in done.stderr) == (5, True)


# What is not certain


def test_undecided_table_exits_4(tenantproof: Run, tmp_path: Path) -> None:
    """Two keys to the tenant: nobody knows whose the row is, and `check` says so until somebody decides."""
    (tmp_path / "a.sql").write_text(
        FENCED
        + """
        create table public.transfers (id int generated always as identity primary key,
          from_org uuid not null references public.orgs, to_org uuid not null references public.orgs);
        alter table public.transfers enable row level security;
        create policy p on public.transfers for select to authenticated
          using (from_org in (select org_id from public.org_members where user_id = auth.uid()));
        grant select on public.transfers to authenticated;
        create table public.letters (id int generated always as identity primary key,
          from_org uuid not null references public.orgs, to_org uuid not null references public.orgs);
        alter table public.letters enable row level security;
        grant select on public.letters to authenticated;
        create policy p on public.letters for select to authenticated
          using (from_org in (select org_id from public.org_members where user_id = auth.uid())
            or to_org in (select org_id from public.org_members where user_id = auth.uid()));
        """
    )
    done = tenantproof("init", "--migrations", "a.sql")
    assert "undecided: public.letters: from_org and to_org lead to a tenant" in " ".join(done.stdout.split())
    scenario = tmp_path / "scenarios" / "app.tenancy.yaml"
    assert "transfers: {tenant: from_org}" in scenario.read_text()
    assert tenantproof("validate", scenario).returncode == 0
    assert tenantproof("check", scenario, "--attempts", 0).returncode == 4
    decided = scenario.read_text().replace("letters: undecided", "letters: {tenant: from_org}")
    scenario.write_text(decided + "expect: {letters: {select: all}}\n")
    again = tenantproof("check", scenario, "--attempts", 0)
    assert "undecided:" not in again.stdout


def test_hints_of_check(tenantproof: Run, tmp_path: Path) -> None:
    """Roles that the column does not know, tables that nobody knows: warnings, and failures with --strict."""
    (tmp_path / "a.sql").write_text(FENCED + "create table public.lists (id int primary key);")
    scenario = tmp_path / "x.tenancy.yaml"
    scenario.write_text(
        """version: 1
database: {platform: supabase, migrations: a.sql}
tenants: [acme, globex]
roles: [owner, editor]
membership: {table: org_members, user: user_id, tenant: org_id, role: role}
"""
    )
    done = tenantproof("check", scenario, "--attempts", 0)
    assert done.returncode == 0
    assert "x.tenancy.yaml:4:1: warning[missing-role] public.org_members.role may hold 'guest'" in done.stderr
    assert "warning[unmentioned-table] no line speaks of public.lists" in done.stderr
    assert tenantproof("check", scenario, "--attempts", 0, "--strict").returncode == 4


def test_two_candidates(tenantproof: Run, tmp_path: Path) -> None:
    """Two tables that may be the membership: both are listed, nothing is checked, and --tenant-table chooses."""
    tables = "".join(
        f"""
        create table public.{name}s (id uuid primary key, name text);
        create table public.{name}_members ({name}_id uuid not null references public.{name}s,
          user_id uuid not null references auth.users, primary key ({name}_id, user_id));
        create table public.{name}_notes (id uuid primary key, {name}_id uuid not null references public.{name}s);
        """
        for name in ("club", "school")
    )
    (tmp_path / "a.sql").write_text(tables + "grant select on all tables in schema public to authenticated;")
    done = tenantproof("init", "--migrations", "a.sql")
    scenario = tmp_path / "scenarios" / "app.tenancy.yaml"
    for name in ("club", "school"):
        assert f"--tenant-table public.{name}s: members by public.{name}_members" in done.stdout
        assert f"#   membership: {{table: {name}_members, user: user_id, tenant: {name}_id}}" in scenario.read_text()
    assert tenantproof("validate", scenario).returncode == 0
    checked = tenantproof("check", scenario)
    assert (checked.returncode, "membership is undecided" in checked.stderr) == (4, True)
    assert tenantproof("init", "--migrations", "a.sql", "--force", "--tenant-table", "clubs").returncode == 0
    assert load_scenario(scenario).memberships[0].table == QName("public", "club_members")


def test_tenant_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'orgs'"):
        init(tmp_path, ORGS, platform="supabase", tenant_table="org")


def test_no_membership(tmp_path: Path) -> None:
    """Tenants by name, and no table that says who belongs to them."""
    draft = init(
        tmp_path,
        """create role app nologin;
        create table companies (id int primary key, name text);
        create table invoices (id int primary key, company_id int not null references companies);
        grant select on companies, invoices to app;""",
    )
    assert "public.companies looks like the tenants" in draft.proposal.doubt
    assert load_scenario(tmp_path / "x.tenancy.yaml").undecided == ("membership",)


def test_no_role(tmp_path: Path) -> None:
    """Plain PostgreSQL, whose application role is made elsewhere."""
    draft = init(
        tmp_path,
        """create table tenants (id int primary key);
        create table notes (id int primary key, tenant_id int not null references tenants);
        alter table notes enable row level security;
        create policy p on notes using (tenant_id = current_setting('app.tenant_id')::int);""",
    )
    assert "name the role" in draft.proposal.role_doubt
    assert load_scenario(tmp_path / "x.tenancy.yaml").undecided == ("session.role",)


# Decisions


def test_pointers_catalogues_and_paths(tmp_path: Path) -> None:
    """What is no ownership is not followed; what is, over several steps; a policy never widens."""
    draft = init(
        tmp_path,
        ORGS
        + """
        create table public.plans (id text primary key, price int);
        insert into public.plans values ('free', 0);
        create table public.profiles (id uuid primary key references auth.users,
          current_org_id uuid references public.orgs, plan_id text references public.plans);
        create table public.projects (id uuid primary key, org_id uuid not null references public.orgs,
          plan_id text not null references public.plans);
        create table public.tasks (id uuid primary key, project_id uuid not null references public.projects,
          assignee_id uuid references auth.users);
        create table public.soft (id uuid primary key, org_id uuid not null);
        create table public.presets (id uuid primary key, org_id uuid references public.orgs, name text);
        create table public.secrets (id uuid primary key, org_id uuid not null references public.orgs);
        alter table public.projects enable row level security;
        create policy everybody on public.projects for select using (true);
        alter table public.secrets enable row level security;
        grant select on public.plans to anon, authenticated;
        grant select, insert, update, delete on public.profiles, public.projects, public.tasks, public.soft,
          public.presets to authenticated;
        """,
    )
    assert said(draft) == {
        "orgs": "tenant id",
        "org_members": "tenant org_id, owner user_id",
        "plans": "shared",
        "profiles": "owner id",
        "projects": "tenant org_id",
        "tasks": "tenant project_id.org_id",
        "soft": "tenant org_id",
        "presets": "tenant org_id",
        "secrets": "private",
    }
    remarks = {decision.name.name: decision.remark for decision in draft.decisions}
    assert "'everybody' shows all rows" in remarks["projects"]
    assert "no foreign key" in remarks["soft"]
    assert "everybody's" in remarks["presets"]


def test_owner_only(tmp_path: Path) -> None:
    """No tenants: every user is one, and what hangs on a row is the owner's."""
    draft = init(
        tmp_path,
        """
        create table public.notes (id uuid primary key, user_id uuid not null references auth.users, body text);
        create table public.note_tags (note_id uuid not null references public.notes, tag text,
          primary key (note_id, tag));
        create table public.moods (name text primary key);
        insert into public.moods values ('fine');
        alter table public.notes enable row level security; alter table public.note_tags enable row level security;
        create policy p on public.notes using (user_id = auth.uid());
        create policy p on public.note_tags using (note_id in (select id from public.notes));
        grant select, insert, update, delete on public.notes, public.note_tags to authenticated;
        grant select on public.moods to authenticated;
        """,
    )
    assert said(draft) == {"notes": "owner user_id", "note_tags": "owner note_id.user_id", "moods": "shared"}
    assert draft.proposal.by_owner
    report = api.check(tmp_path / "x.tenancy.yaml", attempts=0)
    assert api.exit_code(report) == 0
    leak = tmp_path / "leak.sql"
    leak.write_text("create policy all_of_them on public.note_tags for select using (true);")
    assert api.exit_code(api.check(tmp_path / "x.tenancy.yaml", attempts=0, patches=[leak])) == 1


def test_legacy_grants(tmp_path: Path) -> None:
    """Migrations without a grant rely on Supabase's former default: the scenario says so, and reads it from there."""
    draft = init(tmp_path, ORGS.replace("grant select on public.orgs, public.org_members to authenticated;", ""))
    assert "auto_expose_new_tables: true" in draft.text
    assert any("former default" in note for note in draft.notes)


def test_views_partitions_and_schemas(tmp_path: Path) -> None:
    """Partitions are their parent's; a view's tenant is found through an alias; a schema without a grant stays out."""
    draft = init(
        tmp_path,
        ORGS
        + """
        create schema api; grant usage on schema api to authenticated;
        create schema hidden; create table hidden.things (id int primary key);
        create table public.logs (org_id uuid not null references public.orgs, at date) partition by range (at);
        create table public.logs_old partition of public.logs default;
        create view api.entries as select org_id as organization, at from public.logs;
        create view api.counted as select count(*) as n from public.logs;
        grant select on public.logs, api.entries, api.counted to authenticated;
        """,
    )
    assert draft.schemas == ("public", "api")
    assert {name: text for name, text in said(draft).items() if not name.startswith("org")} == {
        "logs": "tenant org_id",
        "entries": "tenant organization",
        "counted": "undecided",
    }


OPENED = """
create table public.posts (id int generated always as identity primary key, org_id uuid not null references public.orgs,
  parent_id int references public.posts, status text not null default 'draft' check (status in ('draft', 'published')));
create table public.profiles (id uuid primary key references auth.users, handle text);
alter table public.posts enable row level security; alter table public.profiles enable row level security;
grant select on public.posts, public.profiles to authenticated;
create policy mine on public.posts for select to authenticated using (status = 'published'
  or org_id in (select org_id from public.org_members where user_id = auth.uid()));
create policy everybody on public.profiles for select to authenticated using (true);
"""


LEAKY = """
create table public.threads (id int generated always as identity primary key,
  org_id uuid not null references public.orgs,
  parent_id int references public.threads, status text not null default 'draft', active boolean not null default true);
alter table public.threads enable row level security;
grant select on public.threads to authenticated;
create policy mine on public.threads for select to authenticated using (
  org_id in (select org_id from public.org_members where user_id = auth.uid()));
create policy leak on public.threads for select using (LEAK);
"""


def test_rows_that_are_open_on_purpose(tmp_path: Path) -> None:
    """What is published and who is there is declared, with the place, to be confirmed; check says nothing of it."""
    draft = init(tmp_path, FENCED + OPENED)
    assert """posts: {select: {anon: none, "*": [tenant, {where: "status = 'published'"}]}}""" in draft.text
    assert 'profiles: {select: {anon: none, "*": all}}' in draft.text
    told = " ".join(draft.text.replace("#", " ").split())
    assert "Confirm, or delete the line: the policy 'mine' (schema.sql:" in told
    report = api.check(tmp_path / "x.tenancy.yaml", attempts=0)
    assert (report.findings, api.exit_code(report)) == ((), 0)


@pytest.mark.parametrize("using", ["true", "parent_id is null", "auth.uid() is not null", "status <> ''", "active"])
def test_a_draft_never_declares_the_leak(tmp_path: Path, using: str) -> None:
    """Drafted from a schema that leaks already: `check` of the draft still tells."""
    draft = init(tmp_path, FENCED + LEAKY.replace("LEAK", using))
    assert "'leak'" not in draft.text.partition("\nexpect:")[2]
    report = api.check(tmp_path / "x.tenancy.yaml", attempts=0)
    assert ("READ", "public.threads") in {(finding.channel, finding.object) for finding in report.findings}
    assert api.exit_code(report) == 1


# A live database


def test_live_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tenantproof: Run) -> None:
    """The schema comes by pg_dump, with its roles and without rows; the draft checks clean; no secret is shown."""
    sql = tmp_path / "a.sql"
    sql.write_text(
        """create role web nologin; create role web_login login; grant web to web_login;
        create table tenants (id int primary key, name text); insert into tenants values (1, 'secret customer');
        create table notes (id int generated always as identity primary key,
          tenant_id int not null default nullif(current_setting('app.tenant_id', true), '')::int references tenants,
          body text);
        alter table notes enable row level security; alter table tenants enable row level security;
        create policy p on notes using (tenant_id = nullif(current_setting('app.tenant_id', true), '')::int);
        create policy p on tenants for select using (id = nullif(current_setting('app.tenant_id', true), '')::int);
        grant select on tenants to web; grant select, insert, update, delete on notes to web;"""
    )
    database = Database(platform=Platform.POSTGRES, migrations=(sql,))
    with EmbeddedTarget(database).database() as handle:
        before = _objects(handle.conninfo)
        done = tenantproof("init", "--from", "env:LIVE", LIVE=f"{handle.conninfo} password=hunter2")
        assert _objects(handle.conninfo) == before
    assert done.returncode == 0, done.stderr
    scenario = tmp_path / "scenarios" / "app.tenancy.yaml"
    dump = (scenario.parent / "schema.sql").read_text()
    assert "CREATE TABLE public.notes" in dump
    for text in (dump, scenario.read_text(), done.stdout, done.stderr):
        assert "hunter2" not in text
        assert "secret customer" not in text
    loaded = load_scenario(scenario)
    assert (loaded.session.role, loaded.session.login) == ("web", "web_login")
    assert loaded.session.settings == {"app.tenant_id": "{tenant.id}"}
    assert tenantproof("check", scenario, "--attempts", 0).returncode == 0


def test_live_supabase(tmp_path: Path, tenantproof: Run) -> None:
    """A project as it runs: the platform's schemas stay out, what the application hung on their tables comes along."""
    sql = tmp_path / "a.sql"
    sql.write_text(
        FENCED
        + """
        create extension if not exists "uuid-ossp" with schema extensions;
        create table public.profiles (id uuid primary key references auth.users on delete cascade);
        create function public.handle_new_user() returns trigger language plpgsql security definer set search_path = ''
          as $$ begin insert into public.profiles values (new.id) on conflict do nothing; return new; end $$;
        create trigger on_auth_user_created after insert on auth.users
          for each row execute function public.handle_new_user();
        alter table public.profiles enable row level security;
        create policy p on public.profiles for select to authenticated using (id = auth.uid());
        grant select on public.profiles to authenticated;
        insert into storage.buckets (id, name) values ('files', 'files');
        create policy "org files" on storage.objects for select to authenticated using (bucket_id = 'files'
          and (storage.foldername(name))[1] in (
            select org_id::text from public.org_members where user_id = auth.uid()));
        """
    )
    database = Database(platform=Platform.SUPABASE, migrations=(sql,))
    with EmbeddedTarget(database).database() as handle:
        done = tenantproof("init", "--from", "env:LIVE", LIVE=handle.conninfo)
    assert done.returncode == 0, done.stderr
    scenario = tmp_path / "scenarios" / "app.tenancy.yaml"
    dump = (scenario.parent / "schema.sql").read_text()
    assert "CREATE TRIGGER on_auth_user_created" in dump
    assert "CREATE TABLE auth.users" not in dump
    assert "(storage.foldername(name))[1]" in scenario.read_text()
    checked = tenantproof("check", scenario, "--attempts", 0)
    assert checked.returncode == 0, checked.stdout


def test_live_database_out_of_reach(tenantproof: Run) -> None:
    done = tenantproof("init", "--from", "env:LIVE", LIVE="postgresql://me:hunter2@127.0.0.1:1/x")
    assert (done.returncode, "hunter2" in done.stdout + done.stderr) == (3, False)


def _objects(conninfo: str) -> object:
    with psycopg.connect(conninfo) as connection:
        return connection.execute("SELECT count(*), max(oid) FROM pg_class").fetchone()


# Size


@pytest.mark.thorough
def test_a_thousand_tables(tmp_path: Path) -> None:
    """Inference stays far below five seconds."""
    tables = [
        f"create table public.t{n} (id int primary key,"
        f" up int {f'not null references public.t{n - 1}' if n % 10 else ''},"
        f" org_id uuid {'' if n % 10 else 'not null'} references public.orgs);"
        f" alter table public.t{n} enable row level security;"
        f" create policy p on public.t{n} for all to authenticated"
        " using (org_id in (select org_id from public.org_members where user_id = auth.uid()));"
        for n in range(1000)
    ]
    sql = tmp_path / "a.sql"
    sql.write_text(ORGS + "\n".join(tables) + "grant select on all tables in schema public to authenticated;")
    database = Database(platform=Platform.SUPABASE, migrations=(sql,))
    with EmbeddedTarget(database).database() as handle, psycopg.connect(handle.conninfo) as connection:
        catalog = introspect(connection)
        evidence = read_evidence(connection, catalog, ("public",))
    start = time.process_time()
    proposal = propose(catalog, evidence, platform=Platform.SUPABASE, schemas=("public",))
    assert time.process_time() - start < 5
    assert sum(decision.kind is Kind.TENANT for decision in proposal.decisions) == 1000
