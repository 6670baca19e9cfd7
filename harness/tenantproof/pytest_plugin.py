"""
The pytest plugin: `*.tenancy.yaml` files become tests, and a suite of one's own gets fixtures that act as personas.

Hooks only.  Nothing but pytest and the standard library is imported until a scenario is collected or a fixture is used,
so that a repository without scenarios pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tenantproof.testing.keys import COLLECTED, RESULTS

if TYPE_CHECKING:
    from supabase import Client as SupabaseClient

    from tenantproof.testing.rest import Api, Served
    from tenantproof.testing.results import Results
    from tenantproof.testing.tenancies import Tenancies
    from tenantproof.testing.tenancy import Acting, Tenancy

_EXAMPLE = '@pytest.mark.persona("acme.member", "anon")'

PATTERNS = ["*.tenancy.yaml", "*.tenancy.yml"]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tenantproof", "tenant isolation (tenantproof)")
    group.addoption("--tenantproof-target", metavar="TARGET", help="Where the databases are made (default: embedded).")
    group.addoption(
        "--tenantproof-writes",
        metavar="MODE",
        choices=["never", "rollback", "canary"],
        help="What may be written in a target that is somebody's (default: never).",
    )
    group.addoption("--tenantproof-seed", metavar="N", type=int, help="Seed of rows and programs.")
    group.addoption(
        "--tenantproof-attempts", metavar="N", type=int, help="Programs of the search for interference; 0: none."
    )
    group.addoption(
        "--tenantproof-report",
        metavar="FORMAT=PATH",
        action="append",
        default=[],
        help="Also write a report; {scenario} in PATH stands for the scenario's name.  Repeatable.",
    )
    group.addoption(
        "--tenantproof-fail-on",
        metavar="SEVERITY",
        choices=["info", "low", "medium", "high", "critical", "never"],
        help="The least severity that fails a test, or never (default: medium).",
    )
    group.addoption(
        "--tenantproof-baseline",
        metavar="FILE",
        action="append",
        default=[],
        help="A file of `tenantproof baseline create`: its scenario's known findings pass.  Repeatable.",
    )
    group.addoption(
        "--tenantproof-history", metavar="FILE", help="A file that keeps runs in short: what is new since the last one."
    )
    group.addoption(
        "--tenantproof-via",
        metavar="WAY",
        action="append",
        default=[],
        help="A further way in, beside plain SQL: rest or pooled.  Repeatable.",
    )
    parser.addini("tenantproof_via", "As --tenantproof-via.", "args", [])
    parser.addini("tenantproof_baseline", "As --tenantproof-baseline, from the root folder.", "args", [])
    parser.addini("tenantproof_history", "As --tenantproof-history, from the root folder.", "string", "")
    parser.addini("tenantproof_scenarios", "Patterns of scenario files to collect.", "args", PATTERNS)
    parser.addini("tenantproof_target", "As --tenantproof-target.", "string", "embedded")
    parser.addini("tenantproof_writes", "As --tenantproof-writes.", "string", "")
    parser.addini("tenantproof_attempts", "As --tenantproof-attempts.", "string", "")
    parser.addini("tenantproof_fail_on", "As --tenantproof-fail-on.", "string", "medium")
    parser.addini(
        "tenantproof_inconclusive", "What a cell that could not be tested does: fail or skip.", "string", "fail"
    )
    parser.addini(
        "tenantproof_granularity", "One test for each cell, or one for each table: cell or table.", "string", "cell"
    )


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        "scenario(path): the scenario file that the fixture `tenancy` loads.",
        "persona(*names): run the test once for each persona; its name is the fixture `persona`.",
        "tenant_isolation: a test of tenant isolation; every collected cell has it.",
    ):
        config.addinivalue_line("markers", line)
    patterns = config.getini("tenantproof_scenarios")
    if patterns != PATTERNS:
        _require_files(config.rootpath, patterns)
    if _names_files(config):
        from tenantproof.testing.settings import settings_of

        settings_of(config)  # a file that cannot be written or read is better refused now, once, than by each test


def _names_files(config: pytest.Config) -> bool:
    """Whether an option or an ini value names a report, a baseline or a history."""
    options = ("--tenantproof-report", "--tenantproof-baseline", "--tenantproof-history")
    inis = ("tenantproof_baseline", "tenantproof_history")
    return any(map(config.getoption, options)) or any(map(config.getini, inis))


def _require_files(root: Path, patterns: list[str]) -> None:
    """Raise UsageError for a pattern that somebody wrote and that finds nothing: green would mean nothing."""
    for pattern in patterns:
        if next(root.rglob(pattern.lstrip("/")), None) is None:
            raise pytest.UsageError(f"tenantproof_scenarios = {pattern}: no file below {root} is called so")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """With xdist: tell the worker where all workers put their results."""
    from tenantproof.testing.results import results_of

    results = results_of(node.config)  # type: ignore[attr-defined]
    node.workerinput["tenantproof_results"] = str(results.folder)  # type: ignore[attr-defined]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if not any(file_path.match(pattern) for pattern in parent.config.getini("tenantproof_scenarios")):
        return None
    from tenantproof.testing.items import ScenarioFile

    parent.config.stash.setdefault(COLLECTED, set()).add(file_path)
    node: pytest.Collector = ScenarioFile.from_parent(parent, path=file_path)
    return node


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    personas = metafunc.definition.get_closest_marker("persona")
    if personas is not None and "persona" in metafunc.fixturenames:
        if not personas.args:
            pytest.fail(f"the marker persona names nobody: {_EXAMPLE}", pytrace=False)
        metafunc.parametrize("persona", personas.args)
    scenario = metafunc.definition.get_closest_marker("scenario")
    if scenario is not None and "tenancy" in metafunc.fixturenames:
        metafunc.parametrize("tenancy", scenario.args, indirect=True, scope="session")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if RESULTS in config.stash:
        from tenantproof.testing.summary import summarize

        summarize(terminalreporter, config.stash[RESULTS])


def pytest_unconfigure(config: pytest.Config) -> None:
    if RESULTS in config.stash:
        config.stash[RESULTS].close()


@pytest.fixture(scope="session")
def tenantproof_dsn() -> str | None:
    """Override this to hand over the database of your own suite: a DSN of a superuser.

    It is never touched: each worker works in a copy of it on the same server.  None: the scenario's migrations are
    applied to a database on the embedded server.
    """
    return None


@pytest.fixture(scope="session")
def tenantproof_results(request: pytest.FixtureRequest, tenantproof_dsn: str | None) -> Results:
    """The reports of this session, made when they are first asked for."""
    from tenantproof.testing.results import results_of

    results = results_of(request.config)
    results.dsn = tenantproof_dsn
    return results


@pytest.fixture(scope="session")
def tenantproof_tenancies(tenantproof_dsn: str | None, tenantproof_results: Results) -> Iterator[Tenancies]:
    """The seeded databases of this worker, by scenario."""
    from tenantproof.testing.tenancies import Tenancies

    with ExitStack() as stack:
        yield Tenancies(stack, settings=tenantproof_results.settings, dsn=tenantproof_dsn)


@pytest.fixture(scope="session")
def tenancy(request: pytest.FixtureRequest, tenantproof_tenancies: Tenancies) -> Tenancy:
    """The scenario, seeded in a database of this worker: its personas, tenants and rows.

    Which scenario: the marker `scenario`, else the only one that the ini `tenantproof_scenarios` finds.
    """
    from tenantproof.testing.finding_files import the_scenario

    return tenantproof_tenancies.open(the_scenario(request.config, getattr(request, "param", None)))


@pytest.fixture
def persona(request: pytest.FixtureRequest) -> str:
    """The name of the persona that the test runs as: the marker `persona` gives it."""
    pytest.fail(
        f"{request.node.name} asks for the fixture `persona`, and no marker says who that is: add {_EXAMPLE}, with "
        "names of the scenario's personas",
        pytrace=False,
    )


@pytest.fixture
def acting_as(tenancy: Tenancy) -> Iterator[Callable[[str], Acting]]:
    """`acting_as("acme.member")`: a connection as that persona.  All of it is rolled back after the test."""
    with ExitStack() as stack:
        yield lambda persona: stack.enter_context(tenancy.acting_as(persona))


@pytest.fixture(scope="session")
def tenantproof_api() -> Api | None:
    """Override this to hand over an API of your own before `tenancy.conninfo`: a tenantproof.testing.Api.

    None: a PostgREST is started for the session.
    """
    return None


@pytest.fixture(scope="session")
def tenantproof_served(tenancy: Tenancy, tenantproof_api: Api | None) -> Iterator[Served]:
    """The API before the database of `tenancy`, made when it is first asked."""
    from tenantproof.testing.rest import served

    with served(tenancy, tenantproof_api) as place:
        yield place


@pytest.fixture
def supabase_as(tenantproof_served: Served) -> Iterator[Callable[[str], SupabaseClient]]:
    """`supabase_as("acme.member")`: the supabase client of that persona.

    What it commits is put back after the test.
    """
    with tenantproof_served.restored():
        yield tenantproof_served.client


@pytest.fixture
def assert_isolated(tenancy: Tenancy, tenantproof_results: Results) -> Callable[[str], None]:
    """`assert_isolated("public.invoices")`: fails with the finding where that table, view or function leaks."""
    from tenantproof.testing.asserting import isolated

    def assert_it(name: str) -> None:
        __tracebackhide__ = True
        isolated(tenantproof_results.report(tenancy.path), name, tenantproof_results.settings)

    return assert_it
