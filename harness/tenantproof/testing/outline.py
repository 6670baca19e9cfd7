"""
Which tests a scenario file has, read from its text and its migrations' text: nothing connects while pytest collects.

The relations are what the scenario names and what the migrations' CREATE, ALTER … RENAME and DROP statements leave in
its schemas.  A migration may make a table in a way that no reader of text sees (a DO block); what the run then checks
and nobody listed has a test of its own, so that nothing goes untold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tenantproof.core.model import Command, QName, Scenario
from tenantproof.core.seeds import DEFAULT_SEED
from tenantproof.identity.personas import personas
from tenantproof.scenario import load_scenario
from tenantproof.targets.sources import read_sources
from tenantproof.targets.statements import Kind, split, without_comments

_NAME = r"""(?:"(?:[^"]|"")+"|[\w$]+)"""
_QUALIFIED = rf"(?P<name>{_NAME}(?:\s*\.\s*{_NAME})?)"
_CREATE = re.compile(
    r"create\s+(?:or\s+replace\s+)?(?:(?:global|local)\s+)?(?P<how>temp(?:orary)?\s+|unlogged\s+|recursive\s+)?"
    rf"(?P<what>table|view|materialized\s+view)\s+(?:if\s+not\s+exists\s+)?{_QUALIFIED}",
    re.IGNORECASE,
)
_DROP = re.compile(
    rf"drop\s+(?:table|view|materialized\s+view)\s+(?:if\s+exists\s+)?(?P<names>{_NAME}(?:\s*[.,]\s*{_NAME})*)",
    re.IGNORECASE,
)
_RENAME = re.compile(
    rf"alter\s+(?:table|view|materialized\s+view)\s+(?:if\s+exists\s+)?(?:only\s+)?{_QUALIFIED}\s+rename\s+to\s+"
    rf"(?P<new>{_NAME})",
    re.IGNORECASE,
)
_PARTITION = re.compile(r"partition\s+of\b", re.IGNORECASE)

READ_ONLY = (Command.SELECT,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """The tests of one scenario file: commands by relation, and the personas.  Sorted, the same in every process."""

    path: Path
    relations: dict[str, tuple[Command, ...]]
    personas: tuple[str, ...]
    endpoints: tuple[str, ...] = ()


def outline(path: Path) -> Outline:
    """Read a scenario file and its migrations.  Raises ScenarioError, and TargetError for files that cannot be read."""
    scenario = load_scenario(path)
    found = dict.fromkeys(_declared(scenario), tuple(Command))
    for source in read_sources(scenario.database.migrations):
        for piece in split(source.text):
            if piece.kind is Kind.SQL:
                _follow(without_comments(piece.body).strip(), scenario, found)
    return Outline(
        path=path,
        relations={str(name): found[name] for name in sorted(found)},
        personas=tuple(persona.name for persona in personas(scenario, DEFAULT_SEED)),
        endpoints=tuple(endpoint.name for endpoint in scenario.endpoints),
    )


def _declared(scenario: Scenario) -> Iterator[QName]:
    schemas = scenario.database.schemas
    named = {*scenario.tables, *(line.table for line in scenario.expectations if line.table is not None)}
    named |= {membership.table for membership in scenario.memberships}
    return (name for name in sorted(named) if name.schema in schemas)


def _follow(statement: str, scenario: Scenario, found: dict[QName, tuple[Command, ...]]) -> None:
    """What one statement does to the list."""
    if (made := _CREATE.match(statement)) is not None:
        name = _qualified(made["name"])
        if not (made["how"] or "").lower().startswith("temp") and name.schema in scenario.database.schemas:
            found[name] = READ_ONLY if made["what"].lower().startswith("mat") else tuple(Command)
    elif (gone := _DROP.match(statement)) is not None:
        for dropped in re.split(r"\s*,\s*", gone["names"]):
            found.pop(_qualified(dropped), None)
    elif (renamed := _RENAME.match(statement)) is not None:
        old = _qualified(renamed["name"])
        if old in found:
            found[QName(old.schema, _plain(renamed["new"]))] = found.pop(old)


def _qualified(name: str) -> QName:
    parts = [_plain(part) for part in re.findall(_NAME, name)]
    return QName(parts[0], parts[1]) if len(parts) > 1 else QName("public", parts[0])


def _plain(name: str) -> str:
    """A name as pg_catalog holds it."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def unlisted(listed: Iterable[str], checked: Iterable[str]) -> tuple[str, ...]:
    """Relations that the run checked and no test stands for."""
    return tuple(sorted(set(checked) - set(listed)))
