"""
The format `ndjson`: what a run finds out while it finds it out, one JSON object per line.

Contract: the first line is `{"event": "begin", "format": "ndjson-v1"}`, the last one `finished`; a stream without it is
of a run that was broken off.  Between them are `phase`, `cell`, `finding`, `matrix` and `search` (how they go), in
the order in which things happen.  Cells and findings are those of `json-v1`; `finished` holds what else `json-v1` does.
Lines are ASCII with escapes, so that a line break in a name is none in the stream.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TextIO, assert_never

from tenantproof.core.events import CellChecked, Event, FindingRaised, PhaseStarted, RunFinished, Searching, Sweeping
from tenantproof.core.report import Report
from tenantproof.reports.json_v1 import cell_document, document, finding_document, search_document

FORMAT = "ndjson-v1"
_TOLD_BEFORE = ("format", "cells", "findings")


class NdjsonWriter:
    """Writes the stream of a run that is over; for one that goes on, see `first_line` and `line`."""

    name = "ndjson"
    suffix = ".ndjson"

    def write(self, report: Report, out: TextIO) -> None:
        out.write(first_line())
        for event in _told(report):
            out.write(line(event))


def first_line() -> str:
    """The line that says what follows."""
    return _line({"event": "begin", "format": FORMAT})


def line(event: Event) -> str:
    """One event as a line, its line break included."""
    match event:
        case PhaseStarted(what):
            return _line({"event": "phase", "what": what})
        case CellChecked(cell):
            return _line({"event": "cell", **cell_document(cell)})
        case FindingRaised(finding):
            return _line({"event": "finding", **finding_document(finding)})
        case Sweeping(done, total):
            return _line({"event": "matrix", "done": done, "total": total})
        case Searching(search, seconds, share):
            return _line({"event": "search", "search": search_document(search), "seconds": seconds, "share": share})
        case RunFinished(report):
            rest = {key: value for key, value in document(report).items() if key not in _TOLD_BEFORE}
            return _line({"event": "finished", **rest})
        case _:
            assert_never(event)


def _told(report: Report) -> Iterator[Event]:
    """The events of a run that is over; what it told between them is not in the report."""
    yield from map(CellChecked, report.cells)
    yield from map(FindingRaised, report.findings)
    yield RunFinished(report)


def _line(content: dict[str, object]) -> str:
    return json.dumps(content, sort_keys=True, allow_nan=False) + "\n"
