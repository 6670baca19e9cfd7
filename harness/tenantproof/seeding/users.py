"""Users of Supabase Auth: rows of auth.users and auth.identities, inserted with triggers on.

Columns and values after the platform's own sign-up (supabase/auth migrations; a row read by the Auth server needs
'' and not NULL in its token columns).
"""

from __future__ import annotations

import json
from typing import Any

import psycopg

from tenantproof.core.model import Persona
from tenantproof.core.seeds import child_uuid
from tenantproof.seeding.cast import Cast
from tenantproof.seeding.samples import Clock
from tenantproof.seeding.statements import statement


def insert_auth_users(connection: psycopg.Connection[Any], cast: Cast, *, clock: Clock, identities: bool) -> None:
    """
    Insert users who are not there yet; triggers on auth.users run, as they do at sign-up.

    Where a trigger refuses (sign-up by invitation only), the users are inserted with triggers off, as are the spare
    users, who must have no profile.
    """
    people = json.dumps([_person(persona, cast.seed) for persona in cast.users])
    spare = json.dumps([_spare(number, user_id) for number, user_id in enumerate(cast.spares.values())])
    with psycopg.RawCursor(connection) as cursor:
        try:
            with connection.transaction():
                cursor.execute(statement("insert_users"), (people, clock.yesterday))
        except psycopg.Error:
            _insert_quietly(cursor, people, clock)
        _insert_quietly(cursor, spare, clock)
        if identities:
            cursor.execute(statement("insert_identities"), (people, clock.yesterday))


def _insert_quietly(cursor: psycopg.RawCursor[Any], people: str, clock: Clock) -> None:
    cursor.execute("SET LOCAL session_replication_role = replica")
    cursor.execute(statement("insert_users"), (people, clock.yesterday))
    cursor.execute("SET LOCAL session_replication_role = origin")


def _spare(number: int, user_id: str) -> dict[str, object]:
    return {"id": user_id, "email": f"spare{number}@example.com", "meta": {}}


def _person(persona: Persona, seed: int) -> dict[str, object]:
    name = persona.name.replace(".", " ").title()
    handle = persona.name.replace(".", "_")
    return {
        "id": persona.user_id,
        "identity": child_uuid(seed, "identity", persona.name),
        "email": persona.email or f"{persona.name}@example.com",
        "meta": {"name": name, "full_name": name, "username": handle, "user_name": handle},
    }
