"""What a scenario leaves open so that nothing can be checked: said once, with the place and what to do."""

from __future__ import annotations

from tenantproof.core.errors import Undecided
from tenantproof.core.model import Scenario

WHAT_TO_DO = {
    "membership": "write the table that says which user belongs to which tenant: {table: …, user: …, tenant: …}",
    "session.role": "name the database role that the application's queries run as",
}


def require_decided(scenario: Scenario) -> None:
    """Return where the scenario can be checked.  Raises Undecided (exit code 4) where it says `undecided`."""
    if not scenario.undecided:
        return
    told = []
    for key in scenario.undecided:
        place = scenario.places.get(key)
        told.append(f"{place or scenario.path}: {key} is undecided\n  {WHAT_TO_DO[key]}")
    raise Undecided("\n".join(told) + "\nnothing was checked")
