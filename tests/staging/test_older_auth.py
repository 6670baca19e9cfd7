"""Databases whose auth schema is older than ours, or was changed: users are made there all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from tests.staging.cluster import OWNER, Cluster
from tests.staging.conftest import Run

from tenantproof import api
from tenantproof.core.finding import Verdict

HERE = Path(__file__).parent / "older"
SCENARIO = HERE / "older.tenancy.yaml"
Older = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="module")
def older(server: Cluster) -> Iterator[Older]:
    """Makes a database of its own: the older project, and what is done to it."""

    def connect(database: str, user: str = OWNER) -> psycopg.Connection:
        return psycopg.connect(make_conninfo(server.dsn(user), dbname=database), autocommit=True)

    @contextmanager
    def made(changes: str = "") -> Iterator[str]:
        with server.admin() as admin:
            admin.execute(f"create database variant template older owner {OWNER}")
            try:
                with connect("variant") as connection:
                    connection.execute(changes)
                yield make_conninfo(server.dsn(), dbname="variant")
            finally:
                admin.execute("drop database variant with (force)")

    with server.admin() as admin:
        admin.execute("create role anon; create role authenticated; create role authenticator noinherit")
        admin.execute(f"grant anon, authenticated to {OWNER}, authenticator")
        admin.execute(f"create database older owner {OWNER}")
        try:
            with connect("older") as connection:
                for file in sorted(HERE.glob("*.sql")):
                    connection.execute(file.read_bytes())
            yield made
        finally:
            admin.execute("drop database older with (force)")
            admin.execute("drop role authenticator, anon, authenticated")


def check(tenantproof: Run, dsn: str, *more: object) -> tuple[int, str]:
    done = tenantproof("check", SCENARIO, "-t", "env:S", "--writes", "rollback", "--attempts", 0, *more, S=dsn)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def doctor(tenantproof: Run, dsn: str) -> tuple[int, str]:
    """What it says of --writes rollback."""
    done = tenantproof("doctor", SCENARIO, "-t", "env:S", S=dsn)
    said = done.stdout.partition("--writes rollback: ")[2].partition("--writes canary")[0]
    return done.returncode, said


# Users

BARE = """
alter table auth.users drop column aud, drop column role, drop column encrypted_password, drop column confirmed_at,
  drop column raw_app_meta_data, drop column created_at, drop column updated_at;
"""
OTHERS = """
create type auth.tier as enum ('free', 'paid');
create domain auth.handle as text check (value ~ '^[a-z0-9_]{3,20}$');
alter table auth.users add column tier auth.tier not null, add column handle auth.handle not null unique,
  add column seats int not null check (seats between 1 and 9), add column settings jsonb not null,
  add column seen timestamptz not null, add column is_sso_user boolean not null,
  add column number bigint generated always as identity,
  add column told text generated always as (lower(email)) stored;
create table auth.identities (
  id text not null, user_id uuid not null references auth.users (id), identity_data jsonb not null,
  provider text not null, last_sign_in_at timestamptz, created_at timestamptz, updated_at timestamptz,
  primary key (provider, id)
);
"""
NOT_INVITED = """
create function auth.invited() returns trigger language plpgsql as
$$ begin raise exception 'by invitation only'; end $$;
create trigger invited before insert on auth.users for each row execute function auth.invited();
create table auth.identities (id uuid primary key, user_id uuid not null, provider text not null check (false));
"""


@pytest.mark.parametrize("changes", ["", BARE + OTHERS], ids=["older", "others"])
def test_the_columns_that_are_there_are_filled(older: Older, tenantproof: Run, changes: str) -> None:
    with older(changes) as dsn:
        assert doctor(tenantproof, dsn) == (0, "allowed\n")
        code, said = check(tenantproof, dsn)
    assert code == 0, said
    assert "0 blocked too much · 0 untested" in said
    assert "NOT FILLED" not in said


def test_sign_up_that_refuses_and_identities_that_nobody_needs(older: Older, tenantproof: Run) -> None:
    with older(NOT_INVITED) as dsn:
        code, said = check(tenantproof, dsn)
    assert code == 0, said
    assert "auth.identities" in said.partition("NOT FILLED (1)")[2]
    assert "0 leaked · 0 blocked too much · 0 untested" in said


@pytest.mark.parametrize(
    ("changes", "why", "foreseen"),
    [
        (
            "alter table auth.users add column home uuid not null references public.orgs (id)",
            "its required column home refers to public.orgs, whose rows come after users",
            True,
        ),
        (
            "alter table auth.users rename to people; create view auth.users as select * from auth.people",
            "auth.users is no table, so no users can be made there",
            True,
        ),
        (
            "alter table auth.users add constraint closed check (email is null)",
            'new row for relation "users" violates check constraint "closed" (SQLSTATE 23514)',
            False,
        ),
        (
            "alter table auth.users add column odd aclitem not null",
            "(SQLSTATE 22P02); values were made up for its required columns odd (aclitem)",
            False,
        ),
    ],
    ids=["refers", "view", "check", "made up"],
)
def test_refused_where_no_users_can_be_made(
    older: Older, tenantproof: Run, changes: str, why: str, foreseen: bool
) -> None:
    with older(changes) as dsn:
        code, said = check(tenantproof, dsn)
        _, told = doctor(tenantproof, dsn)
    assert (code, why in said, "--writes never" in said) == (3, True, True), said
    assert (why in told) is foreseen, told


# Who is asking

LEGACY = """
create or replace function auth.uid() returns uuid language sql stable
as $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
create or replace function auth.role() returns text language sql stable
as $$ select nullif(current_setting('request.jwt.claim.role', true), '')::text $$;
"""
TO_ANON = "create policy notes_for_nobody on notes for select using (auth.uid() is null)"
TO_MEMBERS = "create policy notes_for_all on notes for select using (auth.role() = 'authenticated')"


ALL = {"acme.admin", "acme.member", "globex.admin", "globex.member", "outsider"}


@pytest.mark.parametrize(
    ("changes", "leaking"),
    [
        (TO_ANON, {"anon"}),
        (TO_MEMBERS, ALL),
        (LEGACY, set()),
        (LEGACY + TO_MEMBERS, ALL),
        (LEGACY + TO_ANON, {"anon"}),
    ],
    ids=["anon", "members", "legacy", "legacy members", "legacy anon"],
)
def test_claims_come_as_to_a_real_request(older: Older, changes: str, leaking: set[str]) -> None:
    """The first form breaks where a setting for a single claim was ever touched, the second where it is not set."""
    with older(changes) as dsn:
        report = api.check(SCENARIO, target=dsn, writes="rollback", attempts=0)
    assert {cell.verdict for cell in report.cells} <= {Verdict.ISOLATED, Verdict.LEAK}
    notes = [cell for cell in report.cells if (cell.object, cell.command) == ("public.notes", "select")]
    assert {cell.persona for cell in notes if cell.verdict is Verdict.LEAK} == leaking
    assert not report.unseeded


def test_an_empty_claim_that_is_cast_is_an_error_with_what_to_do(older: Older) -> None:
    """So it is for a real request of nobody, on a connection that somebody used before."""
    with older(LEGACY.replace("nullif(", "(").replace(", '')::", ")::")) as dsn:
        report = api.check(SCENARIO, target=dsn, writes="rollback", attempts=0)
    assert {cell.persona for cell in report.cells if cell.verdict is Verdict.ERROR} == {"anon"}
    (note,) = [note for note in report.notes if "nullif" in note]
    assert note.startswith("for people who have none, request.jwt.claim.sub is '' as on a pooled connection")
    assert note.endswith("write nullif(current_setting('request.jwt.claim.sub', true), '')")


def test_a_migration_may_bring_the_older_functions(tmp_path: Path) -> None:
    """In a database of ours, with the search: the functions of the platform are the migrations' to replace."""
    leak = tmp_path / "leak.sql"
    leak.write_text(TO_ANON)
    clean = api.check(SCENARIO, attempts=40)
    assert {cell.verdict for cell in clean.cells} == {Verdict.ISOLATED}
    assert [*clean.findings, *clean.unseeded, *clean.gaps] == []
    leaky = api.check(SCENARIO, attempts=0, patches=[leak])
    assert {cell.persona for cell in leaky.cells if cell.verdict is Verdict.LEAK} == {"anon"}


REAL = """
insert into auth.users (id, email) select gen_random_uuid(), n || '@real.example' from generate_series(1, 2) n;
insert into orgs (name) select 'Real Inc' from auth.users;
insert into members
  select o.id, u.id from (select id, row_number() over () as n from orgs) o
  join (select id, row_number() over () as n from auth.users) u using (n);
insert into notes (org_id, author_id) select org_id, user_id from members;
"""


@pytest.mark.parametrize("writes", ["canary", "never"])
def test_the_other_modes(older: Older, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: str) -> None:
    monkeypatch.chdir(tmp_path)  # for the manifest of committed rows
    with older(REAL) as dsn:
        report = api.check(SCENARIO, target=dsn, writes=writes, attempts=0)
    expected = {Verdict.ISOLATED} if writes == "canary" else {Verdict.ISOLATED, Verdict.UNTESTED}
    assert {cell.verdict for cell in report.cells} == expected
    assert not report.unseeded
