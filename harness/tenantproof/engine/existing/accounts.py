"""What the accounts of real users put into their tokens: e-mail address and metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg import sql

from tenantproof.core.catalog import Catalog, Relation
from tenantproof.core.model import Platform, QName, Scenario
from tenantproof.core.ports import Identity
from tenantproof.engine.existing.discreet import said_of
from tenantproof.engine.existing.transaction import Connection
from tenantproof.identity.claims import merge
from tenantproof.identity.legacy import retold
from tenantproof.seeding.paths import table_name

AUTH_USERS = QName("auth", "users")


@dataclass(frozen=True, slots=True)
class Account:
    """What is known of one user; empty where there is no account or it cannot be read."""

    email: str | None = None
    app_metadata: Mapping[str, object] = field(default_factory=dict)
    user_metadata: Mapping[str, object] = field(default_factory=dict)


class Accounts:
    """The accounts of a database, as far as they were asked for."""

    def __init__(self, connection: Connection, catalog: Catalog, scenario: Scenario) -> None:
        self._connection, self._scenario = connection, scenario
        self.place = _place(catalog, scenario)
        """The table of the accounts and the column that holds a user's id; None where nobody knows."""
        self._known: dict[str, Account] = {}
        self.refused = ""
        """Why accounts could not be read, where they could not."""

    @property
    def carries_metadata(self) -> bool:
        """Whether tokens carry what the accounts hold, as those of Supabase Auth do."""
        return self._scenario.database.platform is Platform.SUPABASE

    def learn(self, users: Iterable[str]) -> None:
        """Read the accounts of these users at once."""
        new = sorted(set(users) - self._known.keys())
        self._known.update({user: Account() for user in new})
        if self.place is None or self.refused or not new:
            return
        relation, key = self.place
        wanted = ["email", *(["raw_app_meta_data", "raw_user_meta_data"] if self.carries_metadata else [])]
        listed = [
            sql.SQL("{}::text").format(sql.Identifier(name)) if name in relation.column_names else sql.SQL("NULL::text")
            for name in (key, *wanted)
        ]
        statement = sql.SQL("SELECT {} FROM {} WHERE {} IN ({})").format(
            sql.SQL(", ").join(listed),
            table_name(relation.name),
            sql.Identifier(key),
            sql.SQL(", ").join(map(sql.Literal, new)),
        )
        try:
            with self._connection.transaction():
                for user, email, *held in self._connection.execute(statement):
                    self._known[user] = Account(email, *map(_object, held))
        except psycopg.Error as error:
            self.refused = f"{relation.name}: {said_of(error.sqlstate, error.diag.message_primary or '')}"

    def of(self, user: str) -> Account:
        """The account of a user."""
        if user not in self._known:
            self.learn([user])
        return self._known[user]


def _place(catalog: Catalog, scenario: Scenario) -> tuple[Relation, str] | None:
    if scenario.database.platform is Platform.SUPABASE:
        return (catalog.relations[AUTH_USERS], "id") if AUTH_USERS in catalog.relations else None
    for membership in scenario.memberships:
        relation = catalog.relations[membership.table]
        for key in relation.foreign_keys:
            users = catalog.relations.get(key.references) if key.references is not None else None
            if key.columns == (membership.user,) and users is not None and "email" in users.column_names:
                return users, key.ref_columns[0]
        if "email" in relation.column_names:
            return relation, membership.user
    return None


def _object(text: str | None) -> Mapping[str, object]:
    try:
        value: Any = json.loads(text or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def with_metadata(identity: Identity, account: Account) -> Identity:
    """The identity with the metadata that the user's real token carries, which wins over the scenario's templates.

    There is no token any more: this one was never signed.
    """
    carried = {"app_metadata": account.app_metadata, "user_metadata": account.user_metadata}
    claims = merge(identity.claims, {name: held for name, held in carried.items() if held})
    return replace(identity, claims=claims, settings=tuple(retold(identity.settings, claims)), token=None)
