"""
Users of Supabase Auth: rows of auth.users and auth.identities, inserted with triggers on.

Columns and values after the platform's own sign-up (supabase/auth migrations; a row read by the Auth server needs
'' and not NULL in its token columns).  Of these, the columns that a database has are filled: they came one by one over
the years, and `supabase start` without the Auth server has those of the beginning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import psycopg
from psycopg import sql

from tenantproof.catalog.at_once import at_once
from tenantproof.core.catalog import Catalog, Column, Relation
from tenantproof.core.errors import TargetError
from tenantproof.core.model import Persona
from tenantproof.core.seeds import child_uuid
from tenantproof.core.world import Unseeded
from tenantproof.seeding.answers import refusal
from tenantproof.seeding.cast import Cast
from tenantproof.seeding.paths import fragment, insertion
from tenantproof.seeding.plan import AUTH_IDENTITIES, AUTH_USERS, TablePlan
from tenantproof.seeding.samples import Samples, Slot

_PEOPLE = "FROM jsonb_to_recordset($1::jsonb) AS person (id text, identity text, email text, meta jsonb, further jsonb)"
_INSTANT = "$2::timestamptz"

_OF_USERS: Mapping[str, str] = {
    "instance_id": "'00000000-0000-0000-0000-000000000000'",
    "id": "person.id",
    "aud": "'authenticated'",
    "role": "'authenticated'",
    "email": "person.email",
    "encrypted_password": "''",
    "email_confirmed_at": _INSTANT,
    "confirmed_at": _INSTANT,
    "last_sign_in_at": _INSTANT,
    "created_at": _INSTANT,
    "updated_at": _INSTANT,
    "raw_app_meta_data": """'{"provider": "email", "providers": ["email"]}'""",
    "raw_user_meta_data": "person.meta",
    "confirmation_token": "''",
    "recovery_token": "''",
    "email_change_token": "''",
    "email_change_token_new": "''",
    "email_change": "''",
}
"""`confirmed_at` is computed today, and was a column to be filled before."""

_IF_REQUIRED: Mapping[str, str] = {"is_super_admin": "false", "is_sso_user": "false", "is_anonymous": "false"}
"""What stays at its default where there is one."""

_OF_IDENTITIES: Mapping[str, str] = {
    "id": "person.identity",
    "provider_id": "person.id",
    "user_id": "person.id",
    "identity_data": "jsonb_build_object('sub', person.id, 'email', person.email, 'email_verified', true)",
    "provider": "'email'",
    "last_sign_in_at": _INSTANT,
    "created_at": _INSTANT,
    "updated_at": _INSTANT,
}
_BEFORE_PROVIDER_ID: Mapping[str, str] = {**_OF_IDENTITIES, "id": "person.id"}
"""Then the id was what the provider calls the user."""

_SPARED = "insert: users are there without identities: "
"""Begins as what leaves nothing in doubt (reports.unknown): where the table is in scope, it is filled as others are."""


def insert_auth_users(
    connection: psycopg.Connection[Any], cast: Cast, catalog: Catalog, table: TablePlan, samples: Samples
) -> list[Unseeded]:
    """
    Insert users who are not there yet; triggers on auth.users run, as they do at sign-up.

    Where a trigger refuses (sign-up by invitation only), the users are inserted with triggers off, as are the spare
    users, who must have no profile.  Returns what else could not be filled.  Raises TargetError where the table takes
    no users of ours.
    """
    accounts = _Accounts(connection, cast, table, samples)
    accounts.insert()
    identities = catalog.relations.get(AUTH_IDENTITIES)
    return [] if identities is None else list(accounts.identify(identities))


@dataclass(frozen=True, slots=True)
class _Accounts:
    """The users of a run on their way into auth.users."""

    connection: psycopg.Connection[Any]
    cast: Cast
    table: TablePlan
    samples: Samples

    def insert(self) -> None:
        further = list(self._further())
        statement = _insertion(self.table.relation, {**_OF_USERS, **_required(self.table.relation)}, further)
        unless = sql.SQL(" WHERE NOT EXISTS (SELECT FROM auth.users AS known WHERE known.id::text = person.id)")
        text = (statement + unless).as_string(None)
        people = [_person(persona, self.cast.seed) for persona in self.cast.users]
        spare = [_spare(number, user_id) for number, user_id in enumerate(self.cast.spares.values())]
        self.samples.start(AUTH_USERS)
        for number, person in enumerate([*people, *spare] if further else ()):
            person["further"] = {column.name: self._made(column, number) for column in further}
        try:
            with at_once(self.connection):
                self._send(text, people)
        except psycopg.Error:
            self._insert_quietly(text, people)
        self._insert_quietly(text, spare)

    def identify(self, identities: Relation) -> Iterator[Unseeded]:
        """Their identities, which few applications look at: where the table takes none, that is no reason to end."""
        made = _OF_IDENTITIES if "provider_id" in identities.column_names else _BEFORE_PROVIDER_ID
        text = (_insertion(identities, made, ()) + sql.SQL(" ON CONFLICT DO NOTHING")).as_string(None)
        try:
            with at_once(self.connection):
                self._send(text, [_person(persona, self.cast.seed) for persona in self.cast.users])
        except psycopg.Error as error:
            said = refusal(error)
            yield Unseeded(
                relation=identities.name, tenant=None, sqlstate=said.sqlstate, message=f"{_SPARED}{said.message}"
            )

    def _insert_quietly(self, text: str, people: Sequence[Mapping[str, object]]) -> None:
        try:
            with at_once(self.connection):
                self.connection.execute("SET LOCAL session_replication_role = replica")
                self._send(text, people)
                self.connection.execute("SET LOCAL session_replication_role = origin")
        except psycopg.Error as error:
            if error.sqlstate is None:  # the line broke: nothing was said of the table
                raise
            said = refusal(error)
            guessed = ", ".join(f"{column.name} ({column.type})" for column in self._further())
            tried = f"; values were made up for its required columns {guessed}" if guessed else ""
            _refused(f"{said.message} (SQLSTATE {said.sqlstate}){tried}")

    def _send(self, text: str, people: Sequence[Mapping[str, object]]) -> None:
        given = (json.dumps(people), self.samples.clock.yesterday)
        psycopg.RawCursor(self.connection).execute(text.encode(), given)

    def _further(self) -> Iterator[Column]:
        """Required columns of which the platform knows nothing."""
        for column in self.table.relation.columns:
            if is_required(column) and column.name not in _OF_USERS and column.name not in _IF_REQUIRED:
                yield column

    def _made(self, column: Column, number: int) -> str | None:
        for key in self.table.relation.foreign_keys:
            if column.name in key.columns:
                _refused(
                    f"its column {column.name} is required and refers to {key.references}, whose rows come after users"
                )
        slot = Slot(
            table=AUTH_USERS,
            column=column,
            hints=self.table.rules.of(column.name),
            number=number,
            turn=number,
            attempt=0,
            canary=f"user-{number}",
            unique=column.name in self.table.unique_columns,
        )
        return self.samples.value(slot)


def is_required(column: Column) -> bool:
    """Whether a row needs a value for it."""
    return column.not_null and column.default is None and not column.identity and not column.generated


def _required(relation: Relation) -> dict[str, str]:
    return {
        column.name: _IF_REQUIRED[column.name]
        for column in relation.columns
        if column.name in _IF_REQUIRED and is_required(column)
    }


def _refused(why: str) -> NoReturn:
    raise TargetError(
        f"no users can be made in {AUTH_USERS}: {why}\n"
        "  give what is required a default there, or loosen the constraint on a copy; --writes never reads the users"
        " who are there"
    )


def _insertion(relation: Relation, made: Mapping[str, str], further: Sequence[Column]) -> sql.Composed:
    """INSERT … SELECT … FROM people of those columns that the table has and does not compute."""
    open_to = [column for column in relation.columns if column.name in made and not column.generated]
    values = [_typed(made[column.name], column) for column in open_to]
    values += [
        _typed(sql.SQL("person.further ->> {}").format(sql.Literal(one.name)).as_string(), one) for one in further
    ]
    head = insertion(relation.name, [column.name for column in (*open_to, *further)])
    return sql.SQL("{} OVERRIDING SYSTEM VALUE SELECT {} {}").format(
        head, sql.SQL(", ").join(values), fragment(_PEOPLE)
    )


def _typed(value: str, column: Column) -> sql.Composable:
    return sql.SQL("({})::{}").format(fragment(value), fragment(column.type))


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
