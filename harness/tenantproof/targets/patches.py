"""
Applies patches to a run's database, without a trace in the cluster that other runs share.

Roles, memberships and settings of roles belong to the whole cluster.  A patch that changes them, or that needs more
rights than the role `postgres` has, is reported as `False`, with nothing done: it needs a cluster of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import psycopg
from psycopg import pq

from tenantproof.core.errors import MigrationError
from tenantproof.core.ports import Source
from tenantproof.targets import dress, migrations
from tenantproof.targets.server import Server
from tenantproof.targets.statements import without_comments

CLUSTER_WIDE = re.compile(
    r"\b(?:(?:create|alter|drop)\s+(?:role|user|group|tablespace|database|system)\b(?!\s+mapping)"
    r"|reassign\s+owned|drop\s+owned|comment\s+on\s+(?:role|database|tablespace)"
    r"|grant\s+(?:(?!\bon\b)[^;])+?\s+to\b|revoke\s+(?:(?!\bon\b)[^;])+?\s+from\b)",
    re.IGNORECASE,
)


def touches_cluster(text: str) -> bool:
    """Whether SQL speaks of what all databases of a cluster share; also inside quotes, so rather yes than no."""
    return CLUSTER_WIDE.search(without_comments(text)) is not None


def reach_beyond(patches: Sequence[Source]) -> bool:
    """Whether the text alone tells that these patches need a cluster of their own."""
    return any(touches_cluster(patch.text) or migrations.speaks_of_transactions(patch.text) for patch in patches)


def apply_here(server: Server, dbname: str, patches: Sequence[Source]) -> bool:
    """Apply *patches* in one transaction as `postgres`; False, with nothing done, if they reach beyond *dbname*.

    Raises MigrationError for a patch that is wrong in itself.
    """
    if not patches:
        return True
    with server.connect(dbname, dress.MIGRATOR) as connection:
        before = cluster_state(connection)
        connection.execute("begin")
        try:
            for patch in patches:
                migrations.apply_in_transaction(connection, patch)
        except MigrationError as error:
            if error.sqlstate == "42501":
                return False
            raise
        finally:
            unharmed = connection.info.transaction_status is pq.TransactionStatus.INTRANS
            unharmed = unharmed and cluster_state(connection) == before
            connection.execute("commit" if unharmed else "rollback")
    return unharmed


def cluster_state(connection: psycopg.Connection) -> object:
    """What all databases of the cluster share, as something to compare."""
    return connection.execute(_query()).fetchone()


@cache
def _query() -> bytes:
    return (files("tenantproof.targets") / "carry" / "cluster_state.sql").read_bytes()
