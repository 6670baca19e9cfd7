"""
The Python interface: what the command line does, as functions.

    import tenantproof
    report = tenantproof.check("app.tenancy.yaml")
    assert not report.findings
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path

import psycopg

from tenantproof.core.errors import TargetError, UsageError
from tenantproof.core.events import PhaseStarted, RunFinished
from tenantproof.core.finding import Severity, Verdict
from tenantproof.core.ports import SILENT, Handle
from tenantproof.core.report import Report
from tenantproof.core.seeds import DEFAULT_SEED
from tenantproof.engine.run import check as run
from tenantproof.identity.signing import Signer
from tenantproof.scenario import load_scenario
from tenantproof.targets.choice import EMBEDDED, require_embedded
from tenantproof.targets.embedded import EmbeddedTarget


def check(
    scenario: str | PathLike[str],
    *,
    seed: int = DEFAULT_SEED,
    patches: Sequence[str | PathLike[str]] = (),
    signer: Signer | None = None,
    target: str = EMBEDDED,
    keep: bool = False,
    say: Callable[[str], None] = SILENT,
    then: Callable[[Handle, Report], None] | None = None,
) -> Report:
    """Build the database of a scenario file, check it and return the report.

    *patches* are SQL files applied after the migrations.  *signer* signs the personas' tokens (default: HS256 with the
    local default secret; see tenantproof.identity.signing).  *target* is "embedded", or a DSN, which is refused so
    far.  With *keep* the seeded database stays, and *say* is told how to reach it.  *then* is called with the seeded
    database before it goes away.  Raises the errors of tenantproof.core.errors; a leak is no error, it is a finding
    of the report.
    """
    declared = load_scenario(Path(scenario))
    require_embedded(target)
    files = [Path(patch) for patch in patches]
    for patch in files:
        if not patch.is_file():
            raise UsageError(f"--patch {patch}: there is no such file")
    server = EmbeddedTarget(declared.database, patches=files, keep=keep, say=say)
    try:
        with server.database() as handle:
            for event in run(
                handle, declared, seed=seed, signer=signer or Signer(), patches=[str(patch) for patch in files]
            ):
                if isinstance(event, PhaseStarted):
                    say(event.what)
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
    empty = [item for item in report.unseeded if not item.message.startswith(("insert: ", "read: "))]
    return len(empty) + sum(
        1
        for cell in report.cells
        if cell.verdict is Verdict.ERROR
        or (
            cell.verdict is Verdict.UNTESTED
            and (strict or cell.reason.startswith(("undecided", "no positive control")))
        )
    )
