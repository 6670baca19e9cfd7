"""One draft: build the database of an origin, read it, infer, and write the scenario's text."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from tenantproof.catalog.evidence import read_evidence
from tenantproof.catalog.inference import propose
from tenantproof.catalog.inference.callers import Callers, application_schemas, exposed_schemas, session_of
from tenantproof.catalog.inference.proposal import Decision, Evidence, Kind, Opening, Proposal
from tenantproof.catalog.introspection import introspect
from tenantproof.core.catalog import Catalog
from tenantproof.core.errors import NothingToCheck, UsageError, did_you_mean
from tenantproof.core.model import Command, Database, Platform, QName
from tenantproof.core.ports import SILENT, Source
from tenantproof.drafting.document import Written, write
from tenantproof.drafting.origin import Origin
from tenantproof.drafting.tenant_ids import tenant_ids
from tenantproof.targets.embedded import EmbeddedTarget
from tenantproof.targets.locate import find_policy
from tenantproof.targets.sources import read_sources

API_ROLES = ("authenticated", "anon")

_RELIED_ON = (
    "no migration grants a table to the API's roles: the project relies on Supabase's former default, so"
    " auto_expose_new_tables is written as true, and which tables are reached depends on it"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A drafted scenario: its text, what it says with the reasons, and sentences for people."""

    text: str
    proposal: Proposal
    schemas: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """The relations that the draft speaks of, sorted by name."""
        return self.proposal.decisions

    @property
    def undecided(self) -> tuple[Decision, ...]:
        """Those that somebody has to decide."""
        return tuple(decision for decision in self.decisions if decision.kind is Kind.UNDECIDED)

    def count(self, *kinds: Kind) -> int:
        """How many relations were decided so."""
        return sum(1 for decision in self.decisions if decision.kind in kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """A database as it was built and read."""

    database: Database
    catalog: Catalog
    evidence: Evidence
    notes: tuple[str, ...]
    """What reading the files met: skipped, reordered, converted."""


def make_draft(
    origin: Origin, home: Path, *, tenant_table: str | None = None, say: Callable[[str], None] = SILENT
) -> Draft:
    """The draft of a scenario that will stand in the folder *home*.

    *tenant_table* names the tenants' table where the inference should not choose.  Raises MigrationError and the
    like for a schema that cannot be built, NothingToCheck where it has no table, UsageError for a table that is not
    there.
    """
    read, notes = _built(origin, say)
    say("reading the catalog, the policies and the functions")
    proposal = propose(
        read.catalog,
        read.evidence,
        platform=origin.platform,
        schemas=read.database.schemas,
        tenants=_named(read.catalog, read.database.schemas, tenant_table),
    )
    ids = tenant_ids(read.catalog, proposal.tenants, proposal.tenant_key)
    places = dict(_places(proposal, read_sources(origin.migrations), home))
    written = write(proposal, Written(database=read.database, home=home, words=origin.words, ids=ids, places=places))
    return Draft(
        text=written,
        proposal=proposal,
        schemas=read.database.schemas,
        notes=tuple(dict.fromkeys((*origin.notes, *read.notes, *notes, *proposal.notes))),
    )


def _places(proposal: Proposal, sources: Sequence[Source], home: Path) -> Iterator[tuple[Opening, str]]:
    """Where the policies of openings stand, as seen from the scenario's folder."""
    for opening in proposal.openings:
        found = find_policy(sources, opening.table, opening.policy)
        if found is not None:
            yield opening, f"{Path(os.path.relpath(found[0], home)).as_posix()}:{found[1]}"


def _built(origin: Origin, say: Callable[[str], None]) -> tuple[_Read, tuple[str, ...]]:
    """The database; where the migrations grant nothing to anybody, as Supabase used to expose it."""
    say(f"building the database of {origin.words}")
    read = _read(origin, exposes=origin.exposes is True, say=say)
    closed = origin.platform is Platform.SUPABASE and origin.exposes is None
    if closed and not _reached(read.catalog, read.database.schemas):
        say("no table is granted to the API's roles: building it again, with tables exposed by default")
        return _read(origin, exposes=True, say=say), (_RELIED_ON,)
    return read, ()


def _read(origin: Origin, *, exposes: bool, say: Callable[[str], None]) -> _Read:
    database = Database(
        platform=origin.platform,
        migrations=origin.migrations,
        schemas=origin.schemas or ("public",),
        auto_expose_new_tables=exposes,
    )
    target = EmbeddedTarget(database, say=say)
    with target.database() as handle, psycopg.connect(handle.conninfo) as connection:
        catalog = introspect(connection)
        schemas = _schemas(origin, catalog)
        evidence = read_evidence(connection, catalog, schemas)
    if not any(True for _relation in catalog.in_schemas(schemas)):
        elsewhere = ", ".join(application_schemas(catalog)) or "no schema"
        raise NothingToCheck(
            f"{origin.words}: the migrations make no table in {', '.join(schemas)} (tables are in: {elsewhere})"
        )
    return _Read(database=replace(database, schemas=schemas), catalog=catalog, evidence=evidence, notes=target.notes)


def _schemas(origin: Origin, catalog: Catalog) -> tuple[str, ...]:
    """The schemas in scope: those that the project names and that hold something, else those that are reached."""
    if origin.schemas is not None:
        held = {name.schema for name in catalog.relations}
        return tuple(schema for schema in origin.schemas if schema in held) or origin.schemas
    return exposed_schemas(catalog, _held(origin, catalog)) + _storage(origin, catalog)


def _held(origin: Origin, catalog: Catalog) -> frozenset[str]:
    if origin.platform is Platform.SUPABASE:
        roles: Sequence[str] = API_ROLES
    else:
        session, _doubt = session_of(catalog, origin.platform, Callers(), application_schemas(catalog))
        roles = [role for role in (session.role, session.anon_role) if role] if session is not None else []
    return frozenset({"public"}).union(*(catalog.privileges_of(role) for role in roles))


def _storage(origin: Origin, catalog: Catalog) -> tuple[str, ...]:
    objects = catalog.relations.get(QName("storage", "objects"))
    return ("storage",) if origin.platform is Platform.SUPABASE and objects is not None and objects.policies else ()


def _reached(catalog: Catalog, schemas: Sequence[str]) -> bool:
    """Whether the API's roles may read or write any table of the application."""
    held = frozenset({"public"}).union(*(catalog.privileges_of(role) for role in API_ROLES))
    commands = {command.name for command in Command}
    return any(
        grant.grantee in held and grant.privilege in commands
        for relation in catalog.in_schemas([schema for schema in schemas if schema not in ("storage", "realtime")])
        for grant in relation.grants
    )


def _named(catalog: Catalog, schemas: Sequence[str], name: str | None) -> QName | None:
    if name is None:
        return None
    schema, _dot, table = name.rpartition(".")
    wanted = [QName(schema, table)] if schema else [QName(known, table) for known in schemas]
    for candidate in wanted:
        if candidate in catalog.relations:
            return candidate
    known = [relation.name.name for relation in catalog.in_schemas(schemas) if relation.is_table]
    raise UsageError(f"--tenant-table {name}: no such table in {', '.join(schemas)}; {did_you_mean(table, known)}")
