"""
The SQL that makes an observer's session a persona, and back.

All of it is transaction-local: COMMIT or ROLLBACK ends it, ROLLBACK TO SAVEPOINT restores what was before the
savepoint (checked on PostgreSQL 15 and 18).  The statements carry claims: send them, never log them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from psycopg import sql

from tenantproof.core.model import QName
from tenantproof.core.ports import Identity


def become(identity: Identity) -> sql.Composed:
    """One SELECT of set_config calls after which the session is the persona.

    With a login role the session user changes first (needs a superuser's session), so that `session_user` is
    what PostgREST's is and the persona may SET ROLE only where that login may.  The role comes before the
    settings: PostgreSQL then judges by the persona's rights what it may set.
    """
    return sql.SQL("SELECT {}").format(sql.SQL(", ").join(_setting(*pair) for pair in _pairs(identity)))


@lru_cache(maxsize=2048)
def _setting(name: str, value: str) -> sql.SQL:
    """One call; the same ones return in every session, and composing them is most of the work."""
    call = sql.SQL("pg_catalog.set_config({}, {}, true)").format(sql.Literal(name), sql.Literal(value))
    return sql.SQL(call.as_string(None))


def _pairs(identity: Identity) -> Iterator[tuple[str, str]]:
    if identity.login is not None:
        yield "session_authorization", identity.login
    yield "role", identity.role
    yield from identity.settings


def unbecome() -> sql.SQL:
    """Back to the observer inside the transaction, the role included; settings such as claims stay until its end."""
    return sql.SQL("SET LOCAL SESSION AUTHORIZATION DEFAULT")


def pre_request(identity: Identity) -> sql.Composed | None:
    """The call that PostgREST makes before each request (db-pre-request), or None where there is none."""
    if identity.pre_request is None:
        return None
    return sql.SQL("SELECT {}()").format(sql.Identifier(*identity.pre_request.split(".", 1)))


def rls_proof(relation: QName) -> tuple[sql.SQL, sql.Composed]:
    """Two statements that prove the current user is subject to row level security on a relation.

    With row_security off PostgreSQL refuses a query that policies would have filtered: SQLSTATE 42501, "query
    would be affected by row-level security policy".  It does so before it looks at privileges, so any other
    answer, "permission denied for table" included, means that no policy protects the relation from this user:
    a superuser, BYPASSRLS, the owner without FORCE, or a table without row level security.
    (PostgreSQL, "Row Security Policies" and `row_security` in "Client Connection Defaults".)

    Run them inside a savepoint: the error aborts it, and rolling back restores row_security.
    """
    return (
        sql.SQL("SET LOCAL row_security = off"),
        sql.SQL("SELECT 1 FROM {} LIMIT 0").format(sql.Identifier(*relation)),
    )
