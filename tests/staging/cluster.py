"""A throwaway PostgreSQL that listens on a random port of the loopback and asks for passwords: somebody's staging."""

from __future__ import annotations

import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from tenantproof.targets.cache import cache_root
from tenantproof.targets.processes import kill_servers
from tenantproof.targets.programs import Programs, find_programs, installed_package

APP = Path(__file__).parent / "app"
SCENARIO = APP / "staging.tenancy.yaml"
OWNER = "staging_owner"

_REAL_ROWS = """
insert into orgs (name) values ('Real Inc'), ('Other Ltd');
insert into people (email) values ('a@real.example'), ('b@other.example');
insert into members values (1, 1, 'admin'), (2, 2, 'member');
insert into notes (org_id, author_id, body) values (1, 1, 'a real note'), (2, 2, 'another');
"""


@dataclass(frozen=True)
class Cluster:
    """A running server with the application, some rows of its own, and an owner who is no superuser."""

    home: Path
    programs: Programs
    port: int
    password: str
    options: str

    def dsn(self, user: str = OWNER, *, port: int | None = None, password: str | None = None) -> str:
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{port or self.port}/app"

    def admin(self) -> psycopg.Connection:
        return psycopg.connect(self.dsn("root_of_all"), autocommit=True)

    def dump(self) -> str:
        """pg_dump of everything, without its random word."""
        text = self.programs.run("pg_dump", self.dsn("root_of_all"))
        return "\n".join(line for line in text.splitlines() if "restrict" not in line)

    def start(self) -> None:
        data, log = self.home / "data", self.home / "log"
        self.programs.run("pg_ctl", "start", "-D", data, "-w", "-l", log, "-o", self.options)

    def stop(self, mode: str = "immediate") -> None:
        self.programs.run("pg_ctl", "stop", "-D", self.home / "data", "-m", mode, "-w")


@contextmanager
def cluster(settings: str = "") -> Iterator[Cluster]:
    """The server, gone afterwards with all its files."""
    programs = find_programs(installed_package(), cache_root(None))
    home = Path(tempfile.mkdtemp(prefix="tenantproof-staging-"))
    home.chmod(0o755)
    programs.give(home)
    port = free_port()
    options = f"-p {port} -k {home} -c listen_addresses=127.0.0.1 -c fsync=off {settings}"
    made = Cluster(home=home, programs=programs, port=port, password=secrets.token_hex(12), options=options)
    try:
        _make(made)
        yield made
    finally:
        kill_servers(home / "data")
        shutil.rmtree(home, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make(made: Cluster) -> None:
    secret = made.home / "secret"
    secret.write_text(made.password)
    made.programs.give(secret)
    run = made.programs.run
    run("initdb", "-D", made.home / "data", "-U", "root_of_all", "-A", "scram-sha-256", "--pwfile", secret, "--no-sync",
        "-E", "UTF8", "--locale=C")  # fmt: skip
    made.start()
    with psycopg.connect(make_conninfo(made.dsn("root_of_all"), dbname="postgres"), autocommit=True) as connection:
        connection.execute(f"create role {OWNER} login bypassrls createrole password '{made.password}'")
        connection.execute(f"grant set on parameter session_replication_role to {OWNER}")
        connection.execute(f"create database app owner {OWNER}")
    with psycopg.connect(made.dsn()) as connection:
        for file in sorted(APP.glob("migrations/*.sql")):
            connection.execute(file.read_bytes())
        connection.execute(f"grant app_user, app_anon to {OWNER}")
        connection.execute(_REAL_ROWS)
