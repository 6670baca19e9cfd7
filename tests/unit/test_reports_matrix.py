"""What all formats share: outcomes, grouping by reason, visible text, sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit import sample_reports as samples

from tenantproof.core.finding import CellResult, Severity, Verdict
from tenantproof.core.model import Command
from tenantproof.core.report import Search, Timing
from tenantproof.reports.grouping import blocks, deviating_cells, group_by_reason, why
from tenantproof.reports.matrix import Outcome, build_matrix, tenant_of, tenants_first
from tenantproof.reports.visible import one_line, visible
from tenantproof.reports.wording import (
    duration,
    headline,
    in_no_cell,
    is_overblocking,
    leaks,
    open_findings,
    replay_command,
    search_words,
    share,
)
from tenantproof.reports.worlds import Pair, Skipped, compare, excerpt


def test_outcomes_tell_allowed_from_denied_and_accepted_from_leaked() -> None:
    outcomes = build_matrix(samples.mixed()).outcomes
    assert outcomes["public.api_keys", "acme.owner", Command.DELETE] is Outcome.ALLOWED
    assert outcomes["public.api_keys", "anon", Command.DELETE] is Outcome.DENIED
    assert outcomes["public.workflow_templates", "outsider", Command.SELECT] is Outcome.LEAKED
    assert outcomes["public.events", "acme.viewer", Command.SELECT] is Outcome.ACCEPTED
    assert outcomes["public.comments", "acme.owner", Command.DELETE] is Outcome.OVERBLOCKED
    assert outcomes["storage.objects", "anon", Command.SELECT] is Outcome.UNTESTED
    assert outcomes["public.org_dashboard", "dual", Command.SELECT] is Outcome.ERROR


def test_a_leak_that_one_finding_accepts_and_another_does_not_stays_a_leak() -> None:
    report = samples.mixed()
    again = replace(samples.ACCEPTED, cause="other", accepted="")
    matrix = build_matrix(replace(report, findings=(*report.findings, again)))
    assert matrix.outcomes["public.events", "acme.viewer", Command.SELECT] is Outcome.LEAKED


def test_personas_stand_by_tenant() -> None:
    tenants = ("acme", "acme.eu")
    assert tenant_of("acme.eu.owner", tenants) == "acme.eu"
    assert tenant_of("anon", tenants) is None
    mixed_up = ("anon", "acme.eu.owner", "acme.owner", "acme.viewer")
    assert tenants_first(mixed_up, tenants) == ("acme.owner", "acme.viewer", "acme.eu.owner", "anon")


def test_cells_that_no_finding_tells_of_are_found() -> None:
    report = samples.mixed()
    cells = deviating_cells(report, build_matrix(report), Verdict.OVERBLOCKED)
    assert [(cell.object, cell.persona) for cell in cells] == [("public.profiles", "outsider")]


CELLS = st.builds(
    CellResult,
    object=st.sampled_from(["public.a", "public.b", "public.c"]),
    persona=st.sampled_from(["p", "q", "r"]),
    command=...,
    verdict=st.just(Verdict.UNTESTED),
    entitled=...,
    reason=st.sampled_from(["one", "two"]),
)
UNIQUE_CELLS = st.lists(CELLS, unique_by=lambda cell: (cell.object, cell.persona, cell.command))


@given(UNIQUE_CELLS)
def test_blocks_name_exactly_the_cells(cells: list[CellResult]) -> None:
    named = [
        (name, persona, command)
        for block in blocks(cells, ("p", "q", "r"))
        for name in block.objects
        for persona in block.personas
        for command in block.commands
    ]
    assert sorted(named) == sorted((cell.object, cell.persona, cell.command) for cell in cells)


@given(UNIQUE_CELLS)
def test_reasons_come_with_their_number_the_most_frequent_first(cells: list[CellResult]) -> None:
    counts = [reason.count for reason in group_by_reason(cells, why, ("p", "q", "r"))]
    assert sum(counts) == len(cells)
    assert counts == sorted(counts, reverse=True)


@given(st.text(st.characters()))
def test_visible_text_is_printable(text: str) -> None:
    assert one_line(text).isprintable()
    assert visible(text).replace("\n", "").replace("\t", "").isprintable()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("public.invoice", "public.invoice"),
        ("Zürich ✓", "Zürich ✓"),
        ("\u202egnp", "\\u202egnp"),
        ("\x1b[31m", "\\u001b[31m"),
        ("\U000e0041", "\\U000e0041"),
        ("a\nb", "a\\u000ab"),
    ],
)
def test_what_would_not_print_is_shown_as_its_escape(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_several_lines_stay_several_lines() -> None:
    assert visible("a\r\n\tb\rc") == "a\n\tb\\u000dc"


def test_the_headline_says_the_verdict() -> None:
    clean, mixed = samples.clean(), samples.mixed()
    assert headline(clean, build_matrix(clean)) == "No leak in 2,100 cells"
    said = headline(mixed, build_matrix(mixed))
    assert said == "3 leaks, 4 blocked too much, 9 untested, 4 errors, of 2,100 cells"


def test_over_blocking_is_no_leak() -> None:
    report = samples.mixed()
    assert samples.OVERBLOCK in open_findings(report)
    assert samples.OVERBLOCK not in leaks(report, build_matrix(report))


def test_findings_are_ordered_by_severity_whatever_order_they_came_in() -> None:
    severities = [finding.severity for finding in open_findings(samples.mixed())]
    assert severities == [Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW]


def test_a_replay_command_can_be_pasted() -> None:
    report = replace(samples.clean(), scenario_path="my scenarios/a.yaml")
    fingerprint = samples.MOVE_LEAK.fingerprint
    said = replay_command(report, samples.MOVE_LEAK)
    assert said == f"tenantproof replay {fingerprint} 'my scenarios/a.yaml'"


def test_a_replay_command_names_the_patches() -> None:
    said = replay_command(samples.mixed(), samples.MOVE_LEAK)
    assert said.endswith(" --patch fixtures/workflow_saas/leaks/04-null-published.sql")


def test_durations() -> None:
    assert duration(3.44) == "3.4 s"
    assert duration(725) == "12 min 5 s"


def test_shares_never_lie_about_nothing_and_all() -> None:
    assert [share(*pair) for pair in ((0, 9), (1, 999), (1, 3), (998, 999), (9, 9), (0, 0))] == [
        "0 %",
        "< 1 %",
        "33 %",
        "> 99 %",
        "100 %",
        "0 %",
    ]


def test_interference_is_never_over_blocking_and_hides_no_cell() -> None:
    """A cell that blocks too much is not explained by what its persona learns or harms elsewhere."""
    finding = replace(
        samples.INTERFERENCE, object="public.comments", command=Command.DELETE, personas=("acme.owner",), objects=()
    )
    cells = tuple(
        replace(cell, verdict=Verdict.OVERBLOCKED)
        if (cell.object, cell.persona, cell.command) == ("public.comments", "acme.owner", Command.DELETE)
        else cell
        for cell in samples.searched().cells
    )
    for known in (finding, replace(finding, accepted="known")):
        report = replace(samples.searched(), cells=cells, findings=(known,))
        matrix = build_matrix(report)
        assert not is_overblocking(known, matrix)
        assert matrix.count(Outcome.OVERBLOCKED) == 1
        assert len(deviating_cells(report, matrix, Verdict.OVERBLOCKED)) == 1
        assert in_no_cell((known,), matrix) == (known,)


LINES = st.lists(st.sampled_from("abcdef"), max_size=30).map(tuple)


@given(LINES, LINES, st.integers(1, 12))
def test_comparing_worlds_loses_no_line(first: tuple[str, ...], second: tuple[str, ...], most: int) -> None:
    evidence = replace(samples.INTERFERENCE.evidence[0], world_1=first, world_2=second)
    pairs = compare(evidence)
    assert tuple(pair.first for pair in pairs if pair.first is not None) == first
    assert tuple(pair.second for pair in pairs if pair.second is not None) == second
    if first and second:
        assert all(pair.differs == (pair.first != pair.second) for pair in pairs)
    items = excerpt(pairs, most)
    assert [pair for item in items for pair in (item.pairs if isinstance(item, Skipped) else (item,))] == list(pairs)
    shown = [item for item in items if isinstance(item, Pair)]
    assert len(shown) == min(most, len(pairs))
    assert any(pair.differs for pair in shown) == any(pair.differs for pair in pairs)


def test_words_of_a_search() -> None:
    assert search_words(Search(), Timing()) == "nothing was tried"
    assert search_words(Search(attempts=1, pairs=1, passed=1, distinct=1), Timing()) == (
        "1 attempt, 1 world pair: 100 % passed, 0 % denied, 0 % failed otherwise; 1 distinct (relation, shape, outcome)"
    )
