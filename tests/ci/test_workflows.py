"""Workflows, the action, the hooks and the GitLab template are valid, linted, pinned, and ask for little."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from tests.ci.actionlint import Unavailable, complaints

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PIPELINE = ROOT / "harness" / "tenantproof" / "drafting" / "pipelines" / "github.yml"
ALL = [ROOT / "action.yml", *WORKFLOWS]
BIN = Path(sys.executable).parent


def by_name(path: Path) -> str:
    return path.name


def loaded(path: Path) -> dict[str, Any]:
    """A document of GitHub's or GitLab's; YAML 1.1 takes the key `on` for a truth value."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    if True in document:
        document["on"] = document.pop(True)
    return dict(document)


def schema(name: str) -> dict[str, Any]:
    """A schema that comes with the package check-jsonschema."""
    pytest.importorskip("check_jsonschema", reason="the schemas come with check-jsonschema, of the extra dev")
    text = (files("check_jsonschema") / "builtin_schemas" / "vendor" / f"{name}.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


def valid(document: dict[str, Any], name: str) -> bool:
    validator = jsonschema.validators.validator_for(known := schema(name))(known)
    return bool(validator.is_valid(document))


@pytest.mark.parametrize("path", WORKFLOWS, ids=by_name)
def test_workflows_are_valid_by_schema(path: Path) -> None:
    assert valid(loaded(path), "github-workflows")
    assert not valid(loaded(path) | {"jbos": {}}, "github-workflows")


def test_the_action_is_valid_by_schema() -> None:
    document = loaded(ROOT / "action.yml")
    assert valid(document, "github-actions")
    assert not valid(document | {"runs": {"using": "composit"}}, "github-actions")


def test_the_gitlab_template_is_valid_by_schema() -> None:
    document = loaded(ROOT / "ci" / "gitlab.yml")
    assert valid(document, "gitlab-ci")
    assert not valid(document | {"tenantproof": {"script": 5}}, "gitlab-ci")


def test_actionlint_is_content_and_would_not_be_with_anything(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    text = (ROOT / ".github" / "workflows" / "nightly-staging.yml").read_text(encoding="utf-8")
    broken.write_text(text.replace("needs: isolation", "needs: isolatoin"))
    try:
        said = complaints([*WORKFLOWS, PIPELINE, broken])
    except Unavailable as reason:
        pytest.skip(str(reason))
    assert any("isolatoin" in line for line in said)
    assert [line for line in said if "broken.yml:" not in line] == []


def test_zizmor_is_content_and_would_not_be_with_anything(tmp_path: Path) -> None:
    zizmor = shutil.which("zizmor", path=f"{BIN}{os.pathsep}{os.environ['PATH']}")
    if zizmor is None:
        pytest.skip("no zizmor: it comes with the extra dev where PyPI has a wheel of it")
    command = [zizmor, "--offline", "--no-progress", "--persona", "pedantic"]
    done = subprocess.run([*command, *map(str, [*ALL, PIPELINE])], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

    broken = tmp_path / "action.yml"
    text = (ROOT / "action.yml").read_text(encoding="utf-8")
    broken.write_text(text.replace("run: exec", "run: echo '${{ inputs.args }}'; exec"))
    done = subprocess.run([*command, str(broken)], capture_output=True, text=True, check=False)
    assert "template-injection" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("path", ALL, ids=by_name)
def test_actions_are_pinned_by_commit_with_their_version(path: Path) -> None:
    uses = re.findall(r"uses: (\S+)(.*)", path.read_text(encoding="utf-8"))
    assert uses
    for action, comment in uses:
        if not action.startswith("./"):
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action)
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)


def test_one_action_has_one_commit_everywhere() -> None:
    pinned: dict[str, set[str]] = {}
    for path in ALL:
        for action, commit in re.findall(r"uses: ([\w./-]+)@([0-9a-f]{40})", path.read_text(encoding="utf-8")):
            pinned.setdefault("/".join(action.split("/")[:2]), set()).add(commit)
    assert {action for action, commits in pinned.items() if len(commits) > 1} == set()


@pytest.mark.parametrize("path", WORKFLOWS, ids=by_name)
def test_workflows_ask_for_little(path: Path) -> None:
    """No permission but those that a job names, a bound in time, and no credentials left in the checkout."""
    workflow = loaded(path)
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]
    for job in workflow["jobs"].values():
        assert job["permissions"]
        assert job["timeout-minutes"] <= 90
        for step in job["steps"]:
            if "actions/checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False


NIGHTLY = loaded(ROOT / ".github" / "workflows" / "nightly-staging.yml")


def test_the_nightly_job_alone_has_the_secret_and_only_where_it_is_needed() -> None:
    text = (ROOT / ".github" / "workflows" / "nightly-staging.yml").read_text(encoding="utf-8")
    assert len(re.findall(r"\$\{\{ secrets\.", text)) == 1
    job = NIGHTLY["jobs"]["isolation"]
    (step,) = (known for known in job["steps"] if "STAGING_DSN" in str(known.get("env", "")))
    assert step["with"]["target"] == "env:STAGING_DSN"
    assert job["environment"] == "staging"
    assert "pull_request" not in NIGHTLY["on"]


GH = """#!/bin/sh
echo "$*" >> "$GH_CALLS"
case "$1 $2" in "issue list") printf '%s' "$OPEN_ISSUE";; esac
"""
"""Writes down how it is called; GitHub itself is out of reach for a test."""


@pytest.mark.parametrize(("open_issue", "called"), [("", "issue create --title"), ("17", "issue comment 17 --body")])
def test_a_bad_night_opens_an_issue_or_adds_to_the_one_that_is_open(
    tmp_path: Path, open_issue: str, called: str
) -> None:
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)
    (step,) = NIGHTLY["jobs"]["issue"]["steps"]
    environment = {"RUN_URL": "https://host/run/1", "MIGRATIONS": "1", "STAGING": "", "OPEN_ISSUE": open_issue}
    subprocess.run(
        ["bash", "-eo", "pipefail", "-c", step["run"]],
        check=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "GH_CALLS": str(tmp_path / "calls"), **environment},
    )
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call for call in calls if call.startswith(("issue create", "issue comment"))] == [calls[-1]]
    assert calls[-1].startswith(called)
    assert "Exit codes: 1 for the migrations, none for staging (1 is a leak). Reports: https://host/run/1" in calls[-1]
    assert "--label tenantproof" in "".join(calls)


def test_every_input_and_output_of_the_action_is_documented_with_its_default() -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    action = loaded(ROOT / "action.yml")
    inputs, outputs = page.split("| input | meaning")[1].split("| output | meaning")
    rows = {line.split("|")[1]: line for line in inputs.splitlines() if line.startswith("| `")}
    for name, known in action["inputs"].items():
        (row,) = (line for names, line in rows.items() if f"`{name}`" in names)
        default = known["default"]
        assert not default or row.endswith(f"| `{default}` |")
        assert known["description"]
    assert [name for name in action["outputs"] if f"| `{name}` |" not in outputs] == []


def test_every_hook_is_documented() -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert [hook["id"] for hook in hooks if f"- id: {hook['id']}" not in page] == []
