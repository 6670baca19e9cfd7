"""Where the migrations make what differs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tenantproof.core.drift import Difference
from tenantproof.core.model import QName
from tenantproof.core.ports import Source
from tenantproof.targets.locate import find_function, find_policy, find_relation


def placed(differences: Iterable[Difference], sources: Sequence[Source]) -> tuple[Difference, ...]:
    """The differences, with file and line where a statement makes the policy, the function or the relation."""
    return tuple(_placed(difference, sources) for difference in differences)


def _placed(difference: Difference, sources: Sequence[Source]) -> Difference:
    schema, dot, name = difference.object.partition("(")[0].partition(".")
    if not dot:
        return difference
    found = _find(difference, QName(schema, name), sources)
    return replace(difference, file=found[0], line=found[1]) if found is not None else difference


def _find(difference: Difference, name: QName, sources: Sequence[Source]) -> tuple[str, int] | None:
    if "(" in difference.object:
        return find_function(sources, name)
    if difference.part.startswith("policy "):
        policy = find_policy(sources, name, difference.part.removeprefix("policy "))
        if policy is not None:
            return policy
    return find_relation(sources, name)
