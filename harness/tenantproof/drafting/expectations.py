"""The promises that a draft makes: rows that policies open to strangers, and tenants that newcomers may start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tenantproof.catalog.inference.openings import by_relation
from tenantproof.catalog.inference.proposal import Kind, Opening, Proposal
from tenantproof.drafting.text import comment, expressible, flow, qualified, scalar

_NEWCOMERS = "Everybody who signed in may start a tenant: the policy asks for nothing else."


def expectations(proposal: Proposal, schemas: Sequence[str], places: Mapping[Opening, str]) -> Iterator[str]:
    """The lines of `expect:`; none where there is nothing to promise."""
    opened = {name: found for name, found in by_relation(proposal.openings).items() if all(map(expressible, name))}
    founding = proposal.tenants if _founds(proposal, schemas) else None
    names = sorted({*opened, *([founding] if founding is not None else [])})
    if not names:
        return
    yield ""
    yield "expect:"
    for name in names:
        said: dict[str, object] = {}
        if name in opened:
            yield from _confirm(opened[name], places)
            said["select"] = _select(proposal, opened[name])
        if name == founding:
            yield from comment(_NEWCOMERS, "  ")
            said["insert"] = {"anon": "none", "*": "all"}
        yield f"  {scalar(qualified(name, schemas[0]))}: {flow(said)}"


def _founds(proposal: Proposal, schemas: Sequence[str]) -> bool:
    return proposal.open_to_newcomers and proposal.tenants is not None and proposal.tenants.schema in schemas


def _confirm(openings: Sequence[Opening], places: Mapping[Opening, str]) -> Iterator[str]:
    told: dict[str, None] = {}
    for opening in openings:
        place = f" ({places[opening]})" if opening in places else ""
        rows = f"rows where {opening.where}" if opening.where else "every user's row"
        people = "whoever signed in" if not opening.anon else "everybody" if opening.signed else "whoever has no token"
        of = f" of {opening.table}" if opening.table != opening.name else ""
        told[f"the policy {opening.policy!r}{of}{place} shows {rows} to {people}"] = None
    yield from comment(f"Confirm, or delete the line: {'; '.join(told)}.", "  ")


def _select(proposal: Proposal, openings: Sequence[Opening]) -> object:
    """The scopes of SELECT: for everybody alike, or where people without a token see less, by role."""
    anon = _scopes([opening for opening in openings if opening.anon])
    signed = _scopes([opening for opening in openings if opening.signed])
    if not signed:
        return {"anon": anon}
    inside = [] if "all" in signed else _own_rows(proposal, openings[0])
    everybody = [*inside, *signed] if inside else "all"
    return everybody if anon == signed else {"anon": anon or "none", "*": everybody}


def _scopes(openings: Sequence[Opening]) -> list[object]:
    if any(not opening.where for opening in openings):
        return ["all"]
    return [{"where": where} for where in dict.fromkeys(opening.where for opening in openings)]


def _own_rows(proposal: Proposal, opening: Opening) -> list[object]:
    """What people see besides: their tenant's rows, or their own."""
    kind = next(d.kind for d in proposal.decisions if d.name == opening.name)
    if kind is not Kind.OWNER:
        return ["tenant"]
    return ["own", "tenant"] if opening.directory and proposal.memberships else ["own"]
