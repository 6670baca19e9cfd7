"""What a run may ask of a server that others are using: rows, time, and nothing that acts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import pytest
from tests.existing.looking import Stranger

from tenantproof.api import exit_code
from tenantproof.core.finding import CellResult, Severity, Verdict
from tenantproof.core.model import Command
from tenantproof.core.report import Report
from tenantproof.engine.existing.limits import Limits
from tenantproof.engine.psql import run_script, shows_leak

HUGE = """
insert into public.usage
  select 1 + n % 9, timestamptz '2026-02-01' + n * interval '1 second', n from generate_series(1, 200000) n
"""
SLOW = """
create function public.slow(rows int) returns boolean language plpgsql stable
  as $$ begin perform count(*) from generate_series(1, rows); return true; end $$
"""


def _reads(report: Report, name: str) -> list[CellResult]:
    return [c for c in report.cells if c.command is Command.SELECT and c.object == name]


def _gaps(report: Report, name: str) -> list[str]:
    return [gap.reason for gap in report.gaps if gap.object == name]


@pytest.fixture(scope="module")
def huge(helpdesk: Stranger) -> Stranger:
    """Two hundred thousand rows, in partitions."""
    helpdesk.execute(HUGE)
    helpdesk.execute(SLOW)
    return helpdesk


def test_a_huge_table_is_compared_in_part_and_soon(huge: Stranger) -> None:
    started = perf_counter()
    report = huge.check()

    assert report.findings == ()
    assert exit_code(report, Severity.INFO) == 0
    assert {cell.verdict for cell in _reads(report, "public.usage")} == {Verdict.ISOLATED}
    assert _gaps(report, "public.usage") == [
        "compared in part: it has more than 1,000 rows; rows of others were asked for first"
    ]
    assert "were compared, 3 of which are larger than 1,000 rows" in report.notes[0]  # its partition and messages, too
    assert perf_counter() - started < 60  # measured: 2 s; the bound is for a busy machine


def test_one_row_that_leaks_among_two_hundred_thousand_is_found(huge: Stranger) -> None:
    needle = "account_id = public.account() or at = timestamptz '2026-02-02 03:04:05+00'"
    with huge.policy("public.usage", needle):
        report = huge.check()
        (finding,) = report.findings
        assert shows_leak(run_script(huge.handle, finding.replay)), finding.replay

    assert (finding.channel, finding.object, finding.cause) == ("READ", "public.usage", "policy own")
    assert ":'tenant_1'" in finding.evidence[0].statement
    assert set(finding.personas) >= {"acme.manager", "globex.agent", "outsider"}


def test_an_open_huge_table_is_found_without_reading_it(huge: Stranger) -> None:
    with huge.policy("public.usage", "true"):
        report = huge.check()

    (finding,) = report.findings
    assert finding.personas == ("acme.manager", "acme.agent", "globex.manager", "globex.agent", "outsider", "anon")


def test_a_policy_that_takes_too_long_leaves_the_cell_open(huge: Stranger) -> None:
    with huge.policy("public.articles", "public.slow(20000000)"):
        report = huge.check(limits=Limits(statement_seconds=0.2))

    cells = _reads(report, "public.articles")
    assert {cell.verdict for cell in cells} == {Verdict.UNTESTED}
    assert {cell.reason for cell in cells} == {
        "interrupted: the statement ran into its time limit",
        "interrupted: it ran into the time limit for 2 personas before",
    }
    assert not report.interrupted  # nobody ended the run
    assert exit_code(report) == 4


def test_where_the_whole_takes_too_long_a_sample_is_compared(huge: Stranger) -> None:
    with huge.policy("public.usage", "account_id = public.account() or not public.slow(300)"):
        report = huge.check(limits=Limits(statement_seconds=0.7))

    assert {cell.verdict for cell in _reads(report, "public.usage")} == {Verdict.ISOLATED}
    assert report.findings == ()
    assert (
        "not searched to the end for rows of others, beside a sample of them: the statement ran into its time limit"
        in _gaps(report, "public.usage")
    )


def test_when_the_time_is_up_the_rest_is_open(huge: Stranger) -> None:
    report = huge.check(limits=Limits(seconds=0.0))

    cells = [cell for cell in report.cells if cell.command is Command.SELECT]
    assert {cell.verdict for cell in cells} == {Verdict.UNTESTED}
    assert {cell.reason for cell in cells} == {"interrupted: the time limit of the run, 0 s, was over"}
    assert exit_code(report) == 4


@contextmanager
def _with_function(stranger: Stranger, definition: str) -> Iterator[None]:
    stranger.execute(f"create function public.odd() returns boolean {definition}")
    try:
        with stranger.policy("public.articles", "public.odd()"):
            yield
    finally:
        stranger.execute("drop function public.odd()")


def test_volatile_functions_in_policies_are_named(huge: Stranger) -> None:
    with _with_function(huge, "language sql volatile as 'select false'"):
        report = huge.check()

    assert any("VOLATILE functions" in note and "public.articles calls public.odd" in note for note in report.notes)


def test_a_policy_that_acts_outside_is_not_run(huge: Stranger) -> None:
    outside = "language plpgsql as $$ begin perform pg_advisory_lock(1); raise exception 'ran'; end $$"
    with _with_function(huge, outside):
        report = huge.check()

    cells = _reads(report, "public.articles")
    assert {cell.verdict for cell in cells} == {Verdict.UNTESTED}
    assert {cell.reason for cell in cells} == {
        "not read: its policies call public.odd, which takes session locks, which a rollback does not release"
    }


def test_a_policy_that_writes_is_refused_and_told(huge: Stranger) -> None:
    huge.execute("create table public.seen (at timestamptz)")
    try:
        with _with_function(
            huge,
            "language plpgsql security definer as $$ begin insert into public.seen values (now()); return true; end $$",
        ):
            report = huge.check()
    finally:
        huge.execute("drop table public.seen")

    assert {cell.reason.split(":")[0] for cell in _reads(report, "public.articles")} == {"to read it writes something"}
