"""
Rows that are there and do not count: deleted softly, archived, expired, not accepted yet.

An application's own queries and policies hide them, and no scenario says so.  So nothing is promised of such rows: that
a persona does not see one is no over-blocking.  Found by the names of columns; a name that is missing here can cost a
remark, never hide a leak.
"""

from __future__ import annotations

import re

from psycopg import sql

from tenantproof.core.catalog import Column, Relation

_GONE = r"deleted|removed|archived|revoked|disabled|suspended|left|expired|ended|cancell?ed|discarded|trashed|banned"
_WHEN = re.compile(rf"^({_GONE}|deactivated|unpublished|hidden)_?(at|on|date|time)$", re.IGNORECASE)
_UNTIL = re.compile(r"^(expires|expires_at|expires_on|valid_until|valid_to|expiry|expiration)$", re.IGNORECASE)
_IS = re.compile(rf"^(is_)?({_GONE}|deactivated|inactive|hidden|draft)$", re.IGNORECASE)
_IS_NOT = re.compile(
    r"^(is_)?(active|enabled|visible|published|approved|accepted|confirmed|verified|current)$", re.IGNORECASE
)
_STATE = re.compile(r"(^|_)(status|state)$", re.IGNORECASE)
_STATES = (
    "deleted", "removed", "archived", "revoked", "disabled", "suspended", "left", "expired", "ended", "cancelled",
    "canceled", "inactive", "deactivated", "declined", "rejected", "pending", "invited", "draft", "hidden", "banned",
)  # fmt: skip


def mark_of(relation: Relation) -> str | None:
    """The SQL condition that a row of the relation does not count any more (or yet); None where no column tells."""
    found = [condition for column in relation.columns if (condition := _condition(relation, column)) is not None]
    if not found:
        return None
    return sql.SQL(" OR ").join(found).as_string(None)


def _condition(relation: Relation, column: Column) -> sql.Composable | None:
    name = sql.Identifier(relation.name.name, column.name)
    if column.category == "B":
        if _IS.match(column.name):
            return sql.SQL("{} IS TRUE").format(name)
        return sql.SQL("{} IS NOT TRUE").format(name) if _IS_NOT.match(column.name) else None
    if column.category == "D":
        if _WHEN.match(column.name):
            return sql.SQL("{} IS NOT NULL").format(name)
        return sql.SQL("{} < pg_catalog.now()").format(name) if _UNTIL.match(column.name) else None
    if column.category in "SE" and _STATE.search(column.name):
        states = sql.SQL(", ").join(map(sql.Literal, _STATES))
        return sql.SQL("pg_catalog.lower({}::text) IN ({})").format(name, states)
    return None
