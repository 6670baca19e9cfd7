"""`-r json=PATH` for the verbs whose result is no report of a run, so that no other format can show it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from tenantproof.core.errors import UsageError
from tenantproof.reports.files import Destination, parse_specs, write_document

_FORMAT = "json"


def json_destinations(specs: Iterable[str]) -> tuple[Destination, ...]:
    """Several `json=PATH`, checked.  Raises UsageError, also for a format that this verb does not write."""
    destinations = parse_specs(specs)
    for destination in destinations:
        name = destination.writer.name
        if name != _FORMAT:
            raise UsageError(
                f"--report {name}={destination.path}: this verb writes json only; write json={destination.path}"
            )
    return destinations


def write_json(document: Mapping[str, object], destinations: Iterable[Destination]) -> None:
    """Write a document to each place: keys sorted, ASCII, as every JSON of ours."""
    text = json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n"
    for destination in destinations:
        write_document(text, destination)
