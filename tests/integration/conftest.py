"""What the end-to-end tests share: a small application, and the command line as a user calls it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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
def tenantproof(tmp_path: Path) -> Run:
    """Run the program in an empty folder and return what it printed and its exit code."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments),
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "120", "NO_COLOR": "1", **environment},
        )

    return run
