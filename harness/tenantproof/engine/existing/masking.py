"""Findings without anybody's ids: statements say variables, scripts look people up by hashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tenantproof.core.finding import Evidence, Finding
from tenantproof.engine.existing.probes import Probe
from tenantproof.engine.existing.scripts import Scripts
from tenantproof.engine.matrix import Judged


def masked(
    finding: Finding, cells: Sequence[Judged], asked: Mapping[str, Probe], scripts: Scripts, *, include_data: bool
) -> Finding:
    """The finding with a script of ours; its statements keep their ids only where data is to be included."""
    replay = _script(finding, cells, asked, scripts)
    evidence = finding.evidence if include_data else tuple(_without_ids(item, asked) for item in finding.evidence)
    return replace(finding, evidence=evidence, replay=replay)


def _without_ids(evidence: Evidence, asked: Mapping[str, Probe]) -> Evidence:
    probe = asked.get(evidence.statement)
    return evidence if probe is None else replace(evidence, statement=probe.masked)


def _script(finding: Finding, cells: Sequence[Judged], asked: Mapping[str, Probe], scripts: Scripts) -> str:
    """The script of the first evidence, which is that of the cell that tells most."""
    first = finding.evidence[0]
    for judged in cells:
        statements = {outcome.attempt.sql for outcome in judged.outcomes}
        about = str(judged.object.name) in (finding.object, *finding.objects)
        if not about or judged.stand.persona.name != first.persona or first.statement not in statements:
            continue
        query = asked[first.statement].in_script
        if finding.channel == "OVER-BLOCKED":
            return scripts.of_blocked(judged, query)
        rows = [v.row for v in judged.judgement.violations if v.outcome.attempt.sql == first.statement]
        if rows:
            return scripts.of_leak(judged, rows, query)
    return ""
