"""The migrations of a scenario, applied to the template that databases of runs are copied from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from tenantproof.core.model import Platform
from tenantproof.core.ports import Source
from tenantproof.targets import dress, migrations
from tenantproof.targets.rundb import MAINTENANCE, TEMPLATE, Connects

_OPEN, _CLOSE = (
    sql.SQL("alter database {} with allow_connections {}").format(sql.Identifier(TEMPLATE), sql.SQL(word))
    for word in ("true", "false")
)


def migrate(server: Connects, platform: Platform, sources: Iterable[Source]) -> None:
    """Apply SQL files to the template, which afterwards nobody can connect to: only so can it be copied any time."""
    with server.connect(MAINTENANCE) as observer:
        observer.execute(_OPEN)
        with (
            _as_superuser(observer, platform),
            server.connect(TEMPLATE, dress.MIGRATOR) as connection,
        ):
            migrations.apply_all(connection, sources)
        observer.execute(_CLOSE)


@contextmanager
def _as_superuser(observer: psycopg.Connection, platform: Platform) -> Iterator[None]:
    """
    On Supabase `postgres` is no superuser, yet the platform's C extension lets it do what migrations need; here it is a
    superuser for as long as they run.  Ownership, default privileges and grants come out the same.
    """
    if platform is not Platform.SUPABASE:
        yield
        return
    role = sql.Identifier(dress.MIGRATOR)
    observer.execute(sql.SQL("alter role {} superuser").format(role))
    yield
    observer.execute(sql.SQL("alter role {} nosuperuser").format(role))
