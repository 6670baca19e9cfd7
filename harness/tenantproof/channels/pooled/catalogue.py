"""The channels of pooled connections, for findings and for formats that declare every kind of them."""

from __future__ import annotations

from collections.abc import Mapping

from tenantproof.channels.kinds import Kind, by_id
from tenantproof.core.finding import Severity

_LOCAL = (
    "Set it for the transaction only: SET LOCAL, or set_config(name, value, true), in the same transaction as the work."
)

_ALL = (
    Kind(
        id="POOL-CLAIM",
        title="Who asked before decides what the next one on the same connection reads.",
        explanation="The application says who is asking by a setting that lives as long as the server connection. The "
        "pool hands that connection to the next user, and the policies believe the setting of the one before.",
        fix=f"{_LOCAL} A pool that resets its connections (PgBouncer's server_reset_query with "
        "server_reset_query_always, psycopg_pool's reset, SQLAlchemy's reset event) is a second line.",
        cwe=488,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="POOL-ROLE",
        title="The role of one user is still in force for the next one on the same connection.",
        explanation="SET ROLE without LOCAL lasts until the server connection ends. The pool hands that connection to "
        "the next user, who acts with the rights of the one before.",
        fix="Use SET LOCAL ROLE in the same transaction as the work, or reset the role before the connection is given "
        "back, on the way of every error too.",
        cwe=488,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="POOL-TEMP",
        title="A temporary table of one user is there for the next one on the same connection.",
        explanation="Temporary tables live as long as the server connection, come before other schemas in the search "
        "path, and no policy guards them. The next user reads what the one before put there, under the same name.",
        fix="CREATE TEMPORARY TABLE … ON COMMIT DROP, or DISCARD ALL before the connection is given back.",
        cwe=488,
        severity=Severity.HIGH,
    ),
    Kind(
        id="POOL-CURSOR",
        title="A cursor that one user left open is read by the next one on the same connection.",
        explanation="A cursor WITH HOLD keeps the rows that its user saw after the transaction; policies are not asked "
        "again.",
        fix="Close the cursor, declare it without HOLD, or CLOSE ALL before the connection is given back.",
        cwe=488,
        severity=Severity.HIGH,
    ),
    Kind(
        id="POOL-PLAN",
        title="A statement that one user prepared answers the next one with rows of the first.",
        explanation="A prepared statement keeps its plan as long as the server connection. What was computed when it "
        "was planned (a function marked IMMUTABLE that reads a setting, a value written into the text) is the first "
        "user's for everybody.",
        fix="Mark functions that read settings or tables STABLE, and bind values instead of writing them into the "
        "text.",
        cwe=488,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="POOL-BEGIN",
        title="On a fresh connection the application's own beginning does not hold people to their tenant.",
        explanation="On a server connection that nobody has used, what the application sends to begin as a user lets "
        "them read rows that the same user does not reach as the scenario's session is made: the login's own rights, "
        "or a default for a setting that is missing, decide.",
        fix="Let policies take a missing setting for nobody, without a default, and let the application log in as a "
        "role that policies bind.",
        cwe=1188,
        severity=Severity.CRITICAL,
    ),
    Kind(
        id="POOL-LOCK",
        title="A lock of one user is still held for the next one on the same connection.",
        explanation="A session-level advisory lock lasts until the server connection ends or gives it back. The next "
        "user holds it without knowing, and the first cannot release it any more.",
        fix="Use pg_advisory_xact_lock, or pg_advisory_unlock_all before the connection is given back.",
        cwe=667,
        severity=Severity.LOW,
    ),
    Kind(
        id="POOL-LISTEN",
        title="The next one on the same connection hears the notifications that were meant for the one before.",
        explanation="LISTEN lasts until the server connection ends. Payloads that arrive later go to whoever has it "
        "then.",
        fix="Listen on a connection of its own outside of the pool, or UNLISTEN * before it is given back.",
        cwe=488,
        severity=Severity.LOW,
    ),
    Kind(
        id="POOL-STUCK",
        title="After one user the next one on the same connection cannot begin.",
        explanation="What one user leaves on the connection makes the next one's first statements fail: one tenant can "
        "keep another out.",
        fix="Reset the connection before it is given back, on the way of every error too.",
        cwe=488,
        severity=Severity.LOW,
    ),
)

POOLED_CHANNELS: Mapping[str, Kind] = by_id(_ALL)
