"""What the end-to-end tests share: a small application, and the command line as a user calls it."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from tenantproof.cli import main

SMALL_APP = Path(__file__).parent / "small_app"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def small_app(tmp_path: Path) -> Path:
    """A copy of the small application that a test may break; returns its scenario file."""
    shutil.copytree(SMALL_APP, tmp_path / "app")
    return tmp_path / "app" / "app.tenancy.yaml"


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-c", "from tenantproof.cli.main import main; main()", *map(str, arguments)]


@pytest.fixture
def tenantproof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the program in an empty folder and return what it printed and its exit code.

    In this process, which saves a second of imports each time; what needs a process of its own (signals, pipes, two
    runs at once) starts `command`.
    """

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        out, err = io.StringIO(), io.StringIO()
        with monkeypatch.context() as here, redirect_stdout(out), redirect_stderr(err):
            here.chdir(tmp_path)
            for name, value in {"COLUMNS": "120", "NO_COLOR": "1", **environment}.items():
                here.setenv(name, value)
            code = main.run([str(argument) for argument in arguments])
        return subprocess.CompletedProcess(command(*arguments), code, out.getvalue(), err.getvalue())

    return run
