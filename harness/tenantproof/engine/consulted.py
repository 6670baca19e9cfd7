"""Which relations decide, by their rows, what a relation's policies answer.

A stage may not take rows away from these: the persona would no longer be who it is.  Found by name in the text of
policies and of the functions they call, through as many steps as it takes; a name too many only costs precision of
a stage.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from tenantproof.core.catalog import Catalog, Constraint, Relation, RelationKind
from tenantproof.core.model import Command, QName

_READ_FROM = re.compile(
    r'(?:\bFROM\b|\bJOIN\b|,)[\s(]*(?:ONLY\s+)?((?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?)', re.IGNORECASE
)
_ACTING = frozenset("cnd")
"""pg_constraint's letters for CASCADE, SET NULL and SET DEFAULT."""
_CALLED = re.compile(r'("[^"]+"|\w+)\s*\(')


def consulted_by(catalog: Catalog) -> Mapping[QName, frozenset[QName]]:
    """relation -> the relations that its policies read, directly or through functions and further policies.

    Policies for INSERT alone do not count: a stage is set for rows that are there.  What is read inside a policy is
    subject to SELECT policies only.
    """
    first = _policy_reads(catalog, frozenset({None, Command.SELECT, Command.UPDATE, Command.DELETE}))
    then = _policy_reads(catalog, frozenset({None, Command.SELECT}))
    return {name: _closure(first[name], then) for name in catalog.relations}


class Wake:
    """What a write to a relation may write to beside it: what its triggers name in their functions, what its rules
    name, and what it cascades to, with the triggers and rules there."""

    def __init__(self, catalog: Catalog) -> None:
        self._relations = catalog.relations
        self._sources = _sources(catalog)
        self._tables: dict[str, set[QName]] = defaultdict(set)
        self._pointing: dict[QName, list[tuple[QName, Constraint]]] = defaultdict(list)
        self._parts: dict[QName, list[QName]] = defaultdict(list)
        self._named = cache(self._names_of)
        for name, relation in catalog.relations.items():
            self._tables[name.name].add(name)
            if relation.parent is not None:
                self._parts[relation.parent].append(name)
            for key in relation.foreign_keys:
                if key.references is not None:
                    self._pointing[key.references].append((name, key))

    def of(self, relation: Relation, command: Command) -> frozenset[QName]:
        """The relations that the command on this one may reach."""
        seen: set[tuple[QName, str]] = set()
        todo = [(relation.name, event) for event in _events(relation, command)]
        while todo:
            if (step := todo.pop()) not in seen:
                seen.add(step)
                todo += self._onward(*step)
        names = {name for name, _ in seen}
        cascaded = {name for name in names if self._relations[name].parent not in names}  # it shows their rows, too
        return frozenset((*cascaded, *(name for step in seen for name in self._named(*step)))) - {relation.name}

    def _onward(self, name: QName, event: str) -> Iterator[tuple[QName, str]]:
        """What the event on the relation does to others by itself."""
        yield from ((part, event) for part in self._parts.get(name, ()))
        for child, key in self._pointing.get(name, ()):
            action = {"UPDATE": key.on_update, "DELETE": key.on_delete}.get(event, "a")
            if action in _ACTING:
                yield child, "DELETE" if (event, action) == ("DELETE", "c") else "UPDATE"

    def _names_of(self, name: QName, event: str) -> frozenset[QName]:
        """The relations that triggers and rules for the event name."""
        relation, words = self._relations[name], set[str]()
        for trigger in relation.triggers:
            if trigger.enabled and event in trigger.events:
                words |= _names_read(f"{trigger.function.name}()", self._sources)
        for rule in relation.rules:
            if rule.event == event:
                words.update(re.findall(r"\w+", rule.definition))
        return frozenset(table for word in words for table in self._tables.get(word, ()))


def _events(relation: Relation, command: Command) -> frozenset[str]:
    """Whose triggers fire: an upsert counts as UPDATE, and a row that changes its partition is deleted and inserted."""
    if command is Command.UPDATE:
        moved = {"DELETE"} if relation.kind is RelationKind.PARTITIONED else set()
        return frozenset({"INSERT", "UPDATE", *moved})
    return frozenset({str(command).upper()})


def _sources(catalog: Catalog) -> Mapping[str, str]:
    """Function name -> the text of all functions of that name."""
    sources: dict[str, str] = defaultdict(str)
    for function in catalog.functions:
        sources[function.name.name] += function.source + "\n"
    return sources


def _policy_reads(catalog: Catalog, commands: frozenset[Command | None]) -> Mapping[QName, frozenset[QName]]:
    """One step: what the policies of each relation for these commands read, the functions they call included."""
    tables: dict[str, set[QName]] = defaultdict(set)
    for name in catalog.relations:
        tables[name.name].add(name)
    sources = _sources(catalog)
    return {
        name: frozenset(
            table
            for policy in relation.policies
            if policy.command in commands
            for text in (policy.using, policy.check)
            if text
            for word in _names_read(text, sources)
            for table in tables.get(word, ())
        )
        | frozenset(relation.base_relations)
        for name, relation in catalog.relations.items()
    }


def _names_read(text: str, sources: Mapping[str, str]) -> set[str]:
    names, called, todo = set(_last_parts(text)), set[str](), list(_calls(text))
    while todo:
        function = todo.pop()
        if function in called or function not in sources:
            continue
        called.add(function)
        names.update(re.findall(r"\w+", sources[function]))
        todo.extend(_calls(sources[function]))
    return names


def _last_parts(text: str) -> Iterable[str]:
    return (match.rsplit(".", 1)[-1].strip('"') for match in _READ_FROM.findall(text))


def _calls(text: str) -> Iterable[str]:
    return (match.strip('"') for match in _CALLED.findall(text))


def _closure(start: frozenset[QName], reads: Mapping[QName, frozenset[QName]]) -> frozenset[QName]:
    found: set[QName] = set()
    todo = list(start)
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo.extend(reads.get(name, ()))
    return frozenset(found)
