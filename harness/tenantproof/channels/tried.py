"""Which kinds of finding a run looked for at all: what it did not look for is not gone because it was not found."""

from __future__ import annotations

from tenantproof.channels.endpoints.catalogue import ENDPOINT_CHANNELS
from tenantproof.channels.replica.catalogue import REPLICA_CHANNELS
from tenantproof.channels.rest.catalogue import REST_CHANNELS
from tenantproof.core.report import Report

SEARCHED = frozenset({"INTERFERENCE", "SIDE-EFFECT", "SEQ-GAP", "MEMBER-LIFE"})
"""What the search for interference finds; the matrix finds the rest of what SQL can show."""

_REST = "rest"
"""The phase of a run that asked over HTTP."""

_REPLICA = "replica"
"""The phase of a run that asked a standby."""

_ENDPOINTS = "endpoints"
"""The phase of a run that asked the application's endpoints."""


def was_tried(channel: str, report: Report) -> bool:
    """Whether a finished run looked for a channel; for a pattern with `*`, for all that SQL can show.

    Never of `fuzz`, which has no cells: it draws by chance, and what it does not meet may be there.
    """
    if report.interrupted or not report.cells:
        return False
    if channel in REST_CHANNELS:
        return _REST in report.timing.phases
    if channel in REPLICA_CHANNELS:
        return _REPLICA in report.timing.phases
    if channel in ENDPOINT_CHANNELS:
        return _ENDPOINTS in report.timing.phases
    searched = report.search is not None and report.search.attempts > 0
    if channel in SEARCHED:
        return searched
    return searched or "*" not in channel
