"""
What Storage and Realtime set before they ask the database for somebody: a role, and settings of the transaction.

Sources: Storage's src/internal/database/postgres/scope.ts and src/http/routes/operations.ts; Realtime's
lib/realtime/tenants/authorization.ex and the function realtime.apply_rls.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from tenantproof.core.ports import Identity
from tenantproof.identity.legacy import retold
from tenantproof.identity.sessions import NOT_IN_A_SESSION

STORAGE_LOGIN = "supabase_storage_admin"
"""Who Storage logs in as."""

NO_TOKEN = "placeholder-of-the-raw-token"  # noqa: S105  (Storage hands the token itself over; it is a secret)

_OWN = ("request.", "storage.", "realtime.", "search_path")
"""Settings that each server sets by itself."""

_PATHS = {
    "list": ("POST", "/object/list/{bucket}", "storage.object.list"),
    "get": ("GET", "/object/authenticated/{bucket}/{name}", "storage.object.get_authenticated"),
    "upload": ("POST", "/object/{bucket}/{name}", "storage.object.upload"),
    "upsert": ("PUT", "/object/{bucket}/{name}", "storage.object.upload_update"),
    "move": ("POST", "/object/move", "storage.object.move"),
    "delete": ("DELETE", "/object/{bucket}/{name}", "storage.object.delete"),
    "bucket": ("PUT", "/bucket/{bucket}", "storage.bucket.update"),
}
"""Operation -> method, path and what storage.operation() answers."""


def storage_identity(identity: Identity, operation: str, bucket: str, name: str, *, login: bool) -> Identity:
    """The persona as Storage makes it for one operation; with *login* the session user is Storage's, too."""
    method, path, called = _PATHS[operation]
    claims = dict(identity.settings).get("request.jwt.claims") or json.dumps(dict(identity.claims))
    settings = (
        ("search_path", "storage, public, extensions"),
        *_of_role(identity),
        ("request.jwt.claim.role", identity.role),
        ("request.jwt", NO_TOKEN),
        ("request.jwt.claim.sub", identity.persona.user_id or ""),
        ("request.jwt.claims", claims),
        ("request.headers", dict(identity.settings).get("request.headers", "{}")),
        ("request.method", method),
        ("request.path", path.format(bucket=bucket, name=name)),
        ("storage.operation", called),
        ("storage.allow_delete_query", "true"),
    )
    return replace(identity, login=STORAGE_LOGIN if login else None, settings=settings, pre_request=None)


def realtime_identity(identity: Identity, topic: str) -> Identity:
    """The persona as Realtime makes it to ask about a private channel.  The session user stays the observer, as
    Realtime's own login is a privileged one."""
    claims = dict(identity.settings).get("request.jwt.claims") or json.dumps(dict(identity.claims))
    settings = (
        ("realtime.topic", topic),
        ("request.jwt.claims", claims),
        ("request.jwt.claim.sub", identity.persona.user_id or ""),
        ("request.jwt.claim.role", identity.role),
        ("request.headers", dict(identity.settings).get("request.headers", "{}")),
    )
    return replace(identity, login=None, settings=settings, pre_request=None)


def subscriber_identity(identity: Identity) -> Identity:
    """The persona as realtime.apply_rls makes it for postgres_changes: the role and the claims, and nothing else."""
    claims = dict(identity.settings).get("request.jwt.claims") or json.dumps(dict(identity.claims))
    settings = (
        *((name, "") for name in ("realtime.topic", "request.headers")),
        ("request.jwt.claims", claims),
    )
    return replace(identity, login=None, settings=settings, pre_request=None)


def with_claims(identity: Identity, claims: dict[str, object]) -> Identity:
    """The persona with another token."""
    return replace(identity, claims=claims, settings=tuple(retold(identity.settings, claims)))


def _of_role(identity: Identity) -> Iterator[tuple[str, str]]:
    for name, value in identity.settings:
        if not name.startswith(_OWN) and name not in NOT_IN_A_SESSION and name.endswith("_timeout"):
            yield name, value
