"""`fuzz` end to end, as a user runs it, and the search in `check` and `replay`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from tests.integration.conftest import SMALL_APP, Run

from tenantproof import api
from tenantproof.cli import check, options
from tenantproof.cli.interruption import Interruption
from tenantproof.core.report import Report, Search
from tenantproof.generation.programs import Profile

FIXTURES = Path(__file__).parents[2] / "fixtures" / "interference"
LEAKY = FIXTURES / "definer-without-filter" / "leaky.tenancy.yaml"
SAFE = FIXTURES / "definer-without-filter" / "safe.tenancy.yaml"

AT_ONCE = FIXTURES / "definer-deletes-by-name" / "leaky.tenancy.yaml"
"""A leak (high) that the first call of the function shows, however slow the machine."""

NOTHING_WORKS = """
revoke all on public.teams, public.team_members, public.notes from authenticated;
revoke execute on function public.my_teams() from authenticated;
create function public.quotient(a int, b int) returns int language sql as 'select a / (b - b)';
create function public.number_of(a text) returns int language sql as $$ select ('x' || a)::int $$;
create function public.date_of(a text) returns date language sql as $$ select ('no date: ' || a)::date $$;
"""
"""Functions that fail for reasons that say nothing about isolation, and nothing else to try."""


def report_of(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def drawn(report: dict[str, Any]) -> str:
    """What the note says about how to repeat the search."""
    (note,) = (note for note in report["notes"] if "--draws" in note)
    return str(note)


def test_a_leak_without_a_name_exits_1_and_can_be_replayed(tenantproof: Run, tmp_path: Path) -> None:
    done = tenantproof("fuzz", LEAKY, "--for", "3s", "--draws", 7, "-r", "json=r.json", "-r", "html=r.html")

    assert done.returncode == 1, done.stdout + done.stderr
    report = report_of(tmp_path / "r.json")
    (finding,) = report["findings"]
    assert (finding["object"], finding["property"]) == ("public.search_contacts", "confidentiality")
    assert report["cells"] == []
    assert drawn(report).endswith("--draws 7 --reach sql")
    assert "--draws 7 --reach sql" in done.stdout
    assert "public.search_contacts" in (tmp_path / "r.html").read_text()

    again = tenantproof("replay", finding["fingerprint"], LEAKY, "--attempts", 150)
    assert again.returncode == 1, again.stdout + again.stderr
    assert "STILL LEAKS" in again.stdout

    fixed = tenantproof("replay", finding["fingerprint"], SAFE, "--attempts", 10)
    assert fixed.returncode == 0, fixed.stdout + fixed.stderr
    assert "FIXED" in fixed.stdout
    assert "--attempts" in fixed.stdout


def test_its_safe_twin_exits_0_and_says_how_to_repeat_the_search(tenantproof: Run, tmp_path: Path) -> None:
    done = tenantproof("fuzz", SAFE, "--for", "1s", "--no-examples", "-r", "json=r.json")

    assert done.returncode == 0, done.stdout + done.stderr
    report = report_of(tmp_path / "r.json")
    assert report["findings"] == []
    assert report["search"]["attempts"] > 0
    assert "--draws " in drawn(report)
    assert not (tmp_path / ".tenantproof").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("--fail-on", "critical"), 0), (("--exit-zero",), 0), (("--fail-on", "high"), 1), (("--reach", "api"), 1)],
)
def test_the_gate(tenantproof: Run, arguments: tuple[str, ...], code: int) -> None:
    done = tenantproof("fuzz", AT_ONCE, "--for", "1s", "--draws", 7, "-q", *arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert "blog.remove_tag" in done.stdout


def test_progress_is_told_on_stderr_and_not_with_quiet(tenantproof: Run, small_app: Path) -> None:
    told = tenantproof("fuzz", small_app, "--for", "1s")
    assert "attempts (" in told.stderr
    assert "distinct (relation, shape, outcome)" in told.stderr
    assert "\x1b" not in told.stderr
    assert told.stdout.startswith("tenantproof ")

    assert tenantproof("fuzz", small_app, "--for", "1s", "-q").stderr == ""


def test_the_slow_way_to_the_database_costs_nothing_of_the_time(tenantproof: Run, small_app: Path) -> None:
    (small_app.parent / "migrations" / "0002_slow.sql").write_text("select pg_catalog.pg_sleep(1.2);")

    done = tenantproof("fuzz", small_app, "--for", "1s", "-q", "-r", "json=r.json")

    assert done.returncode == 0, done.stdout + done.stderr
    assert report_of(small_app.parents[1] / "r.json")["times"]["phases"]["search"] >= 1


def test_a_search_whose_attempts_come_to_nothing_is_weak(tenantproof: Run, small_app: Path, tmp_path: Path) -> None:
    patch = tmp_path / "nothing_works.sql"
    patch.write_text(NOTHING_WORKS)

    done = tenantproof("fuzz", small_app, "--for", "1s", "-q", "--patch", patch)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "weak search" in done.stdout

    forgiven = tenantproof("fuzz", small_app, "--for", "1s", "-q", "--patch", patch, "--exit-zero")
    assert forgiven.returncode == 0, forgiven.stdout + forgiven.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--for", "30"), "did you mean 30s or 30m"),
        (("--for", "a while"), "write 90s, 30m, 2h or 1h30m"),
        (("--reach", "sqll"), "sql"),
        (("--draws", "-1"), "draws"),
        (("--examples", "app/app.tenancy.yaml"), "is a file"),
        (("--examples", "app/app.tenancy.yaml/below"), "is no folder"),
        (("--patch", "nowhere.sql"), "nowhere.sql"),
        (("-r", "jsn=x"), "json"),
    ],
)
def test_a_wrong_command_line_exits_2(tenantproof: Run, small_app: Path, arguments: tuple[str, ...], said: str) -> None:
    done = tenantproof("fuzz", small_app, *arguments)

    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "seeding" not in done.stderr


# Ctrl-C


@pytest.fixture(scope="module")
def cache() -> Iterator[Path]:
    """A cache of one's own, where the server's OS user can go too (pytest's folders are closed to others)."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


OFTEN = (
    "import tenantproof.cli.progress as progress; progress._EVERY = 0.2; from tenantproof.cli.main import main; main()"
)


def interrupted(scenario: Path, folder: Path, cache: Path, *, when: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a search that gets Ctrl-C, as a terminal sends it, once it says *when*."""
    arguments = ("fuzz", scenario, "--for", "1h", "--draws", 7, "-r", "json=r.json")
    running = subprocess.Popen(
        [sys.executable, "-c", OFTEN, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "TENANTPROOF_CACHE": str(cache)},
        start_new_session=True,
    )
    assert running.stderr is not None
    for line in running.stderr:
        if re.search(when, line):
            os.killpg(running.pid, signal.SIGINT)
            break
    out, err = running.communicate(timeout=60)
    assert list(cache.rglob("postmaster.pid")) == []
    return running.returncode, out, err


def test_ctrl_c_ends_the_search_with_a_report(small_app: Path, tmp_path: Path, cache: Path) -> None:
    code, out, err = interrupted(small_app, tmp_path, cache, when=r"\b[1-9]\d* attempts \(")

    assert code == 130, out + err
    assert "exit 130: interrupted" in out
    assert "ending after this batch" in err
    assert report_of(tmp_path / "r.json")["search"]["attempts"] > 0


def test_ctrl_c_after_a_leak_exits_1(tmp_path: Path, cache: Path) -> None:
    code, out, err = interrupted(AT_ONCE, tmp_path, cache, when=r"\b\d{3,} attempts \(")

    assert code == 1, out + err
    assert [finding["object"] for finding in report_of(tmp_path / "r.json")["findings"]] == ["blog.remove_tag"]


def test_ctrl_c_before_the_search_ends_at_once(small_app: Path, tmp_path: Path, cache: Path) -> None:
    code, out, err = interrupted(small_app, tmp_path, cache, when="reading the catalog")

    assert code == 130, out + err
    assert out == ""
    assert "interrupted; everything was cleaned up" in err
    assert not (tmp_path / "r.json").exists()


def test_the_second_ctrl_c_is_the_programs_own() -> None:
    before, told = signal.getsignal(signal.SIGINT), []
    with Interruption() as interruption:
        assert signal.getsignal(signal.SIGINT) is before
        for _ in range(2):
            interruption.watch(lambda: told.append("ending"))
        signal.raise_signal(signal.SIGINT)
        assert (interruption.asked, told) == (True, ["ending"])
        interruption.watch(lambda: told.append("again"))
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert told == ["ending"]


def test_ctrl_c_is_given_back_unused() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        interruption.watch(lambda: None)
        assert signal.getsignal(signal.SIGINT) is not before
    assert not interruption.asked
    assert signal.getsignal(signal.SIGINT) is before


def test_who_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption() as interruption:
            interruption.watch(lambda: None)
            signal.raise_signal(signal.SIGINT)
            assert not interruption.asked
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


# The same search again


def searched(scenario: Path, *, draws: int, attempts: int, examples: Path | None = None) -> tuple[Report, list[Search]]:
    """A search that is ended by the number of its attempts, and how it went batch by batch."""
    course: list[Search] = []
    report = api.fuzz(
        scenario,
        seconds=600,
        draws=draws,
        examples=examples,
        stop=lambda: (course[-1].attempts if course else 0) >= attempts,
        progress=lambda search, _seconds: course.append(search),
    )
    return report, course


def test_the_same_draws_give_the_same_programs() -> None:
    scenario = SMALL_APP / "app.tenancy.yaml"
    (one, course), (same, again), (_, other) = (searched(scenario, draws=draws, attempts=120) for draws in (5, 5, 6))

    assert len(course) > 3
    assert [outcomes(search) for search in course] == [outcomes(search) for search in again]
    assert [outcomes(search) for search in course] != [outcomes(search) for search in other]
    assert one.notes == same.notes


def outcomes(search: Search) -> tuple[int, ...]:
    """All numbers but those of the unsteady: two random ids may be in order by chance."""
    return (search.attempts, search.pairs, search.passed, search.denied, search.failed, search.distinct)


def test_without_draws_every_search_is_another() -> None:
    scenario = SMALL_APP / "app.tenancy.yaml"
    one, two = (api.fuzz(scenario, seconds=0, stop=lambda: True) for _ in range(2))
    assert one.notes != two.notes


@pytest.mark.thorough
def test_what_was_found_is_tried_first_the_next_time(tmp_path: Path) -> None:
    """Of a leak that takes a lucky argument: the first attempts miss it, and find it by the folder of examples."""
    scenario, folder = FIXTURES / "definer-trusts-argument" / "leaky.tenancy.yaml", tmp_path / "examples"
    missed, _ = searched(scenario, draws=3, attempts=0)
    found, _ = searched(scenario, draws=1, attempts=1500, examples=folder)
    assert (missed.findings, len(found.findings)) == ((), 1)
    (name,) = {path.name for path in folder.iterdir()}
    assert name in {found.findings[0].object, *found.findings[0].objects}

    for draws in (3, 4):
        again, _ = searched(scenario, draws=draws, attempts=0, examples=folder)
        assert [finding.fingerprint for finding in again.findings] == [found.findings[0].fingerprint]


# The search in `check`


def test_no_attempts_is_the_matrix_only(tenantproof: Run, tmp_path: Path) -> None:
    done = tenantproof("check", LEAKY, "--attempts", 0, "-r", "json=r.json")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "interference" not in done.stderr
    report = report_of(tmp_path / "r.json")
    assert report["search"] is None
    assert report["cells"]


def test_check_searches_and_can_keep_examples(tenantproof: Run, tmp_path: Path) -> None:
    done = tenantproof("check", LEAKY, "--attempts", 300, "--reach", "api", "--examples", "kept", "-q")

    assert done.returncode == 1, done.stdout + done.stderr
    assert "public.search_contacts" in done.stdout
    assert not (tmp_path / ".tenantproof").exists()


def test_options_are_those_of_the_api() -> None:
    """`--help` is too quick to ask the API for them."""
    assert options.ATTEMPTS == api.DEFAULT_ATTEMPTS
    (reach,) = (option for option in check.command.params if option.name == "reach")
    assert isinstance(reach.type, click.Choice)
    assert list(reach.type.choices) == list(Profile)
