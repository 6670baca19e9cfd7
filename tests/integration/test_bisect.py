"""`bisect` end to end: it names the file of each planted leak, whatever its way of looking."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import jsonschema
import psycopg
import pytest
from rich.console import Console
from tests.integration.conftest import Run

from tenantproof import api
from tenantproof.cli.main import run as run_here
from tenantproof.core.bisection import Bisection, Certainty, Episode
from tenantproof.core.errors import NothingToCheck, UsageError
from tenantproof.core.finding import Severity
from tenantproof.core.model import Database, Platform
from tenantproof.core.ports import Source
from tenantproof.engine.bisecting import run as engine
from tenantproof.reports.bisect_json import bisect_document
from tenantproof.reports.bisect_terminal import render_bisection
from tenantproof.targets.prefixes import PrefixTarget

ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "fixtures" / "bisect"
SCENARIO = FIXTURE / "bisect.tenancy.yaml"

OPENED = {
    "public.comments": ("06_comments.sql", 2, Certainty.CREATED),
    "public.project_board": ("08_project_board.sql", 1, Certainty.CREATED),
    "public.tasks": ("09_tasks_can_move.sql", 5, Certainty.ADJACENT),
    "public.notes": ("10_public_notes.sql", 4, Certainty.ADJACENT),
    "public.invoices": ("11_billing_role.sql", 2, Certainty.ADJACENT),
}
"""What leaks at the end, and where it was opened."""


def named(bisection: Bisection) -> dict[str, tuple[str, int | None, Certainty]]:
    return {o.finding.object: (Path(o.file).name, o.line, o.certainty) for o in bisection.openings}


@pytest.fixture(scope="module")
def everywhere() -> Bisection:
    return api.bisect(SCENARIO, attempts=0)


def test_each_leak_is_traced_to_the_file_and_line_that_opened_it(everywhere: Bisection) -> None:
    assert named(everywhere) == OPENED
    assert [look.number for look in everywhere.looks] == list(range(3, 13)), "before, there is nothing of what leaks"


def test_what_was_closed_and_opened_again_has_a_history(everywhere: Bisection) -> None:
    (notes,) = (o for o in everywhere.openings if o.finding.object == "public.notes")
    assert notes.earlier == (Episode(opened=3, closed=7),)


@pytest.mark.thorough
def test_halving_names_the_same_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A leak that closed and opened again too: files that speak of it are looked at besides."""
    monkeypatch.setattr(engine, "FEW", 1)
    halved = api.bisect(SCENARIO, attempts=0)
    assert named(halved) == OPENED


@pytest.mark.thorough
def test_the_range_that_is_asked_about() -> None:
    found = api.bisect(SCENARIO, attempts=0, first="07_notes_private.sql", last="09_tasks_can_move")
    assert named(found) == {
        "public.comments": ("07_notes_private.sql", None, Certainty.FROM_THE_START),
        "public.project_board": OPENED["public.project_board"],
        "public.tasks": OPENED["public.tasks"],
    }
    assert [opening.number for opening in found.openings if opening.finding.object == "public.comments"] == [0]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The first three files alone, for changes of one's own."""
    shutil.copytree(FIXTURE, tmp_path / "app")
    folder = tmp_path / "app" / "migrations"
    for path in folder.iterdir():
        if path.name > "04":
            path.unlink()
    scenario = tmp_path / "app" / SCENARIO.name
    text = scenario.read_text()
    kept = ("tasks", "invoices", "comments", "project_board")
    lines = [line for line in text.splitlines() if not line.strip().startswith(kept)]
    scenario.write_text("\n".join(lines).replace("where: is_public", "where: body is null") + "\n")
    (folder / "03_notes.sql").write_text((folder / "03_notes.sql").read_text().replace("using (true)", "using (false)"))
    return scenario


def write(scenario: Path, name: str, text: str) -> None:
    (scenario.parent / "migrations" / name).write_text(text)


SAFE = "alter policy notes_select on public.notes using (organization_id in (select public.my_organizations()));"


def test_a_clean_database_exits_0_after_one_look(small: Path) -> None:
    write(small, "04_fixed.sql", SAFE)
    found = api.bisect(small, attempts=0)
    assert found.openings == ()
    assert [look.number for look in found.looks] == [4]


@pytest.mark.thorough
def test_patches_are_further_migrations(small: Path, tmp_path: Path) -> None:
    write(small, "04_fixed.sql", SAFE)
    patch = tmp_path / "idea.sql"
    patch.write_text(
        "\n\ngrant delete on public.organizations to authenticated;\n" + SAFE.replace("_select", "_delete")
    )
    found = api.bisect(small, attempts=0, patches=[patch])
    assert named(found) == {"public.notes": ("idea.sql", 4, Certainty.ADJACENT)}


@pytest.mark.thorough
def test_a_prefix_that_cannot_be_checked_is_told_and_no_error(small: Path) -> None:
    """The first file makes no membership table: nothing can be checked before the second."""
    write(small, "00_first.sql", "create table public.plans (id int primary key);")
    write(small, "04_open.sql", SAFE + "\nalter table public.organizations disable row level security;")
    found = api.bisect(small, attempts=0, linear=True)
    assert [look.number for look in found.looks] == [1, 2, 3, 4, 5]
    assert found.looks[0].reason == "there is no membership table public.organization_members yet"
    assert not found.looks[0].checked
    assert named(found) == {"public.organizations": ("04_open.sql", 2, Certainty.ADJACENT)}
    assert {(p.finding.object, p.finding.channel, p.episode) for p in found.passing} == {
        ("public.notes", "OVER-BLOCKED", Episode(opened=4, closed=5))
    }


@pytest.mark.thorough
def test_a_role_made_on_the_way_takes_another_server(small: Path) -> None:
    """Roles belong to the cluster: what a later file makes must not be there for an earlier prefix."""
    write(small, "04_fixed.sql", SAFE)
    write(small, "05_roles.sql", "create role support nologin;\ngrant select on public.notes to support;")
    write(small, "06_bypass.sql", "-- oh\nalter role authenticated bypassrls;")
    found = api.bisect(small, attempts=0)
    assert {(Path(o.file).name, o.finding.cause) for o in found.openings} == {("06_bypass.sql", "role-bypasses-rls")}


@pytest.mark.thorough
def test_what_only_the_search_finds_is_traced_as_well(small: Path) -> None:
    write(small, "04_fixed.sql", SAFE)
    write(
        small,
        "05_wipe.sql",
        "create function public.forget(note uuid) returns void language sql security definer set search_path = ''\n"
        "as $$ delete from public.notes where id = note $$;",
    )
    write(small, "06_more.sql", "create index on public.notes (created_by);")
    found = api.bisect(small, attempts=150)
    assert {Path(opening.file).name for opening in found.openings} == {"05_wipe.sql"}
    assert {opening.finding.object for opening in found.openings} == {"public.forget"}


def test_a_range_that_ends_before_anything_can_be_checked_is_exit_5(small: Path) -> None:
    write(small, "00_first.sql", "create table public.plans (id int primary key);")
    with pytest.raises(NothingToCheck, match="no membership table"):
        api.bisect(small, attempts=0, last="00_first.sql")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"first": "3_notes.sql"}, "did you mean '03_notes.sql'"),
        ({"first": "03_notes.sql", "last": "01_organizations.sql"}, "comes after"),
        ({"patches": ["nowhere.sql"]}, "no such file"),
    ],
)
def test_bad_input(arguments: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        api.bisect(SCENARIO, attempts=0, **arguments)  # type: ignore[arg-type]


def test_the_verb_prints_files_and_exits_1(tenantproof: Run, tmp_path: Path) -> None:
    done = tenantproof("bisect", SCENARIO, "--attempts", 0, "-r", "json=out.json", "--last", "03_notes.sql")

    assert done.returncode == 1, done.stdout + done.stderr
    assert "03_notes.sql:11" in done.stdout
    assert "create policy notes_select" in done.stdout
    document = json.loads((tmp_path / "out.json").read_text())
    jsonschema.validate(document, SCHEMA)
    assert [(Path(leak["file"]).name, leak["line"]) for leak in document["leaks"]] == [("03_notes.sql", 11)]


SCHEMA = json.loads((files("tenantproof.reports") / "bisect-v1.schema.json").read_text())


def test_the_document_has_the_history(everywhere: Bisection) -> None:
    document = bisect_document(everywhere)
    jsonschema.validate(document, SCHEMA)
    leaks = document["leaks"]
    assert isinstance(leaks, list)
    assert [leak["earlier"] for leak in leaks if leak["earlier"]] == [[{"opened": 3, "closed": 7}]]


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_shows_every_file_within_its_width(everywhere: Bisection, width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, width=width, no_color=True, _environ={})
    render_bisection(everywhere, console, verbose=True, paths=(), threshold=Severity.MEDIUM, exit_code=1)
    shown = out.getvalue()
    table = shown.partition("--> ")[0]
    for name, line, _ in OPENED.values():
        assert f"{name}:{line}" in table
    assert max(map(len, table.splitlines())) <= width
    assert "opened by 03_notes.sql, closed by 07_notes_private.sql" in " ".join(shown.split())


def test_the_gate(capsys: pytest.CaptureFixture[str], small: Path) -> None:
    """--exit-zero tells and passes; --fail-on never names every finding."""
    write(small, "04_fixed.sql", SAFE)
    write(small, "05_open.sql", "alter policy notes_select on public.notes using (true);")
    asked = ["bisect", str(small), "--attempts", "0", "-q", "--first", "04_fixed.sql"]
    assert run_here([*asked, "--exit-zero"]) == 0
    assert "05_open.sql:1" in capsys.readouterr().out
    assert run_here([*asked, "--fail-on", "never"]) == 0


# The databases behind it


@pytest.fixture(scope="module")
def prefixes() -> Iterator[PrefixTarget]:
    """Four files; the third makes a role."""
    texts = (
        "create table one (id int); alter database postgres set app.step = '1';",
        "create table two (id int);",
        "create role third nologin; create table three (id int);",
        "create table four (id int); alter database postgres set app.step = '4';",
    )
    sources = [Source(path=f"{number}.sql", text=text) for number, text in enumerate(texts, start=1)]
    database = Database(platform=Platform.POSTGRES, migrations=())
    with PrefixTarget(database, sources) as target:
        yield target


@pytest.mark.parametrize("count", [4, 2, 3, 1, 0])
def test_a_prefix_is_what_its_files_make(prefixes: PrefixTarget, count: int) -> None:
    """In any order: tables, settings of the database, and roles, which belong to the whole cluster."""
    with prefixes.prefix(count) as handle, psycopg.connect(handle.conninfo) as connection:
        tables = connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone()
        roles = connection.execute("select count(*) from pg_roles where rolname = 'third'").fetchone()
        step = connection.execute("select current_setting('app.step', true)").fetchone()
    assert tables == (count,)
    assert roles == (1 if count >= 3 else 0,)
    assert step == (("4" if count == 4 else "1") if count else None,)
    assert len(handle.sources) == count
