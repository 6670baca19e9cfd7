"""Earlier runs, in short.  No clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRun:
    """One run: its cells as people read them, and its open findings by fingerprint, each with its severity's word."""

    started_at: str
    """ISO 8601, UTC."""
    scenario: str
    """The scenario's name: paths differ from one folder to the next."""
    seed: int
    tool_version: str
    isolated: int
    leaked: int
    overblocked: int
    untested: int
    """Errors are among them."""
    accepted: int
    findings: Mapping[str, str] = field(default_factory=dict)


def first_seen(fingerprint: str, history: tuple[PastRun, ...]) -> str:
    """When a finding was there without a gap until today; empty where the last run did not have it."""
    runs = list(_in_a_row(fingerprint, history))
    return runs[-1].started_at if runs else ""


def runs_seen(fingerprint: str, history: tuple[PastRun, ...]) -> int:
    """How many earlier runs had a finding, without a gap until today."""
    return sum(1 for _ in _in_a_row(fingerprint, history))


def _in_a_row(fingerprint: str, history: tuple[PastRun, ...]) -> Iterator[PastRun]:
    """The runs that had a finding, the last one first, up to the first that had not."""
    for run in reversed(history):
        if fingerprint not in run.findings:
            return
        yield run
