"""Users of Supabase Auth: rows of auth.users and auth.identities, inserted with triggers on.

Columns and values after the platform's own sign-up (supabase/auth migrations; a row read by the Auth server needs
'' and not NULL in its token columns).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import psycopg

from tenantproof.core.model import Persona
from tenantproof.core.seeds import child_uuid
from tenantproof.seeding.samples import Clock
from tenantproof.seeding.statements import statement


def insert_auth_users(
    connection: psycopg.Connection[Any], personas: Sequence[Persona], *, clock: Clock, seed: int, identities: bool
) -> None:
    """
    Insert users who are not there yet; triggers on auth.users run, as they do at sign-up.

    Where a trigger refuses (sign-up by invitation only), the users are inserted with triggers off.
    """
    people = json.dumps([_person(persona, seed) for persona in personas])
    with psycopg.RawCursor(connection) as cursor:
        try:
            with connection.transaction():
                cursor.execute(statement("insert_users"), (people, clock.yesterday))
        except psycopg.Error:
            with connection.transaction():
                cursor.execute("SET LOCAL session_replication_role = replica")
                cursor.execute(statement("insert_users"), (people, clock.yesterday))
                cursor.execute("SET LOCAL session_replication_role = origin")
        if identities:
            cursor.execute(statement("insert_identities"), (people, clock.yesterday))


def _person(persona: Persona, seed: int) -> dict[str, object]:
    name = persona.name.replace(".", " ").title()
    handle = persona.name.replace(".", "_")
    return {
        "id": persona.user_id,
        "identity": child_uuid(seed, "identity", persona.name),
        "email": persona.email or f"{persona.name}@example.com",
        "meta": {"name": name, "full_name": name, "username": handle, "user_name": handle},
    }
