"""The stream of events: a line per event, at once, with the same values as json-v1, and an end that can be seen."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit import sample_reports as samples

from tenantproof.cli.live import LIVE, listening
from tenantproof.core.errors import UsageError
from tenantproof.core.events import CellChecked, FindingRaised, PhaseStarted, RunFinished, Searching, Sweeping
from tenantproof.core.report import Report
from tenantproof.reports.files import parse_specs
from tenantproof.reports.json_v1 import document
from tenantproof.reports.ndjson import NdjsonWriter, line
from tenantproof.reports.registry import writers

SAMPLES = [samples.clean, samples.mixed, samples.small, samples.hostile, samples.empty, samples.searched, samples.weak]


def written(report: Report) -> str:
    out = io.StringIO()
    NdjsonWriter().write(report, out)
    return out.getvalue()


def events(text: str) -> list[dict[str, Any]]:
    assert text.endswith("\n")
    return [json.loads(said) for said in text.split("\n")[:-1]]


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_stream_holds_what_json_v1_does(sample: Callable[[], Report]) -> None:
    first, *told, last = events(written(sample()))
    assert first == {"event": "begin", "format": "ndjson-v1"}
    assert last.pop("event") == "finished"
    cells = [{**said} for said in told if said["event"] == "cell"]
    findings = [{**said} for said in told if said["event"] == "finding"]
    for said in (*cells, *findings):
        del said["event"]
    whole = {**last, "format": "json-v1", "cells": cells, "findings": findings}
    assert whole == json.loads(json.dumps(document(sample())))


def test_lines_are_ascii_and_never_broken() -> None:
    text = written(samples.hostile())
    assert text.isascii()
    assert text.replace("\n", "").isprintable()


@given(st.text())
def test_any_text_is_one_line(what: str) -> None:
    said = line(PhaseStarted(what))
    assert said.count("\n") == 1
    assert json.loads(said) == {"event": "phase", "what": what}


def test_every_event_has_a_line() -> None:
    report = samples.searched()
    told = (
        PhaseStarted("seeding"),
        Sweeping(84, 2850),
        CellChecked(report.cells[0]),
        FindingRaised(report.findings[0]),
        Searching(samples.SEARCH, 1.5),
        RunFinished(report),
    )
    names = [json.loads(line(event))["event"] for event in told]
    assert names == ["phase", "matrix", "cell", "finding", "search", "finished"]


def test_events_are_there_before_the_run_is_over(tmp_path: Path) -> None:
    path = tmp_path / "new" / "live.ndjson"
    destinations = parse_specs([f"ndjson={path}", f"json={tmp_path / 'run.json'}"])
    with listening(destinations) as listen:
        listen(PhaseStarted("seeding"))
        assert [said["event"] for said in events(path.read_text())] == ["begin", "phase"]
        listen(CellChecked(samples.small().cells[0]))
        assert [said["event"] for said in events(path.read_text())] == ["begin", "phase", "cell"]
    assert not (tmp_path / "run.json").exists()


def test_a_run_that_breaks_off_has_no_last_line(tmp_path: Path) -> None:
    path = tmp_path / "live.ndjson"

    def broken_off() -> None:
        with listening(parse_specs([f"ndjson={path}"])) as listen:
            listen(PhaseStarted("seeding"))
            raise RuntimeError("broken off")

    with pytest.raises(RuntimeError):
        broken_off()
    assert [said["event"] for said in events(path.read_text())] == ["begin", "phase"]


def test_events_go_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    with listening(parse_specs(["ndjson=-"])) as listen:
        listen(PhaseStarted("seeding"))
    assert [said["event"] for said in events(capsys.readouterr().out)] == ["begin", "phase"]


def test_without_the_format_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    with listening(()) as listen:
        listen(PhaseStarted("seeding"))
    assert capsys.readouterr().out == ""


def test_a_path_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UsageError, match="cannot write the file"),
        listening(parse_specs([f"ndjson={tmp_path}/file/x"])),
    ):
        raise AssertionError("the run began")


def test_the_live_format_is_one_of_the_formats() -> None:
    assert LIVE in writers()


def test_golden() -> None:
    samples.assert_golden("report.ndjson", written(samples.small()))
