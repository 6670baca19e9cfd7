"""Findings that a person took responsibility for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from functools import cache

from tenantproof.channels.tried import was_tried
from tenantproof.core.finding import Finding
from tenantproof.core.model import Acceptance
from tenantproof.core.report import Report


def accept(findings: Sequence[Finding], accepted: Sequence[Acceptance], today: date) -> list[Finding]:
    """The findings, those that an acceptance covers carrying its reason.  From its date on it covers nothing.

    An entry of the scenario goes before a baseline: once it is over, its finding counts, whatever the baseline holds.
    """
    return [_accepted(finding, accepted, today) for finding in findings]


def ended(findings: Sequence[Finding], accepted: Sequence[Acceptance], today: date) -> Iterator[str]:
    """Acceptances that are over, and whose findings count again; *findings* are those of `accept`."""
    for entry in accepted:
        if _is_over(entry, today) and any(_covers(entry, finding) and not finding.accepted for finding in findings):
            yield f"{_words(entry)} ended on {entry.until}: the finding counts again"


def unmatched(report: Report, accepted: Sequence[Acceptance]) -> Iterator[str]:
    """Entries of the scenario for what a run looked for and did not find."""
    for entry in accepted:
        if entry.place is None or not was_tried(entry.channel, report):
            continue
        if not any(_covers(entry, finding) for finding in report.findings):
            yield f"{_words(entry)} matches no finding of this run: remove it where the leak is mended"


def _words(entry: Acceptance) -> str:
    named = " ".join(filter(None, (entry.channel, entry.object, entry.fingerprint)))
    return f"accept: {named} ({entry.place})"


def _accepted(finding: Finding, accepted: Sequence[Acceptance], today: date) -> Finding:
    covering = [entry for entry in accepted if _covers(entry, finding)]
    of_the_scenario = [entry for entry in covering if entry.place is not None]
    for entry in of_the_scenario or covering:
        if not _is_over(entry, today):
            return replace(finding, accepted=_told(entry))
    return finding


def _told(entry: Acceptance) -> str:
    return entry.reason if entry.place is None else f"{entry.reason}, until {entry.until}"


def _is_over(entry: Acceptance, today: date) -> bool:
    return date.fromisoformat(entry.until) <= today


def _covers(entry: Acceptance, finding: Finding) -> bool:
    return (
        entry.fingerprint in (None, finding.fingerprint)
        and _pattern(entry.channel).fullmatch(finding.channel) is not None
        and _pattern(entry.object).fullmatch(finding.object) is not None
    )


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """Only `*` is special: a function's name has brackets, `public.find(text[])`, and means them."""
    return re.compile(".*".join(map(re.escape, re.split(r"\*+", text))), re.DOTALL)
