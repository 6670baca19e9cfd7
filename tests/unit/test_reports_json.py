"""json-v1: valid by its schema, lossless, the same for the same run, and strict when read."""

from __future__ import annotations

import contextlib
import copy
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit import sample_reports as samples

from tenantproof.core.errors import UsageError
from tenantproof.core.finding import Evidence, Finding, Severity
from tenantproof.core.history import PastRun
from tenantproof.core.report import Report, Search, Timing
from tenantproof.reports.json_v1 import JsonV1Writer, document, schema_text
from tenantproof.reports.json_v1_reader import read_report

SAMPLES = [samples.clean, samples.mixed, samples.small, samples.hostile, samples.empty, samples.searched, samples.weak]
SCHEMA = json.loads(schema_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def written(report: Report) -> str:
    out = io.StringIO()
    JsonV1Writer().write(report, out)
    return out.getvalue()


FINDINGS = st.builds(
    Finding,
    evidence=st.lists(st.builds(Evidence, rows=..., behind=..., world_1=..., world_2=...), max_size=2).map(tuple),
    cwe=st.integers(0, 2000),
    policy=...,
    policy_text=...,
    file=...,
    line=...,
    place=...,
    accepted=...,
)
SECONDS = st.floats(allow_nan=False, allow_infinity=False)
TIMINGS = st.builds(
    Timing,
    started_at=...,
    seconds=SECONDS,
    phases=st.dictionaries(st.text(), SECONDS, max_size=3),
    reads_per_second=SECONDS,
    attempts_per_second=SECONDS,
    pairs_per_second=SECONDS,
)
COUNTS = st.integers(min_value=0)
SEARCHES = st.builds(
    Search,
    weak=st.text(),
    **dict.fromkeys(("attempts", "pairs", "passed", "denied", "failed", "unsteady", "distinct"), COUNTS),
)
PAST_RUNS = st.builds(
    PastRun,
    findings=st.dictionaries(st.text(), st.sampled_from([severity.value for severity in Severity]), max_size=2),
    **dict.fromkeys(("isolated", "leaked", "overblocked", "untested", "accepted"), COUNTS),
)
REPORTS = st.builds(
    Report,
    findings=st.lists(FINDINGS, max_size=3).map(tuple),
    timing=TIMINGS,
    unseeded=...,
    gaps=...,
    notes=...,
    patches=...,
    statements=COUNTS,
    rows_seeded=COUNTS,
    search=st.none() | SEARCHES,
    history=st.lists(PAST_RUNS, max_size=2).map(tuple),
    baseline=...,
)


LATER = Timing(started_at="later", seconds=9.9, attempts_per_second=1.0, pairs_per_second=2.0)


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema of an object with known keys, wherever it stands."""
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for item in schema:
            yield from objects(item)


def test_the_schema_is_a_schema_and_closed_everywhere() -> None:
    """No object takes unknown keys, and none of its keys is optional."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    found = list(objects(SCHEMA))
    assert len(found) >= 9
    for item in found:
        assert item["additionalProperties"] is False
        assert item["required"] == sorted(item["properties"])


@pytest.mark.parametrize("sample", SAMPLES)
def test_reports_are_valid_by_the_schema(sample: Callable[[], Report]) -> None:
    VALIDATOR.validate(json.loads(written(sample())))


@given(st.none() | SEARCHES, FINDINGS)
def test_any_search_and_finding_is_valid_by_the_schema(search: Search | None, finding: Finding) -> None:
    report = replace(samples.empty(), search=search, findings=(finding,))
    VALIDATOR.validate(json.loads(written(report)))


def test_a_search_is_null_or_all_of_it() -> None:
    assert json.loads(written(samples.clean()))["search"] is None
    content = json.loads(written(samples.searched()))
    assert content["search"] == {
        "attempts": 2500,
        "pairs": 6300,
        "passed": 1775,
        "denied": 675,
        "failed": 50,
        "unsteady": 164,
        "distinct": 465,
        "weak": "",
    }
    assert content["times"]["pairs_per_second"] == 2046.7
    evidence = content["findings"][2]["evidence"][0]
    assert evidence["behind"].startswith("1 row of public.comments changed")
    assert (evidence["world_1"][0], evidence["world_2"][0]) == ("9 rows", "10 rows")


@pytest.mark.parametrize("sample", SAMPLES)
def test_samples_survive_the_round_trip(sample: Callable[[], Report]) -> None:
    assert read_report(written(sample())) == sample()


@given(REPORTS)
def test_any_report_survives_the_round_trip(report: Report) -> None:
    text = written(report)
    assert read_report(text) == report
    assert written(read_report(text)) == text


def test_the_summary_counts_cells_and_findings() -> None:
    summary: Any = document(samples.mixed())["summary"]
    assert summary == {
        "isolated": 2065,
        "leak": 18,
        "overblocked": 4,
        "untested": 9,
        "error": 4,
        "cells": 2100,
        "findings": 5,
        "accepted": 1,
    }


def test_findings_name_what_scripts_need() -> None:
    finding = json.loads(written(samples.mixed()))["findings"][-1]
    assert finding["fingerprint"] == samples.SELECT_LEAK.fingerprint
    assert finding["object"] == "public.workflow_templates"
    assert finding["replay"] == samples.SELECT_LEAK.replay
    assert (finding["file"], finding["line"]) == ("supabase/migrations/20260411_templates.sql", 41)


def test_two_runs_differ_in_times_only() -> None:
    first = json.loads(written(samples.mixed()))
    second = json.loads(written(replace(samples.mixed(), timing=LATER)))
    assert first.pop("times") != second.pop("times")
    assert first == second


def test_keys_are_sorted_and_text_is_ascii() -> None:
    text = written(samples.hostile())
    assert text.isascii()
    assert "\x1b" not in text
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


def test_golden() -> None:
    samples.assert_golden("report.json", written(samples.small()))


def broken(change: Callable[[dict[str, Any]], object]) -> str:
    content = copy.deepcopy(json.loads(written(samples.small())))
    change(content)
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "the document: expected an object, got a list"),
        ("{}", "format: the key is missing"),
        ('{"format": "json-v2"}', "this tenantproof reads 'json-v1'"),
        (broken(lambda c: c.pop("cells")), "cells: the key is missing"),
        (broken(lambda c: c.update(cels=[])), "cels: unknown key; did you mean 'cells'?"),
        (broken(lambda c: c.update(seed="1")), "seed: expected a whole number, got text"),
        (broken(lambda c: c.update(seed=True)), "seed: expected a whole number, got a boolean"),
        (broken(lambda c: c["cells"][2].update(entitled=1)), r"cells\[2\].entitled: expected true or false"),
        (broken(lambda c: c["cells"][0].update(verdict="leek")), r"cells\[0\].verdict: .* did you mean 'leak'"),
        (broken(lambda c: c["findings"][0].update(line="x")), r"findings\[0\].line: expected a whole number"),
        (broken(lambda c: c["tenants"].append(3)), r"tenants\[2\]: expected text, got a number"),
        (broken(lambda c: c["times"].update(phases=[])), "times.phases: expected an object, got a list"),
        (broken(lambda c: c.pop("search")), "search: the key is missing"),
        (broken(lambda c: c.update(search={"attempts": 1})), "search.pairs: the key is missing"),
        (broken(lambda c: c.update(search={"attemps": 1})), "search.attemps: unknown key; did you mean 'attempts'?"),
        (
            broken(lambda c: c["findings"][0]["evidence"][0].update(world_1=[1])),
            r"evidence\[0\].world_1\[0\]: expected",
        ),
        (broken(lambda c: c["times"].update(seconds=None)), "times.seconds: expected a number, got null"),
    ],
)
def test_a_damaged_report_is_refused_with_the_place(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_report(text)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(json.loads(written(samples.small())))), JSON_VALUES)
def test_reading_raises_nothing_but_usage_errors(key: str, value: object) -> None:
    with contextlib.suppress(UsageError):
        read_report(broken(lambda content: content.update({key: value})))
