"""
Whether a trigger may do something although the statement says that it changed no row.

A row is counted once it was written.  An AFTER ROW trigger fires for those alone; a BEFORE ROW trigger that returns
its record lets the row be written.  What may act for rows that do not count are statement triggers, INSTEAD OF
triggers, and BEFORE ROW triggers that may return NULL (PostgreSQL docs: "Overview of Trigger Behavior", where it also
says that an UPDATE which moves a row to another partition fires those of DELETE and INSERT).  So may a rule.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from tenantproof.core.catalog import Catalog, Function, Relation, RelationKind, Trigger
from tenantproof.core.model import Command, QName

_RECORDS = {"INSERT": "new", "UPDATE": "new", "DELETE": "old"}
"""What a BEFORE ROW trigger returns to let the row be written."""

_RETURN = re.compile(r"\breturn\b([^;]*)")


def hidden_writers(catalog: Catalog) -> frozenset[tuple[QName, Command]]:
    """Relations and UPDATE or DELETE, of which "no row changed" does not mean that nothing happened."""
    functions = {function.name: function for function in catalog.functions if not function.arguments}
    through = _through(catalog)
    return frozenset(
        (name, command)
        for name, relation in catalog.relations.items()
        for command in (Command.UPDATE, Command.DELETE)
        if any(
            _may_hide(part, event, functions)
            for part in _firing(catalog, through, name)
            for event in _events(relation, command)
        )
    )


def _events(relation: Relation, command: Command) -> Collection[str]:
    moves = command is Command.UPDATE and relation.kind is RelationKind.PARTITIONED
    return _RECORDS.keys() if moves else (str(command).upper(),)


def _through(catalog: Catalog) -> Mapping[QName, Sequence[QName]]:
    """Of each relation those that hang below it, and the views through which it may be written to."""
    found: dict[QName, list[QName]] = defaultdict(list)
    for name, relation in catalog.relations.items():
        if relation.parent is not None:
            found[relation.parent].append(name)
        if relation.kind is RelationKind.VIEW:
            for base in relation.base_relations:
                found[base].append(name)
    return found


def _firing(catalog: Catalog, through: Mapping[QName, Sequence[QName]], name: QName) -> Iterator[Relation]:
    """The relations whose triggers and rules writing to this one may fire."""
    yield catalog.relations[name]
    for other in through.get(name, ()):
        yield from _firing(catalog, through, other)


def _may_hide(relation: Relation, event: str, functions: Mapping[QName, Function]) -> bool:
    ruled = any(rule.event == event for rule in relation.rules)
    return ruled or any(_acts_uncounted(trigger, event, functions) for trigger in relation.triggers)


def _acts_uncounted(trigger: Trigger, event: str, functions: Mapping[QName, Function]) -> bool:
    if not trigger.enabled or event not in trigger.events:
        return False
    if trigger.row and trigger.timing == "AFTER":
        return False
    if not trigger.row or trigger.timing != "BEFORE":
        return True
    function = functions.get(trigger.function)
    return function is None or not _lets_pass(function, _RECORDS[event])


def _lets_pass(function: Function, record: str) -> bool:
    """Whether its text shows that it returns nothing but the record that it was given.

    So every return must be of the record, and nothing else may speak of the record as a whole: whoever assigns to it,
    hides it behind another of its name, or hands it to somebody, has to name it.
    """
    source = function.source.lower()
    if function.language != "plpgsql" or f'"{record}"' in source or 'u&"' in source:
        return False
    returned = [said.strip() for said in _RETURN.findall(source)]
    whole = re.findall(rf"(?<![\w$]){record}(?![\w$.])", source)
    return bool(returned) and all(said == record for said in returned) and len(whole) == len(returned)
