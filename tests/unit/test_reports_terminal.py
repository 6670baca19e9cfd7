"""The terminal report: golden files at two widths, hostile text, plain ASCII, colour, the closing lines."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console
from tests.unit import sample_reports as samples

from tenantproof.core.finding import Severity, Verdict
from tenantproof.core.report import Report
from tenantproof.reports.matrix import build_matrix
from tenantproof.reports.terminal import render
from tenantproof.reports.terminal_closing import exit_meaning, findings_line, next_command
from tenantproof.reports.terminal_findings import statement_lines
from tenantproof.reports.terminal_matrix import choose_layout, name_group


def shown(
    report: Report,
    *,
    width: int = 100,
    verbose: bool = False,
    exit_code: int = 1,
    encoding: str = "utf-8",
    environ: Mapping[str, str] | None = None,
) -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    console = Console(file=file, width=width, _environ=environ or {})
    paths = ("reports/isolation.html",)
    render(report, console, verbose=verbose, paths=paths, threshold=Severity.MEDIUM, exit_code=exit_code)
    file.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize(
    ("name", "sample", "width", "verbose"),
    [
        ("terminal-mixed-80.txt", samples.mixed, 80, False),
        ("terminal-mixed-120.txt", samples.mixed, 120, False),
        ("terminal-small-80.txt", samples.small, 80, False),
        ("terminal-small-verbose.txt", samples.small, 100, True),
        ("terminal-clean-80.txt", samples.clean, 80, False),
        ("terminal-searched-80.txt", samples.searched, 80, False),
        ("terminal-searched-120.txt", samples.searched, 120, False),
        ("terminal-searched-verbose.txt", samples.searched, 100, True),
        ("terminal-searched-clean-80.txt", samples.searched_clean, 80, False),
        ("terminal-weak-80.txt", samples.weak, 80, False),
    ],
)
def test_golden(name: str, sample: Callable[[], Report], width: int, verbose: bool) -> None:
    code = 0 if not sample().findings else 1
    samples.assert_golden(name, shown(sample(), width=width, verbose=verbose, exit_code=code))


@pytest.mark.parametrize("width", [20, 60, 99, 100, 240])
@pytest.mark.parametrize("verbose", [False, True])
def test_hostile_text_reaches_no_terminal(verbose: bool, width: int) -> None:
    """Nothing but printable characters and line breaks comes out, and markup is text."""
    text = shown(samples.hostile(), verbose=verbose, width=width)
    assert text.replace("\n", "").isprintable()
    assert "\\u202e" in text
    assert "\\u001b[31;1m" in text
    assert "[bold]" in text


def test_a_console_without_unicode_gets_ascii() -> None:
    text = shown(samples.mixed(), encoding="ascii", width=120)
    assert text.isascii()
    assert "X leaked" in text
    assert "X + + +" in text
    shown(samples.hostile(), encoding="latin-1", verbose=True)


def test_no_color_and_force_color_are_the_consoles_business() -> None:
    assert "\x1b[" not in shown(samples.mixed())
    forced = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    assert "\x1b[1;31m" in shown(samples.mixed(), environ=forced)
    without = shown(samples.mixed(), environ={**forced, "NO_COLOR": "1"})
    assert "\x1b[1;31m" not in without


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_the_matrix_fits(width: int) -> None:
    report = samples.mixed()
    lines = shown(report, width=width).splitlines()
    start = next(index for index, line in enumerate(lines) if "S I U D" in line)
    assert all(len(line) <= width for line in lines[start : start + 12])


def test_relations_as_expected_are_counted_and_shown_when_verbose() -> None:
    assert "26 more relations as expected in every cell" in shown(samples.mixed())
    assert "public.api_keys" not in shown(samples.mixed())
    assert "public.api_keys" in shown(samples.mixed(), verbose=True)


def test_a_matrix_that_cannot_fit_says_so() -> None:
    report = samples.mixed()
    matrix = build_matrix(report)
    assert choose_layout(report, matrix, matrix.relations, 20) is None
    assert "wider than this terminal" in shown(report, width=40)


def test_every_reason_for_an_untested_cell_is_printed() -> None:
    text = shown(samples.mixed(), width=200)
    reasons = {cell.reason for cell in samples.mixed().cells if cell.verdict is Verdict.UNTESTED}
    assert reasons
    assert all(reason in text for reason in reasons)
    assert "storage.objects, storage.prefixes · select insert update delete · anon" in text
    assert "not in database.schemas of the scenario\n    extensions.pg_stat_statements" in text
    assert "public.webhooks for acme: bad url (23514)" in text


def test_a_replay_command_is_never_wrapped() -> None:
    report = replace(samples.mixed(), patches=(), scenario_path=f"scenarios/{'long/' * 30}app.yaml")
    command = f"tenantproof replay {samples.MOVE_LEAK.fingerprint} {report.scenario_path}"
    assert command in shown(report, width=80)


def test_verbose_prints_the_replay_scripts_in_full() -> None:
    text = shown(samples.mixed(), verbose=True)
    for finding in (samples.SELECT_LEAK, samples.MOVE_LEAK, samples.OVERBLOCK):
        for line in finding.replay.splitlines():
            assert line in text


def test_the_end_says_verdict_untested_reports_and_next_command() -> None:
    closing = shown(samples.mixed(), width=200).splitlines()[-8:]
    assert closing[0].startswith("16 leaked · 4 blocked too much · 9 untested · 2065 isolated")
    assert (
        closing[1] == "  4 findings: 1 critical, 1 high, 1 medium, 1 low in 3.4 s (1 of them in no cell of the matrix)"
    )
    assert closing[2].startswith("  untested  8 cells: permission denied for schema storage")
    assert closing[-3] == "  report    reports/isolation.html"
    assert closing[-2] == "exit 1: a finding at or above medium"
    assert closing[-1].startswith(f"Next: tenantproof replay {samples.SELECT_LEAK.fingerprint} ")


def test_a_clean_run_says_that_nothing_was_left_out() -> None:
    text = shown(samples.clean(), exit_code=0)
    assert "0 leaked · 0 blocked too much · 0 untested · 2100 isolated" in text
    assert "untested  nothing: every cell in scope was tried" in text


def test_findings_below_the_gate_say_so() -> None:
    assert "below --fail-on medium: reported, does not fail the run" in shown(samples.mixed())


def test_the_next_command_depends_on_what_happened() -> None:
    clean = samples.clean()
    threshold = Severity.MEDIUM

    def after(report: Report, *paths: str, verbose: bool = False) -> str:
        return next_command(report, paths=paths, verbose=verbose, threshold=threshold)

    assert after(clean).endswith("--report html=reports/isolation.html")
    assert after(clean, "a.html").endswith(" -v")
    assert after(clean, "a.html", verbose=True).endswith("--patch change.sql")
    low = replace(clean, findings=(samples.COUNT_LEAK,))
    assert after(low).endswith("--report html=reports/isolation.html")
    assert after(low, "a.html").startswith("tenantproof replay")


def test_exit_codes_are_explained() -> None:
    assert exit_meaning(0, Severity.HIGH) == "no finding at or above high"
    assert "something that must be tested was not" in exit_meaning(4, Severity.HIGH)
    assert exit_meaning(99, Severity.HIGH) == "the run did not finish"
    assert findings_line(()) == "no finding"


def test_an_empty_report_renders() -> None:
    assert "0 isolated" in shown(samples.empty(), exit_code=5)


def test_groups_of_personas_have_short_names() -> None:
    personas, tenants = samples.PERSONAS, samples.TENANTS

    def named(*members: str) -> str:
        return name_group(members, personas, tenants)

    assert named(*personas) == "everyone"
    assert named("acme.owner", "globex.owner", "initech.owner", "dual") == "*.owner, dual"
    assert named("acme.owner", "acme.admin", "acme.member", "acme.viewer") == "acme.*"
    assert named("acme.owner", "globex.owner") == "acme.owner, globex.owner"


def observations(report: Report, **options: Any) -> list[str]:
    """The lines of the first finding from what happened behind its persona's back up to its fix."""
    lines = shown(report, **options).splitlines()
    start = next(index for index, line in enumerate(lines) if line.strip().startswith("behind their back"))
    return lines[start : next(i for i in range(start, len(lines)) if " = fix" in lines[i])]


def test_two_worlds_stand_side_by_side_where_there_is_room() -> None:
    lines = observations(samples.searched(), width=100)
    assert lines[0].strip() == "behind their back: 1 row of public.comments changed (body), and 1 row was added"
    assert lines[1].split("  ")[-1].strip() == "world 2, after"
    assert [line.split() for line in lines if "* " in line] == [
        ["*", "9", "rows", "*", "10", "rows"],
        ["*", "globex-canary-01", "*", "globex-canary-01", "(changed)"],
        ["*", "globex-canary-02"],
    ]
    lines = observations(samples.searched(), width=99)
    assert [line.strip() for line in lines if "world " in line] == ["world 1, before", "world 2, after"]


@pytest.mark.parametrize("width", [80, 100, 140])
def test_at_most_six_lines_of_each_world_and_never_without_what_differs(width: int) -> None:
    rows = tuple(f"row {index}" for index in range(50))
    long = replace(samples.INTERFERENCE.evidence[0], world_1=rows, world_2=(*rows[:40], "other", *rows[41:]))
    report = replace(samples.searched(), findings=(replace(samples.INTERFERENCE, evidence=(long,)),))
    lines = observations(report, width=width)
    text = "\n".join(lines)
    assert "* row 40" in text
    assert "* other" in text
    assert "… 37 more (-v)" in text
    rows_shown = sum("  row " in line or "* " in line for line in text.partition("world 1")[2].splitlines())
    assert rows_shown == (6 if width >= 100 else 12)
    assert "row 3\n" in "\n".join(observations(report, width=width, verbose=True)) + "\n"


def test_long_lines_are_cut_where_they_begin_to_differ() -> None:
    same = "duplicate key value violates " * 20
    long = replace(samples.INTERFERENCE.evidence[0], world_1=(f"{same}one",), world_2=(f"{same}two",))
    report = replace(samples.searched(), findings=(replace(samples.INTERFERENCE, evidence=(long,)),))
    for width in (80, 120):
        text = "\n".join(observations(report, width=width))
        assert "one" in text
        assert "two" in text
        assert len(observations(report, width=width)) <= 9


def test_only_what_differs_is_coloured() -> None:
    forced = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    lines = observations(samples.searched(), width=120, environ=forced)
    assert not [line for line in lines if "acme-canary" in line and "\x1b[33m" in line]
    assert [line for line in lines if "10 rows" in line and "\x1b[33m" in line]


def test_ascii_has_its_marks_too() -> None:
    text = shown(samples.searched(), encoding="ascii", width=120)
    assert "* 9 rows" in text
    assert "... 2 more (-v)" in text


def test_the_closing_tells_of_the_search() -> None:
    text = shown(samples.searched(), width=300)
    assert (
        "  search    2,500 attempts, 6,300 world pairs: 71 % passed, 27 % denied, 2 % failed otherwise, "
        "164 unsteady left out; 465 distinct (relation, shape, outcome); 2,047 world pairs a second\n"
    ) in text
    assert "3 findings: 1 critical, 1 high, 1 low in 3.4 s (in no cell of the matrix)" in text
    assert "weak search" not in text
    assert "search " not in shown(samples.clean(), exit_code=0)


def test_a_weak_search_is_named_and_not_green() -> None:
    forced = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    text = shown(samples.weak(), width=200, environ=forced, exit_code=0)
    assert "\x1b[1;33m  weak search: \x1b[0m\x1b[33m80 % of the attempts failed" in text
    assert "\x1b[1;32m" not in text
    assert "\x1b[1;32m" in shown(samples.searched_clean(), environ=forced, exit_code=0)


def test_each_statement_of_a_program_has_its_line() -> None:
    text = shown(samples.searched(), width=120)
    assert (
        "               select set_config('app.q', 'canary', true);\n               select body from public.s" in text
    )


def test_a_comment_does_not_swallow_the_statement() -> None:
    assert statement_lines("-- with the request header x-org\nselect 1\n  from t;\nselect 2") == (
        "-- with the request header x-org",
        "select 1 from t;",
        "select 2",
    )
    assert statement_lines("-- nothing") == ("-- nothing",)


@pytest.mark.parametrize("width", [80, 120])
def test_worlds_that_look_alike_say_that_the_difference_was_not_kept(width: int) -> None:
    alike = replace(samples.INTERFERENCE.evidence[0], world_1=("a…",), world_2=("a…",))
    report = replace(samples.searched(), findings=(replace(samples.INTERFERENCE, evidence=(alike,)),))
    assert "What differs is not among the lines that were kept" in "\n".join(observations(report, width=width))
    assert "not among the lines" not in shown(samples.searched(), width=width)
