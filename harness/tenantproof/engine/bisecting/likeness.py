"""
Whether two findings of two prefixes are the same leak.

A fingerprint names property, channel, object, command and cause.  It is the same as long as the cause is; but one
cause is told differently when there are more tables (from three on, a shared function is blamed instead of three
policies), more policies that let the same row through, or more commands that are granted.
"""

from __future__ import annotations

import re

from tenantproof.core.finding import Finding, Property

_POLICY = re.compile(r"policy (.+)")
_FUNCTION = re.compile(r"function (?:.+\.)?(.+)")

OVER_BLOCKED = "OVER-BLOCKED"


def same_leak(one: Finding, other: Finding) -> bool:
    """Whether they have one cause and one effect."""
    if one.fingerprint == other.fingerprint:
        return True
    return same_rows(one, other) and _causes_alike(one, other)


def same_rows(one: Finding, other: Finding) -> bool:
    """Whether they are of one family and open one relation for one command, whatever the cause."""
    return (
        _family(one) == _family(other)
        and not _objects(one).isdisjoint(_objects(other))
        and (_searched(one) or not _commands(one).isdisjoint(_commands(other)))
    )


def _family(finding: Finding) -> str:
    """What the matrix finds may change its channel with what else is granted; the search's channels are its own."""
    if _searched(finding) or finding.channel == OVER_BLOCKED:
        return finding.channel
    return "matrix"


def _searched(finding: Finding) -> bool:
    return finding.property is not Property.VISIBILITY


def _objects(finding: Finding) -> set[str]:
    return {finding.object, *finding.objects}


def _commands(finding: Finding) -> set[str]:
    return {finding.command, *finding.commands}


def _causes_alike(one: Finding, other: Finding) -> bool:
    if one.cause == other.cause or not policies_of(one).isdisjoint(policies_of(other)):
        return True
    return _vouched_by(one, other) or _vouched_by(other, one)


def policies_of(finding: Finding) -> set[str]:
    """Names of the policies that the cause speaks of."""
    found = _POLICY.fullmatch(finding.cause)
    return set(found.group(1).split(" and ")) if found else set()


def _vouched_by(blamed: Finding, other: Finding) -> bool:
    """Whether one blames a function that the policy of the other calls."""
    found = _FUNCTION.fullmatch(blamed.cause)
    return found is not None and calls(other.policy_text, found.group(1))


def calls(text: str, function: str) -> bool:
    """Whether an expression calls a function of that name."""
    return re.search(rf'(?<![\w"]){re.escape(function)}"?\(', text) is not None
