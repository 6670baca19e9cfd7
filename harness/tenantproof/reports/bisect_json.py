"""
The format `bisect-v1`: which migration opened each leak.

Contract: keys and their meaning do not change while the name is `bisect-v1` (`bisect-v1.schema.json` beside this
module describes them); two runs of one scenario, database and seed differ in `seconds` only.
"""

from __future__ import annotations

from tenantproof.core.bisection import Bisection, Episode, Look, Opening, Passing
from tenantproof.core.finding import Finding

FORMAT = "bisect-v1"


def bisect_document(bisection: Bisection) -> dict[str, object]:
    """The bisection as plain JSON values."""
    report = bisection.report
    return {
        "format": FORMAT,
        "tool_version": report.tool_version,
        "scenario": {"name": report.scenario, "path": report.scenario_path},
        "target": report.target,
        "server_version": report.server_version,
        "seed": report.seed,
        "files": list(bisection.files),
        "first": bisection.first,
        "last": bisection.last,
        "linear": bisection.linear,
        "leaks": [_opening(opening) for opening in bisection.openings],
        "closed_again": [_passing(passing) for passing in bisection.passing],
        "prefixes": [_look(look) for look in bisection.looks],
        "seconds": bisection.seconds,
    }


def _opening(opening: Opening) -> dict[str, object]:
    return {
        **_finding(opening.finding),
        "number": opening.number,
        "file": opening.file,
        "line": opening.line,
        "statement": opening.statement,
        "certainty": opening.certainty.value,
        "reason": opening.reason,
        "unseen_prefixes": opening.unseen,
        "leaked_already_by": list(opening.already),
        "earlier": [_episode(episode) for episode in opening.earlier],
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "fingerprint": finding.fingerprint,
        "channel": finding.channel,
        "severity": finding.severity.value,
        "object": finding.object,
        "commands": [command.value for command in finding.commands or (finding.command,)],
        "cause": finding.cause,
        "title": finding.title,
        "fix": finding.fix,
    }


def _passing(passing: Passing) -> dict[str, object]:
    return {**_finding(passing.finding), **_episode(passing.episode)}


def _episode(episode: Episode) -> dict[str, object]:
    return {"opened": episode.opened, "closed": episode.closed}


def _look(look: Look) -> dict[str, object]:
    return {
        "number": look.number,
        "file": look.file,
        "checked": look.checked,
        "findings": look.findings,
        "reason": look.reason,
    }
