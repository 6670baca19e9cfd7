"""The first words with an API: does it speak, does it know our tokens, does it know our rows, does it roll back?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import time

from tenantproof.core.model import QName
from tenantproof.core.ports import Identity
from tenantproof.engine.plan import Plan
from tenantproof.engine.rest.hearing import NOT_POSTGREST, STALE, UNAUTHORIZED, UNEXPOSED, observed
from tenantproof.engine.rest.speaking import Tongue, where
from tenantproof.targets.rest.client import Answer, Client, Request, described

NO_CONTROL = "no positive control"
"""How a reason begins for which nothing is known that must be known (reports.unknown)."""

TOLERATED = 30.0
"""Seconds by which clocks may differ: PostgREST's leeway."""


@dataclass(frozen=True, slots=True)
class Greeted:
    """What came of it: why nothing can be believed ("" where it can), how far its clock is ahead, remarks."""

    trouble: str = ""
    ahead: int = 0
    notes: tuple[str, ...] = ()


def greet(client: Client, tongue: Tongue, plan: Plan, relation: QName, mint: Callable[[int], Identity]) -> Greeted:
    """Read *relation*, in which the member whom *mint* makes (by a clock that is so many seconds ahead) sees rows."""
    columns = plan.catalog.relations[relation].primary_key
    request = tongue.reading(relation, columns)
    identity = mint(0)
    answer = client.ask(request, identity.token)
    ahead = _ahead(answer)
    notes: tuple[str, ...] = ()
    if abs(ahead) > TOLERATED:
        notes = (f"the clock of the API is {_in_words(ahead)} ours: tokens are minted by its clock",)
        answer = client.ask(request, mint(ahead).token)
    else:
        ahead = 0
    seen = observed(answer, len(columns))
    place = described(client.url)
    if seen.refused:
        return Greeted(
            f"{NO_CONTROL}: {_trouble(place, identity, seen.sqlstate or '', seen.message, answer)}", ahead, notes
        )
    known = {row.key for row in plan.world.rows.get(relation, ())}
    if not known & set(seen.rows):
        told = f"the API at {place} shows {identity.persona.name} no row of this database in {relation}"
        return Greeted(f"{NO_CONTROL}: {told}; does it serve another one?", ahead, notes)
    return Greeted("", ahead, notes)


def _trouble(place: str, identity: Identity, code: str, message: str, answer: Answer) -> str:
    if code in UNAUTHORIZED:
        return (
            f"the API at {place} does not accept our tokens ({message}): sign with its own key "
            "(--signing-key, --signing-algorithm), and give its --api-key where a gateway asks for one"
        )
    if code == UNEXPOSED:
        return f"the API at {place} exposes none of the scenario's schemas ({message})"
    if code in STALE:
        return (
            f"the API at {place} does not know a table that the database has ({message}): its schema cache is stale; "
            "reload it with NOTIFY pgrst, 'reload schema'"
        )
    if code.startswith(NOT_POSTGREST) and answer.status == 429:
        return f"the API at {place} refuses for asking too often (429), and went on after a minute of waiting"
    if code.startswith(NOT_POSTGREST):
        return f"what answers at {place} is not PostgREST ({message}): is the path right (…/rest/v1)?"
    return f"the API at {place} refuses {identity.persona.name}: {code} {message}"


def _ahead(answer: Answer) -> int:
    """By how many seconds the server's clock is ahead of ours, as far as its Date header tells."""
    try:
        told = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return 0
    told = told if told.tzinfo is not None else told.replace(tzinfo=UTC)
    return round((told - datetime.fromtimestamp(time(), UTC)).total_seconds())


def _in_words(ahead: int) -> str:
    minutes = round(abs(ahead) / 60)
    length = f"{minutes} minute{'' if minutes == 1 else 's'}" if minutes else f"{abs(ahead)} seconds"
    return f"{length} {'ahead of' if ahead > 0 else 'behind'}"


def rolls_back(client: Client, tongue: Tongue, plan: Plan, relation: QName, token: str | None) -> bool:
    """Whether the server says that it rolls back when asked to, seen on a DELETE that no row meets."""
    columns = plan.catalog.relations[relation].primary_key
    nothing = tuple(where(column, "is.null") for column in columns)
    request = Request(
        method="DELETE",
        path=f"/{relation.name}",
        query=nothing,
        headers=(*tongue.profile(relation, reads=False), ("prefer", "tx=rollback, return=minimal")),
    )
    answer = client.ask(request, token)
    return answer.ok and "tx=rollback" in answer.headers.get("preference-applied", "")
