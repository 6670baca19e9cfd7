"""The finished report: what every writer gets.  No clock, no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tenantproof.core.baseline import Compared
from tenantproof.core.finding import CellResult, Finding, Severity, Verdict
from tenantproof.core.history import PastRun
from tenantproof.core.suite import Suite
from tenantproof.core.world import Unseeded


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Something that was not tested (a relation out of reach, a table not filled), and why."""

    object: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How the search for interference went: what was tried, and how the database took it."""

    attempts: int = 0
    """Programs that ran in world 1."""
    pairs: int = 0
    """Comparisons of a program in world 1 with another world."""
    passed: int = 0
    """Attempts that policies and privileges let through."""
    denied: int = 0
    failed: int = 0
    """Attempts that ended otherwise: a cast, a missing value, a timeout.  They prove nothing."""
    unsteady: int = 0
    """Attempts that answer differently in the same world (clocks, random values, sequences), left out."""
    distinct: int = 0
    """Distinct (subject, statement shape, outcome)."""
    weak: str = ""
    """Why green proves little, where most attempts came to nothing; empty otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The only part of a report that may differ between two runs with the same seed."""

    started_at: str = ""
    """ISO 8601, UTC."""
    seconds: float = 0.0
    phases: Mapping[str, float] = field(default_factory=dict)
    reads_per_second: float = 0.0
    """Matrix cells of command SELECT per second of the whole matrix, writes and judging included."""
    attempts_per_second: float = 0.0
    """Programs of the search per second of wall time, drawing and shrinking included."""
    pairs_per_second: float = 0.0
    """World pairs per second of the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run of `check`, finished.

    `relations` maps "schema.name" to a word for how its rows' tenant is found; `personas` are in matrix
    order; `target` is a label without secrets; `statements` counts what the personas ran.
    """

    tool_version: str
    scenario: str
    scenario_path: str
    target: str
    server_version: str
    seed: int
    tenants: tuple[str, ...]
    roles: tuple[str, ...]
    personas: tuple[str, ...]
    relations: Mapping[str, str]
    cells: tuple[CellResult, ...]
    findings: tuple[Finding, ...]
    unseeded: tuple[Unseeded, ...] = ()
    gaps: tuple[Gap, ...] = ()
    notes: tuple[str, ...] = ()
    patches: tuple[str, ...] = ()
    statements: int = 0
    rows_seeded: int = 0
    search: Search | None = None
    """None where nothing was searched."""
    timing: Timing = field(default_factory=Timing)
    exit_code: int | None = None
    """What the command that made it ended with; None where it was no command."""
    interrupted: bool = False
    """Whether somebody ended the run early; cells and gaps say "interrupted" of what it did not come to."""
    trouble: str = ""
    """What went wrong with the database: it died, or something stayed in it.  Exit code 3 where no leak makes it 1."""
    round_trips: int = 0
    """How often somebody else's server was waited for; 0 where the database was ours."""
    history: tuple[PastRun, ...] = ()
    """Earlier runs of the scenario, the oldest first, where they were kept."""
    baseline: Compared | None = None
    """None where no baseline was given."""
    reached_by: tuple[str, ...] = ()
    """Options by which a verb reaches the same database again, such as --target env:STAGING; never a DSN.  None for
    one that is made from the migrations."""
    again: str = ""
    """The command that makes the same run again, where no verb of ours does: a test suite had made the database."""
    suite: Suite | None = None
    """The same as a suite to keep, where it was asked for; no saved run holds it."""

    def count(self, verdict: Verdict) -> int:
        """How many cells have this verdict."""
        return Counter(cell.verdict for cell in self.cells)[verdict]

    def gating(self, threshold: Severity) -> tuple[Finding, ...]:
        """Findings at or above the threshold that nobody accepted."""
        return tuple(f for f in self.findings if not f.accepted and f.severity.rank >= threshold.rank)
