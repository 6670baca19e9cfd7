"""Where a finding stands in the sources: every format that points at a line points at the same one."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass

from tenantproof.core.finding import Finding
from tenantproof.core.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A line of a source file; `what` says which ("the policy", "the expectation")."""

    path: str
    line: int
    column: int | None = None
    what: str


def spots(report: Report, finding: Finding) -> tuple[Spot, ...]:
    """The cause in its migration, then the scenario's line that was violated; never empty.

    A finding that has neither (a policy that no migration names, an expectation that nobody wrote) stands at the
    beginning of the scenario, since platforms attach what has no place to nothing.
    """
    found: list[Spot] = []
    if finding.file is not None:
        what = f"the policy {finding.policy}" if finding.policy else "the cause"
        found.append(Spot(path=tidy(finding.file), line=max(1, finding.line or 1), what=what))
    if finding.place is not None:
        place = finding.place
        line, column = max(1, place.line), max(1, place.column)
        found.append(Spot(path=tidy(place.path), line=line, column=column, what="what the scenario declares"))
    return tuple(found) or (beginning(report),)


def beginning(report: Report) -> Spot:
    """The first line of the scenario: the place of what has no other."""
    return Spot(path=tidy(report.scenario_path), line=1, what="the scenario")


def tidy(path: str) -> str:
    """The path without "./" and "x/..", as version control spells it."""
    return posixpath.normpath(path) if path else path
