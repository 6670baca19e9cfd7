"""What is to be known of a comparison as a whole, before its differences are read one by one."""

from __future__ import annotations

from collections.abc import Iterator

from tenantproof.drift.names import MIGRATOR
from tenantproof.drift.scope import DATA, PUBLIC, Pair
from tenantproof.drift.side import Side


def remarks(pair: Pair, known_as: str) -> tuple[str, ...]:
    """Sentences; *known_as* is what the migrating role is called in the live database."""
    return tuple(_remarks(pair, known_as))


def _remarks(pair: Pair, known_as: str) -> Iterator[str]:
    if known_as != MIGRATOR:
        yield f"the role {known_as}, which owns what the migrations make, counts as {MIGRATOR}"
    if _exposes(pair, pair.live) and not _exposes(pair, pair.ours):
        yield (
            "new tables of the live database are open to the API by themselves, as Supabase's were until October 2026; "
            "if it is meant to be so, say auto_expose_new_tables: true under database in the scenario"
        )


def _exposes(pair: Pair, side: Side) -> bool:
    """Whether tables that are made later can be read or written by the API's roles."""
    held = side.defaults.get((MIGRATOR, PUBLIC, "r"), frozenset())
    return any(grantee in pair.anonymous | pair.signed_in and privilege in DATA for grantee, privilege in held)
