"""Which of a session's baselines is a scenario's: a suite may have several scenarios, each with its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tenantproof.core.errors import UsageError
from tenantproof.reports.baseline import load_baseline
from tenantproof.scenario import load_scenario


def baseline_for(scenario: Path, baselines: Sequence[Path]) -> Path | None:
    """The baseline of a scenario file, None where none is.

    Raises UsageError where two are, and for a file that is no baseline, whichever scenario's it was meant to be.
    """
    if not baselines:
        return None
    name = load_scenario(scenario).name
    found = [path for path in baselines if load_baseline(path).scenario == name]
    if len(found) > 1:
        raise UsageError(f"{found[0]} and {found[1]} are both baselines of '{name}': one is enough")
    return found[0] if found else None
