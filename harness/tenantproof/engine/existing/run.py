"""
One check that only reads: from somebody's database and a scenario to a finished report, as a stream of events.

Real tenants and users stand in for the scenario's.  What each of them sees is compared with the intent, computed from
the scenario and from what the observer sees; the properties and the causes are those of every other check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from time import perf_counter

import psycopg
from psycopg import sql

from tenantproof.catalog.inference import infer_tenancy
from tenantproof.catalog.introspection import introspect
from tenantproof.core.catalog import Catalog
from tenantproof.core.errors import NothingToCheck, ScenarioError
from tenantproof.core.events import CellChecked, Event, FindingRaised, PhaseStarted, RunFinished
from tenantproof.core.finding import CellResult, Finding, Verdict
from tenantproof.core.model import Command, Persona, PersonaKind, QName, Scenario, Tenancy
from tenantproof.core.ports import Handle
from tenantproof.core.report import Gap, Report, Timing
from tenantproof.core.version import VERSION
from tenantproof.core.world import Manifest, World
from tenantproof.engine.acceptance import accept, ended, unmatched
from tenantproof.engine.existing import remarks
from tenantproof.engine.existing.accounts import Accounts
from tenantproof.engine.existing.casting import Cast, choose, introduction
from tenantproof.engine.existing.discreet import DiscreetWire
from tenantproof.engine.existing.hashes import short
from tenantproof.engine.existing.identities import Identities
from tenantproof.engine.existing.judging import Cell, with_controls
from tenantproof.engine.existing.limits import Deadline, Limits
from tenantproof.engine.existing.masking import masked
from tenantproof.engine.existing.presence import direct_tenants
from tenantproof.engine.existing.reading import READ, Reader
from tenantproof.engine.existing.samples import Sample, Sampler
from tenantproof.engine.existing.scripts import Scripts
from tenantproof.engine.existing.transaction import Connection, read_only
from tenantproof.engine.existing.wording import NEEDS_WRITES, OPEN
from tenantproof.engine.findings import Locate, find, locator
from tenantproof.engine.matrix import NOT_REACHED, WRITES, Judged
from tenantproof.engine.plan import Plan
from tenantproof.engine.run import LOST, Clock, as_cell, in_words, unanswerable
from tenantproof.engine.scripts import as_persona
from tenantproof.engine.steady import setting, steady
from tenantproof.engine.wire import WITHIN, Wire
from tenantproof.identity.legacy import legacy_claims
from tenantproof.identity.personas import personas as personas_of
from tenantproof.identity.signing import Signer
from tenantproof.properties.visibility import Judgement
from tenantproof.scenario.against_catalog import check_against_catalog

PHASE = "existing rows"
"""The phase of a run by which a report tells that it only read (channels.tried)."""

_TRIED_FOR = 12
"""Relations that are asked whether they take a user for a member."""


def check_existing(
    handle: Handle,
    scenario: Scenario,
    *,
    seed: int,
    signer: Signer,
    limits: Limits | None = None,
    include_data: bool = False,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Compare what real users of the database of *handle* see with the scenario, and write nothing.

    The observer of *handle* sees all rows.  *limits* bound what is asked of the server; *include_data* lets real ids
    into the report, which holds hashes of them otherwise.  *stop* is asked all the time; once it says so, the run ends
    with what is known.  Yields events; the last one is RunFinished with the report.
    Raises ScenarioError where the scenario names what the database does not have, NothingToCheck where nobody belongs
    to any tenant or no relation is in scope, TargetError where the observer cannot see or become what it must.
    """
    bounds = limits or Limits()
    deadline = Deadline(bounds)
    started_at, clock = datetime.now(UTC), Clock()
    with read_only(handle.conninfo, bounds) as (connection, anybody):
        yield PhaseStarted("reading the catalog; in this database nothing is written")
        catalog, tenancy = _known(connection, scenario)
        for statement in setting(steady(catalog)):
            connection.execute(statement.encode())
        clock.lap("catalog")
        yield PhaseStarted("choosing tenants and users who are there")
        accounts = Accounts(connection, catalog, scenario)
        identities = Identities(
            catalog=catalog,
            scenario=scenario,
            signer=signer,
            accounts=accounts,
            limits=bounds,
            anybody=anybody,
            legacy=legacy_claims(catalog),
        )
        cast = choose(
            connection,
            catalog,
            scenario,
            tenancy,
            seed=seed,
            limits=bounds,
            accounts=accounts,
            working=_Membership(connection, catalog, scenario, tenancy, identities).holds,
        )
        plan = _plan(catalog, scenario, tenancy, cast, identities, seed)
        if not plan.relations:
            raise NothingToCheck(f"no table or view in {', '.join(scenario.database.schemas)}: nothing to check")
        clock.lap("casting")
        with (Wire if include_data else DiscreetWire)(connection, WITHIN) as wire:
            wire.prepare(())
            yield PhaseStarted(
                f"comparing what {len(plan.identities)} personas see in {len(plan.relations)} relations", may_end=True
            )
            sampler = Sampler(wire, catalog, scenario, tenancy, deadline)
            samples = sampler.read(plan.relations, list(cast.tenant_ids.values()), cast.personas)
            plan = _with_rows(plan, samples)
            reader = Reader(wire=wire, plan=plan, samples=samples, sampler=sampler, deadline=deadline, stop=stop)
            cells, kept_back = with_controls([cell for who in cast.personas for cell in reader.read(who)])
            clock.lap(PHASE)
            results = list(_results(plan, cast, scenario, seed, cells))
            yield from (CellChecked(result) for result in results)
            judged = [cell.judged for cell in cells]
            scripts = Scripts(plan=plan, identities=identities, accounts=accounts)
            findings = [
                masked(finding, judged, reader.asked, scripts, include_data=include_data)
                for finding in _found(wire, _naming_tenants(plan, judged), judged, locator(handle.sources))
            ]
            clock.lap("findings")
            statements, lost = wire.counter.statements, wire.lost
    findings = accept(findings, scenario.accepted, started_at.date())
    yield from (FindingRaised(finding) for finding in findings)
    report = Report(
        tool_version=VERSION,
        scenario=scenario.name,
        scenario_path=scenario.path,
        target=handle.label,
        server_version=handle.server_version,
        seed=seed,
        tenants=tuple(tenant.name for tenant in scenario.tenants),
        roles=scenario.roles,
        personas=tuple(dict.fromkeys(result.persona for result in results)),
        relations={str(r.name): in_words(plan.tenancy_of(r.name)) for r in plan.relations},
        cells=tuple(results),
        findings=tuple(findings),
        gaps=(*plan.gaps, *remarks.gaps(plan), *_cut(plan, samples, cells, bounds), *_lonely(cast), *_gone(lost)),
        statements=statements,
        trouble=LOST if lost else "",
        interrupted=any(result.reason == NOT_REACHED for result in results),
    )
    notes = (
        f"--writes never: one READ ONLY transaction; {_compared(samples, bounds)}",
        *introduction(cast, include_data=include_data),
        *cast.notes,
        *_about_claims(scenario, accounts),
        *_session_user(plan, anybody),
        *_without_dual(cast),
        *kept_back,
        *remarks.notes(plan),
        *ended(findings, scenario.accepted, started_at.date()),
        *unmatched(report, [entry for entry in scenario.accepted if entry.channel == READ]),
    )
    yield RunFinished(replace(report, notes=notes, timing=_timing(started_at, clock)))


def _known(connection: Connection, scenario: Scenario) -> tuple[Catalog, Mapping[QName, Tenancy]]:
    catalog = introspect(connection)
    problems = check_against_catalog(scenario, catalog)
    if problems:
        raise ScenarioError(problems)
    tenancy = infer_tenancy(catalog, scenario)
    unanswered = unanswerable(scenario, tenancy)
    if unanswered:
        raise ScenarioError(unanswered)
    return catalog, tenancy


class _Membership:
    """Whether the database takes a user for the member that the membership table says they are."""

    def __init__(
        self,
        connection: Connection,
        catalog: Catalog,
        scenario: Scenario,
        tenancy: Mapping[QName, Tenancy],
        identities: Identities,
    ) -> None:
        self._connection, self._identities = connection, identities
        self._places = list(direct_tenants(catalog, tenancy, scenario.database.schemas))[:_TRIED_FOR]

    def holds(self, persona: Persona, tenants: Mapping[str, str]) -> bool:
        """Whether the persona sees a row of a tenant of theirs in any of a dozen tables."""
        identity = self._identities.of(persona, tenants)
        own = [tenants[name] for name in persona.tenants]
        becoming = as_persona(identity)
        asked = [(*becoming, _one_of(relation.name, column, own)) for relation, column in self._places]
        with Wire(self._connection, WITHIN) as wire:
            wire.prepare(())
            return any(said[-1].rows for said in wire.run(asked) if len(said) > len(becoming))


def _one_of(relation: QName, column: str, tenants: Sequence[str]) -> str:
    return (
        sql.SQL("SELECT 1 FROM {} WHERE {} IN ({}) LIMIT 1")
        .format(sql.Identifier(*relation), sql.Identifier(column), sql.SQL(", ").join(map(sql.Literal, tenants)))
        .as_string(None)
    )


def _plan(
    catalog: Catalog,
    scenario: Scenario,
    tenancy: Mapping[QName, Tenancy],
    cast: Cast,
    identities: Identities,
    seed: int,
) -> Plan:
    manifest = Manifest(seed=seed, tenant_ids=cast.tenant_ids, canaries={}, personas=cast.personas)
    return Plan(
        catalog=catalog,
        scenario=scenario,
        tenancy=tenancy,
        manifest=manifest,
        world=World(manifest=manifest, rows={}, tenancy=tenancy),
        identities={who.name: identities.of(who, cast.tenant_ids) for who in cast.personas},
        people=cast.people,
    )


def _with_rows(plan: Plan, samples: Mapping[QName, Sample]) -> Plan:
    rows = {name: sample.rows for name, sample in samples.items()}
    return replace(plan, world=replace(plan.world, rows=rows))


def _found(wire: Wire, plan: Plan, cells: Sequence[Judged], locate: Locate) -> list[Finding]:
    """The findings; none where the server went away before their causes could be asked for: cells tell of leaks."""
    try:
        return find(wire, plan, cells, locate)
    except psycopg.OperationalError:
        if not wire.lost:
            raise
        return []


def _naming_tenants(plan: Plan, cells: Sequence[Judged]) -> Plan:
    """The plan with a name for each tenant whose rows were seen too much: a report says whose they are."""
    known = set(plan.manifest.tenant_ids.values())
    seen = {v.row.tenant for judged in cells for v in judged.judgement.violations if v.row.tenant is not None}
    named = {f"tenant#{short(tenant)}": tenant for tenant in sorted(seen - known)}
    manifest = replace(plan.manifest, tenant_ids={**plan.manifest.tenant_ids, **named})
    return replace(plan, manifest=manifest, world=replace(plan.world, manifest=manifest))


def _results(plan: Plan, cast: Cast, scenario: Scenario, seed: int, cells: Sequence[Cell]) -> Iterator[CellResult]:
    """All cells in the order of the matrix: those for whom nobody stands and those of writes are untested."""
    read = {(cell.judged.stand.persona.name, cell.judged.object.name): cell.judged for cell in cells}
    there = {who.name for who in cast.personas} | cast.missing.keys()
    for persona in (who for who in personas_of(scenario, seed) if who.name in there):
        missing = cast.missing.get(persona.name)
        for relation in plan.relations:
            possible = [command for command in WRITES if command in relation.updatable]
            if missing is not None:
                yield from (
                    CellResult(
                        object=str(relation.name),
                        persona=persona.name,
                        command=command,
                        verdict=Verdict.UNTESTED,
                        entitled=False,
                        reason=missing,
                    )
                    for command in (Command.SELECT, *possible)
                )
            elif (persona.name, relation.name) in read:
                judged = read[persona.name, relation.name]
                yield as_cell(plan, judged)
                untried = Judgement(verdict=Verdict.UNTESTED, reason=NEEDS_WRITES)
                yield from (as_cell(plan, Judged(relation, judged.stand, command, untried, ())) for command in possible)


def _compared(samples: Mapping[QName, Sample], limits: Limits) -> str:
    rows = sum(len(sample.rows) for sample in samples.values())
    large = sum(not sample.whole for sample in samples.values())
    said = f"{rows:,} rows of {len(samples)} relations were compared"
    return f"{said}, {large} of which are larger than {limits.rows:,} rows and were compared in part" if large else said


def _cut(plan: Plan, samples: Mapping[QName, Sample], cells: Sequence[Cell], limits: Limits) -> Iterator[Gap]:
    """What the limits cut off."""
    for relation in plan.relations:
        if not samples[relation.name].whole:
            yield Gap(
                object=str(relation.name),
                reason=f"compared in part: it has more than {limits.rows:,} rows; rows of others were asked for first",
            )
    cut = {(str(cell.judged.object.name), cell.cut) for cell in cells if cell.cut}
    for name, why in sorted(cut):
        yield Gap(object=name, reason=f"not searched to the end for rows of others, beside a sample of them: {why}")


def _lonely(cast: Cast) -> Iterator[Gap]:
    if len(cast.tenant_ids) < 2:
        yield Gap(
            object="tenants",
            reason="no positive control: only one tenant has members, so members have nobody's rows to be kept from",
        )


def _gone(lost: bool) -> Iterator[Gap]:
    if lost:
        yield Gap(object="the database", reason=f"{OPEN}: it went away in the middle of the run")


def _about_claims(scenario: Scenario, accounts: Accounts) -> Iterator[str]:
    if accounts.refused:
        yield f"the accounts could not be read, so tokens carry what the scenario says alone: {accounts.refused}"
    elif accounts.carries_metadata:
        yield (
            "tokens carry the scenario's claims and the metadata of the accounts; what a hook adds to a token beyond "
            "that is not known here"
        )
    templates = f"{scenario.claims} {scenario.session.settings} {scenario.session.headers}"
    if "{user.email}" in templates and accounts.place is None:
        yield "{user.email} is empty: nobody knows where users have their e-mail address"


def _session_user(plan: Plan, anybody: bool) -> Iterator[str]:
    login = plan.scenario.session.login
    if login is not None and not anybody:
        yield f"session_user was the observer instead of {login}: only a superuser may change it"


def _without_dual(cast: Cast) -> Iterator[str]:
    if "dual" not in cast.missing and not any(who.kind is PersonaKind.DUAL for who in cast.personas):
        yield "the persona dual was left out: a user can belong to one tenant only"


def _timing(started_at: datetime, clock: Clock) -> Timing:
    return Timing(
        started_at=started_at.isoformat(timespec="seconds"),
        seconds=round(perf_counter() - clock.started, 3),
        phases=clock.phases,
    )
