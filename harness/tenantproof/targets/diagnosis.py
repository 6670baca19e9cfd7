"""What `doctor` tells of somebody's database: who we are there, and what each mode of writing would be allowed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tenantproof.core.model import Scenario
from tenantproof.core.ports import Writes
from tenantproof.core.settings import TargetSettings
from tenantproof.targets.dsn import NAME, facts_for, named, require_host, time_of_a_round_trip
from tenantproof.targets.facts import Facts
from tenantproof.targets.guard import Refusal, refusals
from tenantproof.targets.live import read_only
from tenantproof.targets.reach import describe

MODES = (Writes.NEVER, Writes.ROLLBACK, Writes.CANARY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One database as the guard sees it."""

    place: str
    round_trip: float
    facts: Facts
    writes: Writes
    """What a run without --writes would write."""
    refused: Mapping[Writes, tuple[Refusal, ...]]


def diagnose(settings: TargetSettings, scenario: Scenario) -> Diagnosis:
    """Look, in one READ ONLY transaction.  Raises TargetError where nobody answers."""
    conninfo = named(settings.dsn, f"{NAME} doctor")
    require_host(conninfo, settings)
    with read_only(conninfo) as connection:
        round_trip = time_of_a_round_trip(connection)
        facts = facts_for(connection, scenario)
    return Diagnosis(
        place=describe(conninfo),
        round_trip=round_trip,
        facts=facts,
        writes=settings.writes or Writes.NEVER,
        refused={mode: tuple(refusals(facts, settings, mode)) for mode in MODES},
    )
