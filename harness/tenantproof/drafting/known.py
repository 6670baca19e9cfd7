"""What a scenario's own database tells about the scenario, for its hints."""

from __future__ import annotations

from typing import Any

import psycopg

from tenantproof.catalog.evidence import read_evidence
from tenantproof.catalog.inference import infer_tenancy
from tenantproof.catalog.inference.keys import PLATFORM_SCHEMAS
from tenantproof.catalog.inference.proposal import Evidence
from tenantproof.catalog.inference.reading import Facts
from tenantproof.catalog.inference.roles import allowed_values, role_values
from tenantproof.catalog.introspection import introspect
from tenantproof.core.catalog import Catalog
from tenantproof.core.model import Scenario
from tenantproof.scenario.hints import Known


def known_of(connection: psycopg.Connection[Any], scenario: Scenario) -> Known:
    """What *connection*'s database, built from the scenario's migrations, tells.  Reads only."""
    catalog = introspect(connection)
    relations = catalog.in_schemas(scenario.database.schemas)
    ours = (r for r in relations if not r.partition_bound and r.name.schema not in PLATFORM_SCHEMAS)
    decided = {name for name, tenancy in infer_tenancy(catalog, scenario).items() if tenancy.decided}
    return Known(
        relations=frozenset(relation.name for relation in ours),
        decided=frozenset(decided),
        role_values=_role_values(catalog, scenario, read_evidence(connection, catalog, scenario.database.schemas)),
    )


def _role_values(catalog: Catalog, scenario: Scenario, evidence: Evidence) -> dict[int, tuple[str, ...]]:
    """The values that an enum, a CHECK or a lookup table lets the role columns hold, by membership."""
    found = {}
    for index, membership in enumerate(scenario.memberships):
        relation = catalog.relations.get(membership.table)
        if relation is None or membership.role not in relation.column_names:
            continue
        column = relation.column(membership.role)
        roles = role_values(relation, column, Facts(), evidence)
        # Rows of a lookup table may be the seeder's by now: they tell what is impossible, not what is missing.
        looked_up = tuple(value for value in (roles.values if roles is not None else ()) if value in scenario.roles)
        values = allowed_values(relation, column) or looked_up
        if values:
            found[index] = values
    return found
