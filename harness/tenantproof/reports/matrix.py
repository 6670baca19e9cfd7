"""The matrix as people read it: verdict and entitlement of each cell become one of seven outcomes."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from tenantproof.core.finding import CellResult, Finding, Property, Verdict
from tenantproof.core.model import Command
from tenantproof.core.report import Report

CellKey = tuple[str, str, Command]
"""Relation, persona, command."""


class Outcome(enum.StrEnum):
    """What is shown for one cell; the value is how it is said in words."""

    ALLOWED = "allowed as intended"
    DENIED = "denied as intended"
    LEAKED = "leaked"
    OVERBLOCKED = "blocked too much"
    UNTESTED = "untested"
    ERROR = "error"
    ACCEPTED = "accepted"

    @property
    def glyph(self) -> str:
        return GLYPHS[self]

    @property
    def as_expected(self) -> bool:
        return self in (Outcome.ALLOWED, Outcome.DENIED)


GLYPHS: Mapping[Outcome, str] = {
    Outcome.ALLOWED: "✓",
    Outcome.DENIED: "·",
    Outcome.LEAKED: "✗",
    Outcome.OVERBLOCKED: "○",
    Outcome.UNTESTED: "?",
    Outcome.ERROR: "!",
    Outcome.ACCEPTED: "w",
}

_BY_VERDICT: Mapping[Verdict, Outcome] = {
    Verdict.LEAK: Outcome.LEAKED,
    Verdict.OVERBLOCKED: Outcome.OVERBLOCKED,
    Verdict.UNTESTED: Outcome.UNTESTED,
    Verdict.ERROR: Outcome.ERROR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Outcomes by cell; relations sorted by name, personas as `tenants_first` orders them.

    `findings` tells which findings a cell shows: a finding of visibility whatever the cell's verdict, any other only
    where the cell leaks (what a function or an error's text tells is no cell's doing).  A cell that is not in
    `outcomes` does not exist (nobody can INSERT into a materialized view).
    """

    relations: tuple[str, ...]
    personas: tuple[str, ...]
    outcomes: Mapping[CellKey, Outcome]
    findings: Mapping[CellKey, tuple[Finding, ...]]

    def glyphs(self, relation: str, persona: str) -> tuple[Outcome | None, ...]:
        """The four outcomes of one relation and persona, in the order S I U D."""
        return tuple(self.outcomes.get((relation, persona, command)) for command in Command)

    def as_expected(self, relation: str) -> bool:
        """Whether every cell of the relation is allowed or denied as intended."""
        cells = (outcome for persona in self.personas for outcome in self.glyphs(relation, persona))
        return all(outcome is None or outcome.as_expected for outcome in cells)

    def count(self, outcome: Outcome) -> int:
        return sum(1 for known in self.outcomes.values() if known is outcome)


def build_matrix(report: Report) -> Matrix:
    """The matrix of a report.  A deviation that only accepted findings witness is shown as accepted."""
    findings = _findings_by_cell(report)
    outcomes = {_key(cell): _outcome(cell, findings.get(_key(cell), ())) for cell in report.cells}
    relations = sorted({*report.relations, *(cell.object for cell in report.cells)})
    names = dict.fromkeys((*report.personas, *(cell.persona for cell in report.cells)))
    return Matrix(
        relations=tuple(relations),
        personas=tenants_first(tuple(names), report.tenants),
        outcomes=outcomes,
        findings=findings,
    )


def tenant_of(persona: str, tenants: tuple[str, ...]) -> str | None:
    """The tenant in a persona's name ("acme.member"), or None for anon, outsider and dual."""
    owners = (tenant for tenant in tenants if persona == tenant or persona.startswith(f"{tenant}."))
    return max(owners, key=len, default=None)


def tenants_first(personas: tuple[str, ...], tenants: tuple[str, ...]) -> tuple[str, ...]:
    """Personas grouped by tenant, in the order of the tenants; those without one come last."""

    def rank(persona: str) -> int:
        tenant = tenant_of(persona, tenants)
        return len(tenants) if tenant is None else tenants.index(tenant)

    return tuple(sorted(personas, key=rank))


def _key(cell: CellResult) -> CellKey:
    return (cell.object, cell.persona, cell.command)


def _findings_by_cell(report: Report) -> Mapping[CellKey, tuple[Finding, ...]]:
    leaking = {_key(cell) for cell in report.cells if cell.verdict is Verdict.LEAK}
    found: dict[CellKey, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        objects = finding.objects or (finding.object,)
        commands = finding.commands or (finding.command,)
        for persona, name, command in product(dict.fromkeys(finding.personas), objects, commands):
            if finding.property is Property.VISIBILITY or (name, persona, command) in leaking:
                found[name, persona, command].append(finding)
    return {key: tuple(findings) for key, findings in found.items()}


def _outcome(cell: CellResult, findings: tuple[Finding, ...]) -> Outcome:
    if cell.verdict is Verdict.ISOLATED:
        return Outcome.ALLOWED if cell.entitled else Outcome.DENIED
    deviates = cell.verdict in (Verdict.LEAK, Verdict.OVERBLOCKED)
    if deviates and findings and all(finding.accepted for finding in findings):
        return Outcome.ACCEPTED
    return _BY_VERDICT[cell.verdict]
