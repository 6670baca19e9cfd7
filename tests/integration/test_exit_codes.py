"""The exit code says what was found, whatever is written beside it, and the documents say the same code."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tenantproof.reports.registry import writers

APP = Path(__file__).parent / "small_app" / "app.tenancy.yaml"
LEAK = "create policy x on notes for select to authenticated using (true);"
MUTE = "alter table notes add check (false) not valid;"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize(("patch", "code"), [("select 1;", 0), (LEAK, 1), (MUTE, 4)])
def test_formats_do_not_change_it(tenantproof: Run, tmp_path: Path, patch: str, code: int) -> None:
    (tmp_path / "patch.sql").write_text(patch)
    check = ("check", APP, "--attempts", "0", "-q", "--patch", "patch.sql")
    assert tenantproof(*check).returncode == code
    specs = [f"--report={name}={tmp_path / name}" for name in writers()]
    assert tenantproof(*check, *specs).returncode == code
    assert json.loads((tmp_path / "json").read_text())["exit_code"] == code
    assert json.loads((tmp_path / "sarif").read_text())["runs"][0]["invocations"][0]["exitCode"] == code
    assert f'name="exit_code" value="{code}"' in (tmp_path / "junit").read_text()


def test_what_cannot_be_written_is_said_before_the_run(tenantproof: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = tenantproof("check", APP, "-r", f"html={tmp_path / 'file' / 'report.html'}")
    assert done.returncode == 2
    assert "seeding" not in done.stderr
