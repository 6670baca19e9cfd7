"""The statements that Storage sends for each operation, and the observer's about the same objects.

Source: Storage's src/storage/database/pg.ts (createObject, upsertObject, updateObject, deleteObject, findObject,
listObjectsV2).  An upload has no RETURNING; all other writes have.
"""

from __future__ import annotations

import re

from psycopg import sql

from tenantproof.core.catalog import Relation

MARK = '{"size": 11, "mimetype": "text/plain", "tenantproof": true}'
"""Metadata of what a persona writes."""

_KEY = re.compile(r"[\w/!\-.*'() &$@=;:+,?]+", re.ASCII)
"""Characters that Storage takes in a name (isValidKey in its src/storage/limits.ts)."""


def is_valid_key(name: str) -> bool:
    """Whether Storage takes the name, before any policy is asked."""
    return _KEY.fullmatch(name) is not None and len(name) <= 1024


def upload(bucket: str, name: str, owner: str | None) -> str:
    """A new object."""
    return _insert(bucket, name, owner).as_string(None)


def upsert(objects: Relation, bucket: str, name: str, owner: str | None) -> str:
    """An upload with x-upsert: true."""
    target = (
        "(bucket_id, name)"
        if any(index.unique and set(index.columns) == {"bucket_id", "name"} for index in objects.indexes)
        else '(bucket_id, name COLLATE "C") WHERE archived_at IS NULL'
    )
    return (
        sql.SQL(
            "{} ON CONFLICT " + target + " DO UPDATE SET owner = EXCLUDED.owner, owner_id = EXCLUDED.owner_id,"
            " metadata = EXCLUDED.metadata, version = EXCLUDED.version RETURNING *"
        )
        .format(_insert(bucket, name, owner))
        .as_string(None)
    )


def plant(bucket: str, name: str, owner: str | None) -> str:
    """What the observer puts there, as if its owner had uploaded it."""
    return (
        sql.SQL("INSERT INTO storage.objects (bucket_id, name, owner, owner_id) VALUES ({}, {}, {}, {})")
        .format(*map(sql.Literal, (bucket, name, owner if _is_uuid(owner) else None, owner)))
        .as_string(None)
    )


def move(bucket: str, name: str, to: str, owner: str | None) -> str:
    """A rename within the bucket."""
    return (
        sql.SQL(
            "UPDATE storage.objects SET name = {}, bucket_id = {}, owner = {}, owner_id = {}, version = 'moved'"
            ' WHERE bucket_id = {} AND name COLLATE "C" = {} RETURNING *'
        )
        .format(*map(sql.Literal, (to, bucket, owner if _is_uuid(owner) else None, owner, bucket, name)))
        .as_string(None)
    )


def get(bucket: str, name: str) -> str:
    """What a download asks first."""
    return (
        sql.SQL(
            'SELECT id, name, version, metadata FROM storage.objects WHERE name COLLATE "C" = {} AND bucket_id = {}'
        )
        .format(sql.Literal(name), sql.Literal(bucket))
        .as_string(None)
    )


def listing(bucket: str, prefix: str) -> str:
    """The names below a prefix."""
    pattern = re.sub(r"([\\%_])", r"\\\1", prefix) + "%"
    return (
        sql.SQL(
            'SELECT id, name, metadata FROM storage.objects WHERE bucket_id = {} AND name COLLATE "C" LIKE {}'
            ' ORDER BY name COLLATE "C" LIMIT 100'
        )
        .format(sql.Literal(bucket), sql.Literal(pattern))
        .as_string(None)
    )


def remove(bucket: str, name: str) -> str:
    """A removal."""
    return (
        sql.SQL('DELETE FROM storage.objects WHERE name COLLATE "C" = {} AND bucket_id = {} RETURNING *')
        .format(sql.Literal(name), sql.Literal(bucket))
        .as_string(None)
    )


def is_there(bucket: str, name: str) -> str:
    """SELECT the object."""
    return (
        sql.SQL("SELECT name, owner_id FROM storage.objects WHERE bucket_id = {} AND name = {}")
        .format(sql.Literal(bucket), sql.Literal(name))
        .as_string(None)
    )


def is_overwritten(bucket: str, name: str) -> str:
    """SELECT the object if a persona wrote it."""
    return f"{is_there(bucket, name)} AND metadata ->> 'tenantproof' = 'true'"


def is_gone(bucket: str, name: str) -> str:
    """SELECT a row if the object is not there."""
    return (
        sql.SQL("SELECT {} AS gone WHERE NOT EXISTS ({})")
        .format(sql.Literal(name), sql.SQL(is_there(bucket, name)))
        .as_string(None)
    )


def publish(bucket: str) -> str:
    """Make a bucket public."""
    return (
        sql.SQL("UPDATE storage.buckets SET public = true WHERE id = {} RETURNING id")
        .format(sql.Literal(bucket))
        .as_string(None)
    )


def is_public(bucket: str) -> str:
    return (
        sql.SQL("SELECT id FROM storage.buckets WHERE public AND id = {}").format(sql.Literal(bucket)).as_string(None)
    )


def make_private(bucket: str) -> str:
    return (
        sql.SQL("UPDATE storage.buckets SET public = false WHERE id = {}").format(sql.Literal(bucket)).as_string(None)
    )


def _insert(bucket: str, name: str, owner: str | None) -> sql.Composed:
    values = (bucket, name, owner if _is_uuid(owner) else None, owner, MARK, "tenantproof")
    return sql.SQL(
        "INSERT INTO storage.objects (bucket_id, name, owner, owner_id, metadata, version)"
        " VALUES ({}, {}, {}, {}, {}, {})"
    ).format(*map(sql.Literal, values))


def _is_uuid(text: str | None) -> bool:
    return text is not None and re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is not None
