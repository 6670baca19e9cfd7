"""Whether a run may touch somebody's database.  Pure decisions over facts; each refusal says what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tenantproof.core.model import QName
from tenantproof.core.ports import Writes
from tenantproof.core.settings import PRODUCTION, TargetSettings
from tenantproof.targets.calling_out import CallsOut
from tenantproof.targets.facts import Facts, Table

RESERVED = {
    "supabase_admin": "the platform's superuser",
    "authenticator": "the role of the API server",
    "anon": "a persona's role",
    "authenticated": "a persona's role",
    "service_role": "the role of the application's backend",
    "supabase_auth_admin": "the role of the Auth server",
    "supabase_storage_admin": "the role of the Storage server",
    "supabase_realtime_admin": "the role of the Realtime server",
    "supabase_functions_admin": "the role of the webhooks",
    "supabase_replication_admin": "a role for replication",
    "supabase_etl_admin": "a role for replication",
    "dashboard_user": "the role of the dashboard",
    "pgbouncer": "the role of the pooler",
    "rdsadmin": "the provider's superuser",
    "cloudsqladmin": "the provider's superuser",
    "azuresu": "the provider's superuser",
}
"""Logins that belong to services: what they do not see, or break by being used, nobody has thought about."""

PLATFORM_SCHEMAS = frozenset(
    {"auth", "storage", "realtime", "vault", "net", "cron", "extensions", "supabase_functions"}
)
"""Schemas whose tables are the platform's own: there some may be out of reach."""

_PRODUCTION = re.compile(r"(?<![a-z])(?<!non[-_ ])(?<!not[-_ ])(?<!pre[-_ ])prod(uction)?(?![a-z])", re.IGNORECASE)
_FEW = 4


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a database is not touched, and what its owner can do about it."""

    why: str
    instead: str


def refusals(facts: Facts, settings: TargetSettings, writes: Writes) -> list[Refusal]:
    """Everything that speaks against the run; none where it may begin."""
    found = [*_place(facts, settings), *_login(facts), *_sight(facts), *_beyond(facts, settings, writes)]
    if writes is not Writes.NEVER:
        found += [*_environment(facts, settings, writes), *_writing(facts, settings)]
    return found


def remarks(facts: Facts, settings: TargetSettings, writes: Writes) -> Iterator[str]:
    """What the report should say of the place."""
    if writes is Writes.NEVER:
        return
    told = [str(one) for one in facts.calls_out if _is_allowed(one.function, settings) or _is_called_back(one, writes)]
    if told:
        end = ", and is called back by the rollback" if writes is Writes.ROLLBACK else ""
        yield f"triggers and expressions that reach beyond the database{end}: {_listed(told)}"
    if facts.event_triggers:
        yield f"event triggers, which temporary functions of ours wake: {', '.join(facts.event_triggers)}"
    if facts.publications and facts.wal_level == "logical" and writes is Writes.CANARY:
        yield f"publications that carry committed rows to subscribers: {', '.join(facts.publications)}"
    for where, text in _production(facts) if settings.environment else ():
        yield f"{where} says '{text}'; the configuration says that it is {settings.environment}"


def _place(facts: Facts, settings: TargetSettings) -> Iterator[Refusal]:
    if settings.expect_host is not None and facts.host != settings.expect_host:
        yield Refusal(
            f"the connection leads to {facts.host or 'a local socket'}, and {settings.expect_host} is expected",
            "correct the dsn, or expect_host in the configuration",
        )


def _login(facts: Facts) -> Iterator[Refusal]:
    if facts.login in RESERVED:
        yield Refusal(
            f"'{facts.login}' is {RESERVED[facts.login]}, which nobody else should use",
            "connect as the owner of the tables (on Supabase: postgres), or as a role made for this (docs/staging.md)",
        )
    if facts.only_replicates:
        yield Refusal(
            f"'{facts.login}' is a role for replication", "connect as the owner of the tables, or as a role of its own"
        )
    missing = [name for name, may in facts.roles.items() if may is None]
    if missing:
        yield Refusal(
            f"there is no role {' and no role '.join(missing)} there",
            "correct session.role and session.anon_role in the scenario",
        )
    barred = [name for name, may in facts.roles.items() if may is False]
    if barred:
        yield Refusal(
            f"'{facts.login}' may not become {' or '.join(barred)}, so it cannot act as the personas",
            f'GRANT {", ".join(barred)} TO "{facts.login}"',
        )


def _sight(facts: Facts) -> Iterator[Refusal]:
    """Whoever does not see all rows cannot tell what a persona should not have seen."""
    hidden = [table for table in facts.tables if table.hidden]
    if hidden:
        yield Refusal(
            f"row level security hides rows of {_named(hidden)} from '{facts.login}', which must see all to compare",
            f'ALTER ROLE "{facts.login}" BYPASSRLS, or connect as the owner of the tables',
        )
    unread = [table for table in facts.tables if not table.readable and _is_the_applications(table)]
    if unread:
        yield Refusal(
            f"'{facts.login}' may not read {_named(unread)}",
            f'GRANT USAGE ON SCHEMA and GRANT SELECT ON these tables TO "{facts.login}"',
        )


def _environment(facts: Facts, settings: TargetSettings, writes: Writes) -> Iterator[Refusal]:
    if settings.environment is not None and settings.environment.lower() in (PRODUCTION, "prod"):
        yield Refusal(
            f"the configuration says that this is {settings.environment}, where nothing is written",
            f"use --writes never instead of --writes {writes}",
        )
    elif settings.environment is None:
        for where, text in _production(facts):
            yield Refusal(
                f"{where} says '{_short(text)}': this may be production",
                f"use --writes never; or where it is not, say so in the configuration: "
                f'[targets.{_name_of(settings)}] environment = "staging"',
            )


def _production(facts: Facts) -> list[tuple[str, str]]:
    return [(where, text) for where, text in facts.said if _PRODUCTION.search(text)]


def _writing(facts: Facts, settings: TargetSettings) -> Iterator[Refusal]:
    if facts.in_recovery:
        yield Refusal("the server is a replica, where nothing can be written", "use --writes never, or the primary")
    elif facts.read_only:
        yield Refusal(
            f"transactions of '{facts.login}' are read-only there (default_transaction_read_only)",
            "use --writes never, or another role",
        )
    if not facts.may_silence:
        yield Refusal(
            f"'{facts.login}' may not set session_replication_role, without which rows cannot be made behind triggers",
            f'GRANT SET ON PARAMETER session_replication_role TO "{facts.login}", or use --writes never',
        )
    unwritten = [t for t in facts.tables if not t.writable and (_is_the_applications(t) or str(t.name) == "auth.users")]
    if unwritten:
        yield Refusal(
            f"'{facts.login}' may not insert, update and delete rows of {_named(unwritten)}",
            f'GRANT INSERT, UPDATE, DELETE ON these tables TO "{facts.login}", or use --writes never',
        )
    yield from _making_users(facts)
    if facts.rows > settings.largest:
        yield Refusal(
            f"the tables in scope hold about {facts.rows:,} rows, more than {settings.largest:,}: a run that writes "
            "reads and compares all of them",
            "use --writes never or a smaller copy (a Supabase branch begins without data), "
            f"or raise [targets.{_name_of(settings)}] largest",
        )


def _making_users(facts: Facts) -> Iterator[Refusal]:
    """Users are made before all other rows; what the table needs beyond what is known is found out by doing it."""
    accounts, never = facts.accounts, "use --writes never, which reads the users who are there"
    if accounts is None:
        return
    if not accounts.is_table or not accounts.has_id:
        wrong = "has no column id" if accounts.is_table else "is no table"
        yield Refusal(f"auth.users {wrong}, so no users can be made there", never)
    elif accounts.bound:
        yield Refusal(
            f"no users can be made in auth.users: its required column {_listed(list(accounts.bound))}, whose rows come "
            "after users",
            f"give the column a default or let it be NULL on a copy, or {never}",
        )


def _beyond(facts: Facts, settings: TargetSettings, writes: Writes) -> Iterator[Refusal]:
    """What would happen elsewhere: where nothing is written, what reading alone sets off."""
    for one in facts.calls_out:
        if writes is Writes.NEVER and not one.on_read:
            continue
        if not _is_allowed(one.function, settings) and not _is_called_back(one, writes):
            yield Refusal(
                f"the {one.kind} {one}" + ("" if one.at_commit else ", and no rollback calls that back"),
                f'where it does no harm: [targets.{_name_of(settings)}] allow_triggers = ["{one.function}"]',
            )


def _is_called_back(one: CallsOut, writes: Writes) -> bool:
    return writes is not Writes.CANARY and one.at_commit


def _is_allowed(function: QName, settings: TargetSettings) -> bool:
    return str(function) in settings.allow_triggers or function.name in settings.allow_triggers


def _is_the_applications(table: Table) -> bool:
    return table.name.schema not in PLATFORM_SCHEMAS


def _named(tables: Iterable[Table]) -> str:
    return _listed([str(table.name) for table in tables])


def _listed(names: list[str]) -> str:
    more = len(names) - _FEW
    return ", ".join(names[:_FEW]) + (f" and {more} more" if more > 0 else "")


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"


def _name_of(settings: TargetSettings) -> str:
    return settings.shown if settings.shown.replace("-", "").replace("_", "").isalnum() else "NAME"
