"""
`--target docker:IMAGE`: a PostgreSQL in a container, dressed and migrated as the embedded one is, for one run.

Any image that minds POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB as the official one does; it listens on TCP only
once it is initialized.  Stand-ins for extensions are copied into the image's own folder of extensions, where it lacks
them: releases before 18 look nowhere else.
"""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tenantproof.core.errors import TargetError, UsageError
from tenantproof.core.model import Database, Platform
from tenantproof.core.ports import SILENT, Handle, Source
from tenantproof.targets import dress, shims
from tenantproof.targets.container_engine import Running, await_ready, running
from tenantproof.targets.migrating import migrate
from tenantproof.targets.remarks import remarks
from tenantproof.targets.rundb import MAINTENANCE, TEMPLATE, run_database
from tenantproof.targets.sources import read_migrations, read_sources

PREFIX = "docker:"
START_SECONDS = 180.0
"""A large image initializes itself slowly; the pull before it is not counted."""

OLDEST = 15_00_00
NEWEST_TRIED = 18

_DISPOSABLE = ("fsync = off", "full_page_writes = off", "synchronous_commit = off", "jit = off", "timezone = 'UTC'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The PostgreSQL of a container; every role has the same password."""

    host: str
    port: int
    superuser: str
    password: str = field(repr=False)

    def conninfo(self, dbname: str, user: str | None = None) -> str:
        """A conninfo that no PG* variable of the environment can bend."""
        return make_conninfo(
            host=self.host,
            port=self.port,
            user=user or self.superuser,
            password=self.password,
            dbname=dbname,
            options="",
            client_encoding="UTF8",
            sslmode="disable",
            gssencmode="disable",
            application_name="tenantproof",
            connect_timeout=10,
        )

    def connect(self, dbname: str, user: str | None = None) -> psycopg.Connection:
        """An autocommit connection."""
        return psycopg.connect(self.conninfo(dbname, user), autocommit=True, prepare_threshold=None)


class ContainerTarget:
    """Databases in a container of *image*.  `patches` are applied after the migrations; `say` narrates."""

    def __init__(
        self,
        image: str,
        database: Database,
        *,
        patches: Sequence[Path] = (),
        keep: bool = False,
        say: Callable[[str], None] = SILENT,
    ) -> None:
        if not image.strip():
            raise UsageError(f"--target {PREFIX}: name an image, such as {PREFIX}postgres:{NEWEST_TRIED}")
        if keep:
            raise UsageError("--keep: a container goes away with its run; leave --target out to keep a database")
        self.notes: tuple[str, ...] = ()
        self._image = image
        self._declared = database
        self._patches = tuple(patches)
        self._say = say

    @contextmanager
    def database(self) -> Iterator[Handle]:
        """A fresh database with migrations and patches applied; nothing is left of the container afterwards.

        Raises MissingExtra, MigrationError, and TargetError for an engine or an image that cannot be used.
        """
        declared = self._declared
        reading = read_migrations(declared.migrations)
        patches = read_sources(self._patches)
        own = shims.read_own(declared.shims) if declared.shims is not None else None
        exposed = declared.auto_expose_new_tables
        self.notes = (*reading.notes, *remarks(reading.sources, declared.platform, auto_expose=exposed))
        self._say(f"starting a container of {self._image}")
        with self._server() as (server, place):
            self._say("preparing the database in it")
            version = self._prepare(server, place, own)
            migrate(server, declared.platform, (*reading.sources, *patches))
            give_passwords(server)
            with run_database(server, keep=False) as name:
                yield self._handle(server, name, version, (*reading.sources, *patches))

    @contextmanager
    def _server(self) -> Iterator[tuple[Server, Running]]:
        """The server, once it answers."""
        superuser, password = dress.OBSERVER[self._declared.platform], secrets.token_hex(16)
        environment = {"POSTGRES_USER": superuser, "POSTGRES_PASSWORD": password, "POSTGRES_DB": TEMPLATE}
        with running(self._image, environment) as place:
            server = Server(host=place.host, port=place.port, superuser=superuser, password=password)
            try:
                await_ready(place, lambda: _answers(server), START_SECONDS)
            except TargetError as error:
                raise TargetError(f"{self._image}: {str(error).replace(password, '***')}") from None
            yield server, place

    def _prepare(self, server: Server, place: Running, own: shims.Own | None) -> str:
        """Settings, stand-ins, dress and passwords; the server's version."""
        declared = self._declared
        with server.connect(TEMPLATE) as connection:
            version = connection.info.parameter_status("server_version") or ""
            if connection.info.server_version < OLDEST:
                raise TargetError(f"{self._image} is PostgreSQL {version}; 15 is the oldest that can be checked")
            for setting in _DISPOSABLE:
                connection.execute(f"alter system set {setting}".encode())
            connection.execute("select pg_catalog.pg_reload_conf()")
            _add_shims(connection, place, own)
            if connection.info.server_version // 10_000 == NEWEST_TRIED and not _is_dressed(
                connection, declared.platform
            ):
                dress.put_on(connection, declared.platform, auto_expose=declared.auto_expose_new_tables)
            else:
                left = dress.lay_over(connection, declared.platform, auto_expose=declared.auto_expose_new_tables)
                self.notes = (*self.notes, *(f"{self._image} differs from the platform: {line}" for line in left))
        give_passwords(server)
        return version

    def _handle(self, server: Server, name: str, version: str, sources: tuple[Source, ...]) -> Handle:
        return Handle(
            conninfo=server.conninfo(name),
            label=f"container {self._image}, PostgreSQL {version.split()[0]}",
            server_version=version.split()[0],
            owned=True,
            sources=sources,
        )


def _answers(server: Server) -> bool:
    """Whether the server takes our password; while it initializes itself it does not listen on TCP."""
    try:
        server.connect(TEMPLATE).close()
    except psycopg.OperationalError:
        return False
    return True


def _is_dressed(connection: psycopg.Connection, platform: Platform) -> bool:
    """Whether the image brings the platform's roles itself."""
    sign = "authenticated" if platform is Platform.SUPABASE else dress.MIGRATOR
    return connection.execute("select from pg_catalog.pg_roles where rolname = %s", [sign]).fetchone() is not None


def give_passwords(server: Server) -> None:
    """Let every role that may log in do so with the run's password: applications and PostgREST connect as theirs."""
    with server.connect(MAINTENANCE) as connection:
        roles = connection.execute("select rolname from pg_catalog.pg_roles where rolcanlogin").fetchall()
        for (role,) in roles:
            hashed = connection.pgconn.encrypt_password(server.password.encode(), role.encode(), b"scram-sha-256")
            connection.execute(
                sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(hashed.decode()))
            )


def _add_shims(connection: psycopg.Connection, place: Running, own: shims.Own | None) -> None:
    """Put stand-ins for extensions that the image lacks into its folder of extensions."""
    there = {row[0] for row in connection.execute("select name from pg_catalog.pg_available_extensions")}
    answer = connection.execute("select setting from pg_catalog.pg_config where name = 'SHAREDIR'").fetchone()
    lacking = {name: content for name, content in shims.contents(own).items() if shims.extension_of(name) not in there}
    if answer is not None and lacking:
        place.put(f"{answer[0]}/extension", _archive(lacking))


def _archive(files: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return held.getvalue()
