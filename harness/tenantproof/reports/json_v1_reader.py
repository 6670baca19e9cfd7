"""
Reads `json-v1` back into a Report.

Strict (reports.json_node).  What the writer derived (`summary`, a finding's `fingerprint`) is derived again, not read.
"""

from __future__ import annotations

from tenantproof.core.baseline import Compared
from tenantproof.core.errors import UsageError
from tenantproof.core.finding import CellResult, Evidence, Finding, Property, Reach, Severity, Verdict
from tenantproof.core.history import PastRun
from tenantproof.core.model import Command, Place, QName
from tenantproof.core.report import Gap, Report, Search, Timing
from tenantproof.core.world import Unseeded
from tenantproof.reports.json_node import Node, names_of, parsed
from tenantproof.reports.json_v1 import FORMAT


def read_report(text: str) -> Report:
    """The report that the JSON writer wrote.  Raises UsageError where the text is not such a report."""
    try:
        root = parsed(text, FORMAT)
    except UsageError as error:
        raise UsageError(f"not a tenantproof report: {error}") from error
    if (found := root.text("format")) != FORMAT:
        raise UsageError(f"the report's format is '{found}'; this tenantproof reads '{FORMAT}'")
    return _report(root)


_CELL_KEYS = names_of(CellResult)
_FINDING_KEYS = (*names_of(Finding), "fingerprint")
_ROOT_KEYS = (*(set(names_of(Report)) - {"scenario_path", "timing", "suite"}), "format", "summary", "times")


def _report(root: Node) -> Report:
    root.close(*_ROOT_KEYS)
    scenario = root.node("scenario")
    scenario.close("name", "path")
    search, baseline = root.node_or_none("search"), root.node_or_none("baseline")
    return Report(
        tool_version=root.text("tool_version"),
        scenario=scenario.text("name"),
        scenario_path=scenario.text("path"),
        target=root.text("target"),
        server_version=root.text("server_version"),
        seed=root.integer("seed"),
        tenants=root.texts("tenants"),
        roles=root.texts("roles"),
        personas=root.texts("personas"),
        relations=root.text_map("relations"),
        cells=tuple(_cell(node) for node in root.nodes("cells")),
        findings=tuple(_finding(node) for node in root.nodes("findings")),
        unseeded=tuple(_unseeded(node) for node in root.nodes("unseeded")),
        gaps=tuple(_gap(node) for node in root.nodes("gaps")),
        notes=root.texts("notes"),
        patches=root.texts("patches"),
        statements=root.integer("statements"),
        rows_seeded=root.integer("rows_seeded"),
        search=None if search is None else _search(search),
        timing=_timing(root.node("times")),
        exit_code=root.integer_or_none("exit_code"),
        interrupted=root.flag("interrupted"),
        trouble=root.text("trouble"),
        round_trips=root.integer("round_trips"),
        reached_by=root.texts("reached_by"),
        again=root.text("again"),
        history=tuple(past_run(node) for node in root.nodes("history")),
        baseline=None if baseline is None else _compared(baseline),
    )


def past_run(node: Node) -> PastRun:
    """An earlier run in short.  Raises UsageError."""
    node.close(*names_of(PastRun))
    return PastRun(
        started_at=node.text("started_at"),
        scenario=node.text("scenario"),
        seed=node.integer("seed"),
        tool_version=node.text("tool_version"),
        isolated=node.count("isolated"),
        leaked=node.count("leaked"),
        overblocked=node.count("overblocked"),
        untested=node.count("untested"),
        accepted=node.count("accepted"),
        findings={name: word.value for name, word in node.word_map("findings", Severity).items()},
    )


def _compared(node: Node) -> Compared:
    node.close(*names_of(Compared))
    return Compared(path=node.text("path"), found=node.texts("found"), gone=node.texts("gone"))


def _finding(node: Node) -> Finding:
    node.close(*_FINDING_KEYS)
    place = node.node_or_none("place")
    return Finding(
        property=node.word("property", Property),
        channel=node.text("channel"),
        severity=node.word("severity", Severity),
        reach=node.word("reach", Reach),
        object=node.text("object"),
        objects=node.texts("objects"),
        command=node.word("command", Command),
        commands=node.words("commands", Command),
        title=node.text("title"),
        cause=node.text("cause"),
        explanation=node.text("explanation"),
        fix=node.text("fix"),
        cwe=node.integer("cwe"),
        personas=node.texts("personas"),
        evidence=tuple(_evidence(item) for item in node.nodes("evidence")),
        replay=node.text("replay"),
        policy=node.text_or_none("policy"),
        policy_text=node.text("policy_text"),
        file=node.text_or_none("file"),
        line=node.integer_or_none("line"),
        place=None if place is None else _place(place),
        accepted=node.text("accepted"),
    )


def _place(node: Node) -> Place:
    node.close(*names_of(Place))
    return Place(path=node.text("path"), line=node.integer("line"), column=node.integer("column"))


def _evidence(node: Node) -> Evidence:
    node.close(*names_of(Evidence))
    return Evidence(
        persona=node.text("persona"),
        statement=node.text("statement"),
        expected=node.text("expected"),
        observed=node.text("observed"),
        rows=node.texts("rows"),
        behind=node.text("behind"),
        world_1=node.texts("world_1"),
        world_2=node.texts("world_2"),
    )


def _cell(node: Node) -> CellResult:
    node.close(*_CELL_KEYS)
    return CellResult(
        object=node.text("object"),
        persona=node.text("persona"),
        command=node.word("command", Command),
        verdict=node.word("verdict", Verdict),
        entitled=node.flag("entitled"),
        expected=node.text("expected"),
        observed=node.text("observed"),
        reason=node.text("reason"),
        attempts=node.integer("attempts"),
    )


def _unseeded(node: Node) -> Unseeded:
    node.close(*names_of(Unseeded))
    relation = node.node("relation")
    relation.close("schema", "name")
    return Unseeded(
        relation=QName(relation.text("schema"), relation.text("name")),
        tenant=node.text_or_none("tenant"),
        sqlstate=node.text("sqlstate"),
        message=node.text("message"),
    )


def _gap(node: Node) -> Gap:
    node.close(*names_of(Gap))
    return Gap(object=node.text("object"), reason=node.text("reason"))


def _search(node: Node) -> Search:
    node.close(*names_of(Search))
    return Search(
        attempts=node.integer("attempts"),
        pairs=node.integer("pairs"),
        passed=node.integer("passed"),
        denied=node.integer("denied"),
        failed=node.integer("failed"),
        unsteady=node.integer("unsteady"),
        distinct=node.integer("distinct"),
        weak=node.text("weak"),
    )


def _timing(node: Node) -> Timing:
    node.close(*names_of(Timing))
    return Timing(
        started_at=node.text("started_at"),
        seconds=node.number("seconds"),
        phases=node.number_map("phases"),
        reads_per_second=node.number("reads_per_second"),
        attempts_per_second=node.number("attempts_per_second"),
        pairs_per_second=node.number("pairs_per_second"),
    )
