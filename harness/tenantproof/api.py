"""
The Python interface: what the command line does, as functions.

    import tenantproof
    report = tenantproof.check("app.tenancy.yaml")
    assert not report.findings
    report = tenantproof.fuzz("app.tenancy.yaml", seconds=600)
    draft = tenantproof.api.init("app.tenancy.yaml", supabase="supabase")
"""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from os import PathLike
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import psycopg

from tenantproof.channels.further import VIAS
from tenantproof.config import Config, find_config, read_config
from tenantproof.core.bisection import Bisection
from tenantproof.core.drift import Drift
from tenantproof.core.errors import MissingExtra, Problem, TargetError, UsageError, did_you_mean
from tenantproof.core.events import Event, PhaseStarted, RunFinished, Searching
from tenantproof.core.finding import Finding, Severity, Verdict
from tenantproof.core.model import Acceptance, Platform, Scenario
from tenantproof.core.ports import SILENT, Handle, Target, Writes
from tenantproof.core.report import Gap, Report, Search
from tenantproof.core.seeds import DEFAULT_SEED
from tenantproof.core.settings import TargetSettings
from tenantproof.drafting import Draft, make_draft
from tenantproof.drafting.known import known_of
from tenantproof.drafting.origin import origin_of
from tenantproof.drafting.pipelines import require_place, write_pipeline
from tenantproof.drafting.saving import save
from tenantproof.engine.interference.hunt import Budget
from tenantproof.engine.plan import Plan
from tenantproof.engine.run import check as run_check
from tenantproof.engine.run import fuzz as run_fuzz
from tenantproof.engine.run import prepare
from tenantproof.engine.ways import Found, Way
from tenantproof.generation.programs import Profile
from tenantproof.identity.signing import Signer
from tenantproof.reports.baseline import compared, load_baseline
from tenantproof.reports.files import alone, replace_file
from tenantproof.reports.history import require_history, with_history
from tenantproof.reports.unknown import unknowns
from tenantproof.scenario import json_schema, load_scenario
from tenantproof.scenario.accepting import require_term, with_acceptance
from tenantproof.scenario.hints import hints_of
from tenantproof.scenario.loading import scenario_in
from tenantproof.scenario.undecided import require_decided
from tenantproof.targets.canaries.cleaning import Cleaned
from tenantproof.targets.choice import EMBEDDED, settings_for, theirs
from tenantproof.targets.embedded import EmbeddedTarget
from tenantproof.targets.live import read_only

if TYPE_CHECKING:
    from tenantproof.targets.diagnosis import Diagnosis

DEFAULT_ATTEMPTS = 2000
"""Programs that `check` tries in its search for interference: a few seconds."""

_A_ROUND = 2000
"""Programs between two turns of a persona in `fuzz`."""

_DRAWN_BITS = 32
"""Few enough to be typed again."""


def check(
    scenario: str | PathLike[str],
    *,
    seed: int = DEFAULT_SEED,
    patches: Sequence[str | PathLike[str]] = (),
    signer: Signer | None = None,
    target: str | Target = EMBEDDED,
    writes: str | Writes | None = None,
    config: str | PathLike[str] | Config | None = None,
    keep: bool = False,
    attempts: int = DEFAULT_ATTEMPTS,
    profile: Profile | str = Profile.SQL,
    examples: str | PathLike[str] | None = None,
    suite: bool = False,
    accept: bool = True,
    baseline: str | PathLike[str] | None = None,
    history: str | PathLike[str] | None = None,
    via: Sequence[str] = (),
    api_url: str | None = None,
    api_key: str | None = None,
    sign_in: str | None = None,
    endpoint_base: str | None = None,
    stop: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = SILENT,
    listen: Callable[[Event], None] = lambda _event: None,
    then: Callable[[Handle, Report], None] | None = None,
) -> Report:
    """Build the database of a scenario file, check it and return the report.

    *patches* are SQL files applied after the migrations.  *signer* signs the personas' tokens (default: HS256 with the
    local default secret; see tenantproof.identity.signing).  *target* is "embedded", a database that is somebody's
    (a DSN, `env:NAME`, or a name under [targets] of *config*, a file or what was read from one), or an object that
    makes databases (core.ports.Target).  *writes* says what may be written in a database that is somebody's: "never",
    "rollback" or "canary"; None: what *config* says, else never.  With *keep* the seeded database stays, and *say* is
    told how to reach it.

    After the matrix, *attempts* programs search for interference (0: none); *profile* "api" draws only what PostgREST
    can express; *examples* is a folder of what `fuzz` found before, to be tried first.  With *suite* the report can be
    written as pgTAP.  Without *accept* the scenario's `accept` counts for nothing.  The findings in *baseline*, a file
    that `tenantproof baseline` made, are marked as accepted.  *history* is a file that keeps runs in short (or a folder
    for it): the report gets the earlier ones, and is added.  *listen* is told every event of
    tenantproof.core.events at once; *via* names further ways in beside plain SQL: "rest" is PostgREST over HTTP, at
    *api_url* with *api_key* (or `env:NAME` of either), or one that is started for the run; with *sign_in*, the address
    of an Auth server, personas sign in there; "pooled" passes pooled connections from user to user; "replica" is a hot
    standby.  Endpoints of the scenario are asked at *endpoint_base* (or `env:NAME`, or where the scenario says).
    Once *stop* says so, the
    run ends with what is known, and the report says that it was `interrupted`.  *then* is called with the
    seeded database before it goes away.  Raises the errors of tenantproof.core.errors; a leak is no error, it is a
    finding of the report.
    """
    budget = _budget(attempts, seed, profile, examples)
    ways = _ways(via, api_url, api_key, sign_in)
    if history is not None:
        require_history(history)
    report = _run(
        scenario,
        lambda handle, declared, files: run_check(
            handle,
            declared,
            seed=seed,
            signer=signer or Signer(),
            budget=budget,
            patches=files,
            suite=suite,
            ways=(*ways, *_endpoint_ways(declared, endpoint_base)),
            stop=stop,
        ),
        patches=patches,
        target=target,
        writes=writes,
        config=config,
        keep=keep,
        say=say,
        listen=listen,
        then=then,
        accept=accept,
        baseline=baseline,
        existing=lambda handle, declared: _existing(handle, declared, seed, signer or Signer(), stop),
    )
    return report if history is None else with_history(report, history)


def fuzz(
    scenario: str | PathLike[str],
    *,
    seconds: float,
    seed: int = DEFAULT_SEED,
    patches: Sequence[str | PathLike[str]] = (),
    signer: Signer | None = None,
    target: str = EMBEDDED,
    writes: str | Writes | None = None,
    config: str | PathLike[str] | Config | None = None,
    profile: Profile | str = Profile.SQL,
    examples: str | PathLike[str] | None = None,
    draws: int | None = None,
    accept: bool = True,
    baseline: str | PathLike[str] | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[Search, float], None] = lambda _search, _seconds: None,
    say: Callable[[str], None] = SILENT,
    listen: Callable[[Event], None] = lambda _event: None,
    then: Callable[[Handle, Report], None] | None = None,
) -> Report:
    """Build the database of a scenario file and search it for interference for *seconds*; returns the report.

    *seed* seeds the database; *draws* seeds the programs (None: another search each time; a note of the report says
    which, so that it can be repeated).  *examples* is a folder that keeps what was found, to be tried first the next
    time.  The seconds count from the first program on, not from the start of the server.  *stop* is asked after each
    batch; *progress* gets the numbers so far and the seconds gone.  The report has no cells: the matrix is `check`'s.
    In a database that is somebody's it needs *writes* "rollback" or "canary".  The rest is as in `check`.
    """
    drawn = draws if draws is not None else secrets.randbits(_DRAWN_BITS)
    budget = replace(_budget(_A_ROUND, drawn, profile, examples), obvious=True)  # no matrix has asked it

    def enough(gone: float) -> bool:
        return stop() or gone >= seconds

    return _run(
        scenario,
        lambda handle, declared, files: run_fuzz(
            handle, declared, seed=seed, signer=signer or Signer(), budget=budget, enough=enough, patches=files
        ),
        patches=patches,
        target=target,
        writes=writes,
        config=config,
        keep=False,
        say=say,
        listen=listen,
        then=then,
        progress=progress,
        accept=accept,
        baseline=baseline,
    )


def bisect(
    scenario: str | PathLike[str],
    *,
    seed: int = DEFAULT_SEED,
    patches: Sequence[str | PathLike[str]] = (),
    signer: Signer | None = None,
    attempts: int = DEFAULT_ATTEMPTS,
    profile: Profile | str = Profile.SQL,
    fail_on: Severity | None = Severity.MEDIUM,
    first: str | None = None,
    last: str | None = None,
    linear: bool = False,
    say: Callable[[str], None] = SILENT,
) -> Bisection:
    """Name the migration that opened each leak of a scenario file at or above *fail_on* (None: each finding).

    *patches* count as further migrations.  *first* and *last* are files, by path or name: only those between are
    asked about, and those after *last* are not applied.  With *linear* every prefix is looked at however many there
    are.  The rest is as in `check`, and so are the errors.
    """
    from tenantproof.engine.bisecting.choosing import chosen_range
    from tenantproof.engine.bisecting.looking import Looker
    from tenantproof.engine.bisecting.run import bisect as run_bisect
    from tenantproof.targets.prefixes import PrefixTarget
    from tenantproof.targets.sources import read_migrations, read_sources

    declared = load_scenario(Path(scenario))
    require_decided(declared)
    reading = read_migrations(declared.database.migrations)
    for note in reading.notes:
        say(f"note: {note}")
    sources = (*reading.sources, *read_sources(_files(patches)))
    files = [source.path for source in sources]
    low, high = chosen_range(files, first, last)
    with tempfile.TemporaryDirectory(prefix="tenantproof-") as examples, _database_may_go():
        looking = Looker(
            target=PrefixTarget(declared.database, sources, say=say),
            scenario=declared,
            files=files,
            seed=seed,
            signer=signer or Signer(),
            budget=_budget(attempts, seed, profile, examples),
            say=say,
        )
        with looking.target:
            threshold = fail_on or Severity.INFO
            return run_bisect(looking, sources, first=low, last=high, threshold=threshold, linear=linear)


def drift(
    scenario: str | PathLike[str],
    *,
    against: str | None = None,
    prisma: str | PathLike[str] | None = None,
    say: Callable[[str], None] = SILENT,
) -> Drift:
    """Where a live database, or a Prisma schema, differs from the migrations of a scenario file.

    *against* is `env:NAME`, a variable that holds a DSN, or a DSN: that database is read in one READ ONLY transaction
    and nothing else.  *prisma* is a schema file, or a folder of them.  At least one of the two is needed.  Raises the
    errors of tenantproof.core.errors; a difference is no error.
    """
    from tenantproof.drift.prisma.parsing import load_prisma
    from tenantproof.drift.run import compare_live, compare_prisma, read_live, together
    from tenantproof.targets.reach import readable_dsn

    if against is None and prisma is None:
        raise UsageError("drift: nothing to compare with; give --against env:NAME or --prisma FILE")
    started = perf_counter()
    declared = load_scenario(Path(scenario))
    schema = load_prisma(Path(prisma)) if prisma is not None else None
    live = None
    if against is not None:
        say("reading the live database")
        live = read_live(readable_dsn(against, "--against"))
    say("applying the migrations")
    found: list[Drift] = []
    with _database_may_go(), EmbeddedTarget(declared.database, say=say).database() as handle:
        if live is not None:
            found.append(compare_live(handle, declared, *live))
        if schema is not None:
            found.append(compare_prisma(handle, declared, schema))
    return together(found, round(perf_counter() - started, 3))


def init(
    output: str | PathLike[str],
    *,
    supabase: str | PathLike[str] | None = None,
    migrations: str | PathLike[str] | None = None,
    pg_dump: str | PathLike[str] | None = None,
    live: str | None = None,
    platform: Platform | str | None = None,
    tenant_table: str | None = None,
    ci: str | None = None,
    force: bool = False,
    say: Callable[[str], None] = SILENT,
) -> Draft:
    """Draft a scenario from a schema, write it to *output* and return it.

    At most one of: *supabase*, the folder of a Supabase project; *migrations*, a folder or file of any tool;
    *pg_dump*, a file that pg_dump wrote; *live*, a DSN or `env:NAME`, whose schema is dumped into a file beside
    *output*.  None: what lies in the working directory.  *platform* overrules what the SQL looks like.  With *ci*,
    "github" or "gitlab", a pipeline that checks it is written, too (tenantproof.drafting.pipelines).  Raises UsageError
    where *output* or the pipeline is there already and *force* is not given, and the errors of building the database.
    """
    target = Path(output)
    schema = target.with_name("scenario.schema.json")
    if target.exists() and not force:
        raise UsageError(f"{target} is there already: give --force to write over it, or --output another path")
    if ci is not None:
        require_place(ci, force=force)
    origin = origin_of(
        target.parent,
        supabase=supabase,
        migrations=migrations,
        pg_dump=pg_dump,
        live=live,
        platform=Platform(platform) if platform is not None else None,
        say=say,
    )
    draft = make_draft(origin, target.parent, tenant_table=tenant_table, say=say)
    save(target, draft.text)
    save(schema, json.dumps(json_schema(), indent=2) + "\n")
    load_scenario(target)  # a draft that does not load is a bug of ours, and better found here
    if ci is not None:
        write_pipeline(ci, target, force=force)
    return draft


def accept(scenario: str | PathLike[str], finding: Finding, *, reason: str, until: str) -> None:
    """Write a finding under `accept:` into a scenario file, which stays as it is otherwise.

    *until* is the ISO date from which it counts again, at most a year away.  Raises UsageError where the file cannot be
    changed, the finding is accepted there already or the date will not do, ScenarioError for a file that does not load.
    """
    path = Path(scenario)
    entry = Acceptance(
        channel=finding.channel, object=finding.object, fingerprint=finding.fingerprint, reason=reason, until=until
    )
    require_term(reason, until)
    try:
        with alone(Path(os.path.realpath(path))):
            data = path.read_bytes()
            for known in scenario_in(path, data).accepted:
                if known.fingerprint == finding.fingerprint:
                    raise UsageError(f"{known.place}: is accepted there already, until {known.until}: change it there")
            _put(path, data, with_acceptance(str(path), data, entry))
    except OSError as error:
        raise UsageError(f"{path}: cannot be changed: {error.strerror}") from error


def _put(path: Path, before: bytes, after: bytes) -> None:
    """Replace a scenario's content.  Raises UsageError where it would not load, or was changed meanwhile; OSError."""
    scenario_in(path, after)
    if not os.access(path, os.W_OK):  # the folder may be written to all the same
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if path.read_bytes() != before:
        raise UsageError(f"{path}: somebody changed it at the same time; nothing was written: call it again")
    replace_file(path, after)


def hints(scenario: str | PathLike[str], handle: Handle | None = None) -> tuple[Problem, ...]:
    """What a scenario file says that is allowed and hardly meant, in the order of the file.

    With *handle* (a database that its migrations built) also what only the database can tell.  Raises ScenarioError
    where the file does not load.
    """
    declared = load_scenario(Path(scenario))
    if handle is None:
        return hints_of(declared)
    with psycopg.connect(handle.conninfo) if handle.owned else read_only(handle.conninfo) as connection:
        return hints_of(declared, known_of(connection, declared))


def clean(
    target: str,
    manifests: Sequence[str | PathLike[str]] = (),
    *,
    config: str | PathLike[str] | Config | None = None,
) -> dict[Path, Cleaned]:
    """Take away what runs with `writes="canary"` left in *target* when they were killed, by their manifests.

    *manifests* are files; none: all in the current folder that are about that database.  What is gone already is no
    error.  Raises UsageError for a manifest of another database, TargetError where the rows cannot be taken away.
    """
    from tenantproof.targets.canaries.manifest import left_by_others, read
    from tenantproof.targets.dsn import NAME, named, require_host, undo
    from tenantproof.targets.reach import place_of

    settings = settings_for(target, *_configured(config))
    conninfo = named(settings.dsn, f"{NAME} clean")
    require_host(conninfo, settings)
    place = place_of(conninfo)
    paths = [Path(one) for one in manifests] or left_by_others(place)
    for path in paths:
        if (other := read(path).place) != place:
            raise UsageError(f"{path} is about {other}, and {target} is {place}: nothing was done")
    return {path: undo(conninfo, path) for path in paths}


def doctor(
    scenario: str | PathLike[str], target: str, *, config: str | PathLike[str] | Config | None = None
) -> Diagnosis:
    """What a run of a scenario against *target*, a database that is somebody's, would meet.  Reads only.

    Raises UsageError and ScenarioError for what is wrong in the arguments, TargetError where nobody answers.
    """
    from tenantproof.targets.diagnosis import diagnose

    if target == EMBEDDED:
        raise UsageError("doctor looks at a database that is somebody's; the embedded one is made for each run")
    return diagnose(settings_for(target, *_configured(config)), load_scenario(Path(scenario)))


def _configured(
    config: str | PathLike[str] | Config | None,
) -> tuple[Mapping[str, object], Callable[[str], TargetSettings]]:
    """The targets of a configuration, and how to get one of them."""
    known = _known(config)
    return known.targets, known.target


def _known(config: str | PathLike[str] | Config | None) -> Config:
    return config if isinstance(config, Config) else read_config(Path(config) if config is not None else None)


def _ways(via: Sequence[str], api_url: str | None, api_key: str | None, sign_in: str | None = None) -> tuple[Way, ...]:
    """The ways in that were named.  Raises UsageError for one that nobody knows, and for an API without its way."""
    for name in via:
        if name not in VIAS:
            raise UsageError(f"via {name}: {did_you_mean(name, VIAS)}")
    beside = (*_pooled_ways(via), *_replica(via))
    if "rest" not in via:
        if any(given is not None for given in (api_url, api_key, sign_in)):
            raise UsageError("--api, --api-key and --sign-in are about PostgREST: give --via rest, too")
        return beside
    try:
        import httpx  # noqa: F401  # asked for before the run, so that its absence is one sentence
    except ImportError:
        raise MissingExtra("--via rest", "rest") from None
    from tenantproof.engine.rest.run import Api, rest_way
    from tenantproof.targets.reach import dsn_of
    from tenantproof.targets.rest.client import checked

    url = checked(dsn_of(api_url, "--api")) if api_url is not None else None
    auth = checked(dsn_of(sign_in, "--sign-in"), "--sign-in", "auth") if sign_in is not None else None
    rest = rest_way(Api(url=url, key=dsn_of(api_key, "--api-key") if api_key is not None else None, auth=auth))
    return (rest, *beside)


def _pooled_ways(via: Sequence[str]) -> tuple[Way, ...]:
    if "pooled" not in via:
        return ()
    from tenantproof.engine.pooled.run import pooled_way

    return (pooled_way(),)


def _replica(via: Sequence[str]) -> tuple[Way, ...]:
    if "replica" not in via:
        return ()
    from tenantproof.engine.replica.run import replica_way

    return (replica_way(),)


def _endpoint_ways(scenario: Scenario, base: str | None) -> tuple[Way, ...]:
    """The way to the scenario's endpoints, where there are any."""
    if not scenario.endpoints and base is None:
        return ()
    if importlib.util.find_spec("httpx") is None:
        if base is not None:
            raise MissingExtra("asking endpoints", "rest")
        gap = Gap(object="endpoints", reason="not asked: speaking HTTP needs pip install 'tenantproof[rest]'")
        return (Way("asking endpoints", "no endpoints", lambda _standing: Found(gaps=(gap,))),)
    from tenantproof.engine.endpoints.run import endpoint_ways

    return endpoint_ways(scenario, base)


def _budget(attempts: int, seed: int, profile: Profile | str, examples: str | PathLike[str] | None) -> Budget:
    if attempts < 0:
        raise UsageError(f"attempts: {attempts} is less than 0")
    return Budget(
        attempts=attempts,
        seed=seed,
        profile=Profile(profile),
        examples=Path(examples) if examples is not None else None,
    )


def _run(
    scenario: str | PathLike[str],
    events: Callable[[Handle, Scenario, Sequence[str]], Iterator[Event]],
    *,
    patches: Sequence[str | PathLike[str]],
    target: str | Target,
    keep: bool,
    say: Callable[[str], None],
    listen: Callable[[Event], None],
    then: Callable[[Handle, Report], None] | None,
    progress: Callable[[Search, float], None] = lambda _search, _seconds: None,
    accept: bool = True,
    baseline: str | PathLike[str] | None = None,
    writes: str | Writes | None = None,
    config: str | PathLike[str] | Config | None = None,
    existing: Callable[[Handle, Scenario], Iterator[Event]] | None = None,
) -> Report:
    declared = load_scenario(Path(scenario))
    known = None if baseline is None else load_baseline(Path(baseline), declared.name)
    entries = declared.accepted if accept else ()
    declared = replace(declared, accepted=(*entries, *(known.acceptances(str(baseline)) if known is not None else ())))
    require_decided(declared)
    files = _files(patches)
    server = _target(target, declared, files, keep=keep, say=say, writes=writes, config=config)
    with _database_may_go(), server.database() as handle:
        going = _events_of(handle, declared, events, existing, files)
        for event in going:
            if isinstance(event, RunFinished):
                event = RunFinished(_looked_after(handle, event.report))
                report = replace(
                    event.report,
                    reached_by=_reached_by(target, config, handle),
                    notes=(*event.report.notes, *server.notes),
                    gaps=(*event.report.gaps, *_left_open(declared)),
                )
                if known is not None:
                    report = compared(report, known, str(baseline))
                listen(RunFinished(report))
                if then is not None:
                    then(handle, report)
                return report
            listen(event)  # before anybody reads of it: what may end now can be asked to
            if isinstance(event, PhaseStarted):
                say(event.what)
            elif isinstance(event, Searching):
                progress(event.search, event.seconds)
    raise AssertionError("a run always ends with RunFinished")


def _reached_by(target: str | Target, config: str | PathLike[str] | Config | None, handle: Handle) -> tuple[str, ...]:
    """The options of a verb that reach the database of *target* again; a DSN may hold a password and is not told."""
    if not isinstance(target, str) or target == EMBEDDED:
        return ()
    if handle.owned:
        return ("--target", target)
    known = _known(config)
    told = target if target in known.targets or target.startswith("env:") else "DSN"
    options = ("--target", told, "--writes", str(handle.writes))
    elsewhere = target in known.targets and known.path != find_config(Path.cwd())
    return (*options, "--config", str(known.path)) if elsewhere else options


def _events_of(
    handle: Handle,
    scenario: Scenario,
    events: Callable[[Handle, Scenario, Sequence[str]], Iterator[Event]],
    existing: Callable[[Handle, Scenario], Iterator[Event]] | None,
    patches: Sequence[Path],
) -> Iterator[Event]:
    """What is run: where nothing may be written, rows that are there are looked at instead."""
    if handle.writes is not Writes.NEVER:
        return events(handle, scenario, [str(patch) for patch in patches])
    if existing is None:
        raise UsageError(
            "--writes never: the search changes rows behind a persona's back, and nothing may be written there\n"
            "  give --writes rollback or canary, or leave --target out; `check` looks at the rows that are there"
        )
    return existing(handle, scenario)


def _existing(
    handle: Handle, scenario: Scenario, seed: int, signer: Signer, stop: Callable[[], bool]
) -> Iterator[Event]:
    from tenantproof.engine.existing.run import check_existing

    return check_existing(handle, scenario, seed=seed, signer=signer, stop=stop)


def _looked_after(handle: Handle, report: Report) -> Report:
    """The report with what was found in somebody's database once the run had let go of it."""
    if handle.manners is None:
        return report
    found = handle.manners.after()
    trouble = "; ".join(filter(None, (report.trouble, found.trouble)))
    round_trips = handle.manners.traces.round_trips
    connections = handle.manners.traces.connections
    waited = (
        f"{round_trips:,} round trips of {handle.manners.round_trip * 1000:.1f} ms over "
        f"{connections} connection{'' if connections == 1 else 's'}"
    )
    notes = (*((trouble,) if trouble else ()), *report.notes, *((waited,) if connections else ()), *found.notes)
    return replace(report, notes=notes, trouble=trouble, round_trips=round_trips)


def _target(
    target: str | Target,
    scenario: Scenario,
    patches: Sequence[Path] = (),
    *,
    keep: bool,
    say: Callable[[str], None],
    writes: str | Writes | None = None,
    config: str | PathLike[str] | Config | None = None,
) -> Target:
    if not isinstance(target, str):
        return target
    if target.startswith("docker:"):
        from tenantproof.targets.container import PREFIX, ContainerTarget

        return ContainerTarget(target.removeprefix(PREFIX), scenario.database, patches=patches, keep=keep, say=say)
    if target == EMBEDDED:
        if writes not in (None, Writes.SEED):
            raise UsageError(f"--writes {writes}: this is for a --target that is somebody's; the embedded one is ours")
        return EmbeddedTarget(scenario.database, patches=patches, keep=keep, say=say)
    for given, option in ((patches, "--patch"), (keep, "--keep")):
        if given:
            raise UsageError(f"{option} is for databases that tenantproof makes itself, not for --target {target}")
    return theirs(settings_for(target, *_configured(config)), scenario, writes=writes, say=say)


@contextmanager
def seeded(
    scenario: str | PathLike[str], *, seed: int = DEFAULT_SEED, target: str | Target = EMBEDDED
) -> Iterator[tuple[Handle, Plan]]:
    """The database of a scenario file, seeded, with everything that is known of it; gone afterwards.

    For tests of one's own: see tenantproof.testing.  Raises the errors of tenantproof.core.errors.
    """
    declared = load_scenario(Path(scenario))
    require_decided(declared)
    if isinstance(target, str) and target != EMBEDDED:
        raise UsageError(f"target {target}: fixtures act in a database of their own; use tenantproof_dsn for a copy")
    with _database_may_go(), _target(target, declared, keep=False, say=SILENT).database() as handle:
        yield handle, prepare(handle, declared, seed=seed, signer=Signer())


def _files(patches: Sequence[str | PathLike[str]]) -> list[Path]:
    files = [Path(patch) for patch in patches]
    for patch in files:
        if not patch.is_file():
            raise UsageError(f"--patch {patch}: there is no such file")
    return files


@contextmanager
def _database_may_go() -> Iterator[None]:
    try:
        yield
    except (psycopg.errors.TransactionRollback, psycopg.errors.LockNotAvailable) as error:
        raise TargetError(
            f"others wrote to the same rows or held their locks in the middle of the run: {error}\n"
            "  run it again when less is going on, or use --writes never"
        ) from error
    except psycopg.OperationalError as error:
        told = "\n".join((str(error), *getattr(error, "__notes__", ())))
        raise TargetError(f"the database went away in the middle of the run: {told}") from error


def _left_open(scenario: Scenario) -> Iterator[Gap]:
    """Tables that the scenario calls undecided: whatever was found, somebody has to decide."""
    for name, tenancy in scenario.tables.items():
        if tenancy.undecided:
            reason = f"undecided: the scenario leaves open whose its rows are ({tenancy.place})"
            yield Gap(object=str(name), reason=reason)


def exit_code(report: Report, fail_on: Severity | None = Severity.MEDIUM, *, strict: bool = False) -> int:
    """0 isolated, 1 a finding at or above the threshold (None: never), 3 trouble with the database, 4 not known.

    Cells with an error, undecided tables, tables that could not be filled and members without a positive control are
    always unknown; with *strict* every untested cell is.
    """
    if fail_on is not None and report.gating(fail_on):
        return 1
    if report.trouble:
        return 3
    untested = strict and report.count(Verdict.UNTESTED)
    return 4 if untested or unknowns(report) else 0
