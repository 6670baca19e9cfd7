"""Accepted findings, baselines and the history of runs, from the command line to the exit code.

What needs no database is in tests/unit/test_accepting.py.
"""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from tests.integration.conftest import SMALL_APP

import tenantproof as library
from tenantproof import api
from tenantproof.core.errors import UsageError
from tenantproof.core.report import Report
from tenantproof.reports.files import write_report
from tenantproof.scenario.accepting import with_acceptance

Run = Callable[..., "subprocess.CompletedProcess[str]"]

PATCHES = {
    "leak": "create policy x on notes for select to authenticated using (true);",
    "other": "create policy y on notes for delete to authenticated using (true);",
    # A policy that recurses: its cells are errors, and nobody knows.
    "broken": "create table loops (id uuid primary key default gen_random_uuid(), team_id uuid not null"
    " references teams); alter table loops enable row level security; grant select on loops to authenticated;"
    " create policy z on loops for select to authenticated using (exists (select from loops l where l.id = loops.id));",
}
TODAY = datetime.datetime.now(datetime.UTC).date()
NEXT = (TODAY + datetime.timedelta(days=90)).isoformat()
GONE = "2020-01-01"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the small application, its patches, and a run with the leak."""
    folder = tmp_path_factory.mktemp("accepting")
    shutil.copytree(SMALL_APP, folder, dirs_exist_ok=True)
    for name, statements in PATCHES.items():
        (folder / f"{name}.sql").write_text(statements)
    report = library.check(folder / "app.tenancy.yaml", patches=[folder / "leak.sql"], attempts=0)
    write_report(report, f"json={folder / 'run.json'}")
    (finding,) = report.findings
    entry = f'channel: READ, object: public.notes, fingerprint: "{finding.fingerprint}", reason: known'
    for name, until in (("accepted", NEXT), ("over", GONE)):
        scenario = (folder / "app.tenancy.yaml").read_text()
        (folder / f"{name}.tenancy.yaml").write_text(f"{scenario}accept:\n  - {{{entry}, until: {until}}}\n")
    return folder


@pytest.fixture
def fingerprint(app: Path) -> str:
    return str(json.loads((app / "run.json").read_text())["findings"][0]["fingerprint"])


@pytest.fixture
def known(tenantproof: Run, app: Path, tmp_path: Path) -> Path:
    """A baseline that holds the leak."""
    assert tenantproof("baseline", "create", app / "run.json", "-o", tmp_path / "b.json").returncode == 0
    return tmp_path / "b.json"


@pytest.fixture
def scenario(app: Path, tmp_path: Path) -> Path:
    """A scenario file that a test may change, with the migrations beside it."""
    (tmp_path / "migrations").symlink_to(app / "migrations")
    shutil.copy(app / "app.tenancy.yaml", tmp_path)
    return tmp_path / "app.tenancy.yaml"


def check(tenantproof: Run, scenario: Path, app: Path, patches: Iterable[str], *options: object) -> tuple[int, str]:
    given = [option for patch in patches for option in ("--patch", app / f"{patch}.sql")]
    done = tenantproof("check", scenario, "--attempts", 0, "-q", *given, *options)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(
    ("name", "patches", "options", "code"),
    [
        ("app", "", "", 0),
        ("app", "leak", "", 1),
        ("app", "leak", "--exit-zero", 0),
        ("app", "leak", "--fail-on never", 0),
        ("app", "broken", "", 4),
        ("app", "broken", "--exit-zero", 0),
        ("app", "leak broken", "", 1),
        ("accepted", "leak", "", 0),
        ("accepted", "leak", "--strict", 0),
        ("accepted", "leak", "--no-accept", 1),
        ("accepted", "leak", "--no-accept --exit-zero", 0),
        ("accepted", "leak other", "", 1),
        ("accepted", "leak broken", "", 4),
        ("accepted", "leak broken", "--strict --exit-zero", 0),
        ("over", "leak", "", 1),
        ("over", "leak", "--fail-on never", 0),
        ("over", "", "--strict", 0),
        ("app", "leak", "--baseline", 0),
        ("app", "leak", "--no-accept --baseline", 0),
        ("app", "leak other", "--baseline", 1),
        ("app", "leak broken", "--baseline", 4),
        ("over", "leak", "--baseline", 1),
        ("over", "leak", "--no-accept --baseline", 0),
    ],
)
def test_exit_codes(tenantproof: Run, app: Path, known: Path, name: str, patches: str, options: str, code: int) -> None:
    given = [part for option in options.split() for part in ((option, known) if option == "--baseline" else (option,))]
    assert check(tenantproof, app / f"{name}.tenancy.yaml", app, patches.split(), *given)[0] == code


def test_an_accepted_finding_is_shown_and_passes(
    tenantproof: Run, app: Path, scenario: Path, fingerprint: str, tmp_path: Path
) -> None:
    before = scenario.read_bytes()
    run = app / "run.json"
    done = tenantproof(
        "accept", fingerprint[:6], scenario, "--run", run, "--reason", 'see "SEC-1" # x', "--until", NEXT
    )
    assert (done.returncode, done.stdout.split()[:5]) == (
        0,
        ["ACCEPTED", "critical", "READ", "public.notes", fingerprint],
    )
    assert scenario.read_bytes().startswith(before + b"accept:\n")

    code, said = check(tenantproof, scenario, app, ["leak"], "-r", f"json={tmp_path / 'now.json'}")
    assert code == 0
    assert f'{fingerprint}: see "SEC-1" # x, until {NEXT}' in said
    assert "0 leaked" in said
    assert "no open finding" in said

    _, said = check(tenantproof, scenario, app, [])
    assert f"READ public.notes {fingerprint} ({scenario}:13:5) matches no finding of this run" in said

    for options, words in (
        ((run,), f"{scenario}:13:5: is accepted there already, until {NEXT}"),
        ((tmp_path / "now.json",), f"{fingerprint} is accepted already: see"),
    ):
        done = tenantproof("accept", fingerprint, scenario, "--reason", "x", "--until", NEXT, "--run", *options)
        assert (done.returncode, words in done.stderr) == (2, True), done.stderr


def test_without_a_run_the_scenario_is_checked(tenantproof: Run, app: Path, scenario: Path, fingerprint: str) -> None:
    options = ("--reason", "x", "--until", NEXT, "--attempts", 0, "--patch", app / "leak.sql")
    assert tenantproof("accept", fingerprint, scenario, *options).returncode == 0
    assert fingerprint in scenario.read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"fingerprint": "ffff"}, "no finding 'ffff' in the run"),
        ({"fingerprint": "973f49ea7c63"}, "did you mean '973f49ea7c62'?"),
        ({"fingerprint": ""}, "no finding ''"),
        ({"--reason": " "}, "say why"),
        ({"--until": GONE}, "is over"),
        ({"--until": "2999-01-01"}, "more than a year away"),
        ({"--run": "missing.json"}, "missing.json"),
        ({"name": "Other app"}, "is of the scenario 'Small app', not of 'Other app'"),
        ({"text": "accept: [{channel: A, object: b, reason: c, until: 2027-01-01}]\n"}, '- channel: "READ"'),
        ({"text": "tabels: {}\n"}, "did you mean 'tables'?"),
    ],
)
def test_mistakes_change_nothing(
    tenantproof: Run, app: Path, scenario: Path, fingerprint: str, change: dict[str, str], said: str
) -> None:
    assert fingerprint == "973f49ea7c62"
    text = scenario.read_text() + change.get("text", "")
    scenario.write_text(text.replace("Small app", change.get("name", "Small app")))
    before = scenario.read_bytes()
    given = {"--reason": "x", "--until": NEXT, "--run": app / "run.json", **change}
    options = [part for name, value in given.items() if name.startswith("--") for part in (name, value)]
    done = tenantproof("accept", given.get("fingerprint", fingerprint), scenario, *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert scenario.read_bytes() == before
    assert sorted(path.name for path in scenario.parent.iterdir()) == ["app.tenancy.yaml", "migrations"]


@pytest.fixture
def report(app: Path) -> Report:
    from tenantproof.cli.saved import load_report

    return load_report(app / "run.json")


def test_a_scenario_that_somebody_else_changes_meanwhile_is_left_alone(
    scenario: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = with_acceptance

    def meanwhile(*arguments: object) -> bytes:
        scenario.write_text(scenario.read_text() + "# mine\n")
        return write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("tenantproof.api.with_acceptance", meanwhile)
    with pytest.raises(UsageError, match="somebody changed it at the same time"):
        api.accept(scenario, report.findings[0], reason="x", until=NEXT)
    assert scenario.read_text().endswith("# mine\n")


def test_a_link_and_the_permissions_of_a_scenario_stay(scenario: Path, report: Report, tmp_path: Path) -> None:
    scenario.chmod(0o640)
    link = tmp_path / "link.tenancy.yaml"
    link.symlink_to(scenario)
    api.accept(link, report.findings[0], reason="x", until=NEXT)
    assert link.is_symlink()
    assert report.findings[0].fingerprint in scenario.read_text()
    assert scenario.stat().st_mode & 0o777 == 0o640


def test_a_scenario_that_may_not_be_written_is_left_alone(
    scenario: Path, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = scenario.read_bytes()
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    with pytest.raises(UsageError, match="cannot be changed: Permission denied"):
        api.accept(scenario, report.findings[0], reason="x", until=NEXT)
    assert scenario.read_bytes() == before


def test_a_baseline_lets_pass_what_was_there_and_only_shrinks(
    tenantproof: Run, app: Path, known: Path, fingerprint: str, tmp_path: Path
) -> None:
    plain, json_of = app / "app.tenancy.yaml", {name: tmp_path / f"{name}.json" for name in ("same", "more", "clean")}
    code, said = check(tenantproof, plain, app, ["leak"], "--baseline", known, "-r", f"json={json_of['same']}")
    assert (code, "0 new, 1 known, 0 gone beside" in said) == (0, True)
    assert f"{fingerprint}: in the baseline" in said
    _, said = check(tenantproof, plain, app, ["leak", "other"], "--baseline", known, "-r", f"json={json_of['more']}")
    assert "1 new, 1 known, 0 gone" in said
    _, said = check(tenantproof, plain, app, [], "--baseline", known, "-r", f"json={json_of['clean']}")
    assert f"1 of 1 finding not found any more ({fingerprint}): `tenantproof baseline prune" in said

    before = known.read_bytes()
    assert "is there already" in tenantproof("baseline", "create", app / "run.json", "-o", known).stderr
    done = tenantproof("baseline", "create", json_of["same"], "-o", known, "--force")
    assert (done.returncode, f"made with --baseline {known}" in done.stderr) == (2, True)
    for name in ("same", "more"):
        assert "0 taken out, 1 finding left" in tenantproof("baseline", "prune", known, json_of[name]).stdout
    assert known.read_bytes() == before
    assert "1 taken out, 0 findings left" in tenantproof("baseline", "prune", known, json_of["clean"]).stdout
    assert check(tenantproof, plain, app, ["leak"], "--baseline", known)[0] == 1
    done = tenantproof("baseline", "create", app / "run.json", "-o", known, "--force")
    assert (done.returncode, known.read_bytes()) == (0, before)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no such file; `tenantproof baseline create"),
        ("{", "is no baseline: not JSON"),
        ("Small app -> Other app", "is of the scenario 'Other app', not of 'Small app'"),
    ],
)
@pytest.mark.parametrize("verb", [("check", "--attempts", "0"), ("fuzz", "--for", "1s", "--no-examples")])
def test_a_wrong_baseline_is_refused_before_anything_runs(
    tenantproof: Run, app: Path, known: Path, verb: tuple[str, ...], text: str | None, said: str
) -> None:
    if text is None:
        known.unlink()
    else:
        old, _, new = text.partition(" -> ")
        known.write_text(known.read_text().replace(old, new) if new else text)
    name, *options = verb
    done = tenantproof(name, app / "app.tenancy.yaml", *options, "--baseline", known, "--exit-zero")
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert "seeding" not in done.stderr


def test_the_history_says_what_is_new(tenantproof: Run, app: Path, tmp_path: Path) -> None:
    kept, plain, saved = tmp_path / "deep" / "h.ndjson", app / "app.tenancy.yaml", tmp_path / "run.json"
    assert "since the last run" not in check(tenantproof, plain, app, ["leak"], "--history", kept)[1]
    specs = ("-r", f"json={saved}", "-r", f"markdown={tmp_path / 'run.md'}")
    _, said = check(tenantproof, plain, app, ["leak", "other"], "--history", kept, *specs)
    assert "1 new, 0 gone since the last run (" in said
    assert "= seen new since the last run" in said
    assert ", 1 run before this one" in said
    assert "history: 1 new, 0 gone since the last run" in (tmp_path / "run.md").read_text()
    assert "1 new, 0 gone since the last run" in " ".join(tenantproof("report", saved).stdout.split())
    assert len(kept.read_text().splitlines()) == 2

    kept.write_text("something else")
    code, said = check(tenantproof, plain, app, ["leak"], "--history", kept)
    assert (code, "is left as it is" in said) == (2, True)
    assert kept.read_text() == "something else"


def test_fuzz_knows_what_is_over(tenantproof: Run, app: Path, known: Path) -> None:
    """`fuzz` says of the same leak that it interferes, under a fingerprint of its own."""
    scenario = app / "fuzz.tenancy.yaml"
    entry = f'{{channel: "*", object: "*", reason: all of them, until: {GONE}}}'
    scenario.write_text((app / "app.tenancy.yaml").read_text() + f"accept:\n  - {entry}\n")
    fuzz = ("fuzz", scenario, "--for", "2s", "-q", "--no-examples", "--patch", app / "leak.sql", "--baseline", known)
    done = tenantproof(*fuzz)
    assert (done.returncode, f"ended on {GONE}" in " ".join(done.stdout.split())) == (1, True), done.stdout
