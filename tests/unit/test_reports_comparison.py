"""Two runs compared: new, fixed and unchanged by fingerprint, and no fix claimed that nobody saw."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from importlib.resources import files

import jsonschema
import pytest
import referencing
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from tests.unit import sample_reports as samples

from tenantproof.core.finding import Finding, Severity, Verdict
from tenantproof.core.report import Report, Search
from tenantproof.reports.comparison import Comparison, compare_runs
from tenantproof.reports.comparison_json import document
from tenantproof.reports.comparison_terminal import render_comparison


def with_findings(*findings: Finding, base: Report | None = None) -> Report:
    return replace(base or samples.mixed(), findings=findings)


def shown(comparison: Comparison, *, verbose: bool = False, width: int = 100) -> str:
    out = io.StringIO()
    render_comparison(comparison, Console(file=out, width=width, no_color=True), verbose=verbose)
    return out.getvalue()


def test_findings_are_new_fixed_or_unchanged() -> None:
    old = with_findings(samples.SELECT_LEAK, samples.OVERBLOCK)
    found = compare_runs(old, with_findings(samples.MOVE_LEAK, samples.OVERBLOCK))
    assert found.new == (samples.MOVE_LEAK,)
    assert found.fixed == (samples.SELECT_LEAK,)
    assert found.unchanged == (samples.OVERBLOCK,)
    assert (found.unclear, found.accepted, found.differences) == ((), (), ())


def test_other_words_and_lines_are_the_same_finding() -> None:
    moved = replace(samples.SELECT_LEAK, line=99, title="Other words.", personas=("dual",))
    assert compare_runs(with_findings(samples.SELECT_LEAK), with_findings(moved)).unchanged == (moved,)


def test_what_is_accepted_no_longer_is_new_again() -> None:
    open_again = replace(samples.ACCEPTED, accepted="")
    found = compare_runs(with_findings(samples.ACCEPTED), with_findings(open_again))
    assert found.new == (open_again,)
    back = compare_runs(with_findings(open_again), with_findings(samples.ACCEPTED))
    assert (back.accepted, back.fixed, back.new) == ((samples.ACCEPTED,), (), ())


def test_new_and_accepted_from_the_start_is_nothing() -> None:
    found = compare_runs(samples.clean(), with_findings(samples.ACCEPTED, base=samples.clean()))
    assert (found.new, found.unchanged, found.accepted) == ((), (), ())


def test_a_finding_is_not_fixed_where_its_cells_were_not_tested() -> None:
    old = with_findings(samples.SELECT_LEAK)
    cells = tuple(
        replace(cell, verdict=Verdict.UNTESTED, reason="no positive control")
        if (cell.object, cell.persona) == ("public.workflow_templates", "dual")
        else cell
        for cell in old.cells
    )
    found = compare_runs(old, replace(with_findings(), cells=cells))
    assert found.fixed == ()
    (unclear,) = found.unclear
    assert unclear.why == "public.workflow_templates · select · dual is untested: no positive control"


def test_a_finding_is_not_fixed_where_its_relation_is_gone() -> None:
    old = with_findings(samples.SELECT_LEAK)
    cells = tuple(cell for cell in old.cells if cell.object != "public.workflow_templates")
    (unclear,) = compare_runs(old, replace(with_findings(), cells=cells)).unclear
    assert unclear.why.startswith("the new run has no cell public.workflow_templates · select · acme.owner")


@pytest.mark.parametrize(
    ("search", "why"),
    [
        (None, "the new run searched nothing"),
        (replace(samples.SEARCH, attempts=0), "the new run searched nothing"),
        (replace(samples.SEARCH, weak="most failed"), "the new search was weak: most failed"),
        (replace(samples.SEARCH, attempts=1200), "the new search was shorter: 1200 attempts instead of 2500"),
        (replace(samples.SEARCH, attempts=1300), ""),
    ],
)
def test_a_finding_of_the_search_is_fixed_only_where_as_much_was_searched(search: Search | None, why: str) -> None:
    old = samples.searched()
    found = compare_runs(old, replace(old, findings=(), search=search))
    assert [item.why for item in found.unclear] == ([why] * 3 if why else [])
    assert len(found.fixed) == (0 if why else 3)


def test_in_what_the_runs_differ_is_said() -> None:
    old = samples.clean()
    new = replace(old, seed=7, patches=("fix.sql",), server_version="17.2")
    assert compare_runs(old, new).differences == (
        "server: PostgreSQL 18.6 before, PostgreSQL 17.2 now",
        "seed: 20261123 before, 7 now",
        "patches: none before, fix.sql now",
    )


def test_the_gate_looks_at_new_findings_only() -> None:
    found = compare_runs(with_findings(samples.SELECT_LEAK), with_findings(samples.SELECT_LEAK, samples.COUNT_LEAK))
    assert found.gating(Severity.MEDIUM) == ()
    assert found.gating(Severity.LOW) == (samples.COUNT_LEAK,)


KNOWN = [samples.SELECT_LEAK, samples.MOVE_LEAK, samples.OVERBLOCK, samples.COUNT_LEAK, samples.INTERFERENCE]
FINDINGS = st.lists(
    st.builds(
        lambda finding, reason: replace(finding, accepted=reason), st.sampled_from(KNOWN), st.sampled_from(["", "ok"])
    ),
    unique_by=lambda finding: finding.fingerprint,
)


@settings(max_examples=40)
@given(FINDINGS, FINDINGS, st.sampled_from([None, samples.SEARCH]))
def test_every_finding_is_in_one_place(before: list[Finding], after: list[Finding], search: Search | None) -> None:
    """Open findings of both runs, and each once."""
    base = samples.small()
    found = compare_runs(with_findings(*before, base=base), replace(with_findings(*after, base=base), search=search))
    told = [*found.new, *found.fixed, *found.unchanged, *found.accepted, *(item.finding for item in found.unclear)]
    prints = [finding.fingerprint for finding in told]
    assert len(prints) == len(set(prints))
    assert set(prints) == {finding.fingerprint for finding in [*before, *after] if not finding.accepted}
    same = compare_runs(found.old, found.old)
    assert (same.new, same.fixed, same.unclear) == ((), (), ())


def test_json_holds_all_of_it() -> None:
    found = compare_runs(samples.searched(), replace(samples.searched(), findings=(samples.INTERFERENCE,), search=None))
    content = json.loads(json.dumps(document(found)))
    assert content["format"] == "diff-v1"
    assert [item["fingerprint"] for item in content["unchanged"]] == [samples.INTERFERENCE.fingerprint]
    assert [item["why"] for item in content["unclear"]] == ["the new run searched nothing"] * 2
    assert content["before"]["summary"]["findings"] == 3


def validator() -> jsonschema.Draft202012Validator:
    """The schema knows findings by that of json-v1."""
    known = {
        name: json.loads((files("tenantproof.reports") / f"{name}.schema.json").read_text(encoding="utf-8"))
        for name in ("json-v1", "diff-v1")
    }
    resources = [(schema["$id"], referencing.Resource.from_contents(schema)) for schema in known.values()]
    return jsonschema.Draft202012Validator(known["diff-v1"], registry=referencing.Registry().with_resources(resources))


def test_json_is_valid_by_its_schema() -> None:
    for comparison in (everything(), compare_runs(samples.clean(), samples.hostile())):
        validator().validate(json.loads(json.dumps(document(comparison))))
    assert not validator().is_valid({**document(everything()), "new": [{}]})


def test_hostile_text_reaches_no_terminal() -> None:
    text = shown(compare_runs(samples.clean(), samples.hostile()), verbose=True)
    assert text.replace("\n", "").isprintable()
    assert "\\u202e" in text


def everything() -> Comparison:
    old = with_findings(
        samples.SELECT_LEAK, samples.OVERBLOCK, samples.INTERFERENCE, replace(samples.ACCEPTED, accepted="")
    )
    return compare_runs(old, with_findings(samples.OVERBLOCK, samples.MOVE_LEAK, samples.ACCEPTED))


def test_golden() -> None:
    samples.assert_golden("diff-80.txt", shown(everything(), width=80))
    samples.assert_golden("diff.json", json.dumps(document(everything()), indent=2, sort_keys=True) + "\n")
