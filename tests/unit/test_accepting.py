"""Acceptances, baselines and the history as values and files; end to end in tests/integration/test_accepting.py."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from tests.unit import sample_reports as samples

from tenantproof.channels.further import BY_PHASE, FURTHER, VIAS
from tenantproof.channels.registry import CHANNELS
from tenantproof.channels.tried import SEARCHED, was_tried
from tenantproof.core.errors import ScenarioError, UsageError
from tenantproof.core.finding import Finding
from tenantproof.core.history import PastRun, first_seen, runs_seen
from tenantproof.core.model import Acceptance, Place
from tenantproof.core.report import Report, Search, Timing
from tenantproof.engine.acceptance import accept, ended, unmatched
from tenantproof.reports import history
from tenantproof.reports.baseline import baseline_of, compared, load_baseline, pruned, text_of
from tenantproof.reports.history import summarized, with_history
from tenantproof.reports.rules import rules
from tenantproof.reports.since import seen, since
from tenantproof.reports.wording import replay_command
from tenantproof.scenario.accepting import require_term, with_acceptance
from tenantproof.scenario.loading import scenario_in
from tenantproof.scenario.parsing import parse

TODAY = date(2026, 11, 24)
HERE = Place("app.yaml", 7, 3)
FINDING = replace(samples.ACCEPTED, accepted="")
OTHER = samples.SELECT_LEAK


def entry(finding: Finding = FINDING, **changes: object) -> Acceptance:
    plain = Acceptance(channel=finding.channel, object=finding.object, reason="known", until="2027-01-01", place=HERE)
    return replace(plain, **changes)  # type: ignore[arg-type]


def of_a_baseline(finding: Finding = FINDING) -> Acceptance:
    (one,) = baseline_of(report(finding)).acceptances("b.json")
    return one


def report(*findings: Finding, **changes: object) -> Report:
    changed = replace(samples.clean(), findings=findings, search=Search(attempts=1))
    return replace(changed, **changes)  # type: ignore[arg-type]


# --- which findings an entry covers ---


@pytest.mark.parametrize(
    ("one", "covered"),
    [
        (entry(), True),
        (entry(channel="SEQ-*", object="public.*"), True),
        (entry(channel="*", object="***"), True),
        (entry(object="public.event"), False),
        (entry(object="public.event?"), False),
        (entry(object="PUBLIC.events"), False),
        (entry(fingerprint=FINDING.fingerprint), True),
        (entry(fingerprint="0" * 12), False),
        (entry(until="2026-11-25"), True),
        (entry(until="2026-11-24"), False),
    ],
)
def test_what_an_entry_covers(one: Acceptance, covered: bool) -> None:
    found, beside = accept([FINDING, OTHER], [one], TODAY)
    assert bool(found.accepted) is covered
    assert found.accepted in ("", f"known, until {one.until}")
    assert bool(beside.accepted) is (covered and one.channel == "*")


def test_brackets_of_a_function_mean_themselves() -> None:
    finding = replace(FINDING, object="public.find(integer[], text[])")
    assert accept([finding], [entry(finding)], TODAY)[0].accepted
    assert not accept([replace(finding, object="public.find(integeri)")], [entry(finding)], TODAY)[0].accepted


def test_a_date_that_is_over_goes_before_a_baseline() -> None:
    over, known = entry(until="2026-01-01"), of_a_baseline()
    (finding,) = accept([FINDING], [over, known], TODAY)
    assert not finding.accepted
    (note,) = ended([finding], [over, known], TODAY)
    assert "ended on 2026-01-01: the finding counts again" in note
    (finding,) = accept([FINDING], [known], TODAY)
    assert finding.accepted == "in the baseline b.json"
    (finding,) = accept([FINDING], [over, entry()], TODAY)  # somebody renewed it
    assert finding.accepted
    assert not list(ended([finding], [over, entry()], TODAY))


def test_entries_for_what_is_not_there_are_named_if_it_was_looked_for() -> None:
    whole = report(OTHER)
    (note,) = unmatched(whole, [entry(), of_a_baseline()])
    assert note.startswith(f"accept: SEQ-GAP public.events ({HERE}) matches no finding")
    assert not list(unmatched(report(FINDING), [entry()]))
    for cut in ({"search": None}, {"interrupted": True}, {"cells": ()}):
        assert not list(unmatched(report(**cut), [entry()]))
    assert list(unmatched(report(search=None), [entry(OTHER)]))  # the matrix alone would have found it


def test_every_kind_of_finding_belongs_to_a_part_of_a_run() -> None:
    assert set(rules()) == {*CHANNELS, *SEARCHED, *FURTHER, "OVER-BLOCKED"}
    for phase, known in BY_PHASE.items():
        for channel in known:
            assert was_tried(channel, report(timing=Timing(phases={phase: 1.0})))
            assert not was_tried(channel, report())


@pytest.mark.parametrize("way", VIAS)
def test_what_a_way_found_is_replayed_by_that_way(way: str) -> None:
    for channel in BY_PHASE[way]:
        assert replay_command(report(), replace(samples.small().findings[0], channel=channel)).endswith(f" --via {way}")


# --- the text of a scenario ---

BASE = "version: 1\nname: x\n"
NEW = """\
  - channel: "SEQ-GAP"
    object: "public.events"
    reason: "known"
    until: 2027-01-01
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "accept:\n" + NEW),
        ("# the end", "# the end\naccept:\n" + NEW),
        ("a: |+\n  text\n\n\n", "a: |+\n  text\n\n\naccept:\n" + NEW),
        ("accept:\n", "accept:\n" + NEW),
        ("accept: # none\n\n# b\nb: 1", "accept: # none\n" + NEW + "\n# b\nb: 1"),
        ("accept: []", "accept:\n" + NEW),
        ("accept: []  # none\nb: 1\n", "accept:  # none\n" + NEW + "b: 1\n"),
        (
            "accept:\n  # why\n  - {a: b} # c\n\n  # d\nb: 1\n",
            "accept:\n  # why\n  - {a: b} # c\n" + NEW + "\n  # d\nb: 1\n",
        ),
        ("accept:\n- a: b", "accept:\n- a: b\n" + NEW.replace("\n  ", "\n").removeprefix("  ")),
        ("accept:\n  -\n    a: |\n      t\n\nb: 1\n", "accept:\n  -\n    a: |\n      t\n\n" + NEW + "b: 1\n"),
        ('"accept":\n  - a: [1,\n 2]\n', '"accept":\n  - a: [1,\n 2]\n' + NEW),
    ],
)
@pytest.mark.parametrize("written", [str, lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text])
def test_an_entry_is_added_and_every_other_byte_stays(before: str, after: str, written: Callable[[str], str]) -> None:
    data = written(BASE + before).encode()
    assert with_acceptance("x", data, entry()).decode() == written(BASE + after)


@pytest.mark.parametrize(
    "text",
    [
        BASE + "accept: [{a: b}]\n",
        BASE + "accept: [\n]\n",
        BASE + "accept: ~\n",
        BASE + "accept: &all\n  - a: b\n",
        BASE + "a: &all []\naccept: *all\n",
        BASE + "...\n",
        BASE + "a: |\n  no newline at the end",  # its value would change
        "{version: 1, name: x}\n",
    ],
)
def test_what_is_not_clear_is_left_to_a_person(text: str) -> None:
    with pytest.raises(UsageError, match=re.escape(NEW)):
        with_acceptance("x", text.encode(), entry())


@pytest.mark.parametrize(
    "reason", ['"SEC-1": # x', "a\nb\r\n- c: d", "\u2028\u0085\x07\x7f", "{{ ü 😀 \u202e }}", "*a &b !c %d @e", "\\"]
)
def test_a_reason_stays_what_it_is(reason: str) -> None:
    written = with_acceptance("x", BASE.encode(), entry(reason=reason))
    (added,) = parse("x", written).root.plain()["accept"]  # type: ignore[index]
    assert added["reason"] == reason
    assert len(written.splitlines()) == 7


SOON = (date.today() + timedelta(days=30)).isoformat()


@pytest.mark.parametrize(
    ("reason", "until", "said"),
    [
        (" \t", SOON, "say why"),
        ("\udc80", SOON, "say why"),
        ("x", "soon", "expected a date"),
        ("x", "20270101", "expected a date"),
        ("x", "2027-02-30", "expected a date"),
        ("x", "2020-01-01", "is over"),
        ("x", "2999-01-01", "more than a year away"),
    ],
)
def test_a_term_that_will_not_do(reason: str, until: str, said: str) -> None:
    require_term("x", SOON)
    with pytest.raises(UsageError, match=said):
        require_term(reason, until)


def test_a_scenario_accepts_nothing_for_longer_than_a_year(tmp_path: Path) -> None:
    text = "version: 1\naccept:\n  - {channel: A, object: b, reason: c, until: 2999-01-01}\n"
    with pytest.raises(ScenarioError, match=r"3:.*too-far.*at most a year away"):
        scenario_in(tmp_path / "x.yaml", text.encode())


# --- baselines ---


def test_a_baseline_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    written = baseline_of(samples.mixed())
    path.write_text(text_of(written))
    assert load_baseline(path, samples.mixed().scenario) == written
    assert {known.fingerprint for known in written.findings} == {
        finding.fingerprint for finding in samples.mixed().findings if not finding.accepted
    }


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (report(FINDING, interrupted=True), "was interrupted"),
        (compared(report(FINDING), baseline_of(report(FINDING)), "old\x1b.json"), r"--baseline old\\u001b\.json"),
    ],
)
def test_a_run_that_hides_findings_makes_no_baseline(run: Report, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        baseline_of(run)


def test_a_baseline_only_loses_what_was_looked_for() -> None:
    known = baseline_of(report(FINDING, OTHER))
    assert pruned(known, report(FINDING, OTHER, samples.COUNT_LEAK)) == known
    assert not pruned(known, report()).findings
    (left,) = pruned(known, report(search=None)).findings
    assert left.fingerprint == FINDING.fingerprint  # the search finds it, and there was none
    for wrong, said in ((report(interrupted=True), "interrupted"), (report(scenario="other"), "of the scenario")):
        with pytest.raises(UsageError, match=said):
            pruned(known, wrong)


def test_a_run_stands_beside_its_baseline() -> None:
    marked = replace(FINDING, accepted="in the baseline b.json")
    run = compared(report(marked, samples.COUNT_LEAK), baseline_of(report(FINDING, OTHER)), "b c.json")
    assert run.baseline is not None
    assert (run.baseline.found, run.baseline.gone) == ((FINDING.fingerprint,), (OTHER.fingerprint,))
    assert "tenantproof baseline prune 'b c.json' RUN.json" in run.notes[-1]
    assert dict(since(run)) == {"baseline": "1 new, 1 known, 1 gone beside b c.json"}


KNOWN = text_of(baseline_of(report(FINDING)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "expected an object"),
        ("{}", "format: the key is missing"),
        ('{"format": "json-v1"}', "its format is 'json-v1'"),
        (KNOWN.replace('"findings"', '"finding"'), "unknown key"),
        (KNOWN.replace(FINDING.fingerprint, "*"), "expected 12 of the characters"),
        (KNOWN.replace(f'"{FINDING.fingerprint}"', "7"), "expected text"),
        (KNOWN.replace('"low"', '"loww"'), "did you mean 'low'"),
        (KNOWN.replace('"public.events"', "null"), "expected text"),
        (KNOWN.replace('"scenario": "', '"scenario": "\\u001b[31m'), r"\\u001b\[31m"),
    ],
)
def test_a_damaged_baseline_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(UsageError, match=said) as error:
        load_baseline(tmp_path / "b.json", samples.clean().scenario)
    assert str(error.value).isprintable()


def test_bytes_are_no_baseline(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "b.json", tmp_path, tmp_path / "missing.json"):
        with pytest.raises(UsageError, match=re.escape(f"baseline {path}")):
            load_baseline(path)


# --- history ---


def past(day: int, *findings: Finding, scenario: str = samples.clean().scenario) -> PastRun:
    run = summarized(report(*findings, scenario=scenario))
    return replace(run, started_at=f"2026-11-{day:02}T02:17:00+00:00")


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_the_history_grows_by_one_line_a_run(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "history.ndjson"
    first = with_history(report(FINDING), path)
    assert first.history == ()
    second = with_history(report(OTHER, scenario="other"), path)
    assert second.history == ()  # of another scenario
    third = with_history(report(OTHER), path)
    assert third.history == (summarized(report(FINDING)),)
    assert with_history(report(interrupted=True), path).history == (*third.history, summarized(report(OTHER)))
    assert len(lines(path)) == 3
    assert with_history(report(), path.parent).history  # a folder stands for the file in it
    with_history(report(), f"{tmp_path}/made/")  # one that is not there yet, by its slash
    assert len(lines(tmp_path / "made" / history.NAME)) == 1
    with pytest.raises(UsageError, match="Not a directory"):
        history.require_history(f"{path}/")


def test_a_line_that_was_cut_off_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "h.ndjson"
    with_history(report(FINDING), path)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2] + b"\xff")
    assert len(with_history(report(), path).history) == 1
    assert len(with_history(report(), path).history) == 2
    assert path.read_bytes().startswith(whole)


@pytest.mark.parametrize(
    "wrong",
    [
        {"seed": "1"},
        {"leaked": -1},
        {"leaked": 1.5},
        {"leaked": True},
        {"findings": ["x"]},
        {"findings": {"x": "awful"}},
        {"more": 1},
        {"started_at": None},
    ],
)
def test_a_line_of_somebody_else_is_left_out(tmp_path: Path, wrong: dict[str, object]) -> None:
    path = tmp_path / "h.ndjson"
    with_history(report(), path)
    path.write_text(lines(path)[0] + "\n" + json.dumps({**json.loads(lines(path)[0]), **wrong}) + "\n")
    assert len(with_history(report(), path).history) == 1


@pytest.mark.parametrize("text", ["something else\n", "[" * 100_000, '{"format": "json-v1"}\n'])
def test_a_file_that_is_no_history_stays_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "h.ndjson"
    path.write_text(text)
    with pytest.raises(UsageError, match="holds no run, and is left as it is"):
        with_history(report(), path)
    assert path.read_text() == text


def test_the_history_keeps_the_last_runs_of_each_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST_RUNS", 3)
    monkeypatch.setattr(history, "SLACK", 2)
    path = tmp_path / "h.ndjson"
    with_history(report(scenario="other"), path)
    counts = []
    for seed in range(12):
        kept = with_history(report(seed=seed), path).history
        assert [run.seed for run in kept] == list(range(max(0, seed - 3), seed))
        counts.append(len(lines(path)))
    assert max(counts) == 6
    assert len(with_history(report(scenario="other"), path).history) == 1


def test_runs_at_the_same_time_lose_no_line(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda seed: with_history(report(seed=seed), tmp_path), range(40)))
    assert sorted(json.loads(line)["seed"] for line in lines(tmp_path / history.NAME)) == list(range(40))


def test_what_is_new_and_since_when() -> None:
    runs = (past(20, OTHER), past(21), past(22, OTHER, FINDING), past(23, OTHER, FINDING))
    now = report(replace(FINDING, accepted="known"), samples.COUNT_LEAK, history=runs)
    (said,) = since(now)
    assert said == (
        "history",
        "1 new, 1 gone, 1 accepted since the last run (2026-11-23 02:17 UTC; 4 earlier runs known)",
    )
    assert seen(now, samples.COUNT_LEAK) == "new since the last run"
    assert seen(now, OTHER) == "since 2026-11-22 02:17 UTC, 2 runs before this one"
    assert (first_seen(OTHER.fingerprint, runs), runs_seen(OTHER.fingerprint, runs)) == (runs[2].started_at, 2)
    assert (first_seen("x", runs), runs_seen("x", runs)) == ("", 0)
    assert seen(report(OTHER), OTHER) == ""
    assert not list(since(report(OTHER)))


def test_a_run_in_short_counts_as_the_report_does() -> None:
    short = summarized(samples.mixed())
    assert short.accepted > 0
    assert short.isolated + short.leaked + short.overblocked + short.untested + short.accepted == len(
        samples.mixed().cells
    )
    assert samples.ACCEPTED.fingerprint not in short.findings
