"""
The endpoints of a scenario, asked as each persona: a way of `check` where a scenario declares some.

The application is one that runs already, or is started by the scenario's command before the seeded database.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tenantproof.core.errors import TargetError, UsageError
from tenantproof.core.model import Endpoint, EndpointsApp, Scenario
from tenantproof.core.ports import Writes
from tenantproof.core.report import Gap
from tenantproof.engine.endpoints.asking import Asker
from tenantproof.engine.endpoints.findings import findings_of
from tenantproof.engine.endpoints.marks import Marks
from tenantproof.engine.endpoints.rows import Rows
from tenantproof.engine.endpoints.sightings import Haul, called
from tenantproof.engine.endpoints.visit import NO_CONTROL, Visit
from tenantproof.engine.endpoints.worlds import World2, compare_worlds
from tenantproof.engine.endpoints.writing import Watched, WritingVisit
from tenantproof.engine.rest.keeping import Keeper
from tenantproof.engine.ways import Found, Standing, Way
from tenantproof.identity.signing import Signer
from tenantproof.targets.endpoints.app import Command, facts_of_database, require_program, running
from tenantproof.targets.endpoints.client import TIMEOUT_SECONDS, AppGone, Client, checked_base, described
from tenantproof.targets.reach import dsn_of

VARIABLE = "TENANTPROOF_ENDPOINT_BASE"
"""The environment variable that says where the application is."""

OBJECT = "endpoints"
"""What gaps are about that concern the application as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """Where the endpoints are: at `base`, or where `command` starts them; neither: nobody said."""

    base: str | None = None
    command: EndpointsApp | None = None
    timeout: float = TIMEOUT_SECONDS


def endpoint_ways(scenario: Scenario, given: str | None) -> tuple[Way, ...]:
    """The way to a scenario's endpoints; none where it declares none.

    *given* is `--endpoint-base`: an address, or env:NAME.  Raises UsageError for an address that is none, one without
    endpoints, or a command whose program is not there.
    """
    if not scenario.endpoints:
        if given is not None:
            raise UsageError("--endpoint-base: the scenario declares no endpoints")
        return ()
    application = application_of(scenario, given)
    place = f"at {described(application.base)}" if application.base else "of the application"
    words = f"asking {len(scenario.endpoints)} endpoints {place}"
    return (Way(words, "endpoints", lambda standing: ask_endpoints(standing, application)),)


def application_of(scenario: Scenario, given: str | None = None) -> Application:
    """Where the application is: what was given, else the environment variable, else what the scenario says."""
    app = scenario.endpoints_app
    if given is not None:
        return Application(base=checked_base(dsn_of(given, "--endpoint-base")))
    if os.environ.get(VARIABLE):
        return Application(base=checked_base(os.environ[VARIABLE]))
    if app is not None and app.base is not None:
        return Application(base=checked_base(dsn_of(app.base, "endpoints_app.base")))
    if app is not None and app.command is not None:
        require_program(app.command, Path(scenario.path).parent.absolute())
        return Application(command=app)
    return Application()


def ask_endpoints(standing: Standing, application: Application) -> Found:
    """Ask every endpoint as everybody; what could not be asked is a gap."""
    reason = _why_not(standing, application)
    if reason:
        return Found(gaps=(Gap(object=OBJECT, reason=reason),))
    haul = Haul()
    base = application.base or ""
    with ExitStack() as stack:
        try:
            base = stack.enter_context(_serving(standing, application))
            client = stack.enter_context(Client(base, timeout=application.timeout))
            _ask_all(standing, application, client, haul, stack)
        except AppGone as error:
            reason = f"{NO_CONTROL}: {error} (after {client.requests:,} requests; the rest was not asked)"
            haul.gaps.append(Gap(object=OBJECT, reason=reason))
        except TargetError as error:
            haul.gaps.append(Gap(object=OBJECT, reason=f"{NO_CONTROL}: {error}"))
        except psycopg.errors.LockNotAvailable:
            reason = f"{NO_CONTROL}: the application keeps a transaction open and locks rows; the rest was not asked"
            haul.gaps.append(Gap(object=OBJECT, reason=reason))
    findings = tuple(findings_of(standing.plan, standing.signer, base, haul.sightings))
    return Found(findings=findings, gaps=tuple(haul.gaps), notes=tuple(haul.notes))


def _why_not(standing: Standing, application: Application) -> str:
    """Why nothing can be asked; '' where it can."""
    if application.base is None and application.command is None:
        return f"not asked: no base URL (--endpoint-base, {VARIABLE}, or endpoints_app in the scenario)"
    if standing.handle.writes is Writes.ROLLBACK or standing.neighbours is None:
        return f"{NO_CONTROL}: the rows of this run stay in one transaction, which no application can see"
    if standing.handle.writes is Writes.NEVER or not standing.plan.manifest.canaries:
        return f"{NO_CONTROL}: no rows were seeded that could be recognized in an answer"
    if application.command is not None and not standing.handle.owned:
        return "not asked: an application is started only before a database of our own; say where one runs"
    return ""


@contextmanager
def _serving(standing: Standing, application: Application) -> Iterator[str]:
    if application.command is None:
        assert application.base is not None
        yield application.base
        return
    with running(command_for(standing, application.command)) as base:
        yield base


def command_for(standing: Standing, app: EndpointsApp) -> Command:
    """How to start the application before the seeded database."""
    session = standing.plan.scenario.session
    known = facts_of_database(standing.handle.conninfo, app.login or session.login or session.role)
    assert app.command is not None
    return Command(
        line=app.command,
        folder=Path(standing.plan.scenario.path).parent.absolute(),
        ready=app.ready,
        environment=app.env,
        known={**known, **_facts_of_key(standing.signer)},
    )


def _facts_of_key(signer: Signer) -> dict[str, str]:
    secret = signer.key.decode("utf-8", errors="replace") if isinstance(signer.key, bytes) else ""
    return {"jwt.secret": secret, "jwt.jwks": json.dumps(signer.jwks())}


def _ask_all(
    standing: Standing, application: Application, client: Client, haul: Haul, stack: ExitStack
) -> Sequence[Visit]:
    plan = standing.plan
    assert standing.neighbours is not None
    connection = stack.enter_context(psycopg.connect(standing.neighbours, autocommit=True))
    connection.execute("SET lock_timeout = '10s'")  # an application may keep a transaction open
    rows = Rows(connection=connection, plan=plan)
    keeper = Keeper(connection) if standing.handle.owned and standing.handle.writes is Writes.SEED else None
    marks, asker = Marks(canaries=plan.manifest.canaries, rows=rows), Asker(plan=plan, rows=rows, base=client.base)
    visits: list[Visit] = []
    for endpoint in plan.scenario.endpoints:
        visit = _visit(endpoint, asker, marks, haul, client, keeper, ours=application.command is not None)
        if visit is None:
            reason = "writes, and is asked only where tenantproof started the application, or with `safe: true`"
            haul.gap(endpoint, f"not asked: {endpoint.method} {reason}")
            continue
        visit.everything()
        visits.append(visit)
    reading = [visit for visit in visits if visit.endpoint.reads and not visit.endpoint.public and visit.controls]
    if keeper is not None and reading:
        compare_worlds(client, plan, keeper, reading, haul)
    elif reading:
        reason = "whether answers depend on rows of others was not tried: this database is not ours to change"
        haul.gaps.append(Gap(object=OBJECT, reason=reason))
    haul.notes.append(_summary(visits, client, haul))
    return visits


def _visit(
    endpoint: Endpoint, asker: Asker, marks: Marks, haul: Haul, client: Client, keeper: Keeper | None, *, ours: bool
) -> Visit | None:
    """The visit of an endpoint; None where its writes could not be undone."""
    plan = asker.plan
    people, tenants = plan.manifest.personas, [tenant.name for tenant in plan.scenario.tenants]
    if endpoint.reads:
        return Visit(
            client,
            asker,
            marks,
            endpoint,
            people,
            tenants,
            haul,
            without_others=World2(plan, keeper) if keeper is not None else None,
        )
    if keeper is None or not ours:
        return None
    return WritingVisit(Watched(client, plan, keeper), asker, marks, endpoint, people, tenants, haul)


def _summary(visits: Sequence[Visit], client: Client, haul: Haul) -> str:
    answered = sum(1 for visit in visits if visit.controls)
    leaking = {called(sighting.endpoint) for sighting in haul.sightings}
    return f"{answered} of {len(visits)} endpoints answered, {client.requests:,} requests; {len(leaking)} of them leak"
