"""Reasons and remarks, in the words of the report."""

from __future__ import annotations

from tenantproof.core.attempt import Observation

NEEDS_WRITES = "needs --writes rollback: in this mode nothing is written"
NOTHING_THERE = "it has no rows: where there is nothing to see, seeing nothing proves nothing"
NOBODY_ELSES = "no row of it is forbidden to them: there is nothing that they could see too much"
OPEN = "interrupted"
"""How a reason begins that leaves open what must be known (reports.unknown)."""

_TIMED_OUT = {"57014": "the statement ran into its time limit", "55P03": "somebody holds a lock on it"}
_WRITES = "25006"


def told(observation: Observation) -> str:
    """A refusal in words."""
    if observation.sqlstate in _TIMED_OUT:
        return _TIMED_OUT[observation.sqlstate]
    return observation.in_words()


def out_of_bounds(observation: Observation) -> bool:
    """Whether our own limits refused, and not the database."""
    return observation.sqlstate in _TIMED_OUT


def writes(observation: Observation) -> bool:
    """Whether reading it writes something, which a READ ONLY transaction refuses."""
    return observation.sqlstate == _WRITES
