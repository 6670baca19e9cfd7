"""Somebody's database, named by a DSN: looked at by the guard before a run, and looked at again afterwards."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tenantproof.core.errors import TargetError, TenantproofError, UsageError
from tenantproof.core.model import QName, Scenario
from tenantproof.core.ports import SILENT, Aftermath, Handle, Manners, Source, Traces, Writes
from tenantproof.core.settings import Sequences, TargetSettings
from tenantproof.targets.canaries.cleaning import Cleaned, clean
from tenantproof.targets.canaries.manifest import left_by_others, path_of, read
from tenantproof.targets.facts import Facts, read_facts
from tenantproof.targets.guard import refusals, remarks
from tenantproof.targets.live import read_only
from tenantproof.targets.reach import connect_or_explain, describe, place_of, require_dsn
from tenantproof.targets.residue import Measure, Residue, compare, measure, wait_until_gone
from tenantproof.targets.sources import read_migrations

_KEEPALIVES = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""So that a server which fell silent (a cable, a firewall) is noticed within half a minute."""

NAME = "tenantproof"
"""How the application_name of each session begins."""


class DsnTarget:
    """The database of a DSN, as it is: no migrations are applied, and nothing is left there.

    What may be written is *settings*', else *writes*; `say` narrates.
    """

    def __init__(
        self, settings: TargetSettings, scenario: Scenario, *, writes: Writes, say: Callable[[str], None] = SILENT
    ) -> None:
        self.notes: tuple[str, ...] = ()
        self._settings = settings
        self._scenario = scenario
        self._writes = writes
        self._say = say

    @contextmanager
    def database(self) -> Iterator[Handle]:
        """The database, once the guard lets the run in.  Raises TargetError with all that speaks against it."""
        run = secrets.token_hex(4)
        conninfo = named(self._settings.dsn, f"{NAME}/{run}")
        place = describe(conninfo)
        require_host(conninfo, self._settings)
        manifest = path_of(run).absolute() if self._writes is Writes.CANARY else None
        require_cleaned(conninfo, self._settings)
        with read_only(conninfo) as connection:
            facts = facts_for(connection, self._scenario)
            require_safe(facts, self._settings, self._writes, place)
            round_trip = time_of_a_round_trip(connection)
            looked_at, left_out = measured(facts, self._settings)
            before = measure(connection, looked_at) if self._writes is not Writes.NEVER else None
        self.notes = tuple(remarks(facts, self._settings, self._writes))
        if left_out and before is not None:
            self.notes += (f"not compared with what was there before: {', '.join(map(str, left_out))}",)
        traces = Traces()
        alone = is_alone(facts, self._settings)
        self._say(f"{place} is PostgreSQL {facts.version}; the run is {NAME}/{run}, --writes {self._writes}")
        after = partial(after_the_run, conninfo, f"{NAME}/{run}", before, traces, manifest)
        handle = Handle(
            conninfo=conninfo,
            label=f"{place}, PostgreSQL {facts.version}, --writes {self._writes}",
            server_version=facts.version,
            owned=False,
            sources=_sources(self._scenario),
            writes=self._writes,
            manners=Manners(
                run=run,
                alone=alone,
                connections=self._settings.connections,
                place=place_of(conninfo),
                round_trip=round_trip,
                search_seconds=self._settings.search_seconds,
                manifest=manifest,
                traces=traces,
                after=after,
            ),
        )
        try:
            yield handle
        finally:
            if manifest is not None and manifest.exists():  # the run ended early
                self._say(after().trouble or f"the rows of {NAME}/{run} were taken away")


def time_of_a_round_trip(connection: psycopg.Connection[Any]) -> float:
    """The quickest of three."""
    took = []
    for _ in range(3):
        start = perf_counter()
        connection.execute("SELECT 1")
        took.append(perf_counter() - start)
    return min(took)


def named(dsn: str, name: str) -> str:
    """The DSN with our application_name, whatever it says itself.  Raises UsageError for what is no DSN of ours."""
    require_dsn(dsn)
    if "replication" in conninfo_to_dict(dsn):
        raise UsageError("the DSN asks for a replication connection; leave `replication` out of it")
    return make_conninfo(dsn, **{**_KEEPALIVES, **conninfo_to_dict(dsn), "application_name": name})


def require_host(conninfo: str, settings: TargetSettings) -> None:
    """Raise TargetError where the DSN leads elsewhere than expected, before anything is sent there."""
    expected = settings.expect_host
    if expected is None:
        return
    parts = conninfo_to_dict(conninfo)
    told = str(parts.get("host") or os.environ.get("PGHOST") or "")
    wrong = [host for host in told.split(",") if host != expected]
    if wrong or parts.get("hostaddr"):
        where = parts.get("hostaddr") or wrong[0] or "a local socket"
        raise TargetError(
            f"{settings.shown} is not touched: its DSN leads to {where}, and {expected} is expected\n"
            "  correct the dsn, or expect_host in the configuration"
        )


def facts_for(connection: psycopg.Connection[Any], scenario: Scenario) -> Facts:
    """What the guard must know where this scenario is to be checked.  Raises psycopg.Error."""
    database = scenario.database
    return read_facts(connection, schemas=database.schemas, roles=roles_of(scenario), platform=database.platform)


def roles_of(scenario: Scenario) -> tuple[str, ...]:
    """The database roles that personas become."""
    return tuple(dict.fromkeys((scenario.session.role, scenario.session.anon_role)))


def require_safe(facts: Facts, settings: TargetSettings, writes: Writes, place: str) -> None:
    """Raise TargetError with everything that speaks against the run."""
    found = refusals(facts, settings, writes)
    if found:
        told = "\n".join(f"  - {refusal.why}\n    to do: {refusal.instead}" for refusal in found)
        raise TargetError(f"{place} is not touched (--writes {writes}):\n{told}")


def is_alone(facts: Facts, settings: TargetSettings) -> bool:
    """Whether locks that would hold up others may be taken."""
    if settings.sequences is Sequences.AUTO:
        return facts.neighbours == 0
    return settings.sequences is Sequences.HOLD


def require_cleaned(conninfo: str, settings: TargetSettings) -> None:
    """Raise TargetError where an earlier run was killed before it could take its rows away."""
    left = left_by_others(place_of(conninfo))
    if left:
        raise TargetError(
            f"{settings.shown} still holds rows of a run that was killed: {', '.join(map(str, left))}\n"
            f"  to do: tenantproof clean --target {_as_given(settings)}"
        )


def _as_given(settings: TargetSettings) -> str:
    return "DSN" if settings.dsn == settings.shown or " " in settings.shown else settings.shown


def after_the_run(
    conninfo: str, application: str, before: Measure | None, traces: Traces, manifest: Path | None
) -> Aftermath:
    """Take away what was committed, and look whether anything stayed."""
    if before is None:
        return Aftermath()
    looking = named(conninfo, f"{NAME} residue")
    try:
        with connect_or_explain(looking) as connection:
            gone = wait_until_gone(connection, application)
        cleaned = undo(looking, manifest) if manifest is not None and manifest.exists() else None
        with read_only(looking) as connection:
            after = measure(connection, list(before.tables))
            residue = compare(connection, before, after, traces.marks)
    except TargetError as error:
        return Aftermath(trouble=f"nobody could look whether anything stayed behind: {error}")
    told = _told(residue, application, gone=gone)
    if cleaned is None or not cleaned.left:
        return told
    return replace(told, trouble="; ".join(filter(None, (f"it stays there: {', '.join(cleaned.left)}", told.trouble))))


def undo(conninfo: str, path: Path) -> Cleaned:
    """Take away the rows of a manifest, and the manifest unless marked rows are left.  Raises TargetError."""
    manifest = read(path)
    try:
        with connect_or_explain(conninfo) as connection:
            cleaned = clean(connection, manifest)
    except psycopg.Error as error:
        said = error.diag.message_primary or type(error).__name__
        raise TargetError(f"the rows of {path} could not be taken away: {said}") from None
    if not cleaned.marked:
        path.unlink(missing_ok=True)
    return cleaned


def _told(residue: Residue, application: str, *, gone: bool) -> Aftermath:
    left = f"the run left something behind: {', '.join(residue.ours)}" if residue.ours else ""
    said = (
        []
        if left
        else [
            f"nothing stayed behind: {residue.tables} tables with {residue.rows:,} rows, roles, large objects and "
            "prepared transactions were compared with what was there before"
        ]
    )
    said += [] if gone else [f"sessions of {application} had not ended yet when that was looked at"]
    said += [f"meanwhile, by others: {one}" for one in residue.others]
    said += [f"sequences that moved: {', '.join(residue.moved)}"] if residue.moved else []
    return Aftermath(notes=tuple(said), trouble=left)


def measured(facts: Facts, settings: TargetSettings) -> tuple[list[QName], list[QName]]:
    """The tables that are compared before and after; and those that are not (out of reach, or large out of scope)."""
    tables = (*facts.tables, *facts.others)
    left_out = [
        table.name
        for table in tables
        if not table.readable or table.hidden or (table.rows > settings.largest and table in facts.others)
    ]
    return [table.name for table in tables if table.name not in left_out], left_out


def _sources(scenario: Scenario) -> tuple[Source, ...]:
    """The migrations, for the places of policies in findings; a folder that is not there costs only those."""
    try:
        return read_migrations(scenario.database.migrations).sources
    except TenantproofError:
        return ()


def writes_of(settings: TargetSettings, given: str | Writes | None) -> Writes:
    """What may be written there: what was given, else what the configuration says, else nothing.  Raises UsageError."""
    if given is None:
        return settings.writes or Writes.NEVER
    if Writes(given) is Writes.SEED:
        raise UsageError("--writes seed: rows stay only in databases that tenantproof makes itself; give rollback")
    return Writes(given)
