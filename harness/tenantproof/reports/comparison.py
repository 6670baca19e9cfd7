"""
Two runs compared: which findings are new, which are fixed, which are still there.

Findings are the same where their fingerprints are.  That a finding is gone proves a fix only where the new run tried
the same again; where it did not (the cells were untested, nothing was searched), nobody can tell, and so it is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from tenantproof.core.finding import CellResult, Finding, Property, Severity, Verdict
from tenantproof.core.report import Report
from tenantproof.reports.matrix import CellKey
from tenantproof.reports.wording import open_findings, server, worst_first

_TOO_LITTLE = 0.5
"""A search that tried less than half of what the old one tried would not have met the finding again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """A finding that the new run does not have, and why that proves nothing."""

    finding: Finding
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What became of the findings; each is in one place, the worst first.

    `new` are open now and were not before (because they did not exist, or because they were accepted);
    `accepted` were open and are accepted now; `differences` say in what the two runs differ besides.
    """

    old: Report
    new_report: Report
    new: tuple[Finding, ...]
    fixed: tuple[Finding, ...]
    unclear: tuple[Unclear, ...]
    unchanged: tuple[Finding, ...]
    accepted: tuple[Finding, ...]
    differences: tuple[str, ...]

    def gating(self, threshold: Severity) -> tuple[Finding, ...]:
        """New findings at or above the threshold."""
        return tuple(finding for finding in self.new if finding.severity.rank >= threshold.rank)


def compare_runs(old: Report, new: Report) -> Comparison:
    """What became of the old run's findings, and what came."""
    before = {finding.fingerprint: finding for finding in open_findings(old)}
    now = {finding.fingerprint: finding for finding in new.findings}
    open_now = {finding.fingerprint: finding for finding in open_findings(new)}
    gone = [finding for fingerprint, finding in before.items() if fingerprint not in now]
    doubter = _Doubter(old=old, new=new, before=_by_key(old), now=_by_key(new))
    doubts = {finding.fingerprint: doubter.doubt(finding) for finding in gone}
    return Comparison(
        old=old,
        new_report=new,
        new=worst_first([finding for key, finding in open_now.items() if key not in before]),
        fixed=worst_first([finding for finding in gone if not doubts[finding.fingerprint]]),
        unclear=tuple(
            Unclear(finding=finding, why=doubts[finding.fingerprint])
            for finding in worst_first(gone)
            if doubts[finding.fingerprint]
        ),
        unchanged=worst_first([finding for key, finding in open_now.items() if key in before]),
        accepted=worst_first([now[key] for key in before if key in now and now[key].accepted]),
        differences=tuple(_differences(old, new)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Doubter:
    """Looks for reasons why the new run may have missed what the old one found."""

    old: Report
    new: Report
    before: Mapping[CellKey, CellResult]
    now: Mapping[CellKey, CellResult]

    def doubt(self, finding: Finding) -> str:
        """Why the new run may have missed the finding; empty where it would have found it."""
        shown = [key for key in _cells(finding) if key in self.before]
        if finding.property is Property.VISIBILITY and shown:
            return next(filter(None, map(self._untried, shown)), "")
        return _unsearched(self.old, self.new)  # what no cell shows came from the search

    def _untried(self, key: CellKey) -> str:
        cell = self.now.get(key)
        name, persona, command = key
        if cell is None:
            return f"the new run has no cell {name} · {command} · {persona}"
        if cell.verdict in (Verdict.UNTESTED, Verdict.ERROR):
            return f"{name} · {command} · {persona} is {cell.verdict}: {cell.reason}"
        return ""


def _by_key(report: Report) -> Mapping[CellKey, CellResult]:
    return {(cell.object, cell.persona, cell.command): cell for cell in report.cells}


def _cells(finding: Finding) -> Iterator[CellKey]:
    return product(finding.objects or (finding.object,), finding.personas, finding.commands or (finding.command,))


def _unsearched(old: Report, new: Report) -> str:
    if new.search is None or not new.search.attempts:
        return "the new run searched nothing"
    if new.search.weak:
        return f"the new search was weak: {new.search.weak}"
    if old.search is not None and new.search.attempts < _TOO_LITTLE * old.search.attempts:
        return f"the new search was shorter: {new.search.attempts} attempts instead of {old.search.attempts}"
    return ""


def _differences(old: Report, new: Report) -> Iterator[str]:
    pairs = (
        ("scenario", old.scenario_path, new.scenario_path),
        ("target", old.target, new.target),
        ("server", server(old), server(new)),
        ("seed", str(old.seed), str(new.seed)),
        ("patches", ", ".join(old.patches) or "none", ", ".join(new.patches) or "none"),
        ("tenantproof", old.tool_version, new.tool_version),
        ("personas", str(len(old.personas)), str(len(new.personas))),
        ("relations", str(len(old.relations)), str(len(new.relations))),
    )
    for name, before, after in pairs:
        if before != after:
            yield f"{name}: {before} before, {after} now"
