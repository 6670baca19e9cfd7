"""The schema of a live database, taken by pg_dump: nothing is written there, and no secret comes out."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tenantproof.core.errors import TargetError
from tenantproof.core.model import Platform
from tenantproof.core.ports import SILENT

PLATFORM_SCHEMAS = (
    *("auth", "storage", "realtime", "_realtime", "_analytics", "_supavisor", "extensions", "graphql"),
    *("graphql_public", "vault", "pgbouncer", "pgsodium", "pgsodium_masks", "supabase_functions"),
    *("supabase_migrations", "net", "cron", "pgmq", "pgtle", "tiger", "tiger_data", "topology"),
)
"""Schemas that the platform makes by itself; a dump of them cannot be replayed."""

ENVIRONMENT = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "options": "PGOPTIONS",
    "service": "PGSERVICE",
    "channel_binding": "PGCHANNELBINDING",
    "connect_timeout": "PGCONNECT_TIMEOUT",
}
"""Parameters of a connection by the variable that libpq reads: a command line can be seen by everybody."""

_READ_ONLY = "-c default_transaction_read_only=on"

_ROLES = """
SELECT r.rolname, r.rolcanlogin, r.rolinherit, r.rolsuper OR r.rolbypassrls,
       ARRAY(SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
             WHERE m.member = r.oid AND NOT g.rolsuper AND g.rolname NOT LIKE 'pg\\_%' ORDER BY 1)
FROM pg_roles r
WHERE r.rolname NOT LIKE 'pg\\_%' AND r.rolname <> 'postgres'
ORDER BY 1
"""

_TRIGGERS = """
SELECT pg_get_triggerdef(t.oid)
FROM pg_trigger t
JOIN pg_class c ON c.oid = t.tgrelid
JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND c.relnamespace IN (to_regnamespace('auth'), to_regnamespace('storage'))
  AND NOT p.pronamespace::regnamespace::text = ANY (%s)
ORDER BY 1
"""

_POLICIES = """
SELECT schemaname, tablename, policyname, permissive, cmd,
       (SELECT string_agg(CASE r WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(r) END, ', ') FROM unnest(roles) r),
       qual, with_check
FROM pg_policies
WHERE schemaname IN ('storage', 'realtime')
ORDER BY 1, 2, 3
"""

_BUCKETS = "SELECT id, name, public FROM storage.buckets ORDER BY id LIMIT 100"

_EVENT_TRIGGER = re.compile(r"^(?:CREATE|ALTER|COMMENT ON) EVENT TRIGGER [^;]*;\n", re.MULTILINE)
"""The platform's event triggers call functions that are left out with its schemas."""

_IS_SUPABASE = "SELECT to_regclass('auth.users') IS NOT NULL AND to_regprocedure('auth.uid()') IS NOT NULL"


def platform_of(dsn: str) -> Platform:
    """Whether a database is Supabase's.  Raises TargetError where it cannot be reached."""
    from tenantproof.targets.reach import connect_or_explain

    with connect_or_explain(dsn) as connection:
        row = connection.execute(_IS_SUPABASE).fetchone()
        return Platform.SUPABASE if row is not None and row[0] else Platform.POSTGRES


def dump_schema(dsn: str, platform: Platform, say: Callable[[str], None] = SILENT) -> str:
    """The SQL that makes the schema of a database again, roles first.

    Raises TargetError where the database cannot be reached or read; no message holds the DSN.
    """
    from tenantproof.targets.reach import connect_or_explain, describe

    say(f"reading the schema of {describe(dsn)} with pg_dump; nothing is written there")
    roles = onto_platform = ""
    with connect_or_explain(dsn) as connection:
        if platform is Platform.POSTGRES:
            roles = "".join(_role_statements(connection))
        else:
            onto_platform = "".join(_on_platform_tables(connection))
    arguments = ["--schema-only", "--no-owner", "--no-publications", "--no-subscriptions", "--no-tablespaces"]
    if platform is Platform.SUPABASE:
        arguments += [f"--exclude-schema={schema}" for schema in PLATFORM_SCHEMAS]
    dumped = _EVENT_TRIGGER.sub("", _run(dsn, arguments))
    return f"{_HEAD}{roles}{dumped}{onto_platform}"


def _on_platform_tables(connection: psycopg.Connection[tuple[object, ...]]) -> Iterator[str]:
    """The application's triggers, policies and buckets on the platform's tables, which the dump leaves out."""
    connection.execute("SET search_path = pg_catalog")  # so that every name is printed with its schema
    for (definition,) in connection.execute(_TRIGGERS, [list(PLATFORM_SCHEMAS)]).fetchall():
        yield f"\n{definition};\n"
    for bucket in connection.execute(_BUCKETS).fetchall():  # policies name buckets, and files are in one
        values = sql.SQL(", ").join(map(sql.Literal, bucket))
        insert = sql.SQL("INSERT INTO storage.buckets (id, name, public) VALUES ({}) ON CONFLICT DO NOTHING")
        yield f"\n{insert.format(values).as_string(connection)};\n"
    for row in connection.execute(_POLICIES).fetchall():
        schema, table, name, permissive, command, roles, using, check = map(str, row)
        created = sql.SQL("CREATE POLICY {} ON {} AS {} FOR {} TO {}").format(
            sql.Identifier(name),
            sql.Identifier(schema, table),
            sql.SQL("PERMISSIVE" if permissive == "PERMISSIVE" else "RESTRICTIVE"),
            sql.SQL(command),
            sql.SQL(roles),
        )
        text = created.as_string(connection)
        text += f" USING ({using})" if using != "None" else ""
        text += f" WITH CHECK ({check})" if check != "None" else ""
        yield f"\n{text};\n"


_HEAD = """-- The schema of a live database, taken by `tenantproof init --from`.
-- It holds no passwords, and no rows but storage buckets.

"""


def _role_statements(connection: psycopg.Connection[tuple[object, ...]]) -> Iterator[str]:
    """CREATE ROLE for every role of the server, without passwords; of superusers stays that RLS does not bind them."""
    found = cast("list[tuple[str, bool, bool, bool, list[str]]]", connection.execute(_ROLES).fetchall())
    for name, login, inherit, unbound, _groups in found:
        create = sql.SQL("CREATE ROLE {} {} {} {}").format(
            sql.Identifier(name),
            sql.SQL("LOGIN" if login else "NOLOGIN"),
            sql.SQL("INHERIT" if inherit else "NOINHERIT"),
            sql.SQL("BYPASSRLS" if unbound else "NOBYPASSRLS"),
        )
        yield f"DO $$BEGIN {create.as_string(connection)}; EXCEPTION WHEN duplicate_object THEN NULL; END$$;\n"
    for name, _login, _inherit, _unbound, groups in found:
        for group in groups:
            grant = sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(name))
            yield f"{grant.as_string(connection)};\n"


def _run(dsn: str, arguments: Sequence[str]) -> str:
    program = _program()
    done = subprocess.run(  # noqa: S603  # a program of the wheel, arguments of ours
        [str(program), *arguments],
        env=_environment(dsn),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        said = " ".join((done.stderr or "").strip().splitlines()[-3:])
        raise TargetError(f"pg_dump could not read the schema: {without_secrets(said, dsn)}")
    return done.stdout


def _program() -> Path:
    from tenantproof.targets.cache import cache_root
    from tenantproof.targets.programs import find_programs, installed_package

    return find_programs(installed_package(), cache_root(None)).bin / "pg_dump"


def _environment(dsn: str) -> dict[str, str]:
    given = {key: str(value) for key, value in conninfo_to_dict(dsn).items() if value is not None}
    known = {ENVIRONMENT[key]: value for key, value in given.items() if key in ENVIRONMENT}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG") or key == "PGPASSFILE"}
    return {**kept, **known, "PGOPTIONS": f"{known.get('PGOPTIONS', '')} {_READ_ONLY}".strip(), "LC_ALL": "C"}


def without_secrets(text: str, dsn: str) -> str:
    """A message of another program without the password of a DSN, whichever way it may quote it."""
    try:
        password = str(conninfo_to_dict(dsn).get("password") or "")
    except psycopg.ProgrammingError:
        return "(its message is left out: it may hold the DSN)"
    text = text.replace(dsn, "(the DSN)")
    text = re.sub(r"(?i)(postgres(?:ql)?://)[^\s@]*@", r"\1…@", text)
    return text.replace(password, "…") if password else text
