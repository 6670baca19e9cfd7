"""What `check`, `demo` and `replay` share: load, build, run, narrate."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tenantproof.core.errors import UsageError
from tenantproof.core.events import PhaseStarted, RunFinished
from tenantproof.core.finding import Severity, Verdict
from tenantproof.core.ports import Handle
from tenantproof.core.report import Report

if TYPE_CHECKING:
    from rich.console import Console


def narrate(message: str) -> None:
    """One line about what goes on, on stderr."""
    print(f"  {message}", file=sys.stderr, flush=True)


def run_check(
    scenario_path: Path,
    *,
    seed: int,
    patches: Sequence[Path] = (),
    say: Callable[[str], None] = narrate,
    then: Callable[[Handle, Report], None] | None = None,
) -> Report:
    """Build the scenario's database, check it and return the report.

    *then* is called with the seeded database before it goes away.  Raises the errors of core.errors.
    """
    from tenantproof.engine.run import check
    from tenantproof.scenario import load_scenario
    from tenantproof.targets.embedded import EmbeddedTarget

    scenario = load_scenario(scenario_path)
    for patch in patches:
        if not patch.is_file():
            raise UsageError(f"--patch {patch}: there is no such file")
    target = EmbeddedTarget(scenario.database, patches=patches, say=say)
    with target.database() as handle:
        for event in check(handle, scenario, seed=seed, patches=[str(patch) for patch in patches]):
            if isinstance(event, PhaseStarted):
                say(event.what)
            elif isinstance(event, RunFinished):
                if then is not None:
                    then(handle, event.report)
                return event.report
    raise AssertionError("a run always ends with RunFinished")


def threshold(name: str) -> Severity | None:
    """The severity from which on a finding fails the run; None for never."""
    return None if name == "never" else Severity(name)


def exit_code(report: Report, fail_on: Severity | None, *, strict: bool) -> int:
    """0 isolated, 1 a finding at or above the threshold, 4 not known (see the list of exit codes in the docs)."""
    if fail_on is not None and report.gating(fail_on):
        return 1
    return 4 if unknown(report, strict=strict) else 0


def unknown(report: Report, *, strict: bool) -> int:
    """How many cells leave a question open: errors and undecided tables always; with strict all untested ones."""
    return sum(
        1
        for cell in report.cells
        if cell.verdict is Verdict.ERROR
        or (cell.verdict is Verdict.UNTESTED and (strict or cell.reason.startswith("undecided")))
    )


def console(color: str, *, stderr: bool = False) -> Console:
    """A terminal to print on; NO_COLOR and FORCE_COLOR are rich's to respect."""
    from rich.console import Console

    if color == "never":
        return Console(stderr=stderr, no_color=True, highlight=False, force_terminal=False)
    return Console(stderr=stderr, highlight=False, force_terminal=True if color == "always" else None)
