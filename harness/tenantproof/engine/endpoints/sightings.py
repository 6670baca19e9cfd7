"""What was seen of others, before it is a finding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tenantproof.core.finding import Severity
from tenantproof.core.model import Endpoint, Persona
from tenantproof.core.report import Gap
from tenantproof.engine.endpoints.asking import Trial
from tenantproof.targets.endpoints.client import Ask


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One answer that says too much, or one request that did.

    `before` are the requests of others that came first, with who made them; `world_1` and `world_2` are lines of an
    answer before and after something happened behind the persona's back.
    """

    channel: str
    trial: Trial
    expected: str
    observed: str
    shows: str
    before: tuple[tuple[Persona, Ask], ...] = ()
    severity: Severity | None = None
    behind: str = ""
    world_1: tuple[str, ...] = ()
    world_2: tuple[str, ...] = ()

    @property
    def endpoint(self) -> Endpoint:
        return self.trial.endpoint


@dataclass(slots=True)
class Haul:
    """What was found so far: kept when the application goes away in the middle."""

    sightings: list[Sighting] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def leaks(self, endpoint: Endpoint, channel: str | None = None) -> bool:
        """Whether an endpoint showed something already, in this channel or in any."""
        return any(one.endpoint == endpoint and channel in (None, one.channel) for one in self.sightings)

    def gap(self, endpoint: Endpoint, reason: str) -> None:
        """Write down what was not tested of an endpoint."""
        self.gaps.append(Gap(object=called(endpoint), reason=reason))


def called(endpoint: Endpoint) -> str:
    """The endpoint's name where an object is named."""
    return f"endpoint {endpoint.name}"


def listed(names: Sequence[str], most: int = 4) -> str:
    """Some of the names, for people."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
