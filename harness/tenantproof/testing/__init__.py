"""
For tests of one's own: `queries(tenancy)` draws what personas may try, for Hypothesis.

The fixtures `tenancy`, `acting_as`, `supabase_as` and `assert_isolated` come with the pytest plugin
(tenantproof.pytest_plugin).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenantproof.testing.rest import Api
    from tenantproof.testing.strategies import Answer, Query, queries
    from tenantproof.testing.tenancy import Acting, Tenancy

__all__ = ["Acting", "Answer", "Api", "Query", "Tenancy", "queries"]

_HOMES = {
    "Answer": "strategies",
    "Api": "rest",
    "Query": "strategies",
    "queries": "strategies",
    "Acting": "tenancy",
    "Tenancy": "tenancy",
}


def __getattr__(name: str) -> object:
    """Imported when used: the pytest plugin loads this package in every session."""
    if name not in _HOMES:
        raise AttributeError(f"module 'tenantproof.testing' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(f"tenantproof.testing.{_HOMES[name]}"), name)
