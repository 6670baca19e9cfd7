"""Compares two sides: every kind of object, worst difference first.  Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tenantproof.core.drift import Difference, worst_first
from tenantproof.drift.comparing.columns import columns
from tenantproof.drift.comparing.constraints import constraints
from tenantproof.drift.comparing.functions import functions
from tenantproof.drift.comparing.grants import default_privileges, relation_grants, schemas, sequences
from tenantproof.drift.comparing.policies import policies
from tenantproof.drift.comparing.relations import relations, views
from tenantproof.drift.comparing.roles import publications, roles
from tenantproof.drift.comparing.triggers import triggers
from tenantproof.drift.scope import Pair

COMPARISONS: tuple[Callable[[Pair], Iterator[Difference]], ...] = (
    policies,
    relation_grants,
    relations,
    views,
    functions,
    triggers,
    columns,
    constraints,
    sequences,
    schemas,
    default_privileges,
    roles,
    publications,
)


def compare(pair: Pair) -> tuple[Difference, ...]:
    """All differences, worst first."""
    return worst_first(tuple(difference for kind in COMPARISONS for difference in kind(pair)))


def counted(pair: Pair) -> Mapping[str, int]:
    """How much was compared, by kind of object, as the migrations have it."""
    relations = [both.ours for both in pair.own_relations]
    return {
        "tables": sum(1 for relation in relations if relation.is_table),
        "views": sum(1 for relation in relations if not relation.is_table),
        "columns": sum(len(relation.columns) for relation in relations if relation.is_table),
        "policies": sum(len(both.ours.policies) for both in pair.relations),
        "functions": len(pair.functions(pair.ours)),
        "triggers": sum(len(relation.triggers) for relation in relations),
        "constraints": sum(len(relation.constraints) for relation in relations),
    }
