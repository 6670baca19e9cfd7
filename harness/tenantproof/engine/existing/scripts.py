"""
Replay scripts that hold nothing of anybody's: tenants and people are found by the hash of their id, rows by that of
their key.

They run in a READ ONLY transaction, as the observer, with psql.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from psycopg import sql

from tenantproof.channels.stand import Stand
from tenantproof.core.attempt import Form
from tenantproof.core.catalog import Relation
from tenantproof.core.model import Command, Persona
from tenantproof.core.ports import Identity
from tenantproof.core.world import Row
from tenantproof.engine.existing.accounts import Accounts
from tenantproof.engine.existing.hashes import long, long_in_sql
from tenantproof.engine.existing.identities import Identities
from tenantproof.engine.existing.presence import direct_tenants
from tenantproof.engine.existing.probes import USER, tenant_variable
from tenantproof.engine.matrix import Judged
from tenantproof.engine.plan import Plan
from tenantproof.engine.replay import counted_over, timeless
from tenantproof.identity.becoming import pre_request
from tenantproof.oracle.entitlement import Stance
from tenantproof.seeding.paths import table_name

_SHOWN = 5
_BETWEEN, _NOTHING = "\x1f", "\x1e"
_EMAIL, _APP, _OWN = "email", "app_metadata", "user_metadata"
_QUIETLY = "\\g /dev/null"
"""psql's way to run a statement without printing its answer: it would print ids."""


@dataclass(frozen=True, kw_only=True)
class Scripts:
    """Writes the scripts of one run."""

    plan: Plan
    identities: Identities
    accounts: Accounts

    def of_leak(self, judged: Judged, rows: Sequence[Row], query: str) -> str:
        """Prints LEAK for rows that are not the persona's; *query* is what the persona asks."""
        stand = judged.stand
        if judged.outcomes[0].attempt.form is Form.COUNTED:
            permitted = len(stand.rows) - sum(1 for _ in stand.rows_with(Command.SELECT, Stance.FORBIDDEN))
            return self._script(judged, "more rows than are theirs", counted_over(query, permitted))
        answers = [_as_answered(stand, row) for row in rows]
        return self._script(judged, "rows that are not theirs", _seen("LEAK", query, answers))

    def of_blocked(self, judged: Judged, query: str) -> str:
        """Prints OVER-BLOCKED where promised rows are not seen."""
        answers = list(dict.fromkeys(_as_answered(judged.stand, row) for row in judged.judgement.missing))
        hashes = _hashes(answers)
        text = sql.SQL(
            "select 'OVER-BLOCKED' as verdict, {} as promised, count(*) as seen\n  from ({}) as seen ({})\n"
            " where {} in ({})\nhaving count(*) < {};"
        ).format(
            sql.Literal(len(hashes)),
            sql.SQL(query),
            _columns(answers),
            long_in_sql(_joined(answers)),
            sql.SQL(", ").join(map(sql.Literal, hashes)),
            sql.Literal(len(hashes)),
        )
        return self._script(judged, "promised rows that they do not see", text.as_string(None))

    def _script(self, judged: Judged, what: str, last: str) -> str:
        persona = judged.stand.persona
        lines = [
            f"-- {persona.name}: {judged.command} on {judged.object.name}",
            "-- Run with psql on the database that was checked, as a role that sees every row. It writes nothing, and",
            "-- holds no ids: people, tenants and rows are found by hashes.",
            "begin transaction isolation level repeatable read read only;",
            *self._lookups(persona),
            f"-- {persona.name}",
            *self._becoming(persona),
            f"-- {what}",
            last,
            "rollback;",
            "",
        ]
        return "\n".join(lines)

    def _lookups(self, persona: Persona) -> Iterator[str]:
        """Statements that find the persona's ids by their hashes, into psql's variables."""
        ids = self.plan.manifest.tenant_ids
        real = bool(self.plan.scenario.memberships) and bool(persona.memberships)
        if persona.user_id is not None and not real:
            yield f"\\set {USER} {persona.user_id}"
        for number, name in enumerate(persona.tenants, start=1):
            found = self._tenant_places() if not real else self._membership_places()
            conditions = [sql.SQL("{} = {}").format(long_in_sql(sql.SQL("m.tenant")), sql.Literal(long(ids[name])))]
            told = [sql.SQL(f"m.tenant as {tenant_variable(number)}")]
            if real and persona.user_id is not None:
                user = long_in_sql(sql.SQL('m."user"'))
                conditions.append(sql.SQL("{} = {}").format(user, sql.Literal(long(persona.user_id))))
                told += [sql.SQL(f'm."user" as {USER}')] if number == 1 else []
            yield (
                sql.SQL("select {} from ({}) as m\n where {}\n limit 1 \\gset")
                .format(sql.SQL(", ").join(told), found, sql.SQL(" and ").join(conditions))
                .as_string(None)
            )
        if real:
            yield from self._account()

    def _membership_places(self) -> sql.Composable:
        return sql.SQL(" union all ").join(
            sql.SQL('select {}::text as tenant, {}::text as "user" from {}').format(
                sql.Identifier(membership.tenant), sql.Identifier(membership.user), table_name(membership.table)
            )
            for membership in self.plan.scenario.memberships
        )

    def _tenant_places(self) -> sql.Composable:
        places: Iterable[tuple[Relation, str]] = direct_tenants(
            self.plan.catalog, self.plan.tenancy, self.plan.scenario.database.schemas
        )
        return sql.SQL(" union all ").join(
            sql.SQL("select {}::text as tenant from {}").format(sql.Identifier(column), table_name(relation.name))
            for relation, column in places
        )

    def _account(self) -> Iterator[str]:
        if self.accounts.place is None:
            return
        relation, key = self.accounts.place
        metadata = {"raw_app_meta_data": _APP, "raw_user_meta_data": _OWN} if self.accounts.carries_metadata else {}
        columns = [
            sql.SQL("coalesce({}::text, {}) as {}").format(sql.Identifier(name), sql.Literal(empty), sql.SQL(variable))
            for name, variable, empty in (("email", _EMAIL, ""), *((n, v, "{}") for n, v in metadata.items()))
            if name in relation.column_names
        ]
        yield f"\\set {_EMAIL} ''"
        yield from (f"\\set {variable} '{{}}'" for variable in metadata.values())
        if columns:
            yield (
                sql.SQL("select {} from {} where {}::text = {} \\gset")
                .format(sql.SQL(", ").join(columns), table_name(relation.name), sql.Identifier(key), _variable(USER))
                .as_string(None)
            )

    def _becoming(self, persona: Persona) -> list[str]:
        """The statements that make the session the persona, with variables for ids."""
        stand_in = _stand_in(persona)
        tenants = {name: _place_for(tenant_variable(number)) for number, name in enumerate(persona.tenants, start=1)}
        identity = timeless(self.identities.without_account(stand_in, tenants))
        calls = [_set_config(name, _with_variables(value)) for name, value in _pairs(identity)]
        if self.accounts.carries_metadata and persona.memberships and persona.user_id is not None:
            calls.append(_set_config("request.jwt.claims", _with_metadata()))
        call = pre_request(identity)
        lines = [sql.SQL("select {}").format(sql.SQL(", ").join(calls)).as_string(None)]
        lines += [] if call is None else [call.as_string(None)]
        return [f"{line} {_QUIETLY}" for line in lines]


def _stand_in(persona: Persona) -> Persona:
    if not persona.memberships:
        return replace(persona, user_id=_place_for(USER) if persona.user_id else None)
    return replace(persona, user_id=_place_for(USER), email=_place_for(_EMAIL) if persona.email is not None else None)


def _place_for(variable: str) -> str:
    return f"@@{variable}@@"


def _variable(name: str) -> sql.SQL:
    return sql.SQL(f":'{name}'")


def _pairs(identity: Identity) -> Iterator[tuple[str, str]]:
    if identity.login is not None:
        yield "session_authorization", identity.login
    yield "role", identity.role
    yield from identity.settings


def _set_config(name: str, value: sql.Composable) -> sql.Composable:
    return sql.SQL("pg_catalog.set_config({}, {}, true)").format(sql.Literal(name), value)


def _with_variables(value: str) -> sql.Composable:
    """The literal, with psql's variables where the places for them are."""
    pieces = value.split("@@")
    parts: list[sql.Composable] = [
        _variable(piece) if place % 2 else sql.Literal(piece) for place, piece in enumerate(pieces)
    ]
    return sql.SQL(" || ").join(parts)


def _with_metadata() -> sql.Composable:
    claims = "pg_catalog.current_setting('request.jwt.claims')::jsonb"
    return sql.SQL(
        f"({claims} || jsonb_build_object('app_metadata', ({claims} -> 'app_metadata') || :'{_APP}'::jsonb,"
        f" 'user_metadata', ({claims} -> 'user_metadata') || :'{_OWN}'::jsonb))::text"
    )


def _seen(verdict: str, query: str, answers: Sequence[tuple[str | None, ...]]) -> str:
    shown = list(dict.fromkeys(answers))[:_SHOWN]
    key = long_in_sql(_joined(shown))
    return (
        sql.SQL("select {} as verdict, {} as row\n  from ({}) as seen ({})\n where {} in ({});")
        .format(
            sql.Literal(verdict),
            key,
            sql.SQL(query),
            _columns(shown),
            key,
            sql.SQL(", ").join(map(sql.Literal, _hashes(shown))),
        )
        .as_string(None)
    )


def _as_answered(stand: Stand, row: Row) -> tuple[str | None, ...]:
    """The row as the persona's own SELECT shows it."""
    if row.key:
        return row.key
    flags = (str(predicate in row.flags).lower() for predicate in stand.predicates)
    return (row.tenant, row.owner, *flags)


def _hashes(answers: Sequence[tuple[str | None, ...]]) -> list[str]:
    return [long(_BETWEEN.join(_NOTHING if part is None else part for part in answer)) for answer in answers]


def _names(answers: Sequence[tuple[str | None, ...]]) -> list[str]:
    return [f"c{number}" for number, _ in enumerate(answers[0], start=1)]


def _columns(answers: Sequence[tuple[str | None, ...]]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, _names(answers)))


def _joined(answers: Sequence[tuple[str | None, ...]]) -> sql.Composable:
    parts = sql.SQL(", ").join(
        sql.SQL("coalesce({}, chr(30))").format(sql.Identifier(name)) for name in _names(answers)
    )
    return sql.SQL("concat_ws(chr(31), {})").format(parts)
