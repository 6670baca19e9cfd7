"""Which kinds of finding a run looked for at all: what it did not look for is not gone because it was not found."""

from __future__ import annotations

from tenantproof.channels.further import PHASE_OF
from tenantproof.core.report import Report

SEARCHED = frozenset({"INTERFERENCE", "SIDE-EFFECT", "SEQ-GAP", "MEMBER-LIFE"})
"""What the search for interference finds; the matrix finds the rest of what SQL can show."""

_READS_ONLY = "existing rows"
"""The phase of a run that only read what was there (engine.existing)."""


def was_tried(channel: str, report: Report) -> bool:
    """Whether a finished run looked for a channel; for a pattern with `*`, for all that SQL can show.

    Never of `fuzz`, which has no cells: it draws by chance, and what it does not meet may be there.
    """
    if report.interrupted or not report.cells:
        return False
    if channel in PHASE_OF:
        return PHASE_OF[channel] in report.timing.phases
    if _READS_ONLY in report.timing.phases:
        return channel in ("READ", "OVER-BLOCKED")
    searched = report.search is not None and report.search.attempts > 0
    if channel in SEARCHED:
        return searched
    return searched or "*" not in channel
