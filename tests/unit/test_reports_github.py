"""Annotations: one line each, always with a place, escaped by the toolkit's rules, never more than GitHub shows."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit import sample_reports as samples

from tenantproof.core.finding import Finding
from tenantproof.core.report import Report
from tenantproof.reports.github import Annotation, GithubWriter, command
from tenantproof.reports.places import Spot
from tenantproof.reports.visible import one_line

SAMPLES = [samples.clean, samples.mixed, samples.small, samples.hostile, samples.empty, samples.searched, samples.weak]
COMMAND = re.compile(r"::(error|warning) file=([^,:\r\n]+),line=(\d+),(?:col=\d+,)?title=([^,:\r\n]+)::([^\r\n]+)")


def written(report: Report) -> str:
    out = io.StringIO()
    GithubWriter().write(report, out)
    return out.getvalue()


def read(line: str) -> tuple[str, ...]:
    """Level, file, line, title and text of a command, as the runner reads them."""
    found = COMMAND.fullmatch(line)
    assert found is not None, line
    return tuple(map(unescaped, found.groups()))


def unescaped(text: str) -> str:
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%3A", ":").replace("%2C", ",").replace("%25", "%")


@pytest.mark.parametrize("sample", SAMPLES)
def test_each_line_is_one_command_with_a_place(sample: Callable[[], Report]) -> None:
    for line in written(sample()).splitlines():
        _, path, number, _, _ = read(line)
        assert path
        assert int(number) >= 1


def test_a_finding_stands_on_the_line_of_its_policy() -> None:
    first, *_ = written(samples.mixed()).splitlines()
    level, path, line, title, text = read(first)
    assert (level, path, line) == ("error", "supabase/migrations/20260411_templates.sql", "41")
    assert title == "critical POL-SELECT public.workflow_templates"
    assert text.splitlines()[0] == samples.SELECT_LEAK.title
    assert text.splitlines()[-1].startswith("reproduce: tenantproof replay 7865e9216741 ")


def test_low_findings_and_open_questions_are_warnings() -> None:
    found = [read(line) for line in written(samples.mixed()).splitlines()]
    levels = {title: level for level, _, _, title, _ in found}
    assert levels["low UNIQUE-ORACLE public.organizations"] == "warning"
    assert levels["medium OVERBLOCKED public.comments"] == "error"
    assert levels["tenantproof: not filled"] == levels["tenantproof: cannot tell"] == "warning"
    assert not [title for title in levels if "SEQ-GAP" in title]


def test_a_clean_run_says_nothing_and_a_weak_one_does() -> None:
    assert written(samples.clean()) == ""
    assert "weak search" in written(samples.weak())


@pytest.mark.parametrize(("count", "shown", "more"), [(10, 10, None), (11, 10, 2), (40, 10, 31)])
def test_there_are_never_more_than_github_shows(count: int, shown: int, more: int | None) -> None:
    findings = tuple(replace(samples.SELECT_LEAK, object=f"public.t{index:02}") for index in range(count))
    lines = written(replace(samples.clean(), findings=findings)).splitlines()
    assert len(lines) == shown
    assert ("more errors" in lines[-1]) is (more is not None)
    if more is not None:
        assert f"{more} more errors of tenantproof" in lines[-1]
        assert read(lines[-1])[1] == "scenarios/workflow_saas.tenancy.yaml"


def test_errors_do_not_take_the_room_of_warnings() -> None:
    errors = tuple(replace(samples.SELECT_LEAK, object=f"public.t{index:02}") for index in range(30))
    lows = tuple(replace(samples.COUNT_LEAK, object=f"public.t{index:02}") for index in range(30))
    lines = written(replace(samples.clean(), findings=errors + lows)).splitlines()
    assert [line.split()[0] for line in lines] == ["::error"] * 10 + ["::warning"] * 10


TEXTS = st.text() | st.sampled_from(["::error::x", "%0A", "a\r\n::stop-commands::x", samples.HOSTILE, "a,b:c%"])


@given(TEXTS.filter(bool), TEXTS, TEXTS)
def test_any_text_comes_back_as_it_was(path: str, title: str, text: str) -> None:
    """Apart from what does not print, which is shown as its escape."""
    spot = Spot(path=path, line=3, what="")
    line = command(Annotation(level="error", spot=spot, title=f"t{title}", lines=(f"x{text}", "end")))
    assert line.splitlines() == [line]
    assert line.isprintable()
    shown = [one_line(part).replace("%", "%25") for part in (path, f"t{title}", f"x{text}")]
    _, *found = COMMAND.fullmatch(line).groups()  # type: ignore[union-attr]
    assert found[0].replace("%3A", ":").replace("%2C", ",") == shown[0]
    assert found[2].replace("%3A", ":").replace("%2C", ",") == shown[1]
    assert found[3] == f"{shown[2]}%0Aend"


def test_a_very_long_text_is_cut() -> None:
    finding: Finding = replace(samples.SELECT_LEAK, title="x" * 10_000)
    (line,) = written(replace(samples.clean(), findings=(finding,))).splitlines()
    assert len(line) < 3500
    assert line.endswith("…")


def test_hostile_text_starts_no_command() -> None:
    text = written(samples.hostile())
    assert all(line.startswith(("::error file=", "::warning file=")) for line in text.splitlines())
    assert "\\u202e" in text
    assert text.replace("\n", "").isprintable()


def test_golden() -> None:
    samples.assert_golden("report.github.txt", written(samples.small()))
