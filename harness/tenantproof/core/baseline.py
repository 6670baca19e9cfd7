"""Findings that were there when somebody began to use tenantproof.  No clock, no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from tenantproof.core.finding import Severity
from tenantproof.core.model import Acceptance, Command

FOREVER = "9999-12-31"


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One finding of the baseline; all but the fingerprint is for the reader."""

    fingerprint: str
    channel: str
    object: str
    command: Command
    severity: Severity
    title: str
    personas: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The findings of one run that no longer fail a run; `scenario` is its name, `created` that run's instant."""

    scenario: str
    created: str
    tool_version: str
    findings: tuple[Known, ...]

    def acceptances(self, path: str) -> tuple[Acceptance, ...]:
        """The same as entries of `accept`; what tells them from entries of the scenario is that they have no place."""
        return tuple(
            Acceptance(
                channel=known.channel,
                object=known.object,
                fingerprint=known.fingerprint,
                reason=f"in the baseline {path}",
                until=FOREVER,
            )
            for known in self.findings
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A run beside the baseline that it was given: fingerprints of what it found again, and of what it did not."""

    path: str
    found: tuple[str, ...]
    gone: tuple[str, ...]
    """Only what the run looked for: without the search, nothing of the search is gone."""
