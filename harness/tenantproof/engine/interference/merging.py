"""One root cause, one finding: catches that come to the same are put together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tenantproof.core.catalog import Catalog
from tenantproof.core.model import Command, QName
from tenantproof.engine.interference.catch import Catch, Mechanism, Root

_READABLE = (Mechanism.VIEW, Mechanism.READ, Mechanism.FUNCTION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Catches with one root cause; the first is the most telling."""

    root: Root
    catches: tuple[Catch, ...]

    @property
    def telling(self) -> Catch:
        return self.catches[0]

    @property
    def witnesses(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for catch in self.catches for name in catch.witnesses))

    @property
    def objects(self) -> tuple[str, ...]:
        """The object to mend first, then all that the catches are about."""
        named = (str(subject) for catch in self.catches for subject in (catch.root.object, catch.line.subject))
        return tuple(dict.fromkeys((str(self.root.object), *named)))

    @property
    def commands(self) -> tuple[Command, ...]:
        used = {command_of(catch) for catch in self.catches}
        return tuple(command for command in Command if command in used)


def command_of(catch: Catch) -> Command:
    """The command of the statement that tells; SELECT for a call."""
    writing = catch.line.writes or next((line.writes for line in catch.program.lines if line.writes), None)
    return writing[1] if writing is not None and not catch.line.calls else Command.SELECT


def grouped(catches: Iterable[Catch], catalog: Catalog) -> list[Group]:
    """Groups of catches that are worth a finding, in a fixed order."""
    worth = [catch for catch in catches if catch.told and catch.severity is not None]
    roots = {catch.root for catch in worth}
    groups: dict[Root, list[Catch]] = {}
    for catch in worth:
        groups.setdefault(_root_among(catch.root, roots, catalog), []).append(catch)
    return [
        Group(root=root, catches=tuple(sorted(members, key=_most_telling)))
        for root, members in sorted(groups.items(), key=lambda item: str(item[0]))
    ]


def _most_telling(catch: Catch) -> tuple[object, ...]:
    rank = catch.severity.rank if catch.severity is not None else 0
    return (-rank, len(catch.program.lines), len(catch.program.text), catch.program.text)


def _root_among(root: Root, roots: set[Root], catalog: Catalog) -> Root:
    """The root that stands for this one."""
    if root.mechanism is Mechanism.SEQUENCE:
        return min((other for other in roots if other.mechanism is Mechanism.SEQUENCE), key=str)
    if root.mechanism is Mechanism.REQUEST:
        plain = _on(root.object, roots, (*_READABLE, Mechanism.WRITE))
        same = sorted((other for other in roots if _same_request(root, other)), key=str)
        return plain or Root(mechanism=Mechanism.REQUEST, object=same[0].object, detail=root.detail)
    if root.detail.startswith("opens "):
        opened = root.detail.removeprefix("opens ")
        read = next((o for o in sorted(roots, key=str) if str(o.object) == opened and o.mechanism in _READABLE), None)
        if read is not None and not read.detail:
            return read
    if root.mechanism is Mechanism.FUNCTION:
        return Root(mechanism=Mechanism.FUNCTION, object=root.object)
    blamed = _function_behind(root, roots, catalog)
    if blamed is not None:
        return blamed
    if root.mechanism is Mechanism.WRITE:
        constraint = next((o for o in sorted(roots, key=str) if _constrains(o, root)), None)
        if constraint is not None and root.detail == "insert":
            return constraint
        return Root(mechanism=Mechanism.WRITE, object=root.object)
    return root


def _constrains(constraint: Root, root: Root) -> bool:
    return constraint.mechanism is Mechanism.CONSTRAINT and constraint.object == root.object


def _same_request(one: Root, other: Root) -> bool:
    return other.mechanism is Mechanism.REQUEST and other.detail == one.detail


def _on(name: QName, roots: set[Root], mechanisms: Sequence[Mechanism]) -> Root | None:
    found = sorted((root for root in roots if root.object == name and root.mechanism in mechanisms), key=str)
    if not found:
        return None
    kept = found[0]
    return kept if kept.mechanism in (Mechanism.VIEW, Mechanism.READ) else Root(mechanism=kept.mechanism, object=name)


def _function_behind(root: Root, roots: set[Root], catalog: Catalog) -> Root | None:
    """A caught function that the relation's defaults, policies or query call."""
    relation = catalog.relations.get(root.object)
    if relation is None or root.mechanism is Mechanism.CONSTRAINT:
        return None
    texts = [relation.definition, *(column.default or "" for column in relation.columns)]
    texts += [text for policy in relation.policies for text in (policy.using, policy.check) if text]
    for other in sorted(roots, key=str):
        calls = rf"\b{re.escape(other.object.name)}\s*\("
        if other.mechanism is Mechanism.FUNCTION and any(re.search(calls, text) for text in texts):
            return Root(mechanism=Mechanism.FUNCTION, object=other.object)
    return None
