"""`report` and `diff`: saved runs, rendered again and compared; no database."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit import sample_reports as samples

from tenantproof.cli.main import run
from tenantproof.cli.options import report_option
from tenantproof.core.report import Report
from tenantproof.reports.files import write_report
from tenantproof.reports.registry import writers

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[Report, str], str]:
    """Puts a report where `-r json=PATH` would."""

    def save(report: Report, name: str) -> str:
        write_report(report, f"json={tmp_path / name}")
        return str(tmp_path / name)

    return save


Save = Callable[[Report, str], str]


@pytest.mark.parametrize("name", sorted(writers().keys() - {"pgtap"}))
def test_a_run_is_rendered_as_the_run_itself_would_have(saved: Save, tmp_path: Path, name: str) -> None:
    path = saved(samples.small(), "run.json")
    assert run(["report", path, "-r", f"{name}={tmp_path / 'again'}"]) == 0
    out = io.StringIO()
    writers()[name].write(samples.small(), out)
    assert (tmp_path / "again").read_text(encoding="utf-8") == out.getvalue()


def test_a_saved_run_has_no_database_to_make_a_suite_from(saved: Save, tmp_path: Path, capsys: Capture) -> None:
    assert run(["report", saved(samples.small(), "run.json"), "-r", f"pgtap={tmp_path / 'suite.sql'}"]) == 2
    assert "tenantproof check" in capsys.readouterr().err
    assert not (tmp_path / "suite.sql").exists()


def test_without_a_format_it_is_printed(saved: Save, capsys: Capture) -> None:
    assert run(["report", saved(samples.small(), "run.json")]) == 0
    printed = capsys.readouterr().out
    assert "LEAKED critical  POL-SELECT" in printed
    assert "exit 1: a finding at or above medium" in printed


def test_a_run_is_read_from_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    out = io.StringIO()
    writers()["json"].write(samples.small(), out)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(out.getvalue().encode())))
    assert run(["report", "-", "-r", "github=-"]) == 0
    assert capsys.readouterr().out.startswith("::error file=")


def test_diff_fails_for_new_findings_only(saved: Save, capsys: Capture) -> None:
    clean, leaky = saved(samples.clean(), "clean.json"), saved(samples.mixed(), "leaky.json")
    assert run(["diff", clean, leaky]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "4 new · 0 fixed · 0 unchanged"
    assert run(["diff", leaky, leaky]) == 0
    assert run(["diff", leaky, clean]) == 0
    assert "FIXED" in capsys.readouterr().out


def test_the_threshold_moves_the_gate_and_formats_do_not(saved: Save, tmp_path: Path, capsys: Capture) -> None:
    clean, leaky = saved(samples.clean(), "clean.json"), saved(samples.mixed(), "leaky.json")
    assert run(["diff", clean, leaky, "--fail-on", "never"]) == 0
    assert run(["diff", clean, leaky, "--exit-zero"]) == 0
    assert run(["diff", clean, leaky, "-r", f"json={tmp_path / 'diff.json'}"]) == 1
    assert json.loads((tmp_path / "diff.json").read_text())["format"] == "diff-v1"
    capsys.readouterr()
    assert run(["diff", clean, leaky, "-r", "json=-"]) == 1
    assert json.loads(capsys.readouterr().out)["format"] == "diff-v1"


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b'{"format": "json-v2"}', None])
def test_a_file_that_is_no_report_is_refused_with_its_path(
    tmp_path: Path, capsys: Capture, content: bytes | None
) -> None:
    path = tmp_path / "run.json"
    if content is not None:
        path.write_bytes(content)
    for arguments in (["report", str(path)], ["diff", str(path), str(path)]):
        assert run(arguments) == 2
        assert str(path) in capsys.readouterr().err


def test_diff_writes_json_only(saved: Save, capsys: Capture) -> None:
    path = saved(samples.clean(), "run.json")
    assert run(["diff", path, path, "-r", "html=x.html"]) == 2
    assert "writes json only" in capsys.readouterr().err


def test_the_help_names_every_format() -> None:
    """The list is written by hand, since help is too quick to import the writers."""

    def command() -> None: ...

    report_option(command)
    (option,) = command.__click_params__  # type: ignore[attr-defined]
    for name in writers():
        assert name in option.help
