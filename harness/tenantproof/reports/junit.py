"""
The format `junit`: one test case per cell, for the test tabs of CI.

Contract: one suite per scenario; a case is named `table::command[persona]`, and the relation is its class.  A leak (or
blocking too much) is a failure that holds the finding, in full where it is told first; what must be known and is not is
an error; what was accepted, what was not tested without consequence, and findings below medium are skipped, with the
reason.  Findings and gaps that are no cell are cases of their own.  The document is valid by the XSD of Jenkins' xUnit
plugin (`junit-10.xsd`), which knows no properties of a case: they stand in its system-out as `[[PROPERTY|name=value]]`.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TextIO
from xml.etree import ElementTree

from tenantproof.core.finding import CellResult, Finding, Severity, Verdict
from tenantproof.core.report import Gap, Report, Search
from tenantproof.core.world import Unseeded
from tenantproof.reports.grouping import why
from tenantproof.reports.matrix import Matrix, build_matrix
from tenantproof.reports.plain import finding_digest, finding_text
from tenantproof.reports.unknown import is_hollow, is_undecided, is_unknown
from tenantproof.reports.visible import one_line, visible
from tenantproof.reports.wording import in_no_cell, server, worst_first

_GATE = Severity.MEDIUM
"""Where the gate stands unless somebody moves it: a test tab is not to be red where the run is green."""


class Result(enum.StrEnum):
    """How a case ended; the value of all but the first is the element that says so."""

    PASSED = "passed"
    FAILURE = "failure"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case; `text` is what stands inside the element of its result."""

    group: str
    name: str
    result: Result = Result.PASSED
    type: str = ""
    message: str = ""
    text: str = ""
    properties: tuple[tuple[str, str], ...] = ()


class JunitWriter:
    """Writes JUnit XML."""

    name = "junit"
    suffix = ".xml"

    def write(self, report: Report, out: TextIO) -> None:
        root = _document(report, tuple(cases(report)))
        ElementTree.indent(root)
        out.write('<?xml version="1.0" encoding="UTF-8"?>\n')
        out.write(ElementTree.tostring(root, encoding="unicode"))
        out.write("\n")


def cases(report: Report) -> Iterator[Case]:
    """Every cell, then the findings that no cell shows, then what could not be tried."""
    maker = _Maker(report=report, matrix=build_matrix(report))
    yield from map(maker.of_cell, report.cells)
    yield from map(maker.of_finding, in_no_cell(worst_first(report.findings), maker.matrix))
    yield from map(_of_unseeded, report.unseeded)
    yield from map(_of_gap, report.gaps)
    if report.search is not None:
        yield _of_search(report.search)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Maker:
    """Makes cases of one report."""

    report: Report
    matrix: Matrix
    digests: dict[str, str] = field(default_factory=dict)
    """Fingerprint -> short text, of findings that were told in full."""

    def of_cell(self, cell: CellResult) -> Case:
        name = f"{cell.object}::{cell.command}[{cell.persona}]"
        if cell.verdict is Verdict.ISOLATED:
            return Case(group=cell.object, name=name)
        if cell.verdict in (Verdict.UNTESTED, Verdict.ERROR):
            result = Result.ERROR if is_unknown(cell) else Result.SKIPPED
            return Case(group=cell.object, name=name, result=result, type=cell.verdict, message=why(cell))
        findings = self.matrix.findings.get((cell.object, cell.persona, cell.command), ())
        if not findings:
            return Case(group=cell.object, name=name, result=Result.FAILURE, type=cell.verdict, message=why(cell))
        return self._found(cell.object, name, worst_first(findings))

    def of_finding(self, finding: Finding) -> Case:
        commands = ",".join(finding.commands or (finding.command,))
        name = f"{finding.object}::{commands}[{finding.channel} {finding.fingerprint}]"
        return self._found(finding.object, name, (finding,))

    def _found(self, group: str, name: str, findings: Sequence[Finding]) -> Case:
        """The case of findings, the worst first; what nobody accepted counts before what somebody did."""
        told = sorted(findings, key=lambda finding: bool(finding.accepted))
        worst = told[0]
        gates = not worst.accepted and worst.severity.rank >= _GATE.rank
        return Case(
            group=group,
            name=name,
            result=Result.FAILURE if gates else Result.SKIPPED,
            type=worst.channel,
            message=_message(worst),
            text="\n\n".join(map(self._text, told)),
            properties=tuple(_properties(self.report, told)),
        )

    def _text(self, finding: Finding) -> str:
        """The finding's block; whole where it is told first, since a finding may have a thousand cells."""
        accepted = f"\nACCEPTED {one_line(finding.accepted)}" if finding.accepted else ""
        key = finding.fingerprint
        if key not in self.digests:
            self.digests[key] = finding_digest(self.report, self.matrix, finding)
            return finding_text(self.report, self.matrix, finding) + accepted
        return self.digests[key] + accepted


def _message(finding: Finding) -> str:
    if finding.accepted:
        return f"accepted: {finding.accepted}"
    if finding.severity.rank < _GATE.rank:
        return f"{finding.severity}, below {_GATE}: {finding.title}"
    return f"{finding.severity}: {finding.title}"


def _properties(report: Report, findings: Iterable[Finding]) -> Iterator[tuple[str, str]]:
    for finding in findings:
        yield "fingerprint", finding.fingerprint
        yield "severity", finding.severity
        yield "channel", finding.channel
    yield "seed", str(report.seed)


def _of_unseeded(unseeded: Unseeded) -> Case:
    tenant = f"[{unseeded.tenant}]" if unseeded.tenant else ""
    return Case(
        group="not filled",
        name=f"{unseeded.relation}::rows{tenant}",
        result=Result.ERROR if is_hollow(unseeded) else Result.SKIPPED,
        type="untested",
        message=f"{unseeded.message} ({unseeded.sqlstate})",
    )


def _of_gap(gap: Gap) -> Case:
    result = Result.ERROR if is_undecided(gap) else Result.SKIPPED
    return Case(group="out of reach", name=gap.object, result=result, type="untested", message=gap.reason)


def _of_search(search: Search) -> Case:
    if not search.weak:
        return Case(group="search", name="search")
    message = f"weak search: {search.weak}"
    return Case(group="search", name="search", result=Result.ERROR, type="untested", message=message)


def _document(report: Report, known: Sequence[Case]) -> ElementTree.Element:
    results = Counter(case.result for case in known)
    counts = {
        "tests": str(len(known)),
        "failures": str(results[Result.FAILURE]),
        "errors": str(results[Result.ERROR]),
        "time": f"{report.timing.seconds:.3f}",
    }
    root = ElementTree.Element("testsuites", {"name": "tenantproof"} | counts)
    more = {"skipped": str(results[Result.SKIPPED]), "file": one_line(report.scenario_path)}
    if report.timing.started_at:
        more["timestamp"] = one_line(report.timing.started_at)
    suite = ElementTree.SubElement(root, "testsuite", {"name": one_line(report.scenario)} | counts | more)
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _about(report):
        ElementTree.SubElement(properties, "property", name=name, value=one_line(value))
    for case in known:
        _add(suite, case)
    return root


def _about(report: Report) -> Iterator[tuple[str, str]]:
    yield "tool", f"tenantproof {report.tool_version}"
    yield "scenario", report.scenario_path
    yield "target", report.target
    yield "server", server(report)
    yield "seed", str(report.seed)
    if report.exit_code is not None:
        yield "exit_code", str(report.exit_code)
    for patch in report.patches:
        yield "patch", patch


def _add(suite: ElementTree.Element, case: Case) -> None:
    element = ElementTree.SubElement(suite, "testcase", name=one_line(case.name), classname=one_line(case.group))
    if case.result is Result.PASSED:
        return
    said = {"type": one_line(case.type), "message": one_line(case.message)}
    ElementTree.SubElement(element, case.result, said).text = visible(case.text) or None
    if case.properties:
        lines = (f"[[PROPERTY|{name}={one_line(value)}]]" for name, value in case.properties)
        ElementTree.SubElement(element, "system-out").text = "\n".join(lines)
