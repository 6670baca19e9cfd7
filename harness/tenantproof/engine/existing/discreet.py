"""
Refusals of a database that holds real rows, without what they quote.

The message of an error may hold a value (`invalid input syntax for type integer: "…"`), and a function may raise one
with a whole row in it.  What is known to name objects only is kept; of the rest the name of the condition remains.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import psycopg

from tenantproof.core.attempt import Observation
from tenantproof.engine.wire import Script, Wire

_NAMES_ONLY = re.compile(
    r"permission denied for (table|view|materialized view|schema|function|sequence|column|relation) \S+"
    r"|infinite recursion detected in policy for relation \S+"
    r"|stack depth limit exceeded"
    r"|(relation|column|function|type|operator) [^:]* does not exist"
    r"|canceling statement due to (statement|lock) timeout"
    r"|cannot execute [A-Z ]+ in a read-only transaction"
    r"|query would be affected by row-level security policy for table \S+"
    r"|syntax error at .*"
)


class DiscreetWire(Wire):
    """A wire on which nobody hears what a refusal or a notice quotes."""

    def run(self, scripts: Sequence[Script]) -> list[tuple[Observation, ...]]:
        return [tuple(map(discreet, said)) for said in super().run(scripts)]


def discreet(observation: Observation) -> Observation:
    """The observation, with the rows that were asked for and without texts that may hold others."""
    if observation.sqlstate is None:
        return replace(observation, notices=())
    return replace(
        observation, message=said_of(observation.sqlstate, observation.message), detail="", hint="", notices=()
    )


def said_of(sqlstate: str | None, message: str) -> str:
    """What may be told of an error."""
    if _NAMES_ONLY.fullmatch(message):
        return message
    try:
        name = psycopg.errors.lookup(sqlstate or "").__name__
    except KeyError:
        name = "an error of its own"
    return f"{name} (its text is not told: it may quote rows)"
