"""The hooks for pre-commit, run by a real prek in a real git repository.

Their environments come from PyPI when a user runs them; here they find the program of this environment instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
LEAK = "create policy loose on public.notes for select to authenticated using (true);\n"


@pytest.fixture(scope="module")
def prek() -> str:
    program = shutil.which("prek", path=f"{BIN}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip("no prek: it comes with the extra dev where PyPI has a wheel of it")
    if shutil.which("git") is None:
        pytest.skip("no git on PATH")
    return program


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with a scenario and migrations that uses the hooks as they are declared."""
    folder = Path(shutil.copytree(ROOT / "tests" / "integration" / "small_app", tmp_path / "app"))
    hooks = [{**hook, "language": "system"} for hook in HOOKS]
    for hook in hooks:
        hook.pop("additional_dependencies", None)
        if hook["id"] == "tenantproof-check":
            hook["args"] = ["app.tenancy.yaml"]
    (folder / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [{"repo": "local", "hooks": hooks}]}))
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "begin")
    return folder


def environment(folder: Path) -> dict[str, str]:
    git_names = {f"GIT_{who}_{what}": "a@b.test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    kept = {"PATH": path, "HOME": str(folder), "PREK_HOME": str(folder.parent / "prek"), "NO_COLOR": "1"}
    cache = {name: os.environ[name] for name in ("TENANTPROOF_CACHE", "XDG_CACHE_HOME") if name in os.environ}
    return {**git_names, **kept, **cache}


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, env=environment(folder), capture_output=True)


def hooks_on_what_is_staged(prek: str, repository: Path) -> subprocess.CompletedProcess[str]:
    git(repository, "add", ".")
    return subprocess.run(
        [prek, "run"], cwd=repository, env=environment(repository), capture_output=True, text=True, check=False
    )


def test_the_manifest_is_valid(prek: str) -> None:
    subprocess.run([prek, "validate-manifest", ROOT / ".pre-commit-hooks.yaml"], check=True, capture_output=True)


def test_a_mistake_in_a_scenario_stops_the_commit_with_its_place(prek: str, repository: Path) -> None:
    scenario = repository / "app.tenancy.yaml"
    scenario.write_text(scenario.read_text().replace("roles:", "rols:"))
    done = hooks_on_what_is_staged(prek, repository)

    assert done.returncode == 1
    assert "app.tenancy.yaml:5:1" in done.stdout
    assert "did you mean 'roles'" in done.stdout


def test_a_leaky_migration_stops_the_commit_with_the_finding(prek: str, repository: Path) -> None:
    (repository / "migrations" / "0009_leak.sql").write_text(LEAK)
    done = hooks_on_what_is_staged(prek, repository)

    assert done.returncode == 1, done.stdout
    assert "migrations/0009_leak.sql:1" in done.stdout
    assert "LEAKED" in done.stdout
    assert "no files to check" in done.stdout  # of the other hook: no scenario was changed


def test_other_files_cost_nothing(prek: str, repository: Path) -> None:
    (repository / "notes.yaml").write_text("a: 1\n")
    (repository / "seed.sql").write_text("select 1;\n")
    done = hooks_on_what_is_staged(prek, repository)

    assert done.returncode == 0
    assert done.stdout.count("no files to check") == len(HOOKS)
