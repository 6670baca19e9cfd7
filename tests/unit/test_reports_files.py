"""FORMAT=PATH and the disk: clear errors, whole files or none."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import TextIO

import pytest
from tests.unit import sample_reports as samples

from tenantproof.core.errors import UsageError
from tenantproof.core.report import Report
from tenantproof.reports.files import Destination, parse_spec, parse_specs, write_report, write_to
from tenantproof.reports.registry import writers


def test_every_writer_is_known_by_its_name() -> None:
    known = writers()
    assert set(known) >= {"github", "html", "json", "junit", "markdown", "sarif"}
    assert all(name == writer.name and writer.suffix.startswith(".") for name, writer in known.items())


def test_a_report_is_written_and_its_folders_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "run.json"
    write_report(samples.small(), f"json={path}")
    assert json.loads(path.read_text(encoding="utf-8"))["format"] == "json-v1"
    assert [entry.name for entry in path.parent.iterdir()] == ["run.json"]


def test_the_file_follows_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_report(samples.small(), f"json={path}")
    (tmp_path / "plain").touch()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_path_may_hold_an_equals_sign(tmp_path: Path) -> None:
    assert parse_spec(f"html={tmp_path}/a=b.html").path == f"{tmp_path}/a=b.html"


def test_a_dash_is_standard_output() -> None:
    out = io.StringIO()
    destination = write_report(samples.small(), "html=-", stdout=out)
    assert destination.is_stdout
    assert out.getvalue().startswith("<!doctype html>")


def test_standard_output_gets_utf_8_whatever_its_encoding_is() -> None:
    raw = io.BytesIO()
    stdout = io.TextIOWrapper(raw, encoding="ascii")
    write_report(samples.small(), "html=-", stdout=stdout)
    assert not stdout.closed
    assert "✗" in raw.getvalue().decode("utf-8")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("html", r"expected FORMAT=PATH, such as html=reports/isolation.html"),
        ("", r"expected FORMAT=PATH"),
        ("jsn=x", r"unknown format 'jsn': did you mean 'json'\? \(known: github, html, json, junit"),
        ("json=", r"the path is empty; write json=reports/isolation.json"),
    ],
)
def test_a_wrong_spec_is_a_usage_error(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_spec(spec)


def test_a_directory_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is a directory; name a file in it, such as html=.*report\.html"):
        parse_spec(f"html={tmp_path}")
    with pytest.raises(UsageError, match="is a directory"):
        parse_spec(f"html={tmp_path}/new/")


def test_two_reports_at_one_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="write to one place"):
        parse_specs([f"html={tmp_path}/x", f"json={tmp_path}/./x"])
    assert len(parse_specs([f"html={tmp_path}/x", f"json={tmp_path}/y"])) == 2


def test_an_unwritable_path_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot write the file: .*choose a path"):
        write_report(samples.small(), f"json={tmp_path}/file/run.json")
    with pytest.raises(UsageError, match="cannot write the file"):
        write_report(samples.small(), f"json={tmp_path}/{'n' * 300}.json")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


class Failing:
    """A writer that fails half way."""

    name = "failing"
    suffix = ".txt"

    def write(self, report: Report, out: TextIO) -> None:
        out.write("half")
        raise RuntimeError("broken writer")


def test_a_failing_writer_leaves_the_old_report(tmp_path: Path) -> None:
    path = tmp_path / "run.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        write_to(samples.small(), Destination(writer=Failing(), path=str(path)))
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_link_keeps_pointing_to_the_new_report(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "latest.json").symlink_to("real.json")
    write_report(samples.small(), f"json={tmp_path}/latest.json")
    assert (tmp_path / "latest.json").is_symlink()
    assert "json-v1" in (tmp_path / "real.json").read_text()


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_report(samples.empty(), f"json={path}")
        assert b"json-v1" in os.read(reader, 1 << 16)
    finally:
        os.close(reader)
    assert path.is_fifo()
