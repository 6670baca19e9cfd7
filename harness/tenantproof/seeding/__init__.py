"""Rows with known tenant and owner, for any schema."""

from __future__ import annotations

from tenantproof.seeding.plan import can_hold_dual
from tenantproof.seeding.rowquery import row_query
from tenantproof.seeding.seed import seed
from tenantproof.seeding.world import predicates_for, read_world

__all__ = ["can_hold_dual", "predicates_for", "read_world", "row_query", "seed"]
