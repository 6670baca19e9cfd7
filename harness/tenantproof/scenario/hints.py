"""
Hints: what a scenario says that is allowed and hardly meant.

Lines of `expect` that can never speak, or that let write what they do not let read; with what the database tells,
tables that nobody speaks of, and roles that nobody can have.  They are warnings: nothing fails because of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tenantproof.core.errors import Problem
from tenantproof.core.model import Command, Expectation, Place, QName, Scenario, Scope, ScopeKind
from tenantproof.scenario.positions import Source, Spot, shown
from tenantproof.scenario.suggestions import suggest

_WORD = re.compile(r"[^\s:,\[\]{}]+")
_RANKS = {ScopeKind.NONE: 0, ScopeKind.OWN: 1, ScopeKind.TENANT: 2, ScopeKind.ALL: 3}
_MOST_NAMED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the database tells: the relations in scope, those whose rows' owner is known, and what roles may be.

    `role_values` holds, by the place of a membership in the scenario's list, the values that its role column may have;
    nothing where nothing limits them.
    """

    relations: frozenset[QName] = frozenset()
    decided: frozenset[QName] = frozenset()
    role_values: Mapping[int, tuple[str, ...]] = field(default_factory=dict)


def hints_of(scenario: Scenario, known: Known | None = None) -> tuple[Problem, ...]:
    """The hints, in the order of the file; with what the database tells also those that only it can give."""
    found = [*_never_speaking(scenario), *_written_unread(scenario)]
    if known is not None:
        found += [*_unmentioned(scenario, known), *_roles(scenario, known)]
    source = _source(scenario.path)
    problems = dict.fromkeys(_problem(source, hint) for hint in found)
    return tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hint:
    place: Place
    code: str
    message: str
    advice: str


def _source(path: str) -> Source:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, ValueError):
        text = ""
    return Source.of(path, text)


def _problem(source: Source, hint: _Hint) -> Problem:
    text = source.lines[hint.place.line - 1] if hint.place.line <= len(source.lines) else ""
    word = _WORD.match(text, hint.place.column - 1)
    spot = Spot(line=hint.place.line, column=hint.place.column, span=len(word.group()) if word else 1)
    return replace(source.problem(spot, hint.code, hint.message, hint.advice), level="warning")


def _speakers(scenario: Scenario) -> tuple[str, ...]:
    """Everybody a line may speak of."""
    return (*scenario.roles, "anon", "outsider") if scenario.roles else ("a member", "anon", "outsider")


def _winner(lines: Sequence[Expectation], command: Command, role: str) -> Expectation | None:
    """The line that speaks: the exact command before read and write before all, the named role before the rest."""
    speaking = [line for line in lines if line.command is command and line.role in (role, "*", None)]
    return min(speaking, key=lambda line: (line.breadth, {None: 2, "*": 1}.get(line.role, 0)), default=None)


def _by_table(scenario: Scenario) -> dict[QName | None, list[Expectation]]:
    found: dict[QName | None, list[Expectation]] = {}
    for line in scenario.expectations:
        found.setdefault(line.table, []).append(line)
    return found


def _never_speaking(scenario: Scenario) -> Iterator[_Hint]:
    for table, lines in _by_table(scenario).items():
        cells = [(command, role) for command in Command for role in _speakers(scenario)]
        winners = {cell: _winner(lines, *cell) for cell in cells}
        speaking = {line.place for line in winners.values() if line is not None}
        for line in lines:
            if line.place is None or line.place in speaking:
                continue
            roles = [role for role in _speakers(scenario) if line.role in (role, "*", None)]
            over = next((w for role in roles if (w := winners[line.command, role]) is not None), None)
            where = f"line {over.place.line}" if over is not None and over.place is not None else "other lines"
            differs = over is not None and over.scopes != line.scopes
            said = f", and says {_scopes(over)} where this one says {_scopes(line)}" if over and differs else ""
            yield _Hint(
                place=line.place,
                code="never-speaks",
                message=f"this line of {table or '*'} never speaks: {where} is more exact{said}",
                advice="remove one of them",
            )


def _scopes(line: Expectation) -> str:
    return " + ".join(map(str, line.scopes))


def _written_unread(scenario: Scenario) -> Iterator[_Hint]:
    """PostgreSQL lets nobody update or delete by a condition what they may not select."""
    for table, lines in _by_table(scenario).items():
        found: dict[tuple[Place, str, str, str], list[str]] = {}
        for command in (Command.UPDATE, Command.DELETE):
            for role in _speakers(scenario):
                read, write = _winner(lines, Command.SELECT, role), _winner(lines, command, role)
                if read is None or write is None or write.place is None:
                    continue
                if _wider(role, write.scopes, read.scopes):
                    said = (write.place, command.value, _scopes(write), _scopes(read))
                    found.setdefault(said, []).append(role)
        for (place, command_name, written, readable), roles in found.items():
            yield _Hint(
                place=place,
                code="written-unread",
                message=f"{', '.join(roles)} may {command_name} {written} of {table or '*'}, but read {readable} only",
                advice="a write with a condition needs SELECT on the rows too: widen select, or narrow this",
            )


def _wider(role: str, one: Sequence[Scope], other: Sequence[Scope]) -> bool:
    if any(scope.kind is ScopeKind.WHERE for scope in (*one, *other)):
        return False
    return max(_rank(role, scope) for scope in one) > max(_rank(role, scope) for scope in other)


def _rank(role: str, scope: Scope) -> int:
    """How much a scope is worth: who belongs nowhere gets nothing by `own` and `tenant` in tables of tenants."""
    rank = _RANKS[scope.kind]
    return 0 if role in ("anon", "outsider") and scope.kind in (ScopeKind.OWN, ScopeKind.TENANT) else rank


def _unmentioned(scenario: Scenario, known: Known) -> Iterator[_Hint]:
    mentioned = {line.table for line in scenario.expectations} | {m.table for m in scenario.memberships}
    missing = sorted(known.relations - known.decided - mentioned - set(scenario.tables))
    if not missing:
        return
    names = ", ".join(map(str, missing[:_MOST_NAMED])) + (
        f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
    )
    place = next((scenario.places[key] for key in ("tables", "database") if key in scenario.places), None)
    yield _Hint(
        place=place or Place(scenario.path, 1, 1),
        code="unmentioned-table",
        message=f"no line speaks of {names}, and nothing tells whose the rows are",
        advice="declare them under tables: {tenant: …}, {owner: …}, {shared: true} or {private: true}",
    )


def _roles(scenario: Scenario, known: Known) -> Iterator[_Hint]:
    start = Place(scenario.path, 1, 1)
    for index, allowed in known.role_values.items():
        membership = scenario.memberships[index]
        column = f"{membership.table}.{membership.role}"
        for number, role in enumerate(scenario.roles):
            if role not in allowed:
                yield _Hint(
                    place=scenario.places.get(f"roles.{number}", start),
                    code="impossible-role",
                    message=f"nobody can be {shown(role)}: {column} may not hold it",
                    advice=suggest(role, set(allowed)),
                )
        missing = [value for value in allowed if value not in scenario.roles]
        if missing:
            yield _Hint(
                place=scenario.places.get("roles", start),
                code="missing-role",
                message=f"{column} may hold {', '.join(map(shown, missing))}, which roles does not name",
                advice="nobody tries what such a member may do: add it, or take it out of the column's values",
            )
