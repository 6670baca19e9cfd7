"""As much of GitHub's runner as our composite action needs: it gives a step its inputs, its files and its shell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Step:
    """What a step left behind."""

    code: int
    log: str
    outputs: dict[str, str]
    summary: str


def step(name: str) -> dict[str, Any]:
    (found,) = (known for known in ACTION["runs"]["steps"] if known.get("name") == name)
    return dict(found)


def run_step(name: str, workspace: Path, inputs: dict[str, str], **environment: str) -> Step:
    """Run a step of action.yml exactly as it stands there, with *inputs* or their defaults."""
    given = {key: str(known["default"]) for key, known in ACTION["inputs"].items()} | inputs
    declared = step(name)

    def filled(text: str) -> str:
        return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: given[found[1]], text)

    files = {name: workspace.parent / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for file in files.values():
        file.write_text("")
    temporary = workspace.parent / "temp"
    _install_ourselves(temporary)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", declared["run"]],
        cwd=workspace / filled(declared.get("working-directory", ".")),
        env={
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": os.environ.get("HOME", "/"),
            "GITHUB_ACTION_PATH": str(ROOT),
            "RUNNER_TEMP": str(temporary),
            **{name: str(file) for name, file in files.items()},
            **{name: filled(value) for name, value in declared.get("env", {}).items()},
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = files["GITHUB_OUTPUT"].read_text().splitlines()
    outputs = dict(line.split("=", 1) for line in lines)
    return Step(done.returncode, done.stdout, outputs, files["GITHUB_STEP_SUMMARY"].read_text())


def _install_ourselves(temporary: Path) -> None:
    """Instead of the step that installs: the program of this environment, where that step would put it."""
    program = temporary / "tenantproof" / "bin" / "tenantproof"
    program.parent.mkdir(parents=True, exist_ok=True)
    if not program.exists():
        program.symlink_to(Path(sys.executable).parent / "tenantproof")
