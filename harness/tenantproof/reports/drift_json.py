"""
The format `drift-v1`: where a live database, or a Prisma schema, differs from the migrations.

Contract: keys and their meaning do not change while the name is `drift-v1` (`drift-v1.schema.json` beside this module
describes them); kinds may be added.
"""

from __future__ import annotations

from tenantproof.core.drift import Difference, Drift
from tenantproof.core.finding import Severity
from tenantproof.core.version import VERSION

FORMAT = "drift-v1"


def drift_document(drift: Drift) -> dict[str, object]:
    """The comparison as plain JSON values."""
    return {
        "format": FORMAT,
        "tool_version": VERSION,
        "scenario": {"name": drift.scenario, "path": drift.scenario_path},
        "server_version": drift.server_version,
        "against": list(drift.against),
        "schemas": list(drift.schemas),
        "compared": dict(drift.compared),
        "left_out": list(drift.left_out),
        "notes": list(drift.notes),
        "summary": {severity.value: _count(drift, severity) for severity in Severity},
        "differences": [_difference(difference) for difference in drift.differences],
        "seconds": drift.seconds,
    }


def _count(drift: Drift, severity: Severity) -> int:
    return sum(1 for difference in drift.differences if difference.severity is severity)


def _difference(difference: Difference) -> dict[str, object]:
    return {
        "kind": difference.kind,
        "severity": difference.severity.value,
        "direction": difference.direction.value,
        "object": difference.object,
        "part": difference.part,
        "migrations": difference.migrations,
        "live": difference.live,
        "why": difference.why,
        "file": difference.file,
        "line": difference.line,
    }
