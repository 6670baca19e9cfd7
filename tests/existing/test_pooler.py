"""Behind a real PgBouncer in transaction mode, where nothing outlives a transaction."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from tests.existing.looking import Stranger

PGBOUNCER = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
SETTINGS = """
[databases]
app = host={host} port={port} dbname={dbname} user={user}
[pgbouncer]
listen_addr =
listen_port = 6432
unix_socket_dir = {folder}
auth_type = any
pool_mode = transaction
default_pool_size = 1
ignore_startup_parameters = extra_float_digits
logfile = {folder}/log
"""


@contextmanager
def _pooled(conninfo: str) -> Iterator[str]:
    """A conninfo that leads through a pooler of one server connection."""
    assert PGBOUNCER is not None
    parts = conninfo_to_dict(conninfo)
    with TemporaryDirectory(prefix="tp-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "ini").write_text(
            SETTINGS.format(folder=folder, **{key: parts[key] for key in ("host", "port", "dbname", "user")})
        )
        as_root = os.geteuid() == 0
        if as_root:  # PgBouncer refuses to be root, and the server's socket is its owner's alone
            _hand_over(folder, Path(str(parts["host"])))
        user = ["--user", _owner(Path(str(parts["host"])))] if as_root else []
        process = subprocess.Popen([PGBOUNCER, "--quiet", *user, str(folder / "ini")], stderr=subprocess.DEVNULL)
        try:
            through = make_conninfo(host=name, port=6432, dbname="app", user=getpass.getuser())
            _await(through, process)
            yield through
        finally:
            process.terminate()
            process.wait(10)


def _owner(place: Path) -> str:
    return place.owner()


def _hand_over(folder: Path, socket: Path) -> None:
    shutil.chown(folder, socket.owner())
    for path in folder.iterdir():
        shutil.chown(path, socket.owner())


def _await(conninfo: str, process: subprocess.Popen[bytes]) -> None:
    until = monotonic() + 20
    while True:
        try:
            psycopg.connect(conninfo, connect_timeout=5).close()
        except psycopg.OperationalError:
            if monotonic() > until or process.poll() is not None:
                raise
        else:
            return


@pytest.mark.skipif(PGBOUNCER is None, reason="PgBouncer is not installed")
def test_the_same_is_found_behind_a_pooler_of_transactions(clinic: Stranger) -> None:
    with clinic.policy("public.patients", "true"):
        expected = clinic.check()
        with _pooled(clinic.handle.conninfo) as through:
            report = replace(clinic, handle=replace(clinic.handle, conninfo=through)).check()
            with psycopg.connect(through, autocommit=True, prepare_threshold=None) as connection:
                left = connection.execute(
                    "SELECT current_user = session_user, current_setting('request.jwt.claims', true),"
                    " (SELECT count(*) FROM pg_prepared_statements), current_setting('statement_timeout')"
                ).fetchone()

    assert {f.fingerprint for f in report.findings} == {f.fingerprint for f in expected.findings}
    assert report.findings
    assert left in ((True, "", 0, "0"), (True, None, 0, "0"))
