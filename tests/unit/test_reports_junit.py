"""JUnit XML: valid by the XSD that Jenkins uses, a case for everything, and red exactly where the gate is."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit import sample_reports as samples

from tenantproof import exit_code
from tenantproof.core.finding import CellResult, Finding, Severity, Verdict
from tenantproof.core.report import Gap, Report
from tenantproof.core.world import Unseeded
from tenantproof.reports.junit import JunitWriter
from tenantproof.reports.unknown import unknowns

XSD = Path(__file__).parents[1] / "schemas" / "junit-10.xsd"
SAMPLES = [samples.clean, samples.mixed, samples.small, samples.hostile, samples.empty, samples.searched, samples.weak]


def written(report: Report) -> str:
    out = io.StringIO()
    JunitWriter().write(report, out)
    return out.getvalue()


def suite(report: Report) -> ElementTree.Element:
    root = ElementTree.fromstring(written(report).encode("utf-8"))
    (only,) = root
    return only


def results(report: Report) -> Counter[str]:
    """How many cases have which element; the rest passed."""
    cases = suite(report).findall("testcase")
    return Counter(case[0].tag if len(case) else "passed" for case in cases)


def case(report: Report, name: str) -> ElementTree.Element:
    (found,) = (case for case in suite(report).findall("testcase") if case.get("name") == name)
    return found


@cache
def schema() -> Any:
    xmlschema = pytest.importorskip("xmlschema", reason="validating by the XSD needs xmlschema")
    return xmlschema.XMLSchema(str(XSD))


@pytest.mark.parametrize("sample", SAMPLES)
def test_reports_are_valid_by_the_xsd(sample: Callable[[], Report]) -> None:
    schema().validate(written(sample()))


def test_the_xsd_refuses_what_is_wrong() -> None:
    assert not schema().is_valid("<testsuites><testsuite name='x'><testcase/></testsuite></testsuites>")


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_counts_are_those_of_the_cases(sample: Callable[[], Report]) -> None:
    found, counted = suite(sample()), results(sample())
    assert int(found.get("tests", "")) == sum(counted.values())
    assert int(found.get("failures", "")) == counted["failure"]
    assert int(found.get("errors", "")) == counted["error"]
    assert int(found.get("skipped", "")) == counted["skipped"]


def test_each_cell_is_a_case() -> None:
    report = samples.mixed()
    names = [case.get("name") for case in suite(report).findall("testcase")]
    assert {f"{cell.object}::{cell.command}[{cell.persona}]" for cell in report.cells} <= set(names)
    assert len(names) == len(set(names))


def test_a_leak_is_a_failure_that_holds_the_finding() -> None:
    (failure, out) = case(samples.mixed(), "public.workflow_templates::select[acme.owner]")
    assert failure.tag == "failure"
    assert failure.get("type") == "POL-SELECT"
    assert failure.get("message") == f"critical: {samples.SELECT_LEAK.title}"
    for part in ("LEAKED critical", "20260411_templates.sql:41", "10 of 12 rows", "tenantproof replay", "rollback;"):
        assert part in str(failure.text)
    assert f"[[PROPERTY|fingerprint={samples.SELECT_LEAK.fingerprint}]]" in str(out.text)
    assert "[[PROPERTY|severity=critical]]" in str(out.text)
    assert "[[PROPERTY|seed=20261123]]" in str(out.text)


def test_a_finding_of_many_cells_is_told_in_full_once() -> None:
    report = samples.mixed()
    texts = [str(case[0].text) for case in suite(report).findall("testcase") if len(case) and case[0].text]
    told = [text for text in texts if samples.SELECT_LEAK.title in text]
    assert len(told) == len(samples.SELECT_LEAK.personas)
    assert ["set local role authenticated" in text for text in told] == [True] + [False] * (len(told) - 1)
    assert all("tenantproof replay" in text for text in told)


def test_what_was_accepted_is_skipped_with_the_reason() -> None:
    (skipped, _) = case(samples.mixed(), "public.events::select[acme.viewer]")
    assert skipped.tag == "skipped"
    assert skipped.get("message") == f"accepted: {samples.ACCEPTED.accepted}"


def test_untested_cells_are_errors_only_where_they_must_be_known() -> None:
    report = samples.mixed()
    assert case(report, "public.org_dashboard::select[dual]")[0].tag == "error"
    assert case(report, "storage.objects::select[anon]")[0].tag == "skipped"
    cells = tuple(
        replace(cell, reason="undecided: whose rows are they?") if cell.object == "storage.objects" else cell
        for cell in report.cells
    )
    asked = case(replace(report, cells=cells), "storage.objects::select[anon]")[0]
    assert (asked.tag, asked.get("message")) == ("error", "undecided: whose rows are they?")


def test_findings_that_no_cell_shows_are_cases() -> None:
    name = f"public.search_comments::select[INTERFERENCE {samples.INTERFERENCE.fingerprint}]"
    assert case(samples.searched(), name)[0].tag == "failure"


def test_low_findings_do_not_turn_the_tab_red() -> None:
    """The run is green with them, so is the tab; they are seen all the same."""
    report = replace(samples.clean(), findings=(samples.COUNT_LEAK,))
    (skipped, _) = case(report, f"public.organizations::insert[UNIQUE-ORACLE {samples.COUNT_LEAK.fingerprint}]")
    assert str(skipped.get("message")).startswith("low, below medium: ")
    assert "LEAKED low" in str(skipped.text)


def test_what_was_not_filled_or_reached_is_a_case() -> None:
    assert case(samples.mixed(), "public.webhooks::rows[acme]")[0].get("message") == "bad url (23514)"
    assert case(samples.mixed(), "extensions.pg_stat_statements")[0].tag == "skipped"
    assert results(samples.weak())["error"] == 1


def test_hostile_text_is_text() -> None:
    text = written(samples.hostile())
    for char in ("\u202e", "\u2066", "\x1b", "\x07", "\0", "\ud800"):
        assert char not in text
    assert "]]>" not in text
    (failure, _) = suite(samples.hostile()).findall("testcase")[0]
    assert "</script><img src=x onerror=alert(1)>]]>&\"'`\\u202egnp.exe" in str(failure.text)


FINDINGS = st.builds(
    Finding, evidence=st.just(()), personas=..., accepted=..., policy=..., file=..., line=..., place=...
)
REPORTS = st.builds(
    Report,
    findings=st.lists(FINDINGS, max_size=2).map(tuple),
    cells=st.lists(st.builds(CellResult, reason=st.text() | st.just("undecided: whose?")), max_size=4).map(tuple),
    unseeded=st.lists(st.builds(Unseeded), max_size=2).map(tuple),
    gaps=st.lists(st.builds(Gap, reason=st.text() | st.just("undecided: whose?")), max_size=2).map(tuple),
    search=st.sampled_from([None, samples.SEARCH, samples.weak().search]),
)


@settings(max_examples=50)
@given(REPORTS)
def test_any_report_is_well_formed_and_holds_nothing_invisible(report: Report) -> None:
    text = written(report)
    ElementTree.fromstring(text.encode("utf-8"))
    assert text.replace("\n", "").replace("\t", "").isprintable()


@settings(max_examples=50)
@given(REPORTS)
def test_the_tab_is_red_exactly_where_the_run_is(report: Report) -> None:
    """Deviations without a finding are red beyond that: they are a bug of ours, and nobody should sleep over it."""
    told = replace(report, cells=tuple(cell for cell in report.cells if cell.verdict not in DEVIATING))
    counted = results(told)
    assert bool(counted["failure"]) == (exit_code(told, Severity.MEDIUM) == 1)
    assert counted["error"] == unknowns(told)
    assert bool(counted["error"]) == (exit_code(told, None) == 4)


DEVIATING = (Verdict.LEAK, Verdict.OVERBLOCKED)


def test_twenty_thousand_cells_are_written_at_once() -> None:
    text = written(samples.large())
    assert len(re.findall("<testcase ", text)) == 20_000
    assert len(text) < 4_000_000


def test_golden() -> None:
    samples.assert_golden("report.junit.xml", written(samples.small()))
