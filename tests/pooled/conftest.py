"""Real pools before a seeded application: scenarios put together of the application and one habit of its code."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tenantproof.targets.pooled.program import Program, find_pgbouncer

FIXTURES = Path(__file__).parents[2] / "fixtures" / "pooled"

Written = Callable[..., Path]


@pytest.fixture(scope="session")
def pgbouncer() -> Program:
    """The real program; skips with the reason where there is none."""
    program = find_pgbouncer()
    if program is None:
        pytest.skip("there is no PgBouncer on PATH, and TENANTPROOF_PGBOUNCER names none")
    return program


@pytest.fixture
def scenario(tmp_path: Path) -> Written:
    """`scenario("set-local")` is the path of a scenario file: the application with a habit of `habits/`.

    *pools* overrule those of the habit.
    """

    def write(habit: str | None, *pools: str) -> Path:
        text = (FIXTURES / "app.tenancy.yaml").read_text()
        if habit is not None:
            section = (FIXTURES / "habits" / f"{habit}.yaml").read_text()
            lines = [line for line in section.splitlines() if not (pools and line.startswith("  pools:"))]
            text += "\n".join([*lines, *([f"  pools: [{', '.join(pools)}]"] if pools else []), ""])
        shutil.copytree(FIXTURES / "migrations", tmp_path / "migrations", dirs_exist_ok=True)
        shutil.copy(FIXTURES / "pooled_habits.py", tmp_path)
        path = tmp_path / "app.tenancy.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture(autouse=True)
def _forget_the_application() -> None:
    """Each test's folder has the application's module of its own."""
    sys.modules.pop("pooled_habits", None)


@pytest.fixture
def no_pgbouncer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As if none were installed."""
    monkeypatch.delenv("TENANTPROOF_PGBOUNCER", raising=False)
    monkeypatch.setattr("tenantproof.targets.pooled.program._SBIN", str(tmp_path))
    folders = os.environ["PATH"].split(os.pathsep)
    kept = [folder for folder in folders if not (Path(folder) / "pgbouncer").exists()]
    monkeypatch.setenv("PATH", os.pathsep.join(kept))
