"""Triggers: those of the project's tables, and those of the platform's tables that call the project's functions."""

from __future__ import annotations

from collections.abc import Iterator

from tenantproof.core.catalog import Relation, Trigger
from tenantproof.core.drift import Difference, Direction
from tenantproof.core.finding import Severity
from tenantproof.drift.making import difference
from tenantproof.drift.scope import Both, Pair
from tenantproof.drift.wording import ABSENT


def triggers(pair: Pair) -> Iterator[Difference]:
    """Differences in triggers of relations that both sides have; a partition's are its parent's."""
    for both in pair.relations:
        if both.live.partition_bound:
            continue
        ours, live = _judged(pair, both.ours), _judged(pair, both.live)
        for name in sorted(ours.keys() | live.keys()):
            if name not in live:
                yield _missing(both, ours[name])
            elif name not in ours:
                yield _extra(both, live[name])
            else:
                yield from _changed(both, ours[name], live[name])


def _judged(pair: Pair, relation: Relation) -> dict[str, Trigger]:
    own = relation.name.schema in pair.schemas
    return {t.name: t for t in relation.triggers if own or t.function.schema in pair.schemas}


def _missing(both: Both, trigger: Trigger) -> Difference:
    return difference(
        both.name,
        f"trigger {trigger.name}",
        "trigger-missing",
        Severity.HIGH,
        Direction.MORE_OPEN,
        _words(trigger),
        ABSENT,
        _UNGUARDED,
    )


def _extra(both: Both, trigger: Trigger) -> Difference:
    return difference(
        both.name,
        f"trigger {trigger.name}",
        "trigger-extra",
        Severity.MEDIUM,
        Direction.DIFFERENT,
        ABSENT,
        _words(trigger),
        _UNKNOWN,
    )


_UNGUARDED = "What the trigger refuses, fills in or writes down does not happen."
_UNKNOWN = "It runs with every write, and no migration knows of it."


def _changed(both: Both, ours: Trigger, live: Trigger) -> Iterator[Difference]:
    if ours.enabled != live.enabled:
        off = ours.enabled
        yield difference(
            both.name,
            f"trigger {ours.name}",
            "trigger-disabled" if off else "trigger-enabled",
            Severity.HIGH if off else Severity.LOW,
            Direction.MORE_OPEN if off else Direction.DIFFERENT,
            "enabled" if ours.enabled else "disabled",
            "enabled" if live.enabled else "disabled",
            _UNGUARDED if off else "",
        )
    if ours.function != live.function:
        here, there = f"calls {ours.function}", f"calls {live.function}"
        yield difference(
            both.name, f"trigger {ours.name}", "trigger-function", Severity.MEDIUM, Direction.DIFFERENT, here, there
        )
    elif _words(ours) != _words(live):
        here, there = _words(ours), _words(live)
        yield difference(
            both.name, f"trigger {ours.name}", "trigger-changed", Severity.MEDIUM, Direction.DIFFERENT, here, there
        )


def _words(trigger: Trigger) -> str:
    """The definition from the timing on."""
    words = " ".join(trigger.definition.split())
    start = words.find(f" {trigger.timing} ")
    return words[start + 1 :] if start >= 0 else words
