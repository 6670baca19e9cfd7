"""The GitHub Action's steps, run as they stand in action.yml: reports, summary, outputs, annotations and exit code."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from ci.action import LONGEST_SUMMARY, Ended, Run, gravest, names_of, outputs, summary
from tests.ci.runner import ACTION, ROOT, Step, run_step, step

SMALL_APP = ROOT / "tests" / "integration" / "small_app"
LEAK = "create policy loose on public.notes for select to authenticated using (true);"
QUICK = {"args": "--attempts 0"}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A checkout of somebody's repository."""
    return Path(shutil.copytree(SMALL_APP, tmp_path / "checkout"))


def run(workspace: Path, **inputs: str) -> Step:
    return run_step("Run tenantproof", workspace, {name.replace("_", "-"): value for name, value in inputs.items()})


def test_a_clean_scenario_is_green_and_leaves_every_report(workspace: Path) -> None:
    """The scenario is found by itself; the log says what was done; nothing is annotated."""
    done = run(workspace, **QUICK)

    assert done.code == 0, done.log
    assert "exit 0: no finding" in done.log
    assert "::error" not in done.log
    assert done.outputs == {
        "exit-code": "0",
        "leaks": "0",
        "untested": "0",
        "report": "tenantproof-reports/app-check.html",
        "reports": "tenantproof-reports",
        "sarif": "tenantproof-reports/sarif",
    }
    assert "Small app" in done.summary
    reports = {path.relative_to(workspace).as_posix() for path in (workspace / "tenantproof-reports").rglob("*.*")}
    names = {"app-check.html", "app-check.json", "app-check.xml", "app-check.md", "sarif/app-check.sarif"}
    assert reports == {f"tenantproof-reports/{name}" for name in names}
    assert (workspace / ".tenantproof" / "history.ndjson").is_file()


def test_a_leak_is_red_annotated_counted_and_summed_up(workspace: Path) -> None:
    """The reports are those of the run that failed, and lines of the log that look like commands are none."""
    (workspace / "migrations" / "0009_leak.sql").write_text(LEAK)
    done = run(workspace, **QUICK)

    assert done.code == 1, done.log
    assert done.outputs["exit-code"] == "1"
    assert done.outputs["leaks"] == "1"
    (error,) = re.findall(r"^::error .*", done.log, re.MULTILINE)
    assert "file=migrations/0009_leak.sql,line=1" in error
    token = re.findall(r"^::stop-commands::(\w{32})$", done.log, re.MULTILINE)[0]
    assert done.log.index("::stop-commands::") < done.log.index("LEAKED") < done.log.index(f"\n::{token}::\n")
    assert done.log.index(f"\n::{token}::\n") < done.log.index("::error")
    assert "public.notes" in done.summary
    folder = workspace / "tenantproof-reports"
    assert "public.notes" in (folder / "app-check.html").read_text()
    assert json.loads((folder / "sarif" / "app-check.sarif").read_text())["runs"][0]["results"]
    assert ET.parse(folder / "app-check.xml").findall(".//failure")


def test_both_verbs_are_two_analyses(workspace: Path) -> None:
    """What fuzz did not look for must not close the alerts of check."""
    (workspace / "migrations" / "0009_leak.sql").write_text(LEAK)
    done = run(workspace, run="check fuzz", check_args="--attempts 0", fuzz_args="--draws 7", **{"for": "2s"})

    assert done.code == 1, done.log
    folder = workspace / "tenantproof-reports"
    ids = {json.loads(path.read_text())["runs"][0]["automationDetails"]["id"] for path in (folder / "sarif").iterdir()}
    assert ids == {"tenantproof/app.tenancy.yaml/", "tenantproof/app.tenancy.yaml/fuzz/"}
    assert int(done.outputs["leaks"]) >= 1
    assert done.summary.count("Small app") >= 2


def test_a_leak_beside_a_scenario_that_cannot_be_run_is_a_leak(workspace: Path) -> None:
    """The gravest exit code decides; the run without a report is in the summary; the report is the leak's."""
    (workspace / "migrations" / "0009_leak.sql").write_text(LEAK)
    (workspace / "broken.tenancy.yaml").write_text("version: 1\nname: Broken\ntenents: [a, b]\n")
    done = run(workspace, **QUICK)

    assert done.code == 1, done.log
    assert "Exit 2: the command line or the scenario is wrong." in done.summary
    assert done.outputs["report"] == "tenantproof-reports/app-check.html"
    assert "broken.tenancy.yaml:3:1" in done.log


def test_reports_of_an_earlier_run_are_not_taken_for_this_one_s(workspace: Path) -> None:
    (workspace / "tenantproof-reports").mkdir()
    (workspace / "tenantproof-reports" / "app-check.json").write_text('{"findings": [], "summary": {}}')
    (workspace / "tenantproof-reports" / "app-check.html").write_text("old")
    (workspace / "app.tenancy.yaml").write_text("version: 2\n")
    done = run(workspace, **QUICK)

    assert done.code == 2
    assert done.outputs["report"] == ""
    assert (done.outputs["leaks"], done.outputs["untested"]) == ("", "")  # nobody knows; 0 would be good news


@pytest.mark.parametrize(
    ("inputs", "code", "said"),
    [
        ({"run": "chek"}, 2, "run: 'chek': expected check or fuzz, or both"),
        ({"scenarios": "nope/*.tenancy.yaml"}, 2, "there is no such file"),
        ({"working_directory": "migrations"}, 5, "no *.tenancy.yaml here"),
        ({"check_args": "--atempts 0"}, 2, "--attempts"),
        ({"args": "--note don't"}, 2, "the input args cannot be read: No closing quotation"),
        ({"reports": "../outside"}, 2, "reports: '../outside': expected a folder of its own below"),
        ({"reports": "."}, 2, "reports: '.': expected a folder of its own below"),
        ({"reports": "a\nleaks=0"}, 2, "expected a folder of its own below"),
    ],
)
def test_a_wrong_input_is_named(workspace: Path, inputs: dict[str, str], code: int, said: str) -> None:
    done = run(workspace, **inputs)

    assert done.code == code, done.log
    assert said in done.log
    assert done.outputs["exit-code"] == str(code)
    assert f"Exit {code}" in done.summary
    assert "Traceback" not in done.log


@pytest.mark.parametrize(
    ("scenarios", "names"),
    [
        (["a/app.tenancy.yaml", "b/notes.tenancy.yml"], ["app", "notes"]),
        (["a/app.tenancy.yaml", "b/app.tenancy.yaml"], ["a-app", "b-app"]),
        (['my "own" app.tenancy.yaml', "it's: <odd>|*?.tenancy.yaml"], ["my-own-app", "it-s-odd"]),
        (["Größe.tenancy.yaml", "Gro\u0308ße.tenancy.yaml"], ["Größe-", "Größe-"]),
        (["App.tenancy.yaml", "app.tenancy.yaml"], ["App-", "app-"]),
        (["x y/app.tenancy.yaml", "x-y/app.tenancy.yaml"], ["x-y-app-", "x-y-app-"]),
        ([".tenancy.yaml", "'.tenancy.yaml"], ["", ""]),
        ([f"{'long' * 60}.tenancy.yaml"], ["longlong"]),
        (["../../up/app.tenancy.yaml", "/abs/app.tenancy.yaml"], ["up-app", "abs-app"]),
    ],
)
def test_each_scenario_has_reports_of_its_own_that_can_be_uploaded(scenarios: list[str], names: list[str]) -> None:
    """upload-artifact refuses quotes, colons and the like; a file system may take app and App for one."""
    found = names_of(scenarios)
    assert [name[: len(start)] for name, start in zip(found, names, strict=True)] == names, found
    assert len({name.casefold() for name in found}) == len(scenarios)
    assert all(name and len(name) < 80 and not set(name) & set("\"'/\\:<>|*? \r\n") for name in found)


def test_a_scenario_with_an_odd_name_is_checked(workspace: Path) -> None:
    odd = "größe 'of' \"it\".tenancy.yaml"
    (workspace / "app.tenancy.yaml").rename(workspace / odd)
    done = run(workspace, scenarios=f"{odd}\n./{odd}", **QUICK)
    assert done.code == 0, done.log
    assert done.outputs["report"] == "tenantproof-reports/größe-of-it-check.html"
    assert len(list((workspace / "tenantproof-reports").glob("*.html"))) == 1  # one file, however it is called
    assert (workspace / done.outputs["report"]).is_file()


def test_inputs_are_never_a_shell_s(workspace: Path) -> None:
    """What would be a command in a script's text is a name of a file that is not there."""
    done = run(workspace, scenarios='$(touch owned) `touch owned`; touch owned; "\n')

    assert done.code == 2
    assert not (workspace / "owned").exists()
    done = run(workspace, scenarios="app.tenancy.yaml", args="--attempts 0 --seed $(touch${IFS}owned)")
    assert done.code == 2
    assert not (workspace / "owned").exists()


def test_inputs_become_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each input that is not empty is an option of the verbs that have it."""
    inputs = {"fail-on": "low", "target": "env:DSN", "baseline": "b.json", "for": "9m", "args": "-v --seed 5"}
    for name, value in {**inputs, "fuzz-args": "--draws 3"}.items():
        monkeypatch.setenv(f"INPUT_{name.upper().replace('-', '_')}", value)
    both = ["a.tenancy.yaml", "--fail-on", "low", "--target", "env:DSN", "--baseline", "b.json"]
    both += ["--examples", ".tenantproof/examples"]
    check, fuzz = (
        list(Run(verb=verb, scenario="a.tenancy.yaml", name="a", reports=Path("out")).arguments())
        for verb in ("check", "fuzz")
    )
    assert check[: len(both) + 1] == ["check", *both]
    assert "--history" in check
    assert "--history" not in fuzz
    assert fuzz[: len(both) + 3] == ["fuzz", *both, "--for", "9m"]
    assert check[-3:] == ["-v", "--seed", "5"]
    assert fuzz[-5:] == ["-v", "--seed", "5", "--draws", "3"]
    assert "sarif=out/sarif/a.sarif" in check


@pytest.mark.parametrize(("least", "leaks"), [("never", 2), ("info", 2), ("medium", 1), ("critical", 0)])
def test_what_fail_on_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, least: str, leaks: int) -> None:
    monkeypatch.setenv("INPUT_FAIL_ON", least)
    findings = [
        {"fingerprint": "1", "severity": "high", "accepted": ""},
        {"fingerprint": "2", "severity": "low", "accepted": ""},
        {"fingerprint": "3", "severity": "critical", "accepted": "until 2027"},
    ]
    report: dict[str, object] = {"findings": findings, "summary": {"untested": 3, "error": 1}}
    run = Run(verb="check", scenario="a", name="a", reports=tmp_path)
    told = outputs([Ended(run=run, code=1, report=report)], 1)
    assert (told["leaks"], told["untested"]) == (leaks, 4)


def test_a_cancelled_job_ends_with_what_is_known(workspace: Path) -> None:
    """GitHub's SIGINT reaches the program once: it writes its report, and the summary is there."""
    script = step("Run tenantproof")["run"]
    temporary = workspace.parent / "temp" / "tenantproof" / "bin"
    temporary.mkdir(parents=True)
    (temporary / "tenantproof").symlink_to(Path(sys.executable).parent / "tenantproof")
    files = {name: workspace.parent / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": os.environ.get("HOME", "/"),
        "GITHUB_ACTION_PATH": str(ROOT),
        "RUNNER_TEMP": str(workspace.parent / "temp"),
        "INPUT_RUN": "fuzz",
        "INPUT_FOR": "10m",
        **{name: str(file) for name, file in files.items()},
    }
    with subprocess.Popen(
        ["bash", "-e", "-c", script],
        cwd=workspace,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as job:
        assert job.stdout is not None
        seen = ""
        deadline = time.monotonic() + 60
        while "world pairs" not in seen:
            line = job.stdout.readline()
            assert line, seen
            assert time.monotonic() < deadline, seen
            seen += line
        job.send_signal(signal.SIGINT)
        rest, _ = job.communicate(timeout=60)

    assert job.returncode == 130, seen + rest
    assert "exit-code=130" in files["GITHUB_OUTPUT"].read_text()
    assert "Small app" in files["GITHUB_STEP_SUMMARY"].read_text()


@pytest.mark.parametrize(
    ("codes", "expected"),
    [([0, 0], 0), ([0, 4, 1, 2], 1), ([4, 3], 3), ([2, 5], 2), ([0, 130], 130), ([2, 137], 137), ([1, 137], 1)],
)
def test_the_gravest_exit_code_is_that_of_all_runs(codes: list[int], expected: int) -> None:
    assert gravest(codes) == expected


def test_the_summary_is_never_longer_than_github_takes(tmp_path: Path) -> None:
    """What does not fit is named."""
    ended = []
    for name in ("a", "b", "c"):
        run = Run(verb="check", scenario=f"{name}.tenancy.yaml", name=name, reports=tmp_path)
        run.report("markdown").write_text("ä" * (LONGEST_SUMMARY // 5))
        ended.append(Ended(run=run, code=0, report=None))
    text = summary(ended)
    assert len(text.encode()) < 1024 * 1024
    assert "Too long for this summary: see c.md." in text


def test_steps_after_the_run_happen_whatever_it_came_to() -> None:
    """A leak fails the step that runs; the reports are wanted then more than ever."""
    steps = ACTION["runs"]["steps"]
    names = [known.get("id") for known in steps]
    after = steps[names.index("run") + 1 :]
    assert len(after) == 3
    assert all(str(known["if"]).startswith("always()") for known in after)
    (sarif,) = (known for known in after if "upload-sarif" in known["uses"])
    assert sarif["with"]["category"] == "tenantproof"
    assert "exit-code" not in sarif["if"]


def test_every_input_reaches_a_step_and_only_by_variables() -> None:
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    assert [name for name in ACTION["inputs"] if f"inputs.{name}" not in text] == []
    assert [known for known in ACTION["runs"]["steps"] if "${{" in known.get("run", "")] == []
