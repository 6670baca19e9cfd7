"""Ids for tenants whose key is text of a certain form: `org_` and twelve characters, as a CHECK says."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from tenantproof.core.catalog import Catalog, ConstraintKind, Relation
from tenantproof.core.model import QName
from tenantproof.drafting.document import TENANTS
from tenantproof.seeding.patterns import accepts, matching

_MATCH = re.compile(r"~\*?\s*'((?:[^']|'')*)'")


def tenant_ids(catalog: Catalog, tenants: QName | None, key: str | None) -> dict[str, str]:
    """Tenant name -> id, where the name itself would be refused; empty where it would not, or no id is found."""
    relation = catalog.relations.get(tenants) if tenants is not None else None
    if relation is None or key is None or relation.column(key).category != "S":
        return {}
    patterns = list(_patterns(relation, key))
    if not patterns or all(accepts(pattern, name) for pattern in patterns for name in TENANTS):
        return {}
    found = {name: _fitting(patterns, name) for name in TENANTS}
    return {name: value for name, value in found.items() if value} if len(set(found.values())) == len(found) else {}


def _patterns(relation: Relation, key: str) -> Iterator[str]:
    texts = [c.definition for c in relation.constraints if c.kind is ConstraintKind.CHECK and c.columns == (key,)]
    for text in (*texts, *relation.column(key).domain_checks):
        yield from (found.replace("''", "'") for found in _MATCH.findall(text))


def _fitting(patterns: list[str], name: str) -> str:
    """A text that all patterns accept, the same for the same name."""
    rng = random.Random(name)
    for pattern in patterns * 20:
        value = matching(pattern, rng)
        if value is not None and all(accepts(other, value) for other in patterns):
            return value
    return ""
