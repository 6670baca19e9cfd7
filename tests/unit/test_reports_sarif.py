"""SARIF: valid by the official schema, every rule declared, every result with a place, nothing silently left out."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit import sample_reports as samples

from tenantproof.channels.registry import CHANNELS
from tenantproof.core.finding import Evidence, Finding, Severity
from tenantproof.core.report import Report, Timing
from tenantproof.engine.interference.findings import CONFIDENTIALITY, INTEGRITY, SEQUENCE
from tenantproof.engine.interference.life_findings import CHANNEL as LIFE
from tenantproof.reports.rules import rules
from tenantproof.reports.sarif import MOST_RESULTS, SarifWriter

SCHEMA = Path(__file__).parents[1] / "schemas" / "sarif-schema-2.1.0.json"
SAMPLES = [samples.clean, samples.mixed, samples.small, samples.hostile, samples.empty, samples.searched, samples.weak]


def written(report: Report) -> str:
    out = io.StringIO()
    SarifWriter().write(report, out)
    return out.getvalue()


def run(report: Report) -> Any:
    (only,) = json.loads(written(report))["runs"]
    return only


@cache
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


@pytest.mark.parametrize("sample", SAMPLES)
def test_reports_are_valid_by_the_official_schema(sample: Callable[[], Report]) -> None:
    validator().validate(json.loads(written(sample())))


def test_the_schema_refuses_what_is_wrong() -> None:
    log = json.loads(written(samples.small()))
    del log["runs"][0]["tool"]["driver"]["name"]
    assert not validator().is_valid(log)


FINDINGS = st.builds(
    Finding,
    evidence=st.lists(st.builds(Evidence), max_size=1).map(tuple),
    cwe=st.integers(0, 2000),
    personas=...,
    policy=...,
    file=...,
    line=...,
    place=...,
    accepted=...,
)
TIMINGS = st.builds(Timing, started_at=st.text() | st.datetimes().map(str), seconds=st.floats(0, 1e12))


@settings(max_examples=40)
@given(st.lists(FINDINGS, max_size=3), TIMINGS, st.text(), st.lists(st.text(), max_size=2))
def test_any_finding_is_valid_by_the_schema(found: list[Finding], timing: Timing, path: str, notes: list[str]) -> None:
    report = replace(
        samples.empty(), findings=tuple(found), timing=timing, scenario_path=path, notes=tuple(notes), scenario=path
    )
    text = written(report)
    validator().validate(json.loads(text))
    assert "".join(strings(json.loads(text))).translate({10: None, 9: None}).isprintable()


def strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for key, item in value.items() for text in (key, *strings(item))]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def test_all_rules_are_declared_whether_or_not_they_were_broken() -> None:
    declared = run(samples.clean())["tool"]["driver"]["rules"]
    assert {*CHANNELS, "OVER-BLOCKED", CONFIDENTIALITY, INTEGRITY, SEQUENCE, LIFE} <= {rule["id"] for rule in declared}
    assert {rule["id"] for rule in declared} == set(rules())
    for rule in declared:
        assert rule["help"]["markdown"]
        assert 0 < float(rule["properties"]["security-severity"]) <= 10
        assert any(re.fullmatch(r"external/cwe/cwe-\d{3,}", tag) for tag in rule["properties"]["tags"])
        assert len(rule["properties"]["tags"]) <= 10
        assert rule["name"].lower() != rule["id"].lower()


def test_a_rule_that_only_another_version_knew_is_declared_too() -> None:
    assert "POL-SELECT" not in rules()
    found = run(samples.mixed())
    for result in found["results"]:
        assert found["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_the_score_of_a_rule_is_the_worst_of_the_run() -> None:
    low = replace(samples.INTERFERENCE, severity=Severity.LOW, cause="other")

    def score(*findings: Finding) -> str:
        declared = run(replace(samples.clean(), findings=findings))["tool"]["driver"]["rules"]
        return str(next(rule["properties"]["security-severity"] for rule in declared if rule["id"] == "INTERFERENCE"))

    assert score(low) == "2.0"
    assert score(low, samples.INTERFERENCE) == "9.5"
    assert score(replace(samples.INTERFERENCE, accepted="yes"), low) == "2.0"


def by_rule(report: Report, rule: str) -> Any:
    (found,) = (result for result in run(report)["results"] if result["ruleId"] == rule)
    return found


def test_a_result_stands_in_the_migration_and_points_to_the_scenario() -> None:
    result = by_rule(samples.mixed(), "POL-SELECT")
    (place,) = result["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "supabase/migrations/20260411_templates.sql", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 41},
    }
    assert place["logicalLocations"][0]["fullyQualifiedName"] == "public.workflow_templates/templates_read"
    (related,) = result["relatedLocations"]
    assert related["physicalLocation"]["region"] == {"startLine": 52, "startColumn": 3}
    assert result["level"] == "error"


def test_what_has_no_place_stands_at_the_beginning_of_the_scenario() -> None:
    result = by_rule(samples.mixed(), "UNIQUE-ORACLE")
    where = result["locations"][0]["physicalLocation"]
    assert where["artifactLocation"]["uri"] == "scenarios/workflow_saas.tenancy.yaml"
    assert where["region"] == {"startLine": 1}


def test_fingerprints_do_not_depend_on_lines() -> None:
    moved = replace(samples.SELECT_LEAK, line=99, title="other words")
    prints = [
        by_rule(replace(samples.clean(), findings=(finding,)), "POL-SELECT")["partialFingerprints"]
        for finding in (samples.SELECT_LEAK, moved)
    ]
    assert prints[0] == prints[1]
    assert prints[0]["tenantproof/v1"] == samples.SELECT_LEAK.fingerprint


def test_accepted_findings_are_suppressed_with_the_reason() -> None:
    found = run(samples.mixed())["results"]
    assert [result.get("suppressions") for result in found if "suppressions" in result] == [
        [{"kind": "external", "status": "accepted", "justification": samples.ACCEPTED.accepted}]
    ]
    assert found[-1]["ruleId"] == "SEQ-GAP"


def test_the_worst_are_kept_and_the_rest_is_told() -> None:
    many = [replace(samples.COUNT_LEAK, object=f"public.t{index}") for index in range(MOST_RESULTS + 10)]
    found = run(replace(samples.clean(), findings=(*many, samples.SELECT_LEAK)))
    assert len(found["results"]) == MOST_RESULTS
    assert found["results"][0]["ruleId"] == "POL-SELECT"
    said = [notice["message"]["text"] for notice in found["invocations"][0]["toolExecutionNotifications"]]
    assert "11 results left out: code scanning keeps 5000, here the worst" in said


def test_what_was_not_tested_is_a_notification() -> None:
    said = [n["message"]["text"] for n in run(samples.mixed())["invocations"][0]["toolExecutionNotifications"]]
    for part in ("not filled: public.webhooks for acme", "out of reach: extensions.pg_stat", "cannot tell: 4 cells of"):
        assert any(part in text for text in said)
    assert "weak search: 80 %" in written(samples.weak())


def test_paths_are_uris() -> None:
    finding = replace(samples.SELECT_LEAK, file="./db/my migrations/ü#1.sql")
    text = written(replace(samples.clean(), findings=(finding,)))
    assert '"uri": "db/my%20migrations/%C3%BC%231.sql"' in text
    absolute = replace(samples.SELECT_LEAK, file="/srv/db/1.sql")
    where = by_rule(replace(samples.clean(), findings=(absolute,)), "POL-SELECT")["locations"][0]["physicalLocation"]
    assert where["artifactLocation"] == {"uri": "file:///srv/db/1.sql"}


def test_hostile_text_is_neither_a_link_nor_an_image() -> None:
    evil = replace(
        samples.SELECT_LEAK, title="[click](https://evil.example) ![x](y)", channel="X", explanation="![a](b)<b>"
    )
    found = run(replace(samples.clean(), findings=(evil,)))
    assert "](" not in found["results"][0]["message"]["text"]
    assert found["tool"]["driver"]["rules"][-1]["help"]["markdown"].startswith("!\\[a] (b)&lt;b>")


def test_golden() -> None:
    """The results; the rules are the catalogue's, which has tests of its own."""
    found = run(samples.small())
    found["tool"]["driver"]["rules"] = [rule["id"] for rule in found["tool"]["driver"]["rules"]]
    samples.assert_golden("report.sarif", json.dumps(found, indent=1) + "\n")
