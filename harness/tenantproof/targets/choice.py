"""`--target`: where the database lives, as a person writes it."""

from __future__ import annotations

from tenantproof.core.errors import TargetError
from tenantproof.targets.reach import connect_or_explain, describe, dsn_of

EMBEDDED = "embedded"


def require_embedded(target: str) -> None:
    """Return for `embedded`; for a DSN (or `env:NAME`, a variable that holds one) say why it cannot be checked.

    Raises UsageError for a variable that is not set, TargetError for a server that cannot be reached, that is no
    PostgreSQL, or that is one: only databases that tenantproof makes itself are checked so far.
    """
    if target == EMBEDDED:
        return
    dsn = dsn_of(target, "--target")
    connect_or_explain(dsn).close()
    raise TargetError(
        f"{describe(dsn)} answers, but only databases that tenantproof makes itself are checked so far:\n"
        "  seeding and attacking somebody's data needs a guard that is not built yet; leave --target out"
    )
