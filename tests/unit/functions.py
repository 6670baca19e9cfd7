"""Functions of a catalog, of which a test tells only what it is about."""

from __future__ import annotations

from tenantproof.core.catalog import Function
from tenantproof.core.model import QName

PLAIN = Function(
    name=QName("public", "plain"),
    identity="",
    arguments=(),
    returns="void",
    returns_set=False,
    language="sql",
    kind="f",
    volatility="v",
    security_definer=False,
    leakproof=False,
    owner="postgres",
    settings=(),
    executable_by=frozenset({"public"}),
    source="",
)
"""Anybody may call it; `dataclasses.replace` makes another."""
