"""
The Python interface: what the command line does, as functions.

    import tenantproof
    report = tenantproof.check("app.tenancy.yaml")
    assert not report.findings
    report = tenantproof.fuzz("app.tenancy.yaml", seconds=600)
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import psycopg

from tenantproof.core.errors import TargetError, UsageError
from tenantproof.core.events import Event, PhaseStarted, RunFinished, Searching
from tenantproof.core.finding import Severity, Verdict
from tenantproof.core.model import Scenario
from tenantproof.core.ports import SILENT, Handle
from tenantproof.core.report import Report, Search
from tenantproof.core.seeds import DEFAULT_SEED
from tenantproof.engine.interference.hunt import Budget
from tenantproof.engine.run import check as run_check
from tenantproof.engine.run import fuzz as run_fuzz
from tenantproof.generation.programs import Profile
from tenantproof.identity.signing import Signer
from tenantproof.scenario import load_scenario
from tenantproof.targets.choice import EMBEDDED, require_embedded
from tenantproof.targets.embedded import EmbeddedTarget

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
    target: str = EMBEDDED,
    keep: bool = False,
    attempts: int = DEFAULT_ATTEMPTS,
    profile: Profile | str = Profile.SQL,
    examples: str | PathLike[str] | None = None,
    say: Callable[[str], None] = SILENT,
    then: Callable[[Handle, Report], None] | None = None,
) -> Report:
    """Build the database of a scenario file, check it and return the report.

    *patches* are SQL files applied after the migrations.  *signer* signs the personas' tokens (default: HS256 with the
    local default secret; see tenantproof.identity.signing).  *target* is "embedded", or a DSN, which is refused so
    far.  With *keep* the seeded database stays, and *say* is told how to reach it.

    After the matrix, *attempts* programs search for interference (0: none); *profile* "api" draws only what PostgREST
    can express; *examples* is a folder of what `fuzz` found before, to be tried first.  *then* is called with the
    seeded database before it goes away.  Raises the errors of tenantproof.core.errors; a leak is no error, it is a
    finding of the report.
    """
    budget = _budget(attempts, seed, profile, examples)
    return _run(
        scenario,
        lambda handle, declared, files: run_check(
            handle, declared, seed=seed, signer=signer or Signer(), budget=budget, patches=files
        ),
        patches=patches,
        target=target,
        keep=keep,
        say=say,
        then=then,
    )


def fuzz(
    scenario: str | PathLike[str],
    *,
    seconds: float,
    seed: int = DEFAULT_SEED,
    patches: Sequence[str | PathLike[str]] = (),
    signer: Signer | None = None,
    target: str = EMBEDDED,
    profile: Profile | str = Profile.SQL,
    examples: str | PathLike[str] | None = None,
    draws: int | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[Search, float], None] = lambda _search, _seconds: None,
    say: Callable[[str], None] = SILENT,
    then: Callable[[Handle, Report], None] | None = None,
) -> Report:
    """Build the database of a scenario file and search it for interference for *seconds*; returns the report.

    *seed* seeds the database; *draws* seeds the programs (None: another search each time; a note of the report says
    which, so that it can be repeated).  *examples* is a folder that keeps what was found, to be tried first the next
    time.  The seconds count from the first program on, not from the start of the server.  *stop* is asked after each
    batch; *progress* gets the numbers so far and the seconds gone.  The report has no cells: the matrix is `check`'s.
    The rest is as in `check`.
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
        keep=False,
        say=say,
        then=then,
        progress=progress,
    )


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
    target: str,
    keep: bool,
    say: Callable[[str], None],
    then: Callable[[Handle, Report], None] | None,
    progress: Callable[[Search, float], None] = lambda _search, _seconds: None,
) -> Report:
    declared = load_scenario(Path(scenario))
    require_embedded(target)
    files = [Path(patch) for patch in patches]
    for patch in files:
        if not patch.is_file():
            raise UsageError(f"--patch {patch}: there is no such file")
    server = EmbeddedTarget(declared.database, patches=files, keep=keep, say=say)
    try:
        with server.database() as handle:
            for event in events(handle, declared, [str(patch) for patch in files]):
                if isinstance(event, PhaseStarted):
                    say(event.what)
                elif isinstance(event, Searching):
                    progress(event.search, event.seconds)
                elif isinstance(event, RunFinished):
                    if then is not None:
                        then(handle, event.report)
                    return event.report
    except psycopg.OperationalError as error:
        raise TargetError(f"the database went away in the middle of the run: {error}") from error
    raise AssertionError("a run always ends with RunFinished")


def exit_code(report: Report, fail_on: Severity | None = Severity.MEDIUM, *, strict: bool = False) -> int:
    """0 isolated, 1 a finding at or above the threshold (None: never), 4 not known.

    Cells with an error, undecided tables, tables that could not be filled and members without a positive control are
    always unknown; with *strict* every untested cell is.
    """
    if fail_on is not None and report.gating(fail_on):
        return 1
    return 4 if _unknown(report, strict=strict) else 0


def _unknown(report: Report, *, strict: bool) -> int:
    weak = 1 if report.search is not None and report.search.weak else 0
    empty = [item for item in report.unseeded if not item.message.startswith(("insert: ", "read: "))]
    return (
        weak
        + len(empty)
        + sum(
            1
            for cell in report.cells
            if cell.verdict is Verdict.ERROR
            or (
                cell.verdict is Verdict.UNTESTED
                and (strict or cell.reason.startswith(("undecided", "no positive control")))
            )
        )
    )
