"""What `init` tells about a draft: how much was decided, what is left, and what to do next."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from tenantproof.catalog.inference.proposal import Kind
from tenantproof.drafting.draft import Draft


def summary(draft: Draft, path: Path) -> Iterator[str]:
    """The lines for a person."""
    proposal = draft.proposal
    yield f"{path}: {_counted(draft)}"
    if proposal.memberships:
        membership = proposal.memberships[0]
        roles = f"; roles {' > '.join(proposal.roles)}" if proposal.roles else "; no roles found"
        tenants = f"{proposal.tenants}" if proposal.tenants is not None else "ids without a table"
        yield f"  tenants: {tenants}, members by {membership.table}{roles}"
    elif proposal.by_owner:
        yield "  tenants: no table of them was found, so every user is a tenant of their own"
    elif proposal.tenants is not None:
        yield f"  tenants: {proposal.tenants}, named by the session (claims or settings)"
    yield from (line for note in draft.notes for line in _wrapped(f"note: {note}"))
    if proposal.doubt:
        yield from _wrapped(f"undecided: membership: {proposal.doubt}")
        for candidate in proposal.candidates:
            yield f"    --tenant-table {candidate.tenants}: members by {candidate.membership.table}"
    if proposal.role_doubt:
        yield from _wrapped(f"undecided: session.role: {proposal.role_doubt}")
    for decision in draft.undecided:
        yield from _wrapped(f"undecided: {decision.name}: {decision.why}")
    yield ""
    if draft.undecided or proposal.doubt or proposal.role_doubt:
        yield f"Next: decide what is undecided in {path} (until then check exits 4), then: tenantproof check {path}"
    else:
        yield f"Next: read {path}, then: tenantproof check {path}"


def _counted(draft: Draft) -> str:
    counts = (
        (draft.count(Kind.TENANTS, Kind.MEMBERS, Kind.TENANT), "tenant-owned"),
        (draft.count(Kind.OWNER), "by owner"),
        (draft.count(Kind.SHARED), "shared"),
        (draft.count(Kind.PRIVATE), "private"),
        (draft.count(Kind.UNDECIDED), "undecided"),
    )
    total = len(draft.decisions)
    told = ", ".join(f"{count} {word}" for count, word in counts if count)
    return f"{total} relation{'' if total == 1 else 's'}" + (f": {told}" if told else "")


def explanation(draft: Draft) -> Iterator[str]:
    """Relation by relation: the decision and the reason."""
    proposal = draft.proposal
    for what, why in proposal.why.items():
        if why:
            yield from _wrapped(f"{what}: {why}", "")
    for decision in draft.decisions:
        tenancy = decision.tenancy
        found = [f"tenant {tenancy.tenant}"] if tenancy.tenant is not None else []
        found += [f"owner {tenancy.owner}"] if tenancy.owner is not None else []
        yield f"{decision.name}  {', '.join(found) or decision.kind.value}"
        yield from _wrapped(f"because: {decision.why}")
        if decision.remark:
            yield from _wrapped(f"look: {decision.remark}")
    yield ""


def _wrapped(text: str, indent: str = "  ") -> list[str]:
    return textwrap.wrap(text, 118, initial_indent=indent, subsequent_indent=f"{indent}  ", break_long_words=False)
