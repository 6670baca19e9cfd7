"""
The history of runs: one JSON object per line, the newest last.

A nightly job keeps the file from one run to the next, and several jobs may write to one file.  A run is one line, added
by one write; a line that was cut off is left out.  Once a scenario has far more runs than are kept, the file is
replaced by one with the last of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from os import PathLike
from pathlib import Path

from tenantproof.core.errors import UsageError
from tenantproof.core.history import PastRun
from tenantproof.core.report import Report
from tenantproof.reports.files import alone, replace_file
from tenantproof.reports.json_node import parsed
from tenantproof.reports.json_v1 import run_document
from tenantproof.reports.json_v1_reader import past_run
from tenantproof.reports.matrix import Outcome, build_matrix
from tenantproof.reports.wording import open_findings

MOST_RUNS = 400
"""Of each scenario: a year of nights, and some."""

SLACK = 100
"""Lines above that before the file is written anew."""

NAME = "history.ndjson"
"""The file in a folder."""


def with_history(report: Report, path: str | PathLike[str]) -> Report:
    """The report with the earlier runs of its scenario, to which it is added unless somebody ended it early.

    *path* is a file or a folder.  Raises UsageError.
    """
    file = history_file(path)
    try:
        with alone(file):
            known, now = _runs_of(file), summarized(report)
            if not report.interrupted:
                _add(file, now)
                _shorten(file, [*known, now])
    except OSError as error:
        raise UsageError(f"history {file}: cannot be kept: {error.strerror}") from error
    earlier = [run for run in known if run.scenario == report.scenario]
    return replace(report, history=tuple(earlier[-MOST_RUNS:]))


def require_history(path: str | PathLike[str]) -> None:
    """Raise UsageError where no history can be kept: better before the run than after it."""
    file = history_file(path)
    try:
        _runs_of(file)
        nearest = next(place for place in (file, *file.parents) if place.exists())
    except OSError as error:
        raise UsageError(f"history {file}: cannot be read: {error.strerror}") from error
    if not os.access(nearest, os.W_OK) or not (nearest == file or nearest.is_dir()):
        raise UsageError(f"history {file}: you may not write to {nearest}")


def history_file(path: str | PathLike[str]) -> Path:
    """The file itself, or the one in a folder: one that is there, or one that is to be made, with a slash at its end.

    A Path has lost that slash: what somebody wrote is to be given as they wrote it.
    """
    said = os.fspath(path)
    return Path(said) / NAME if said.endswith(os.sep) or os.path.isdir(said) else Path(said)


def summarized(report: Report) -> PastRun:
    """A run in short."""
    matrix = build_matrix(report)
    return PastRun(
        started_at=report.timing.started_at,
        scenario=report.scenario,
        seed=report.seed,
        tool_version=report.tool_version,
        isolated=matrix.count(Outcome.ALLOWED) + matrix.count(Outcome.DENIED),
        leaked=matrix.count(Outcome.LEAKED),
        overblocked=matrix.count(Outcome.OVERBLOCKED),
        untested=matrix.count(Outcome.UNTESTED) + matrix.count(Outcome.ERROR),
        accepted=matrix.count(Outcome.ACCEPTED),
        findings={finding.fingerprint: finding.severity.value for finding in open_findings(report)},
    )


def _runs_of(file: Path) -> list[PastRun]:
    """The runs in a file, none where it is not there yet.  Raises UsageError for a file that is something else."""
    try:
        text = file.read_bytes().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    found = list(_runs(text))
    if text.strip() and not found:
        raise UsageError(f"history {file}: holds no run, and is left as it is; name a file that may be added to")
    return found


def _runs(text: str) -> Iterator[PastRun]:
    for line in text.split("\n"):
        try:
            yield past_run(parsed(line, "history"))
        except UsageError:
            continue  # cut off, or of another version


def _add(file: Path, run: PastRun) -> None:
    """One line by one write, on a line of its own even where the last one was cut off."""
    line = _line(run).encode()
    with file.open("a+b", buffering=0) as out:
        end = out.seek(0, os.SEEK_END)
        if end:
            out.seek(end - 1)
            line = line if out.read(1) == b"\n" else b"\n" + line
        out.write(line)


def _shorten(file: Path, runs: list[PastRun]) -> None:
    names = {run.scenario: [each for each in runs if each.scenario == run.scenario] for run in runs}
    if any(len(of_one) > MOST_RUNS + SLACK for of_one in names.values()):
        kept = {id(run) for of_one in names.values() for run in of_one[-MOST_RUNS:]}
        replace_file(file, "".join(_line(run) for run in runs if id(run) in kept).encode())


def _line(run: PastRun) -> str:
    return json.dumps(run_document(run), sort_keys=True) + "\n"
