"""What a collected test says: passes, fails with the findings, or is skipped with the reason.  Pure but for `told`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tenantproof.core.finding import CellResult, Finding
from tenantproof.core.model import Command
from tenantproof.core.report import Report
from tenantproof.reports.matrix import Outcome
from tenantproof.reports.unknown import is_hollow, is_undecided, is_unknown
from tenantproof.testing.outline import unlisted
from tenantproof.testing.results import Results
from tenantproof.testing.telling import block


class Leaks(Exception):
    """One or more findings; the text shows them."""


class Inconclusive(Exception):
    """Nothing is known where something must be."""


class Skipped(Exception):
    """Nothing to prove here; the text says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Findings that a test stands for, for the properties of its JUnit case."""

    findings: tuple[Finding, ...] = ()


def judge_cell(results: Results, path: Path, relation: str, command: Command, persona: str) -> Verdict:
    """One cell.  Raises Leaks, Inconclusive or Skipped, and CannotCheck."""
    report, matrix = results.report(path), results.matrix(path)
    key = (relation, persona, command)
    outcome = matrix.outcomes.get(key)
    if outcome is None:
        raise Skipped(_why_not_there(report, relation, persona))
    if outcome.as_expected:
        return Verdict()
    findings = matrix.findings.get(key, ())
    cell = next(c for c in report.cells if (c.object, c.persona, c.command) == key)
    if outcome in (Outcome.UNTESTED, Outcome.ERROR):
        _inconclusive(results, [cell])
    if outcome is Outcome.ACCEPTED:
        raise Skipped("accepted: " + "; ".join(f.accepted for f in findings if f.accepted))
    return _fail(results, path, findings) or _leak_without_finding(cell)


def judge_table(results: Results, path: Path, relation: str) -> Verdict:
    """All cells of one relation at once."""
    report, matrix = results.report(path), results.matrix(path)
    if relation not in report.relations:
        raise Skipped(_why_not_there(report, relation, ""))
    cells = [cell for cell in report.cells if cell.object == relation]
    findings = [f for cell in cells for f in matrix.findings.get((relation, cell.persona, cell.command), ())]
    verdict = _fail(results, path, findings)
    _inconclusive(results, cells)
    return verdict or Verdict()


def judge_findings(results: Results, path: Path, channels: Iterable[str]) -> Verdict:
    """All findings of these channels."""
    wanted = set(channels)
    found = [finding for finding in results.report(path).findings if finding.channel in wanted]
    if found and all(finding.accepted for finding in found):
        raise Skipped("accepted: " + "; ".join(finding.accepted for finding in found))
    return _fail(results, path, found) or Verdict()


def judge_way(results: Results, path: Path, channels: Iterable[str], about: str) -> Verdict:
    """What a further way in found, whose gaps are *about* something."""
    verdict = judge_findings(results, path, channels)
    gaps = [gap for gap in results.report(path).gaps if gap.object.startswith(about) and is_undecided(gap)]
    if gaps:
        _unknown(results, "nothing is known of:\n  " + "\n  ".join(f"{gap.object}: {gap.reason}" for gap in gaps))
    return verdict


def judge_endpoint(results: Results, path: Path, name: str) -> Verdict:
    """One endpoint of the scenario; skipped where it was not asked."""
    report, here = results.report(path), f"endpoint {name}"
    found = [finding for finding in report.findings if finding.object == here]
    if found and all(finding.accepted for finding in found):
        raise Skipped("accepted: " + "; ".join(finding.accepted for finding in found))
    verdict = _fail(results, path, found)
    open_ones = [gap for gap in report.gaps if gap.object in (here, "endpoints")]
    unknown = [gap.reason for gap in open_ones if is_undecided(gap)]
    if unknown and verdict is None:
        _unknown(results, "; ".join(unknown))
    skipped = [gap.reason for gap in open_ones if gap.reason.startswith("not asked")]
    if skipped and verdict is None:
        raise Skipped("; ".join(skipped))
    return verdict or Verdict()


def judge_rest(results: Results, path: Path, listed: Iterable[str]) -> Verdict:
    """The relations for which no test was collected."""
    report, matrix = results.report(path), results.matrix(path)
    rest = set(unlisted(listed, report.relations))
    cells = [cell for cell in report.cells if cell.object in rest]
    findings = [f for cell in cells for f in matrix.findings.get((cell.object, cell.persona, cell.command), ())]
    verdict = _fail(results, path, findings)
    _inconclusive(results, cells)
    return verdict or Verdict()


def judge_seeding(results: Results, path: Path) -> Verdict:
    """Whether every table was decided on and filled: an empty one proves nothing."""
    report = results.report(path)
    missing = [f"{item.relation}: {item.message}" for item in report.unseeded if is_hollow(item)]
    missing += [f"{gap.object}: {gap.reason}" for gap in report.gaps if is_undecided(gap)]
    if missing:
        _unknown(results, "nothing is known of:\n  " + "\n  ".join(missing))
    return Verdict()


def judge_search(results: Results, path: Path) -> Verdict:
    """Whether the search proves anything."""
    search = results.report(path).search
    if search is None:
        raise Skipped("no search: --tenantproof-attempts 0")
    if search.weak:
        _unknown(results, f"the search is weak: {search.weak}")
    return Verdict()


def _why_not_there(report: Report, relation: str, persona: str) -> str:
    if relation not in report.relations:
        return f"{relation} is not in the database: dropped, renamed or out of scope after all"
    if persona not in report.personas:
        return f"this database cannot hold the persona {persona}"
    return f"nobody can do this to {relation}"


def _fail(results: Results, path: Path, findings: Iterable[Finding]) -> Verdict | None:
    """Raise Leaks for what gates; the findings below the gate are no failure."""
    all_of_them = tuple({finding.fingerprint: finding for finding in findings if not finding.accepted}.values())
    least = results.settings.fail_on
    gating = [finding for finding in all_of_them if least is not None and finding.severity.rank >= least.rank]
    if gating:
        error = Leaks("\n\n".join(_told(results, path, finding) for finding in gating))
        error.findings = tuple(gating)  # type: ignore[attr-defined]
        raise error
    return Verdict(all_of_them) if all_of_them else None


def _told(results: Results, path: Path, finding: Finding) -> str:
    """The finding in full the first time, in one line afterwards."""
    if finding.fingerprint in results.told:
        head = f"{finding.severity} {finding.channel} {finding.object}"
        return f"{head}: {finding.title} (shown above, {finding.fingerprint})"
    results.told.add(finding.fingerprint)
    return block(results.report(path), results.matrix(path), finding, results.settings.fail_on)


def _leak_without_finding(cell: CellResult) -> Verdict:
    raise Leaks(f"{cell.object} · {cell.command} · {cell.persona}: expected {cell.expected}, observed {cell.observed}")


def _inconclusive(results: Results, cells: Iterable[CellResult]) -> None:
    """What must be known and is not fails or is skipped as the ini says; what merely was not tested is skipped."""
    cells = list(cells)
    unknown = [cell for cell in cells if is_unknown(cell)]
    if unknown:
        reasons = dict.fromkeys(f"{cell.command} {cell.persona}: {cell.reason}" for cell in unknown)
        _unknown(results, f"{unknown[0].object} could not be tested\n  " + "\n  ".join(reasons))
    if cells and len(cells) == 1 and cells[0].reason:
        raise Skipped(f"untested: {cells[0].reason}")


def _unknown(results: Results, why: str) -> None:
    raise Inconclusive(why) if results.settings.inconclusive == "fail" else Skipped(why)
