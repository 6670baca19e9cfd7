"""
Reads `json-v1` back into a Report.

Strict, so that a damaged or foreign file is never half believed: a missing key, an unknown key and a value of the
wrong type are UsageErrors that name the place (`findings[3].severity`).  What the writer derived (`summary`, a
finding's `fingerprint`) is derived again, not read.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

from tenantproof.core.errors import UsageError, did_you_mean
from tenantproof.core.finding import CellResult, Evidence, Finding, Property, Reach, Severity, Verdict
from tenantproof.core.model import Command, Place, QName
from tenantproof.core.report import Gap, Report, Search, Timing
from tenantproof.core.world import Unseeded
from tenantproof.reports.json_v1 import FORMAT

_Word = TypeVar("_Word", bound=enum.StrEnum)


def read_report(text: str) -> Report:
    """The report that the JSON writer wrote.  Raises UsageError where the text is not such a report."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"not a tenantproof report: not JSON ({error})") from error
    root = _Node("", content)
    if (found := root.text("format")) != FORMAT:
        raise UsageError(f"the report's format is '{found}'; this tenantproof reads '{FORMAT}'")
    return _report(root)


@dataclass(frozen=True, slots=True)
class _Node:
    """A JSON object and where it stands; every getter checks the type."""

    path: str
    value: object

    def close(self, *keys: str) -> None:
        """Refuse keys that nobody reads."""
        for key in self._object():
            if key not in keys:
                raise UsageError(f"{self._at(key)}: unknown key; {did_you_mean(key, keys)}")

    def text(self, key: str) -> str:
        return cast(str, self._typed(key, str, "text"))

    def text_or_none(self, key: str) -> str | None:
        return None if self._get(key) is None else self.text(key)

    def integer(self, key: str) -> int:
        return cast(int, self._typed(key, int, "a whole number"))

    def integer_or_none(self, key: str) -> int | None:
        return None if self._get(key) is None else self.integer(key)

    def number(self, key: str) -> float:
        return float(cast(float, self._typed(key, (int, float), "a number")))

    def flag(self, key: str) -> bool:
        value = self._get(key)
        if not isinstance(value, bool):
            raise self._expected(key, "true or false", value)
        return value

    def word(self, key: str, words: type[_Word]) -> _Word:
        text = self.text(key)
        try:
            return words(text)
        except ValueError:
            known = [word.value for word in words]
            raise UsageError(f"{self._at(key)}: unknown value '{text}'; {did_you_mean(text, known)}") from None

    def words(self, key: str, kind: type[_Word]) -> tuple[_Word, ...]:
        known = {word.value: word for word in kind}
        for index, text in enumerate(self.texts(key)):
            if text not in known:
                raise UsageError(f"{self._at(f'{key}[{index}]')}: unknown value '{text}'; {did_you_mean(text, known)}")
        return tuple(known[text] for text in self.texts(key))

    def texts(self, key: str) -> tuple[str, ...]:
        items = self._list(key)
        for index, item in enumerate(items):
            if not isinstance(item, str):
                raise self._expected(f"{key}[{index}]", "text", item)
        return tuple(cast("list[str]", items))

    def text_map(self, key: str) -> Mapping[str, str]:
        node = self.node(key)
        return {name: node.text(name) for name in node._object()}

    def number_map(self, key: str) -> Mapping[str, float]:
        node = self.node(key)
        return {name: node.number(name) for name in node._object()}

    def node(self, key: str) -> _Node:
        return _Node(self._at(key), self._get(key))

    def node_or_none(self, key: str) -> _Node | None:
        return None if self._get(key) is None else self.node(key)

    def nodes(self, key: str) -> Iterator[_Node]:
        for index, item in enumerate(self._list(key)):
            yield _Node(f"{self._at(key)}[{index}]", item)

    def _at(self, key: str) -> str:
        return f"{self.path}.{key}" if self.path else key

    def _object(self) -> dict[str, object]:
        if not isinstance(self.value, dict):
            raise UsageError(f"{self.path or 'the report'}: expected an object, got {_kind(self.value)}")
        return self.value

    def _get(self, key: str) -> object:
        values = self._object()
        if key not in values:
            raise UsageError(f"{self._at(key)}: the key is missing; is this a complete {FORMAT} report?")
        return values[key]

    def _typed(self, key: str, types: type | tuple[type, ...], noun: str) -> object:
        value = self._get(key)
        if isinstance(value, bool) or not isinstance(value, types):
            raise self._expected(key, noun, value)
        return value

    def _list(self, key: str) -> list[object]:
        return cast("list[object]", self._typed(key, list, "a list"))

    def _expected(self, key: str, noun: str, value: object) -> UsageError:
        return UsageError(f"{self._at(key)}: expected {noun}, got {_kind(value)}")


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")


def _names(of: type) -> tuple[str, ...]:
    """The keys of an object are the fields of the value that it becomes."""
    return tuple(field.name for field in dataclasses.fields(of))


_CELL_KEYS = _names(CellResult)
_FINDING_KEYS = (*_names(Finding), "fingerprint")
_ROOT_KEYS = (*(set(_names(Report)) - {"scenario_path", "timing", "suite"}), "format", "summary", "times")


def _report(root: _Node) -> Report:
    root.close(*_ROOT_KEYS)
    scenario = root.node("scenario")
    scenario.close("name", "path")
    search = root.node_or_none("search")
    return Report(
        tool_version=root.text("tool_version"),
        scenario=scenario.text("name"),
        scenario_path=scenario.text("path"),
        target=root.text("target"),
        server_version=root.text("server_version"),
        seed=root.integer("seed"),
        tenants=root.texts("tenants"),
        roles=root.texts("roles"),
        personas=root.texts("personas"),
        relations=root.text_map("relations"),
        cells=tuple(_cell(node) for node in root.nodes("cells")),
        findings=tuple(_finding(node) for node in root.nodes("findings")),
        unseeded=tuple(_unseeded(node) for node in root.nodes("unseeded")),
        gaps=tuple(_gap(node) for node in root.nodes("gaps")),
        notes=root.texts("notes"),
        patches=root.texts("patches"),
        statements=root.integer("statements"),
        rows_seeded=root.integer("rows_seeded"),
        search=None if search is None else _search(search),
        timing=_timing(root.node("times")),
        exit_code=root.integer_or_none("exit_code"),
    )


def _finding(node: _Node) -> Finding:
    node.close(*_FINDING_KEYS)
    place = node.node_or_none("place")
    return Finding(
        property=node.word("property", Property),
        channel=node.text("channel"),
        severity=node.word("severity", Severity),
        reach=node.word("reach", Reach),
        object=node.text("object"),
        objects=node.texts("objects"),
        command=node.word("command", Command),
        commands=node.words("commands", Command),
        title=node.text("title"),
        cause=node.text("cause"),
        explanation=node.text("explanation"),
        fix=node.text("fix"),
        cwe=node.integer("cwe"),
        personas=node.texts("personas"),
        evidence=tuple(_evidence(item) for item in node.nodes("evidence")),
        replay=node.text("replay"),
        policy=node.text_or_none("policy"),
        policy_text=node.text("policy_text"),
        file=node.text_or_none("file"),
        line=node.integer_or_none("line"),
        place=None if place is None else _place(place),
        accepted=node.text("accepted"),
    )


def _place(node: _Node) -> Place:
    node.close(*_names(Place))
    return Place(path=node.text("path"), line=node.integer("line"), column=node.integer("column"))


def _evidence(node: _Node) -> Evidence:
    node.close(*_names(Evidence))
    return Evidence(
        persona=node.text("persona"),
        statement=node.text("statement"),
        expected=node.text("expected"),
        observed=node.text("observed"),
        rows=node.texts("rows"),
        behind=node.text("behind"),
        world_1=node.texts("world_1"),
        world_2=node.texts("world_2"),
    )


def _cell(node: _Node) -> CellResult:
    node.close(*_CELL_KEYS)
    return CellResult(
        object=node.text("object"),
        persona=node.text("persona"),
        command=node.word("command", Command),
        verdict=node.word("verdict", Verdict),
        entitled=node.flag("entitled"),
        expected=node.text("expected"),
        observed=node.text("observed"),
        reason=node.text("reason"),
        attempts=node.integer("attempts"),
    )


def _unseeded(node: _Node) -> Unseeded:
    node.close(*_names(Unseeded))
    relation = node.node("relation")
    relation.close("schema", "name")
    return Unseeded(
        relation=QName(relation.text("schema"), relation.text("name")),
        tenant=node.text_or_none("tenant"),
        sqlstate=node.text("sqlstate"),
        message=node.text("message"),
    )


def _gap(node: _Node) -> Gap:
    node.close(*_names(Gap))
    return Gap(object=node.text("object"), reason=node.text("reason"))


def _search(node: _Node) -> Search:
    node.close(*_names(Search))
    return Search(
        attempts=node.integer("attempts"),
        pairs=node.integer("pairs"),
        passed=node.integer("passed"),
        denied=node.integer("denied"),
        failed=node.integer("failed"),
        unsteady=node.integer("unsteady"),
        distinct=node.integer("distinct"),
        weak=node.text("weak"),
    )


def _timing(node: _Node) -> Timing:
    node.close(*_names(Timing))
    return Timing(
        started_at=node.text("started_at"),
        seconds=node.number("seconds"),
        phases=node.number_map("phases"),
        reads_per_second=node.number("reads_per_second"),
        attempts_per_second=node.number("attempts_per_second"),
        pairs_per_second=node.number("pairs_per_second"),
    )
