"""The plugin as other repositories use it: a sample repository, copied, with its own conftest and its own database."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parent / "sample_app"
SMALL_APP = Path(__file__).parents[1] / "integration" / "small_app"
LEAK = "alter policy invoices_mine on invoices using (true)"

Suite = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SAMPLE, tmp_path / "sample", ignore=shutil.ignore_patterns("__pycache__", ".*")))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A repository with a scenario whose migrations are files, and a test of its own."""
    folder = Path(shutil.copytree(SMALL_APP, tmp_path / "small"))
    (folder / "pytest.ini").write_text("[pytest]\ntenantproof_attempts = 0\n")
    return folder


def suite(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a folder, as its owner would."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}, "COLUMNS": "120", **environment},
    )


def outcomes(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout.strip().splitlines()[-1]


def test_a_repository_uses_it_with_ten_lines_and_passes(sample: Path) -> None:
    done = suite(sample, "-q", "--tenantproof-attempts=50")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "cells isolated" in done.stdout
    assert "failed" not in outcomes(done)


def test_a_leak_fails_it_with_the_finding_and_not_a_traceback_also_with_workers(sample: Path) -> None:
    options = ("-q", "-n", "2", "--tenantproof-attempts=0")  # each worker would search
    reports = ("--tenantproof-report=json=r.json", "--tenantproof-report=pgtap=suite.test.sql")
    done = suite(sample, *options, "--junit-xml=junit.xml", *reports, PLANTED=LEAK)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "invoicing.tenancy.yaml::public.invoices::select[acme.owner]" in done.stdout
    assert "invoicing.tenancy.yaml::channels::READ" in done.stdout
    assert "= cause     policy invoices_mine" in done.stdout
    assert f"= reproduce pytest {sample}/invoicing.tenancy.yaml" in done.stdout  # no verb makes its database again
    assert "Traceback" not in done.stdout
    assert (sample / "r.json").is_file()
    assert "select plan(" in (sample / "suite.test.sql").read_text()
    properties = ET.parse(sample / "junit.xml").iter("property")
    assert {"fingerprint", "severity", "channel"} <= {found.get("name") for found in properties}


def test_nothing_connects_while_collecting(sample: Path) -> None:
    (sample / "conftest.py").write_text(
        "import sys\nimport pytest\n@pytest.fixture(scope='session')\n"
        "def tenantproof_dsn():\n    raise AssertionError('asked')\n"
        "def pytest_collection_finish(session):\n"
        "    print('engine imported:', 'tenantproof.engine' in sys.modules)\n"
        "    infos = {id(item._fixtureinfo) for item in session.items}\n"
        "    groups = {item.parent for item in session.items}\n"
        "    print('fixtures looked up once a group:', len(infos) == len(groups))\n"
    )
    done = suite(sample, "--collect-only", "-q", "-s", "--ignore=tests")

    assert done.returncode == 0, done.stdout
    assert "invoicing.tenancy.yaml::public.invoices::delete[dual]" in done.stdout
    assert "invoicing.tenancy.yaml::channels::UPDATE-MOVE" in done.stdout
    assert "invoicing.tenancy.yaml::properties::confidentiality" in done.stdout
    assert "invoicing.tenancy.yaml::coverage::other relations" in done.stdout
    # What makes 20,000 cells collectable in seconds: benchmarks/pytest_plugin.py measures it.
    assert "engine imported: False" in done.stdout
    assert "fixtures looked up once a group: True" in done.stdout


def test_tests_are_chosen_by_name_and_a_failed_one_again(small: Path) -> None:
    (small / "migrations" / "0009_leak.sql").write_text(
        "create policy notes_open on public.notes for select to authenticated using (true);"
    )
    first = suite(small, "-q", "-k", "notes and select and acme")
    assert outcomes(first).startswith("2 failed"), first.stdout

    again = suite(small, "-q", "--lf", "--collect-only")
    assert "2/" in outcomes(again), again.stdout


def test_a_relation_that_no_reader_of_text_sees_is_told_all_the_same(small: Path) -> None:
    (small / "migrations" / "0009_hidden.sql").write_text(
        "do $$ begin execute 'create table public.hi' || 'dden (id int primary key, team_id uuid references"
        " public.teams not null)'; execute 'grant select on public.hidden to authenticated'; end $$;"
    )
    done = suite(small, "-q", "-k", "coverage or hidden")

    assert done.returncode == 1
    assert "coverage::other relations" in done.stdout
    assert "public.hidden" in done.stdout


@pytest.mark.parametrize(("ini", "code"), [("fail", 1), ("skip", 0)])
def test_what_cannot_be_tested_fails_or_is_skipped_as_the_ini_says(small: Path, ini: str, code: int) -> None:
    (small / "migrations" / "0009_broken.sql").write_text(
        "alter policy notes_select on public.notes using (1 / (char_length(body) - char_length(body)) = 1);"
    )
    (small / "pytest.ini").write_text(f"[pytest]\ntenantproof_attempts = 0\ntenantproof_inconclusive = {ini}\n")
    done = suite(small, "-q", "-k", "notes and select")

    assert done.returncode == code, done.stdout
    assert "division by zero" in done.stdout or "skipped" in outcomes(done)


def test_one_test_for_each_table(small: Path) -> None:
    (small / "pytest.ini").write_text("[pytest]\ntenantproof_attempts = 0\ntenantproof_granularity = table\n")
    done = suite(small, "-q", "-k", "isolated")

    assert done.returncode == 0, done.stdout
    assert outcomes(done).startswith("3 passed")


def test_a_wrong_scenario_is_an_error_of_collection_with_its_place(small: Path) -> None:
    scenario = small / "app.tenancy.yaml"
    scenario.write_text(scenario.read_text().replace("tenants:", "tenents:"))
    done = suite(small, "-q")

    assert done.returncode == 2
    assert "app.tenancy.yaml:" in done.stdout
    assert "tenents" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_broken_migration_is_told_once_with_file_and_line(small: Path) -> None:
    (small / "migrations" / "0009_broken.sql").write_text("select 1;\ncreate table oops (id nonsense);")
    done = suite(small, "-q", "-k", "notes")

    assert done.returncode == 1
    assert done.stdout.count("0009_broken.sql:2") >= 1
    assert done.stdout.count("shown in full above") > 1
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tenantproof_inconclusive = perhaps", "expected fail or skip"),
        ("tenantproof_attempts = many", "expected a whole number"),
    ],
)
def test_a_wrong_setting_is_named(small: Path, line: str, said: str) -> None:
    (small / "pytest.ini").write_text(f"[pytest]\n{line}\n")
    done = suite(small, "-q")

    assert done.returncode != 0
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_options_win_over_the_ini(small: Path) -> None:
    (small / "migrations" / "0009_leak.sql").write_text(
        "create policy notes_open on public.notes for select to authenticated using (true);"
    )
    (small / "pytest.ini").write_text(
        "[pytest]\ntenantproof_scenarios = *.tenancy.yaml\ntenantproof_target = env:NOT_SET\n"
        "tenantproof_attempts = 5\ntenantproof_fail_on = low\ntenantproof_history = runs.ndjson\n"
    )
    chosen = ("-q", "-k", "notes and select")
    assert "NOT_SET is not set" in suite(small, *chosen).stdout

    options: tuple[str, ...] = (
        "--tenantproof-target",
        "embedded",
        "--tenantproof-attempts",
        "0",
        "--tenantproof-seed",
        "5",
    )
    (small / "sql").mkdir()
    reports: tuple[str, ...] = ("--tenantproof-report", "json=run.json", "--tenantproof-report", "pgtap=sql")
    reports += ("--tenantproof-history", "runs.ndjson")
    done = suite(small, *chosen, *options, *reports)
    assert done.returncode == 1, done.stdout
    assert (small / "sql" / "tenantproof.test.sql").read_text().rstrip().endswith("rollback;")
    assert "at or above low" in done.stdout
    assert "seed 5" in done.stdout
    assert json.loads((small / "run.json").read_text())["search"] is None

    subprocess.run([sys.executable, "-m", "tenantproof", "baseline", "create", "run.json"], cwd=small, check=True)
    options += ("--tenantproof-fail-on", "critical")
    known = suite(small, *chosen, *options, "--tenantproof-baseline", "tenantproof.baseline.json")
    assert known.returncode == 0, known.stdout
    assert "0 findings at or above critical" in known.stdout
    assert "baseline: 0 new, 1 known, 0 gone beside" in known.stdout
    assert "history: 0 new, 0 gone, 1 accepted since the last run" in known.stdout

    options = (*options[:-1], "never")
    passed = suite(small, "-q", *options, "--tenantproof-history", "kept/")
    assert passed.returncode == 0, passed.stdout
    assert "app.tenancy.yaml: 1 finding none of which fails a test (fail-on never)" in passed.stdout
    assert len((small / "kept" / "history.ndjson").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("ini", "options", "said"),
    [
        ("tenantproof_baseline = missing.json", (), "missing.json: there is no such file"),
        ("", ("--tenantproof-history", "app.tenancy.yaml/"), "cannot be read: Not a directory"),
    ],
)
def test_a_file_that_will_not_do_is_one_error_before_any_test(
    small: Path, ini: str, options: tuple[str, ...], said: str
) -> None:
    (small / "pytest.ini").write_text(f"[pytest]\n{ini}\n")
    done = suite(small, "-q", *options)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout
    assert (done.stdout + done.stderr).count(said) == 1, done.stdout + done.stderr


def test_a_persona_without_its_marker_is_told_which_to_add(small: Path) -> None:
    (small / "test_own.py").write_text(
        "import pytest\n"
        "def test_nobody(persona): pass\n"
        "@pytest.mark.persona('acme.member', 'anon')\n"
        "def test_somebody(persona): assert persona in ('acme.member', 'anon')\n"
    )
    (small / "test_empty.py").write_text("import pytest\n@pytest.mark.persona()\ndef test_nobody(persona): pass\n")
    done = suite(small, "-q", "test_own.py", "test_empty.py", "--continue-on-collection-errors")
    assert outcomes(done).startswith("2 passed, 2 errors"), done.stdout
    assert "test_nobody asks for the fixture `persona`" in done.stdout
    assert 'add @pytest.mark.persona("acme.member", "anon")' in done.stdout
    assert "fixture 'persona' not found" not in done.stdout
    assert "the marker persona names nobody" in done.stdout  # pytest would have skipped it


def test_a_pattern_that_finds_nothing_is_refused(small: Path) -> None:
    (small / "pytest.ini").write_text("[pytest]\ntenantproof_scenarios = scenarios/*.tenancy.yaml\n")
    done = suite(small, "-q")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "tenantproof_scenarios = scenarios/*.tenancy.yaml: no file below" in done.stdout + done.stderr


def test_a_report_that_cannot_be_written_is_refused_before_any_test(small: Path) -> None:
    done = suite(small, "-q", "--tenantproof-report", "jsn=run.json")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--tenantproof-report jsn=run.json: unknown format 'jsn': did you mean 'json'?" in done.stderr


def test_an_unknown_persona_is_named_with_the_nearest(sample: Path) -> None:
    (sample / "tests" / "test_invoices.py").write_text("def test_it(acting_as):\n    acting_as('acme.ownr')\n")
    done = suite(sample, "-q", "tests")

    assert "no persona 'acme.ownr'" in done.stdout
    assert "acme.owner" in done.stdout


def test_without_the_plugin_nothing_is_collected(small: Path) -> None:
    (small / "pytest.ini").write_text("[pytest]\n")
    done = suite(small, "-q", "-p", "no:tenantproof")
    assert done.returncode == 5


def test_a_repository_without_scenarios_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_light():\n"
        "    heavy = {'psycopg', 'pydantic', 'yaml', 'faker', 'jwt', 'rich', 'click', 'hypothesis', 'jinja2'}\n"
        "    loaded = heavy & sys.modules.keys()\n"
        "    assert not loaded\n"
    )
    done = suite(tmp_path, "-q", "-p", "no:faker", "-p", "no:hypothesispytest")
    assert done.returncode == 0, done.stdout
