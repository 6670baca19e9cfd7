"""Documents on standard output are for programs: nothing else is there."""

from __future__ import annotations

import json
from pathlib import Path

from tests.integration.conftest import Run


def test_a_stream_can_be_piped(tenantproof: Run, small_app: Path) -> None:
    done = tenantproof("check", small_app, "--attempts", "0", "-r", "ndjson=-", "-r", "json=run.json")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [events[0]["event"], events[-1]["event"]] == ["begin", "finished"]
    assert {event["event"] for event in events} == {"begin", "phase", "matrix", "cell", "finished"}
    assert "exit 0: no finding" in done.stderr


def test_json_can_be_piped(tenantproof: Run, small_app: Path) -> None:
    done = tenantproof("check", small_app, "--attempts", "0", "-r", "json=-")
    assert json.loads(done.stdout)["format"] == "json-v1"


def test_every_format_of_one_run_and_the_exit_code_is_its_own(
    tenantproof: Run, small_app: Path, tmp_path: Path
) -> None:
    leak = tmp_path / "leak.sql"
    leak.write_text("create policy loose on public.notes for select to authenticated using (true);")
    names = ["html", "json", "ndjson", "junit", "sarif", "markdown", "github"]
    reports = [part for name in names for part in ("-r", f"{name}=out/{name}")]
    done = tenantproof("check", small_app, "--attempts", "0", "--patch", leak, *reports)
    assert done.returncode == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(names)
    for name in names:
        assert "public.notes" in (tmp_path / "out" / name).read_text(encoding="utf-8")
    assert tenantproof("diff", "out/json", "out/json").returncode == 0
