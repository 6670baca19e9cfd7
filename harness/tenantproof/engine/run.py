"""One run of `check`: from a database and a scenario to a finished report, as a stream of events."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import perf_counter, time

import psycopg

from tenantproof.catalog.inference import infer_tenancy
from tenantproof.catalog.introspection import introspect
from tenantproof.core.catalog import Catalog
from tenantproof.core.errors import NothingToCheck, Problem, ScenarioError
from tenantproof.core.events import CellChecked, Event, FindingRaised, PhaseStarted, RunFinished, Searching
from tenantproof.core.finding import CellResult, Finding, Verdict
from tenantproof.core.model import Command, Persona, QName, Scenario, ScopeKind, Tenancy
from tenantproof.core.ports import Handle, Identity, Traces
from tenantproof.core.report import Gap, Report, Timing
from tenantproof.core.version import VERSION
from tenantproof.core.world import Manifest
from tenantproof.engine.acceptance import accept, ended, unmatched
from tenantproof.engine.consulted import consulted_by
from tenantproof.engine.findings import find, locator
from tenantproof.engine.interference.hunt import Budget
from tenantproof.engine.interference.search import LIVES, Searched, SoFar, leaking, search
from tenantproof.engine.matrix import NOT_REACHED, Judged, MatrixRun, look, sweeping
from tenantproof.engine.observing import Observing, observing
from tenantproof.engine.plan import Plan
from tenantproof.engine.scripts import RUN_IT, RUN_IT_AGAIN
from tenantproof.engine.services.way import services_of
from tenantproof.engine.steady import steady
from tenantproof.engine.suite import kept_suite
from tenantproof.engine.ways import Found, Standing, Way
from tenantproof.engine.wire import Wire
from tenantproof.identity.legacy import is_single_claim, legacy_claims
from tenantproof.identity.personas import personas as personas_of
from tenantproof.identity.personas import without_dual
from tenantproof.identity.sessions import identify
from tenantproof.identity.signing import Signer
from tenantproof.oracle.entitlement import Stance
from tenantproof.scenario.against_catalog import check_against_catalog
from tenantproof.seeding import can_hold_dual, read_world
from tenantproof.seeding import seed as seed_world

Connection = psycopg.Connection[tuple[object, ...]]

_UNTIL_TIME_IS_UP = 1_000_000
_SEARCH = "the search for interference"
_CUT = "interrupted"
LOST = "the database went away in the middle of the run: what follows is what was known by then"
_SLOW = 0.003
"""Seconds of a round trip from which on waiting takes longer than working."""
_EMPTY_CAST = re.compile(r'22P02.*(""|type json)', re.DOTALL)
"""The reason of a cell in which '' was cast to a type that has no empty value."""
_TELLING = 9
"""Characters from which on an id is found in nobody else's row by chance."""


@dataclass(slots=True)
class Clock:
    """Wall time by phase."""

    started: float = field(default_factory=perf_counter)
    phases: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=perf_counter)

    def lap(self, phase: str) -> None:
        now = perf_counter()
        self.phases[phase] = round(now - self._last, 3)
        self._last = now


def check(
    handle: Handle,
    scenario: Scenario,
    *,
    seed: int,
    signer: Signer,
    budget: Budget,
    patches: Sequence[str] = (),
    suite: bool = False,
    ways: Sequence[Way] = (),
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Seed the database of *handle* and check it.

    *budget* bounds the search for interference that follows the matrix; none is made where it allows no attempt.  With
    *suite* the report holds what a pgTAP suite needs.  *ways* are further ways in, tried after that (engine.ways).
    *stop* is asked all the time from the matrix on: once it says so, the run ends with what is known.
    Yields events; the last one is RunFinished with the report.  Raises ScenarioError where the scenario names what
    the database does not have, NothingToCheck where no relation is in scope.
    """
    started_at, clock = datetime.now(UTC), Clock()
    with ExitStack() as stack:
        observer = stack.enter_context(observing(handle))
        plan = yield from _prepared(observer, handle, scenario, seed, signer, clock)
        wire = stack.enter_context(observer.wire())
        ended = _ended(stop, wire)
        ground = look(wire, plan)
        run = yield from sweeping(wire, plan, ground, plan.manifest.personas, ended)
        clock.lap("matrix")
        cells = [as_cell(plan, judged) for judged in run.cells]
        yield from (CellChecked(cell) for cell in cells)
        locate = locator(handle.sources)
        findings = find(wire, plan, run.cells, locate)
        clock.lap("findings")
        statements = wire.counter.statements  # of the matrix: how often the search confirms depends on chance
        searched, slow = None, tuple[Gap, ...]()
        if budget.attempts and not ended():
            yield PhaseStarted(f"searching for interference: {budget.attempts:,} attempts")
            known = leaking(run.cells)
            tired = _tired(handle)
            searched = yield from _searched(
                search(
                    wire,
                    plan,
                    budget,
                    locate,
                    known=known,
                    conninfo=observer.neighbours,
                    enough=lambda: ended() or tired(),
                    lives=0 if _is_slow(handle) else LIVES,
                ),
                wire,
            )
            told = tuple(_shortened(handle, budget, searched)) if tired() else ()
            slow = () if ended() else told or tuple(_without_lives(handle))
            clock.lap("search")
        cut = tuple(_cut_short(budget, searched)) if ended() else ()
        standing = Standing(
            handle=handle,
            plan=plan,
            wire=wire,
            ground=ground,
            cells=run.cells,
            signer=signer,
            locate=locate,
            neighbours=observer.neighbours,
        )
        further = yield from _by_other_ways((*ways, *services_of(scenario)), standing, clock, ended)
        findings = [*findings, *(searched.findings if searched else ()), *further.findings]
        findings = _with_their_scripts(_accepted(findings, scenario, started_at), handle)
        yield from (FindingRaised(finding) for finding in findings)
        trouble = LOST if wire.lost else ""
    report = _report(handle, scenario, plan, cells, findings, seed, statements, searched)
    gaps = (*report.gaps, *cut, *slow, *further.gaps)
    interrupted = any(map(_is_cut, gaps)) or any(cell.reason == NOT_REACHED for cell in cells)
    timing = _timing(started_at, clock, run, searched)
    report = replace(report, gaps=gaps, interrupted=interrupted, timing=timing, patches=tuple(patches), trouble=trouble)
    notes = (*report.notes, *observer.notes, *further.notes, *_responsibilities(report, scenario, started_at))
    kept = kept_suite(handle, plan, findings) if suite and not interrupted else None
    yield RunFinished(replace(report, notes=notes, suite=kept))


def _ended(stop: Callable[[], bool], wire: Wire) -> Callable[[], bool]:
    """Whether the run is to end: somebody said so, or the server is gone."""
    return lambda: stop() or wire.lost


def _is_slow(handle: Handle) -> bool:
    """Whether the line to the database makes everything that is asked one by one take long."""
    return handle.manners is not None and handle.manners.round_trip >= _SLOW


def _tired(handle: Handle) -> Callable[[], bool]:
    """Whether a search over a slow line has taken the time that it may; never where the line is quick."""
    if handle.manners is None or not _is_slow(handle):
        return lambda: False
    end = perf_counter() + handle.manners.search_seconds
    return lambda: perf_counter() > end


def _shortened(handle: Handle, budget: Budget, searched: Searched | None) -> Iterator[Gap]:
    """That a slow line made the search shorter."""
    if searched is not None and handle.manners is not None and searched.search.attempts < budget.attempts:
        took = f"a round trip takes {handle.manners.round_trip * 1000:.0f} ms"
        tried = (
            f"{searched.search.attempts:,} of about {budget.attempts:,} attempts were made, and no membership changed"
        )
        yield Gap(object=_SEARCH, reason=f"{took}: {tried} (search_seconds in the configuration)")


def _without_lives(handle: Handle) -> Iterator[Gap]:
    """What is left out over a slow line however long the search may take."""
    if handle.manners is not None and _is_slow(handle):
        took = f"a round trip takes {handle.manners.round_trip * 1000:.0f} ms"
        yield Gap(object=_SEARCH, reason=f"{took}: no membership was changed")


def _cut_short(budget: Budget, searched: Searched | None) -> Iterator[Gap]:
    """What a search that was asked to end did not come to."""
    if searched is not None:
        tried = f"after {searched.search.attempts:,} of about {budget.attempts:,} attempts"
        yield Gap(object=_SEARCH, reason=f"{_CUT} {tried}")
    elif budget.attempts:
        yield Gap(object=_SEARCH, reason=f"{_CUT} before it began")


def _is_cut(gap: Gap) -> bool:
    return gap.reason.startswith(_CUT)


def _by_other_ways(
    ways: Sequence[Way], standing: Standing, clock: Clock, stop: Callable[[], bool]
) -> Generator[Event, None, Found]:
    """Try each way in turn; what they found, together."""
    parts = []
    for way in ways:
        if stop():
            parts.append(Found(gaps=(Gap(object=way.words, reason=f"{_CUT} before it was tried"),)))
            continue
        yield PhaseStarted(way.words)
        parts.append(way.go(standing))
        clock.lap(way.phase)
    return Found(
        findings=tuple(finding for part in parts for finding in part.findings),
        gaps=tuple(gap for part in parts for gap in part.gaps),
        notes=tuple(note for part in parts for note in part.notes),
    )


def fuzz(
    handle: Handle,
    scenario: Scenario,
    *,
    seed: int,
    signer: Signer,
    budget: Budget,
    enough: Callable[[float], bool],
    patches: Sequence[str] = (),
) -> Iterator[Event]:
    """Seed the database of *handle* and search it for interference until it is *enough*.

    That is asked all the time, with the seconds since the search began.  Yields events, Searching after each batch;
    the last one is RunFinished with the report.  Raises what `check` raises.
    """
    started_at, clock = datetime.now(UTC), Clock()
    with ExitStack() as stack:
        observer = stack.enter_context(observing(handle))
        plan = yield from _prepared(observer, handle, scenario, seed, signer, clock)
        wire = stack.enter_context(observer.wire())
        yield PhaseStarted("searching for interference")
        started = perf_counter()
        locate = locator(handle.sources)
        searched = yield from _searched(
            search(
                wire,
                plan,
                budget,
                locate,
                enough=_ended(lambda: enough(perf_counter() - started), wire),
                rounds=_UNTIL_TIME_IS_UP,
                conninfo=observer.neighbours,
                lives=0 if _is_slow(handle) else LIVES,
            ),
            wire,
        )
        clock.lap("search")
        found = searched.findings if searched is not None else ()
        findings = _with_their_scripts(_accepted(found, scenario, started_at), handle)
        yield from (FindingRaised(finding) for finding in findings)
        statements = wire.counter.statements
        trouble = LOST if wire.lost else ""
    report = _report(handle, scenario, plan, (), findings, seed, statements, searched)
    timing, gaps = _timing(started_at, clock, None, searched), (*report.gaps, *_without_lives(handle))
    notes = (
        *report.notes,
        *observer.notes,
        f"the programs were drawn with --draws {budget.seed} --reach {budget.profile}",
        *ended(findings, scenario.accepted, started_at.date()),
    )
    report = replace(report, gaps=gaps, timing=timing, patches=tuple(patches), trouble=trouble)
    yield RunFinished(replace(report, notes=notes))


def prepare(handle: Handle, scenario: Scenario, *, seed: int, signer: Signer) -> Plan:
    """Seed the database of *handle* and return what is known of it; raises what `check` raises."""
    with observing(handle) as observer:
        going = _prepared(observer, handle, scenario, seed, signer, Clock())
        while True:
            try:
                next(going)
            except StopIteration as end:
                plan: Plan = end.value
                return plan


def _prepared(
    observer: Observing, handle: Handle, scenario: Scenario, seed: int, signer: Signer, clock: Clock
) -> Generator[Event, None, Plan]:
    """Read the catalog, compare it with the scenario, seed."""
    with observer.seeding() as connection:
        traces = handle.manners.traces if handle.manners is not None else Traces()
        yield PhaseStarted("reading the catalog")
        catalog = introspect(connection)
        problems = check_against_catalog(scenario, catalog)
        if problems:
            raise ScenarioError(problems)
        tenancy = infer_tenancy(catalog, scenario)
        unanswered = unanswerable(scenario, tenancy)
        if unanswered:
            raise ScenarioError(unanswered)
        observer.hold(connection, steady(catalog))
        clock.lap("catalog")
        yield PhaseStarted("seeding tenants, users and rows")
        plan = _seed(connection, catalog, scenario, tenancy, seed, signer, handle.owned, observer.alone)
        traces.marks |= marks_of(plan)
        if not plan.relations:
            raise NothingToCheck(f"no table or view in {', '.join(scenario.database.schemas)}: nothing to check")
        clock.lap("seed")
        rows = sum(map(len, plan.world.rows.values()))
        yield PhaseStarted(
            f"{rows} rows seeded; {len(plan.identities)} personas before {len(plan.relations)} relations", may_end=True
        )
    return plan


def _searched(going: Iterator[SoFar | Searched], wire: Wire) -> Generator[Event, None, Searched | None]:
    """Run a search to its end, and tell how it goes; None where the server was gone before it began."""
    started = perf_counter()
    try:
        for state in going:
            if isinstance(state, Searched):
                return state
            yield Searching(state.search, perf_counter() - started, state.share)
    except Exception:  # Hypothesis wraps what happens to a program in errors of its own
        if not wire.lost:
            raise
        return None
    raise AssertionError("a search always ends with what it found")


def _with_their_scripts(findings: list[Finding], handle: Handle) -> list[Finding]:
    """The findings; in somebody's database the rows of their scripts are gone with the run."""
    if handle.owned:
        return findings
    return [replace(finding, replay=finding.replay.replace(RUN_IT, RUN_IT_AGAIN)) for finding in findings]


def _accepted(findings: Iterable[Finding], scenario: Scenario, now: datetime) -> list[Finding]:
    """All findings, worst first, those that somebody took responsibility for marked."""
    ordered = sorted(findings, key=lambda f: (-f.severity.rank, f.object, f.command, f.fingerprint))
    return accept(ordered, scenario.accepted, now.date())


def _responsibilities(report: Report, scenario: Scenario, now: datetime) -> Iterator[str]:
    """What became of the scenario's acceptances."""
    yield from ended(report.findings, scenario.accepted, now.date())
    yield from unmatched(report, scenario.accepted)


def unanswerable(scenario: Scenario, tenancy: Mapping[QName, Tenancy]) -> list[Problem]:
    """`expect` lines that ask for an owner or a tenant where nobody knows how to find one."""
    found: dict[tuple[object, ...], Problem] = {}
    for line in scenario.expectations:
        known = tenancy.get(line.table) if line.table is not None else None
        if known is None or line.place is None:
            continue
        for scope in line.scopes:
            missing = scope.kind is ScopeKind.OWN and known.owner is None
            missing |= scope.kind is ScopeKind.TENANT and known.tenant is None and known.owner is None
            if missing:
                what = "owner" if scope.kind is ScopeKind.OWN else "tenant"
                found[line.place, what] = Problem(
                    path=line.place.path,
                    line=line.place.line,
                    column=line.place.column,
                    code=f"no-{what}",
                    message=f"expect says '{scope}' for {line.table}, and nobody knows the {what} of its rows",
                    hint=f"declare it: tables: {{{line.table}: {{{what}: COLUMN}}}}",
                )
    return list(found.values())


def _seed(
    connection: Connection,
    catalog: Catalog,
    scenario: Scenario,
    tenancy: Mapping[QName, Tenancy],
    seed: int,
    signer: Signer,
    owned: bool = True,
    alone: bool = True,
) -> Plan:
    people = personas_of(scenario, seed)
    if not can_hold_dual(catalog, scenario):
        people = without_dual(people)
    manifest = seed_world(
        connection,
        catalog=catalog,
        scenario=scenario,
        tenancy=tenancy,
        personas=people,
        seed=seed,
        beside=not owned,
        alone=alone,
    )
    world = read_world(connection, catalog=catalog, scenario=scenario, tenancy=tenancy, manifest=manifest)
    connection.commit()
    identities = _identities(catalog, scenario, manifest, signer)
    if any(identity.login for identity in identities.values()) and not _may_be_anybody(connection):
        identities = {name: replace(identity, login=None) for name, identity in identities.items()}
    return Plan(
        catalog=catalog,
        scenario=scenario,
        tenancy=tenancy,
        manifest=manifest,
        world=world,
        identities=identities,
        consulted=consulted_by(catalog),
        alone=alone,
    )


def marks_of(plan: Plan) -> set[str]:
    """The strings by which rows of a run are known as its own: canaries, and ids that nobody else has."""
    users = {persona.user_id for persona in plan.manifest.personas if persona.user_id is not None}
    declared = {tenant.id for tenant in plan.scenario.tenants}
    ids = {*users, *plan.manifest.tenant_ids.values()} - declared
    return {*plan.manifest.canaries.values(), *(one for one in ids if len(one) >= _TELLING)}


def _may_be_anybody(connection: Connection) -> bool:
    """Whether the observer may SET SESSION AUTHORIZATION: only superusers may."""
    answer = connection.execute("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user").fetchone()
    return answer is not None and bool(answer[0])


def _identities(catalog: Catalog, scenario: Scenario, manifest: Manifest, signer: Signer) -> Mapping[str, Identity]:
    now, legacy = int(time()), legacy_claims(catalog)
    return {
        persona.name: identify(
            persona,
            scenario=scenario,
            tenants=manifest.tenant_ids,
            signer=signer,
            now=now,
            role_settings=_settings_of(catalog, scenario, persona),
            legacy=legacy,
        )
        for persona in manifest.personas
    }


def _settings_of(catalog: Catalog, scenario: Scenario, persona: Persona) -> Mapping[str, str]:
    role = scenario.session.role if persona.user_id else scenario.session.anon_role
    return catalog.roles[role].settings if role in catalog.roles else {}


def as_cell(plan: Plan, judged: Judged) -> CellResult:
    """The judgement in words for a report."""
    persona, judgement = judged.stand.persona, judged.judgement
    stances = {plan.oracle.stance(persona, judged.stand.name, judged.command, row) for row in judged.stand.rows}
    promised = Stance.REQUIRED in stances and judged.object.name == judged.stand.name
    """What is promised of a table is not promised of a view over it: a view that refuses is no way in."""
    used = not stances.isdisjoint({Stance.ALLOWED, Stance.REQUIRED}) and judgement.reached > 0
    return CellResult(
        object=str(judged.object.name),
        persona=persona.name,
        command=judged.command,
        verdict=judgement.verdict,
        entitled=promised or used,
        expected=plan.oracle.promise(persona, judged.object.name, judged.command),
        observed=_observed(judged),
        reason=judgement.reason,
        attempts=len(judged.outcomes),
    )


def _observed(judged: Judged) -> str:
    if judged.judgement.verdict is Verdict.ISOLATED and not judged.judgement.reached:
        return "denied" if any(o.observation.denied for o in judged.outcomes) else "no row reached"
    reached = judged.judgement.reached
    if judged.command is Command.INSERT:
        return f"{reached} row{'' if reached == 1 else 's'} accepted"
    return f"{reached} row{'' if reached == 1 else 's'} reached"


def _report(
    handle: Handle,
    scenario: Scenario,
    plan: Plan,
    cells: Sequence[CellResult],
    findings: Sequence[Finding],
    seed: int,
    statements: int,
    searched: Searched | None,
) -> Report:
    return Report(
        tool_version=VERSION,
        scenario=scenario.name,
        scenario_path=scenario.path,
        target=handle.label,
        server_version=handle.server_version,
        seed=seed,
        tenants=tuple(tenant.name for tenant in scenario.tenants),
        roles=scenario.roles,
        personas=tuple(plan.identities),
        relations={str(r.name): in_words(plan.tenancy_of(r.name)) for r in plan.relations},
        cells=tuple(cells),
        findings=tuple(findings),
        unseeded=plan.world.manifest.unseeded,
        gaps=(*plan.gaps, *(searched.gaps if searched is not None else plan.uncalled)),
        search=searched.search if searched is not None else None,
        notes=(
            *_notes(plan),
            *_mute_personas(plan, cells),
            *_empty_settings(plan, cells),
            *(searched.notes if searched is not None else ()),
        ),
        statements=statements,
        rows_seeded=sum(map(len, plan.world.rows.values())),
    )


def _notes(plan: Plan) -> Iterator[str]:
    if not any(len(persona.memberships) > 1 for persona in plan.manifest.personas):
        yield "the persona dual was left out: a user can belong to one tenant only"
    login = plan.scenario.session.login
    if login is not None and all(identity.login is None for identity in plan.identities.values()):
        yield f"session_user was the observer instead of {login}: only a superuser may change it"


def _mute_personas(plan: Plan, cells: Sequence[CellResult]) -> Iterator[str]:
    """Personas whose every cell failed: their session is broken, and nothing was learned about them."""
    for name in plan.identities:
        own = [cell for cell in cells if cell.persona == name]
        if own and all(cell.verdict is Verdict.ERROR for cell in own):
            yield f"every statement of {name} failed, so nothing is known about them: {own[0].reason}"


def _empty_settings(plan: Plan, cells: Sequence[CellResult]) -> Iterator[str]:
    """What to do where policies cast a setting that is empty: so it is, and not NULL, on a connection used before."""
    failed = {cell.persona for cell in cells if cell.verdict is Verdict.ERROR and _EMPTY_CAST.search(cell.reason)}
    found = {
        name
        for persona in failed & plan.identities.keys()
        for name, value in plan.identities[persona].settings
        if not value and (name in plan.scenario.session.settings or is_single_claim(name))
    }
    if found:
        named = sorted(found)
        yield (
            f"for people who have none, {', '.join(named)} {'is' if len(named) == 1 else 'are'} '' as on a pooled"
            f" connection that somebody used before: a policy that casts it fails there; write"
            f" nullif(current_setting('{named[0]}', true), '')"
        )


def in_words(tenancy: Tenancy) -> str:
    """How the tenant of a relation's rows is found, in words."""
    if tenancy.shared:
        return "shared"
    if tenancy.private:
        return "private"
    if tenancy.tenant is not None:
        return f"tenant by {tenancy.tenant}" + (f", owner by {tenancy.owner}" if tenancy.owner else "")
    return f"owner by {tenancy.owner}" if tenancy.owner is not None else "undecided"


def _timing(started_at: datetime, clock: Clock, run: MatrixRun | None, searched: Searched | None) -> Timing:
    seconds = clock.phases.get("search", 0.0)
    found = searched.search if searched is not None and seconds else None
    return Timing(
        started_at=started_at.isoformat(timespec="seconds"),
        seconds=round(perf_counter() - clock.started, 3),
        phases=clock.phases,
        reads_per_second=round(run.reads / run.seconds, 1) if run is not None and run.reads else 0.0,
        attempts_per_second=round(found.attempts / seconds, 1) if found is not None else 0.0,
        pairs_per_second=round(found.pairs / seconds, 1) if found is not None else 0.0,
    )
