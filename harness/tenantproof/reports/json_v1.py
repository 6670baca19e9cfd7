"""
The format `json-v1`: everything a run found out, for scripts, for `diff` and to render other formats later.

Contract: keys and their meaning do not change while the name is `json-v1` (`json-v1.schema.json` beside this module
describes them); keys are sorted, text is ASCII with escapes; two runs of one scenario, database and seed differ in
`times` only, and in the `history` that was kept between them.  `read_report` is the inverse: `read_report(text of
report) == report`.
"""

from __future__ import annotations

import importlib.resources
import json
from collections import Counter
from functools import cache
from typing import TextIO

from tenantproof.core.baseline import Compared
from tenantproof.core.finding import CellResult, Evidence, Finding, Verdict
from tenantproof.core.history import PastRun
from tenantproof.core.model import Place
from tenantproof.core.report import Report, Search, Timing
from tenantproof.core.world import Unseeded

FORMAT = "json-v1"


class JsonV1Writer:
    """Writes `json-v1`."""

    name = "json"
    suffix = ".json"

    def write(self, report: Report, out: TextIO) -> None:
        json.dump(document(report), out, indent=2, sort_keys=True, allow_nan=False)
        out.write("\n")


@cache
def schema_text() -> str:
    """The JSON Schema (2020-12) of `json-v1`, as shipped."""
    source = importlib.resources.files(__package__) / "json-v1.schema.json"
    return source.read_text(encoding="utf-8")


def document(report: Report) -> dict[str, object]:
    """The report as plain JSON values."""
    return {
        "format": FORMAT,
        "tool_version": report.tool_version,
        "scenario": {"name": report.scenario, "path": report.scenario_path},
        "target": report.target,
        "server_version": report.server_version,
        "seed": report.seed,
        "tenants": list(report.tenants),
        "roles": list(report.roles),
        "personas": list(report.personas),
        "relations": dict(report.relations),
        "patches": list(report.patches),
        "statements": report.statements,
        "rows_seeded": report.rows_seeded,
        "search": search_document(report.search),
        "summary": summary(report),
        "findings": [finding_document(finding) for finding in report.findings],
        "cells": [cell_document(cell) for cell in report.cells],
        "unseeded": [_unseeded(unseeded) for unseeded in report.unseeded],
        "gaps": [{"object": gap.object, "reason": gap.reason} for gap in report.gaps],
        "notes": list(report.notes),
        "exit_code": report.exit_code,
        "interrupted": report.interrupted,
        "trouble": report.trouble,
        "round_trips": report.round_trips,
        "reached_by": list(report.reached_by),
        "again": report.again,
        "history": [run_document(run) for run in report.history],
        "baseline": _compared(report.baseline),
        "times": _times(report.timing),
    }


def run_document(run: PastRun) -> dict[str, object]:
    """An earlier run as plain JSON values."""
    return {
        "started_at": run.started_at,
        "scenario": run.scenario,
        "seed": run.seed,
        "tool_version": run.tool_version,
        "isolated": run.isolated,
        "leaked": run.leaked,
        "overblocked": run.overblocked,
        "untested": run.untested,
        "accepted": run.accepted,
        "findings": dict(run.findings),
    }


def _compared(baseline: Compared | None) -> dict[str, object] | None:
    if baseline is None:
        return None
    return {"path": baseline.path, "found": list(baseline.found), "gone": list(baseline.gone)}


def summary(report: Report) -> dict[str, int]:
    """Cells by verdict, all findings, and how many of those are accepted."""
    verdicts = Counter(cell.verdict for cell in report.cells)
    return {
        **{verdict.value: verdicts[verdict] for verdict in Verdict},
        "cells": len(report.cells),
        "findings": len(report.findings),
        "accepted": sum(1 for finding in report.findings if finding.accepted),
    }


def finding_document(finding: Finding) -> dict[str, object]:
    """A finding as plain JSON values."""
    return {
        "fingerprint": finding.fingerprint,
        "property": finding.property.value,
        "channel": finding.channel,
        "severity": finding.severity.value,
        "reach": finding.reach.value,
        "object": finding.object,
        "objects": list(finding.objects),
        "command": finding.command.value,
        "commands": [command.value for command in finding.commands],
        "title": finding.title,
        "cause": finding.cause,
        "explanation": finding.explanation,
        "fix": finding.fix,
        "cwe": finding.cwe,
        "personas": list(finding.personas),
        "evidence": [_evidence(evidence) for evidence in finding.evidence],
        "replay": finding.replay,
        "policy": finding.policy,
        "policy_text": finding.policy_text,
        "file": finding.file,
        "line": finding.line,
        "place": _place(finding.place),
        "accepted": finding.accepted,
    }


def _place(place: Place | None) -> dict[str, object] | None:
    return None if place is None else {"path": place.path, "line": place.line, "column": place.column}


def _evidence(evidence: Evidence) -> dict[str, object]:
    return {
        "persona": evidence.persona,
        "statement": evidence.statement,
        "expected": evidence.expected,
        "observed": evidence.observed,
        "rows": list(evidence.rows),
        "behind": evidence.behind,
        "world_1": list(evidence.world_1),
        "world_2": list(evidence.world_2),
    }


def cell_document(cell: CellResult) -> dict[str, object]:
    """A cell as plain JSON values."""
    return {
        "object": cell.object,
        "persona": cell.persona,
        "command": cell.command.value,
        "verdict": cell.verdict.value,
        "entitled": cell.entitled,
        "expected": cell.expected,
        "observed": cell.observed,
        "reason": cell.reason,
        "attempts": cell.attempts,
    }


def _unseeded(unseeded: Unseeded) -> dict[str, object]:
    return {
        "relation": {"schema": unseeded.relation.schema, "name": unseeded.relation.name},
        "tenant": unseeded.tenant,
        "sqlstate": unseeded.sqlstate,
        "message": unseeded.message,
    }


def search_document(search: Search | None) -> dict[str, object] | None:
    """How the search went, as plain JSON values; None where nothing was searched."""
    if search is None:
        return None
    return {
        "attempts": search.attempts,
        "pairs": search.pairs,
        "passed": search.passed,
        "denied": search.denied,
        "failed": search.failed,
        "unsteady": search.unsteady,
        "distinct": search.distinct,
        "weak": search.weak,
    }


def _times(timing: Timing) -> dict[str, object]:
    return {
        "started_at": timing.started_at,
        "seconds": timing.seconds,
        "phases": dict(timing.phases),
        "reads_per_second": timing.reads_per_second,
        "attempts_per_second": timing.attempts_per_second,
        "pairs_per_second": timing.pairs_per_second,
    }
