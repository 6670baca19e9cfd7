"""What pytest collects from a scenario file: `file::table::command[persona]`, `file::channels::ID`, and so on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tenantproof.channels import matrix as _filled  # noqa: F401  (importing it fills the catalogue)
from tenantproof.channels.further import BY_PHASE
from tenantproof.channels.registry import CHANNELS
from tenantproof.core.errors import TenantproofError
from tenantproof.core.finding import Finding
from tenantproof.core.model import Command
from tenantproof.testing.outline import Outline, outline
from tenantproof.testing.results import CannotCheck, Results
from tenantproof.testing.settings import settings_of
from tenantproof.testing.verdicts import (
    Inconclusive,
    Leaks,
    Skipped,
    Verdict,
    judge_cell,
    judge_endpoint,
    judge_findings,
    judge_rest,
    judge_search,
    judge_seeding,
    judge_table,
    judge_way,
)

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr, TracebackStyle

Judge = Callable[[Results], Verdict]

PROPERTIES = {
    "confidentiality": ("INTERFERENCE", "SEQ-GAP"),
    "integrity": ("SIDE-EFFECT",),
    "membership": ("MEMBER-LIFE",),
}
"""What the search finds, by the property it violates."""


@pytest.mark.tenant_isolation
def isolated(tenantproof_results: Results) -> None:
    """The test function of every collected item: pytest hands it the session's results, and the suite's own fixtures
    (autouse ones too) come into force as for any test."""


class ScenarioFile(pytest.Module):
    """A scenario file.  A Module, as pytest's own DoctestTextfile, so that fixtures of module scope have a home."""

    obj = None

    def collect(self) -> Iterator[pytest.Collector]:
        try:
            found = outline(self.path)
        except TenantproofError as error:
            raise self.CollectError(str(error)) from None
        settings = settings_of(self.config)
        whole = settings.granularity == "table"
        for relation, commands in found.relations.items():
            tests = _table(found, relation) if whole else _cells(found, relation, commands)
            yield Group.of(self, relation, tests)
        yield Group.of(self, "channels", _channels(found))
        yield Group.of(self, "properties", _properties(found))
        if settings.via:
            yield Group.of(self, "ways", _ways(found, settings.via))
        if found.endpoints:
            yield Group.of(self, "endpoints", _endpoints(found))
        yield Group.of(self, "coverage", _coverage(found))


class Group(pytest.Collector):
    """Tests under one name."""

    tests: Iterable[tuple[str, Judge]]

    @classmethod
    def of(cls, parent: pytest.Collector, name: str, tests: Iterable[tuple[str, Judge]]) -> Group:
        group: Group = cls.from_parent(parent, name=name)
        group.tests = tests
        return group

    def collect(self) -> Iterator[pytest.Item]:
        fixtures = None  # looking them up is most of what an item costs; those of one group are the same
        for name, judge in self.tests:
            item: IsolationTest = IsolationTest.from_parent(self, name=name, callobj=isolated, fixtureinfo=fixtures)
            fixtures = item._fixtureinfo
            item.judge = judge
            _read_id_again(item)
            yield item


def _read_id_again(item: pytest.Item) -> None:
    """From 9.2 on pytest holds an id in parts and compares those that it reads from its cache (`--lf`): a name with
    brackets is to be taken apart in the same way."""
    parts = getattr(item, "_id", None)
    if parts is not None:
        item._id = type(parts).parse(item.nodeid)


class IsolationTest(pytest.Function):
    """One collected test."""

    judge: Judge

    def runtest(self) -> None:
        try:
            self._note(self.judge(self._results()).findings)
        except Skipped as reason:
            pytest.skip(str(reason))
        except Leaks as leak:
            self._note(getattr(leak, "findings", ()))
            raise

    def _note(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self.user_properties.append(("fingerprint", finding.fingerprint))
            self.user_properties.append(("channel", finding.channel))
            self.user_properties.append(("severity", str(finding.severity)))

    def _results(self) -> Results:
        results = self.funcargs["tenantproof_results"]
        assert isinstance(results, Results)
        return results

    def repr_failure(
        self,
        excinfo: pytest.ExceptionInfo[BaseException],
        style: TracebackStyle | None = None,  # noqa: ARG002  (pytest.Function decides it by its options)
    ) -> str | TerminalRepr:
        """The finding, not a traceback; anything else is a bug and gets one."""
        error = excinfo.value
        if isinstance(error, Leaks | Inconclusive):
            return str(error)
        if isinstance(error, CannotCheck):
            return self._once(str(error))
        return super().repr_failure(excinfo)

    def _once(self, text: str) -> str:
        told = self._results().told
        first = text not in told
        told.add(text)
        return text if first else f"{text.splitlines()[0]} (shown in full above)"

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        return self.path, None, f"{self.parent.name if self.parent else ''}::{self.name}"


def _cells(found: Outline, relation: str, commands: Iterable[Command]) -> Iterator[tuple[str, Judge]]:
    for command in commands:
        for persona in found.personas:
            yield f"{command}[{persona}]", _cell(found.path, relation, command, persona)


def _cell(path: Path, relation: str, command: Command, persona: str) -> Judge:
    return lambda results: judge_cell(results, path, relation, command, persona)


def _table(found: Outline, relation: str) -> Iterator[tuple[str, Judge]]:
    yield "isolated", lambda results: judge_table(results, found.path, relation)


def _channels(found: Outline) -> Iterator[tuple[str, Judge]]:
    for channel in sorted(CHANNELS):
        yield channel, _of_channels(found.path, (channel,))


def _properties(found: Outline) -> Iterator[tuple[str, Judge]]:
    for name, channels in PROPERTIES.items():
        yield name, _of_channels(found.path, channels)


WAYS = {"rest": "api", "pooled": "pooled connections", "replica": "replica"}
"""The further ways in, and what their gaps are about."""


def _ways(found: Outline, via: Iterable[str]) -> Iterator[tuple[str, Judge]]:
    for way in via:
        yield way, _of_way(found.path, tuple(BY_PHASE[way]), WAYS[way])


def _of_way(path: Path, channels: tuple[str, ...], about: str) -> Judge:
    return lambda results: judge_way(results, path, channels, about)


def _endpoints(found: Outline) -> Iterator[tuple[str, Judge]]:
    for name in found.endpoints:
        yield name, _endpoint(found.path, name)


def _endpoint(path: Path, name: str) -> Judge:
    return lambda results: judge_endpoint(results, path, name)


def _of_channels(path: Path, channels: tuple[str, ...]) -> Judge:
    return lambda results: judge_findings(results, path, channels)


def _coverage(found: Outline) -> Iterator[tuple[str, Judge]]:
    listed = tuple(found.relations)
    yield "seeding", lambda results: judge_seeding(results, found.path)
    yield "search", lambda results: judge_search(results, found.path)
    yield "other relations", lambda results: judge_rest(results, found.path, listed)
