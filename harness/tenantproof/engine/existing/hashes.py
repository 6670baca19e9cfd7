"""What stands for an id of somebody's in a report: the beginning of its SHA-256, which PostgreSQL computes too."""

from __future__ import annotations

import hashlib

from psycopg import sql

LENGTH = 8
LONG = 32


def short(value: str) -> str:
    """Enough to tell the few ids of one report apart, and to find the row again."""
    return _digest(value)[:LENGTH]


def long(value: str) -> str:
    """Enough to find one row among millions."""
    return _digest(value)[:LONG]


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def long_in_sql(text: sql.Composable) -> sql.Composed:
    """The SQL expression for `long` of a text expression."""
    return sql.SQL("left(encode(sha256(convert_to({}, 'UTF8')), 'hex'), {})").format(text, sql.Literal(LONG))
