"""`tenantproof init --ci`: a pipeline that is valid, names the scenario, and never replaces somebody's own."""

from __future__ import annotations

import importlib
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.ci.test_workflows import ROOT, loaded, valid
from tests.integration.conftest import Run, tenantproof

from tenantproof import api
from tenantproof.core.errors import UsageError
from tenantproof.drafting.pipelines import PLACES, pipeline, write_pipeline

__all__ = ["tenantproof"]

SCENARIO = Path("scenarios") / "app.tenancy.yaml"
SCHEMAS = {"github": "github-workflows", "gitlab": "gitlab-ci"}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("service", sorted(PLACES))
@pytest.mark.parametrize("name", ["scenarios/app.tenancy.yaml", "a b/#1: x.tenancy.yaml", "ä'\"$(x).tenancy.yaml"])
def test_it_is_valid_and_names_the_scenario(repository: Path, service: str, name: str) -> None:
    place = write_pipeline(service, Path(name))
    assert place == PLACES[service]
    document = loaded(place)
    assert valid(document, SCHEMAS[service])
    if service == "github":
        steps = document["jobs"]["tenantproof"]["steps"]
        assert steps[-1]["with"]["scenarios"] == name
    else:
        assert document[".tenantproof"]["variables"]["SCENARIO"] == name


def test_the_github_pipeline_gives_the_action_inputs_that_it_has() -> None:
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    (step,) = (
        known
        for known in yaml.safe_load(pipeline("github", SCENARIO))["jobs"]["tenantproof"]["steps"]
        if "tenantproof@" in known["uses"]
    )
    assert set(step["with"]) <= set(action["inputs"])


def test_the_template_in_the_repository_is_what_init_writes() -> None:
    assert (ROOT / "ci" / "gitlab.yml").read_text(encoding="utf-8") == pipeline("gitlab", SCENARIO)


def test_a_pipeline_that_is_there_is_kept(repository: Path) -> None:
    """Before anything is drafted, and unless --force is given."""
    place = repository / PLACES["github"]
    place.parent.mkdir(parents=True)
    place.write_text("mine")
    with pytest.raises(UsageError, match="is there already: give --force"):
        api.init(SCENARIO, migrations="nowhere", ci="github")
    assert place.read_text() == "mine"
    assert not SCENARIO.exists()
    write_pipeline("github", SCENARIO, force=True)
    assert "tenantproof" in place.read_text()


def test_wrong_services_and_places_are_named(repository: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'github'"):
        write_pipeline("guthub", SCENARIO)
    with pytest.raises(UsageError, match="call it at the repository's root"):
        write_pipeline("github", repository.parent / "x.tenancy.yaml")


def test_init_writes_both_and_later_the_pipeline_alone(tenantproof: Run, tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text("create table public.notes (id int primary key);")
    done = tenantproof("init", "--migrations", "schema.sql", "--ci", "gitlab")
    assert done.returncode == 0, done.stderr
    assert "include it in .gitlab-ci.yml: {local: .gitlab/tenantproof.yml}" in done.stdout
    assert (tmp_path / ".gitlab" / "tenantproof.yml").is_file()
    drafted = (tmp_path / SCENARIO).read_text()

    later = tenantproof("init", "--ci", "github")
    assert later.returncode == 0, later.stderr
    assert "scenarios/app.tenancy.yaml is there already and stays as it is." in later.stdout
    assert "OWNER" in later.stdout
    assert (tmp_path / SCENARIO).read_text() == drafted
    assert (tmp_path / ".github" / "workflows" / "tenantproof.yml").is_file()
    assert tenantproof("init", "--ci", "github").returncode == 2


STAND_IN = """#!/bin/sh
echo "$*" >> calls
[ "$1" != "$FAILING" ]
"""
"""Writes down how it is called; the real program would search for half an hour."""


@pytest.mark.parametrize(
    ("job", "environment", "called", "code"),
    [
        ("tenantproof", {}, ["check"], 0),
        ("tenantproof", {"FAILING": "check"}, ["check"], 1),
        ("tenantproof-nightly", {"FAILING": "fuzz"}, ["fuzz"], 1),
        ("tenantproof-nightly", {"FAILING": "fuzz", "STAGING_DSN": "secret"}, ["fuzz", "check"], 1),
        ("tenantproof-nightly", {"STAGING_DSN": "secret"}, ["fuzz", "check"], 0),
    ],
)
def test_the_scripts_of_gitlab_s_jobs(
    repository: Path, job: str, environment: dict[str, str], called: list[str], code: int
) -> None:
    """A failed search does not keep staging from being checked, and nothing turns red into green."""
    (repository / "tenantproof").write_text(STAND_IN)
    (repository / "tenantproof").chmod(0o755)
    script = yaml.safe_load(pipeline("gitlab", SCENARIO))[job]["script"]
    path = {"PATH": f"{repository}:/usr/bin:/bin", "SCENARIO": str(SCENARIO)}
    done = subprocess.run(["sh", "-e", "-c", "\n".join(script)], env={**path, **environment}, check=False)

    calls = [line.split() for line in (repository / "calls").read_text().splitlines()]
    assert done.returncode == code
    assert [call[0] for call in calls] == called
    for verb, *arguments in calls:
        command = importlib.import_module(f"tenantproof.cli.{verb}").command
        command.make_context(verb, arguments)  # every option is one that the verb has
        assert "secret" not in arguments
