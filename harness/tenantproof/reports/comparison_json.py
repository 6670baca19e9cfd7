"""
The format `diff-v1`: a comparison of two runs, for scripts.

Contract: keys and their meaning do not change while the name is `diff-v1` (`diff-v1.schema.json` beside this module
describes them); findings are those of `json-v1`.
"""

from __future__ import annotations

from tenantproof.core.report import Report
from tenantproof.reports.comparison import Comparison
from tenantproof.reports.json_v1 import finding_document, summary

FORMAT = "diff-v1"


def document(comparison: Comparison) -> dict[str, object]:
    """The comparison as plain JSON values."""
    return {
        "format": FORMAT,
        "before": _run(comparison.old),
        "after": _run(comparison.new_report),
        "differences": list(comparison.differences),
        "new": list(map(finding_document, comparison.new)),
        "fixed": list(map(finding_document, comparison.fixed)),
        "unclear": [{"finding": finding_document(item.finding), "why": item.why} for item in comparison.unclear],
        "unchanged": list(map(finding_document, comparison.unchanged)),
        "accepted": list(map(finding_document, comparison.accepted)),
    }


def _run(report: Report) -> dict[str, object]:
    return {
        "tool_version": report.tool_version,
        "scenario": report.scenario_path,
        "target": report.target,
        "server_version": report.server_version,
        "seed": report.seed,
        "patches": list(report.patches),
        "started_at": report.timing.started_at,
        "summary": summary(report),
    }
