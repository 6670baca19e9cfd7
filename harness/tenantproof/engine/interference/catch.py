"""One violation, caught: who, by which program, in which other world, and what it comes down to."""

from __future__ import annotations

import builtins
import enum
from dataclasses import dataclass, field

from tenantproof.core.finding import Property, Severity
from tenantproof.core.model import QName
from tenantproof.core.program import Answer, Line, Program
from tenantproof.engine.interference.arena import Damage, Suspicion
from tenantproof.engine.interference.elsewhere import Elsewhere
from tenantproof.properties.integrity import Breach


class Mechanism(enum.StrEnum):
    """What a violation comes down to: one word of a root cause."""

    FUNCTION = "function"
    VIEW = "view"
    CONSTRAINT = "constraint"
    READ = "read"
    WRITE = "write"
    REQUEST = "request"
    SEQUENCE = "sequence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A root cause: the mechanism and the object to mend."""

    mechanism: Mechanism
    object: QName
    detail: str = ""
    """The constraint, the relation that was damaged, or the unusual request."""

    @property
    def key(self) -> str:
        """A stable word for it."""
        return f"{self.mechanism} {self.detail}".strip()


@dataclass(slots=True, kw_only=True)
class Catch:
    """A root cause with its smallest evidence, and everybody it was seen as."""

    property: Property
    root: Root
    program: Program
    first: Answer
    world: Elsewhere | None = None
    second: Answer = ()
    at: int = 0
    """Index of the line that tells."""
    breaches: tuple[Breach, ...] = ()
    witnesses: list[str] = field(default_factory=list)
    severity: Severity | None = None
    """None: no news."""
    told: bool = True
    """False for what the matrix says already."""

    @builtins.property
    def line(self) -> Line:
        return self.program.lines[min(self.at, len(self.program.lines) - 1)]

    def seen_by(self, persona: str) -> None:
        """One more witness."""
        if persona not in self.witnesses:
            self.witnesses.append(persona)


def line_that_tells(suspicion: Suspicion) -> Line:
    """The statement whose observations differ."""
    return suspicion.program.lines[min(suspicion.difference.at, len(suspicion.program.lines) - 1)]


def root_of_suspicion(suspicion: Suspicion, *, is_view: bool) -> Root:
    """What an unshrunk or shrunk suspicion points to."""
    line, difference = line_that_tells(suspicion), suspicion.difference
    before = suspicion.program.lines[: difference.at]
    constraint = difference.first.constraint or difference.second.constraint
    if suspicion.program.variation.settings:
        return Root(mechanism=Mechanism.REQUEST, object=line.subject, detail=_kind_of(suspicion.program))
    if before:
        mechanism = Mechanism.FUNCTION if before[0].calls else Mechanism.WRITE
        return Root(mechanism=mechanism, object=before[0].subject, detail=f"opens {line.subject}")
    if line.calls:
        return Root(mechanism=Mechanism.FUNCTION, object=line.subject)
    otherwise = any(o.refused and not o.passed_policy for o in (difference.first, difference.second))
    if constraint and line.writes is not None and not otherwise:
        return Root(mechanism=Mechanism.CONSTRAINT, object=line.writes[0], detail=constraint)
    if line.writes is not None:
        return Root(mechanism=Mechanism.WRITE, object=line.writes[0], detail=str(line.writes[1]))
    return Root(mechanism=Mechanism.VIEW if is_view else Mechanism.READ, object=line.subject)


def root_of_damage(damage: Damage) -> Root:
    """What damage points to: the function called, or the relation written to."""
    calls = [line for line in damage.program.lines if line.calls]
    if damage.program.variation.settings:
        subject = damage.program.lines[-1].subject
        return Root(mechanism=Mechanism.REQUEST, object=subject, detail=_kind_of(damage.program))
    if calls:
        return Root(mechanism=Mechanism.FUNCTION, object=calls[-1].subject)
    line = next((line for line in damage.program.lines if line.writes is not None), damage.program.lines[-1])
    hurt = damage.breaches[0].change
    beside = "" if line.writes is not None and hurt.relation == line.writes[0] else f" {hurt.relation}"
    command = line.writes[1] if line.writes is not None else hurt.command
    return Root(mechanism=Mechanism.WRITE, object=line.subject, detail=f"{command}{beside}")


def _kind_of(program: Program) -> str:
    """The variation without its value: `with the request header x-org`."""
    words = program.variation.words
    return words.partition(":")[0].partition(" =")[0]
