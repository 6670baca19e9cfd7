"""A scenario file to a `Scenario`, or to one `ScenarioError` with everything that is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path as FilePath

from pydantic import ValidationError

from tenantproof.core.errors import Problem, ScenarioError, did_you_mean
from tenantproof.core.model import Scenario
from tenantproof.scenario import complaints
from tenantproof.scenario.build import build
from tenantproof.scenario.ledger import Ledger
from tenantproof.scenario.models import File
from tenantproof.scenario.parsing import parse
from tenantproof.scenario.positions import Document, Path

LEAVES = frozenset({"tables", "expect", "endpoints", "endpoints_app", "accept"})
"""Sections nothing else is built on: a mistake in them does not stop the checks of the rest."""


def load_scenario(path: FilePath) -> Scenario:
    """Read, validate and build the scenario in a file.

    Raises ScenarioError with every problem at once, in the order of the file.
    """
    return scenario_in(path, _read(path))


def scenario_in(path: FilePath, data: bytes) -> Scenario:
    """The scenario in the content of a file; raises what `load_scenario` raises."""
    document = parse(path.as_posix(), data)
    file, problems = _validate(document)
    if file is not None:
        ledger = Ledger(document=document, problems=problems)
        scenario = build(ledger, file, path)
        if not problems:
            return scenario
    raise ScenarioError(sorted(problems, key=lambda problem: (problem.line, problem.column)))


def _read(path: FilePath) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        problem = Problem(path.as_posix(), 1, 1, "unreadable", f"cannot be read: {reason}", _neighbour(path))
        raise ScenarioError([problem]) from None


def _neighbour(path: FilePath) -> str:
    try:
        there = [file.name for file in path.parent.glob("*.y*ml")]
        return did_you_mean(path.name, there) if there else "there is no scenario file in this folder"
    except (OSError, ValueError):
        return ""


def _validate(document: Document) -> tuple[File | None, list[Problem]]:
    """The models (None where too much is wrong to go on) and the problems up to here."""
    data = document.root.plain()
    found = dict(complaints.empty_values(document))
    try:
        return File.model_validate(data), [*document.problems, *found.values()]
    except ValidationError as error:
        wrong = list(complaints.problems(document, error, set(found)))
    problems = [*document.problems, *found.values(), *(problem for _, problem in wrong)]
    return _salvage(data, {*found, *(path for path, _ in wrong)}), problems


def _salvage(data: object, wrong: Iterable[Path]) -> File | None:
    """The file without what is wrong, where that is safe to leave out, so that the rest is checked as well."""
    for path in wrong:
        if path[0] not in LEAVES or len(path) < 2:
            return None
        _remove(data, _whole(path))
    try:
        return File.model_validate(data)
    except ValidationError:
        return None


def _whole(path: Path) -> Path:
    """What has to go with a wrong value: its table, its list, or in `expect` the smallest mapping entry."""
    if path[0] == "tables":
        return path[:2]
    lists = [index for index, step in enumerate(path) if isinstance(step, int)]
    return path[: lists[0]] if lists else path


def _remove(data: object, path: Path) -> None:
    for step in path[:-1]:
        if not isinstance(data, dict) or step not in data:
            return
        data = data[step]
    if isinstance(data, dict):
        data.pop(path[-1], None)
