"""What a dump is known by, and what its statements may fail with."""

from __future__ import annotations

import pytest

from tenantproof.core.model import Platform
from tenantproof.core.ports import Source
from tenantproof.targets import dumps
from tenantproof.targets.extensions import wanted_schema, without_version
from tenantproof.targets.remarks import remarks
from tenantproof.targets.statements import Piece, statements

HEAD = "SET row_security = off;\nSELECT pg_catalog.set_config('search_path', '', false);\n"


def piece(text: str) -> Piece:
    return next(statements(text))


@pytest.mark.parametrize(
    ("text", "dump"),
    [
        ("--\n-- PostgreSQL database dump\n--\n", True),
        ("-- PostgreSQL database cluster dump\n", True),
        (HEAD, True),
        ("select set_config('search_path', 'public', false);", False),
        ("-- a PostgreSQL database dump was here\n", False),
    ],
)
def test_what_is_a_dump(text: str, dump: bool) -> None:
    assert dumps.is_dump(text) is dump


@pytest.mark.parametrize(
    ("statement", "roles"),
    [
        ('ALTER TABLE public.t OWNER TO "App Owner";', {"App Owner"}),
        ("ALTER FUNCTION public.f(a text, b integer) OWNER TO fo;", {"fo"}),
        ('GRANT SELECT,INSERT(a, b) ON TABLE public.t TO reader, "w r" WITH GRANT OPTION;', {"reader", "w r"}),
        ("REVOKE ALL ON SCHEMA public FROM PUBLIC, old_one;", {"old_one"}),
        ("ALTER DEFAULT PRIVILEGES FOR ROLE boss IN SCHEMA public GRANT SELECT ON TABLES TO r2;", {"boss", "r2"}),
        ("ALTER DEFAULT PRIVILEGES FOR ROLE boss REVOKE ALL ON TABLES FROM r3;", {"boss", "r3"}),
        ('CREATE POLICY "users to x from y" ON public.t FOR SELECT TO a, b USING ((id IN ( SELECT 1)));', {"a", "b"}),
        ("GRANT grp TO member1;", {"grp", "member1"}),
        ("CREATE SCHEMA x AUTHORIZATION xo;", {"xo"}),
        ("ALTER TABLE public.t RENAME TO other;", set()),
        ("ALTER TABLE t OWNER TO CURRENT_USER;", set()),
        ("GRANT pg_read_all_data TO x;", {"x"}),
    ],
)
def test_roles_that_a_dump_takes_for_granted(statement: str, roles: set[str]) -> None:
    assert dumps.roles_named(statement) == roles


@pytest.mark.parametrize(
    ("statement", "supabase", "codes"),
    [
        ("CREATE SCHEMA public;", False, dumps.ALREADY_THERE),
        ("CREATE PUBLICATION supabase_realtime;", True, dumps.ALREADY_THERE),
        ("SET default_with_oids = false;", False, dumps.UNKNOWN_PARAMETER),
        ("CREATE TABLE auth.users (id uuid);", True, None),
        ("CREATE TABLE auth.users (id uuid);", False, frozenset()),
        ("COMMENT ON COLUMN auth.users.phone IS 'x';", True, None),
        ("CREATE INDEX x ON auth.users USING btree (id);", True, None),
        ("CREATE TRIGGER x AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.f();", True, "there"),
        ("CREATE POLICY p ON storage.objects USING ((bucket_id = 'a'));", True, "there"),
        ("CREATE TABLE public.t (id uuid DEFAULT auth.uid());", True, frozenset()),
        ("ALTER TABLE ONLY public.t ADD CONSTRAINT x FOREIGN KEY (a) REFERENCES auth.users(id);", True, frozenset()),
        ("CREATE TRIGGER x AFTER INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION net.f();", True, frozenset()),
        ("CREATE FUNCTION public.f() RETURNS uuid LANGUAGE sql AS $$ select auth.uid() $$;", True, frozenset()),
        ("CREATE VIEW public.v AS SELECT id FROM auth.users;", True, frozenset()),
        ("GRANT ALL ON FUNCTION auth.uid() TO dashboard_user;", True, None),
        ("COPY auth.users (id) FROM stdin;", True, None),
        ("SELECT pg_catalog.setval('auth.refresh_tokens_id_seq', 1, false);", True, None),
        ("SELECT pg_catalog.setval('public.t_id_seq', 1, false);", True, frozenset()),
        ("create", True, frozenset()),
    ],
)
def test_what_is_forgiven(statement: str, supabase: bool, codes: frozenset[str] | str | None) -> None:
    expected = dumps.ALREADY_THERE if codes == "there" else codes
    assert dumps.forgiven(piece(statement), supabase=supabase) == expected


@pytest.mark.parametrize(
    ("statement", "becomes"),
    [
        ("ALTER DATABASE app SET search_path TO 'x';", "ALTER DATABASE \"postgres\" SET search_path TO 'x';"),
        ('GRANT CONNECT ON DATABASE "my app" TO r;', 'GRANT CONNECT ON DATABASE "postgres" TO r;'),
        ("create table database (id int);", "create table database (id int);"),
    ],
)
def test_the_database_is_this_one(statement: str, becomes: str) -> None:
    assert dumps.for_this_database(piece(statement), "postgres") == becomes


def test_a_whole_database_is_nobodys() -> None:
    assert dumps.concerns_no_one(piece("CREATE DATABASE app WITH TEMPLATE = template0;"))
    assert not dumps.concerns_no_one(piece("CREATE TABLE app ();"))


@pytest.mark.parametrize(
    ("statement", "becomes"),
    [
        ("create extension x version '1.0';", "create extension x              ;"),
        ("create extension x schema s version '1' cascade;", "create extension x schema s             cascade;"),
        ("alter extension x update to '2';", "alter extension x update       ;"),
        ("create extension version;", "create extension version;"),
        ("select 'create extension x version 1';", "select 'create extension x version 1';"),
    ],
)  # fmt: skip
def test_versions_are_passed_over(statement: str, becomes: str) -> None:
    assert without_version(statement) == becomes


@pytest.mark.parametrize(
    ("statement", "wanted"),
    [
        ('create extension if not exists "pg_graphql" with schema "graphql";', ("pg_graphql", "graphql")),
        ("CREATE EXTENSION PgMq SCHEMA pgmq", ("pgmq", "pgmq")),
        ("create extension pgmq;", None),
        ("create schema pgmq;", None),
    ],
)
def test_the_schema_that_an_extension_is_to_have(statement: str, wanted: tuple[str, str] | None) -> None:
    assert wanted_schema(statement) == wanted


def said(text: str, platform: Platform = Platform.SUPABASE, *, exposed: bool = False) -> str:
    return "\n".join(remarks([Source(path="a.sql", text=text)], platform, auto_expose=exposed))


def test_remarks_about_privileges() -> None:
    assert "grant no table to anon or authenticated" in said("create table t ();")
    assert said("create table t (); grant select on t to authenticated;") == ""
    assert "auto_expose_new_tables is on" in said("grant select on t to anon;", exposed=True)
    assert said("create table t ();", Platform.POSTGRES) == ""


def test_remarks_about_dumps() -> None:
    owner = "ALTER TABLE public.t OWNER TO bob;\nALTER TABLE public.t OWNER TO postgres;\n"
    told = said(HEAD + owner + "GRANT SELECT ON TABLE public.t TO authenticated;\n")
    assert "names roles nobody makes: bob (" in told
    assert "a dump of some schemas: triggers on auth.users" in told
    assert "without privileges" in said(HEAD + owner)
    assert "a dump of a whole Supabase database" in said(HEAD + "CREATE TABLE auth.users (\n id uuid);\n")
    assert "bob" not in said(f"create role bob;\n{HEAD}{owner}", Platform.POSTGRES)
