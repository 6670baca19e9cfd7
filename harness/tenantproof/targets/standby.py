"""
A hot standby of an embedded server, for as long as a block lasts.

pg_basebackup copies the cluster while it runs; the copy then follows by streaming replication, as replicas do.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tenantproof.core.errors import TargetError
from tenantproof.core.ports import Handle
from tenantproof.targets import keeper
from tenantproof.targets.cache import cache_root, make_folder, remove_tree
from tenantproof.targets.locks import Lock
from tenantproof.targets.programs import find_programs, installed_package
from tenantproof.targets.server import Server

CATCH_UP_SECONDS = 30.0

_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Standby:
    """A standby that has caught up: `conninfo` reaches the run's database as the observer."""

    conninfo: str = field(repr=False)
    server_version: str


def is_embedded(handle: Handle) -> bool:
    """Whether the database is on an embedded server of ours: only of those a copy can be made."""
    return handle.owned and handle.psql is not None and _socket_folder(handle).startswith("/")


@contextmanager
def standby_of(handle: Handle) -> Iterator[Standby]:
    """Copy the server under *handle*, let it follow, stop and remove it at the end.

    Raises TargetError where it cannot be made or does not catch up.
    """
    root = cache_root(None)
    programs = find_programs(installed_package(), root)
    parts = conninfo_to_dict(handle.conninfo)
    server = Server(
        programs=programs, home=root / "build" / f"standby-{uuid.uuid4().hex[:12]}", superuser=str(parts["user"])
    )
    alive, control = (root / "locks" / f"{server.home.name}.{what}" for what in ("alive", "control"))
    lock = Lock(alive)
    try:
        lock.share()  # what is in use is not pruned, and goes away with us, however we end
        make_folder(server.home)
        programs.give(server.home)
        programs.run("pg_basebackup", *_how(handle), "--pgdata", server.data)
        for path in server.data.glob(".s.PGSQL.*"):  # the primary's socket may live beside its data, and be copied
            path.unlink()
        server.start()
        keeper.watch(server, alive=alive, control=control)
        conninfo = make_conninfo(handle.conninfo, host=str(server.socket_folder))
        yield Standby(conninfo=conninfo, server_version=_caught_up(handle, conninfo))
    finally:
        server.stop()
        remove_tree(server.home)
        lock.close()
        for path in (alive, control):
            path.unlink(missing_ok=True)


def _how(handle: Handle) -> list[str | Path]:
    user = str(conninfo_to_dict(handle.conninfo)["user"])
    return [
        *("--host", _socket_folder(handle), "--username", user, "--no-password"),
        *("--checkpoint=fast", "--wal-method=stream", "--write-recovery-conf", "--no-sync"),
    ]


def _socket_folder(handle: Handle) -> str:
    return str(conninfo_to_dict(handle.conninfo).get("host") or "")


def _caught_up(handle: Handle, conninfo: str) -> str:
    """Wait until the standby has replayed what the primary wrote so far; its version."""
    with psycopg.connect(handle.conninfo, autocommit=True) as primary:
        (target,) = primary.execute("select pg_catalog.pg_current_wal_lsn()::text").fetchone() or ("0/0",)
    deadline = time.monotonic() + CATCH_UP_SECONDS
    with psycopg.connect(conninfo, autocommit=True) as standby:
        while time.monotonic() < deadline:
            asked = "select pg_catalog.pg_last_wal_replay_lsn() >= %s::pg_lsn and pg_catalog.pg_is_in_recovery()"
            answer = standby.execute(asked, [target]).fetchone()
            if answer is not None and answer[0]:
                return standby.info.parameter_status("server_version") or ""
            time.sleep(_POLL_SECONDS)
    raise TargetError(f"the standby did not catch up with its primary within {CATCH_UP_SECONDS:g} s")
