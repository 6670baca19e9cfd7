"""Reports that are written while the run goes on: each event at once, for whoever reads at the other end."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from tenantproof.cli.session import pipe_may_close
from tenantproof.core.errors import UsageError

if TYPE_CHECKING:
    from tenantproof.core.events import Event
    from tenantproof.reports.files import Destination

LIVE = "ndjson"
"""The format that is written line by line; all others wait for the finished report."""


@contextmanager
def listening(destinations: Sequence[Destination]) -> Iterator[Callable[[Event], None]]:
    """A listener that writes every event to the live destinations.  Raises UsageError for a file that cannot be."""
    from tenantproof.reports.ndjson import first_line, line

    with ExitStack() as opened:
        streams = [opened.enter_context(_open(known)) for known in destinations if known.writer.name == LIVE]

        def write(text: str) -> None:
            for stream in streams:
                with pipe_may_close():
                    stream.write(text)
                    stream.flush()

        write(first_line())
        yield lambda event: write(line(event)) if streams else None


@contextmanager
def _open(destination: Destination) -> Iterator[TextIO]:
    if destination.is_stdout:
        yield sys.stdout
        return
    path = Path(destination.path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("w", encoding="utf-8", newline="\n")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UsageError(f"--report {LIVE}={path}: cannot write the file: {why}; choose another path") from error
    with stream:
        yield stream
