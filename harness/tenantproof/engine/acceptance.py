"""Findings that a person took responsibility for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase

from tenantproof.core.finding import Finding
from tenantproof.core.model import Acceptance


def accept(findings: Sequence[Finding], accepted: Sequence[Acceptance], today: date) -> list[Finding]:
    """The findings, those that an acceptance covers carrying its reason.  An expired acceptance covers nothing."""
    return [_accepted(finding, accepted, today) for finding in findings]


def _accepted(finding: Finding, accepted: Sequence[Acceptance], today: date) -> Finding:
    for entry in accepted:
        if _covers(entry, finding) and date.fromisoformat(entry.until) >= today:
            return replace(finding, accepted=entry.reason)
    return finding


def _covers(entry: Acceptance, finding: Finding) -> bool:
    return fnmatchcase(finding.channel, entry.channel) and fnmatchcase(finding.object, entry.object)
