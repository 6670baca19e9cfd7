"""What stands in the observer's session while nobody acts in it."""

from __future__ import annotations

from collections.abc import Mapping

from tenantproof.core.catalog import Catalog
from tenantproof.engine.scripts import set_settings
from tenantproof.engine.wire import TRANSACTION, Bracket, Script
from tenantproof.identity.legacy import CLAIMS, stumbles_over_empty_claims


def steady(catalog: Catalog) -> Mapping[str, str]:
    """Settings that each transaction of the observer needs from the beginning.

    A setting that somebody has set in the session is '' afterwards, and no longer NULL as for a session in which nobody
    has.  A database that casts the claims as they are, '' among them, would let the observer read none of its views.
    """
    return {CLAIMS: "{}"} if stumbles_over_empty_claims(catalog) else {}


def setting(settings: Mapping[str, str]) -> Script:
    """The statements that set them for the rest of the transaction."""
    return (set_settings(settings.items()),) if settings else ()


def transaction_with(settings: Mapping[str, str]) -> Bracket:
    """A wire's transaction of its own, in which they stand from the beginning."""
    return Bracket(begin=(*TRANSACTION.begin, *setting(settings)), undo=TRANSACTION.undo)
