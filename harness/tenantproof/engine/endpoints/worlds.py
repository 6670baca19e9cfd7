"""
Confidentiality of endpoints: rows of others go away behind a persona's back, and its answers must stay as they were.

For databases that are ours.  What an answer shows twice in the same world differently is masked; before anything is
told, both worlds are asked once more.  What a cache of the application keeps looks the same in both worlds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg import sql

from tenantproof.core.catalog import RelationKind
from tenantproof.core.model import Command, Persona, QName
from tenantproof.core.world import Key
from tenantproof.engine.endpoints.asking import Trial
from tenantproof.engine.endpoints.reading import json_of
from tenantproof.engine.endpoints.sightings import Haul, Sighting
from tenantproof.engine.endpoints.visit import Answered, Visit
from tenantproof.engine.plan import Plan
from tenantproof.engine.rest.keeping import Keeper
from tenantproof.engine.scripts import TRIGGERS_OFF, has_key_of
from tenantproof.oracle.entitlement import Stance
from tenantproof.targets.endpoints.client import Client, Reply

_SHOWN = 5
_WIDEST = 80
_KEPT_HEADERS = ("etag", "last-modified", "content-range", "x-total-count", "link", "content-disposition")

Parts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request in world 1, asked twice: what was the same."""

    trial: Trial
    before: Parts
    unsteady: frozenset[str]


@dataclass(frozen=True, slots=True)
class World2:
    """The world without the rows of others that a persona may not see."""

    plan: Plan
    keeper: Keeper

    @contextmanager
    def __call__(self, persona: Persona) -> Iterator[None]:
        """Delete them for a block, and put them back."""
        self.keeper.run((TRIGGERS_OFF, *_removals(self.plan, persona)))
        try:
            yield
        finally:
            self.keeper.restore()


def compare_worlds(client: Client, plan: Plan, keeper: Keeper, visits: Sequence[Visit], haul: Haul) -> None:
    """Ask what was answered once more in a world without the rows of others."""
    suspects = [visit for visit in visits if not haul.leaks(visit.endpoint)]
    for persona in _askers(plan, suspects):
        asked = [_twice(client, one) for visit in suspects for one in _answers_to(visit, persona)]
        if asked and any(_removals(plan, persona)):
            _compare(client, World2(plan, keeper), asked, haul)


def _askers(plan: Plan, visits: Sequence[Visit]) -> list[Persona]:
    """The first member of each tenant whom some endpoint answers, the strongest role first."""
    chosen: dict[tuple[str, ...], Persona] = {}
    for who in plan.manifest.personas:
        if len(who.memberships) == 1 and any(who.name in visit.controls for visit in visits):
            chosen.setdefault(who.tenants, who)
    return list(chosen.values())


def _answers_to(visit: Visit, persona: Persona) -> Iterator[Answered]:
    """One answer for each request: with own ids, and with ids of others as far as they were answered."""
    seen = set()
    for one in visit.asked:
        if one.trial.persona == persona and one.reply.ok and one.trial.ask not in seen:
            seen.add(one.trial.ask)
            yield one


def _twice(client: Client, one: Answered) -> _Asked:
    first, second = _parts(client.ask(one.trial.ask)), _parts(client.ask(one.trial.ask))
    return _Asked(one.trial, first, _differing(first, second))


def _compare(client: Client, world_2: World2, asked: Sequence[_Asked], haul: Haul) -> None:
    found = _changed(client, world_2, asked)
    again = [one for one, _, _ in found if not _told(one, _parts(client.ask(one.trial.ask)))]
    for one, parts, differing in _changed(client, world_2, again):
        if not _told(one, _parts(client.ask(one.trial.ask))):
            haul.sightings.append(_sighting(one, parts, differing))


def _changed(client: Client, world_2: World2, asked: Sequence[_Asked]) -> list[tuple[_Asked, Parts, frozenset[str]]]:
    """What differs in the world without the rows of others."""
    found: list[tuple[_Asked, Parts, frozenset[str]]] = []
    if asked:
        with world_2(asked[0].trial.persona):
            for one in asked:
                parts = _parts(client.ask(one.trial.ask))
                if told := _told(one, parts):
                    found.append((one, parts, told))
    return found


def _told(one: _Asked, parts: Parts) -> frozenset[str]:
    return _differing(one.before, parts) - one.unsteady


def _differing(one: Parts, other: Parts) -> frozenset[str]:
    return frozenset(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _sighting(one: _Asked, parts: Parts, differing: frozenset[str]) -> Sighting:
    names = sorted(differing)[:_SHOWN]
    whose = f"ids of {one.trial.victim}" if one.trial.victim is not None else "their own ids"
    return Sighting(
        channel="ENDPOINT-INFER",
        trial=one.trial,
        expected="the same answer, whatever rows others have",
        observed=f"with {whose}, {', '.join(names)} changed",
        shows=f"{names[0]} changes when rows of others do",
        behind="rows of other tenants were deleted",
        world_1=tuple(_line(name, one.before) for name in names),
        world_2=tuple(_line(name, parts) for name in names),
    )


def _line(name: str, parts: Parts) -> str:
    """Numbers and versions are shown; words could be somebody's."""
    value = parts.get(name)
    if value is None:
        return f"{name}: not there"
    plain = name.startswith(("header ", "status")) or value.lstrip("-").replace(".", "", 1).isdigit()
    return f"{name}: {value[:_WIDEST] if plain else f'{len(value)} characters'}"


def _parts(reply: Reply) -> dict[str, str]:
    """An answer by parts that can be compared and named."""
    parts = {"status": str(reply.status) if reply.status else reply.trouble}
    parts |= {f"header {name}": value for name in _KEPT_HEADERS if (value := reply.header(name))}
    content = json_of(reply)
    if content is None:
        lines = reply.body.decode("utf-8", errors="replace").splitlines()
        return parts | {f"line {number}": line for number, line in enumerate(lines, 1)}
    return parts | dict(_leaves(content, "$"))


def _leaves(content: object, path: str) -> Iterator[tuple[str, str]]:
    waiting = [(path, content)]
    while waiting:
        name, part = waiting.pop()
        if isinstance(part, dict):
            waiting.extend((f"{name}.{key}", below) for key, below in part.items())
        elif isinstance(part, list):
            yield f"{name} (how many)", str(len(part))
            waiting.extend((f"{name}[{index}]", below) for index, below in enumerate(part))
        else:
            yield name, str(part)


def _removals(plan: Plan, persona: Persona) -> Iterator[str]:
    """Statements that delete the rows of other tenants that the persona may not see.

    Tenants and memberships stay: what follows from them (403 or 404) tells nothing new to who knows their ids.
    """
    own = {plan.manifest.tenant_ids.get(name) for name in persona.tenants}
    kept = plan.oracle.founding | plan.users | {membership.table for membership in plan.scenario.memberships}
    for relation in plan.relations:
        plain = relation.kind in (RelationKind.TABLE, RelationKind.PARTITIONED) and relation.parent is None
        if not plain or not relation.primary_key or relation.name in kept:
            continue
        keys = [
            row.key
            for row in plan.world.rows.get(relation.name, ())
            if row.tenant is not None
            and row.tenant not in own
            and plan.oracle.stance(persona, relation.name, Command.SELECT, row) is Stance.FORBIDDEN
        ]
        if keys:
            yield _deletion(relation.name, relation.primary_key, keys)


def _deletion(name: QName, primary_key: Sequence[str], keys: Sequence[Key]) -> str:
    condition = has_key_of(primary_key, keys)
    return sql.SQL("DELETE FROM {} WHERE {}").format(sql.Identifier(*name), condition).as_string(None)
