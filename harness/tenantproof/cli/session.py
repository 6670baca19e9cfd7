"""What the verbs share at the edge: narration, the terminal, the gate's threshold."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tenantproof.core.errors import UsageError
from tenantproof.core.finding import Severity

if TYPE_CHECKING:
    from rich.console import Console

    from tenantproof.core.report import Report
    from tenantproof.identity.signing import Signer
    from tenantproof.reports.files import Destination


def narrate(message: str) -> None:
    """One line about what goes on, on stderr."""
    print(f"  {message}", file=sys.stderr, flush=True)


@contextmanager
def pipe_may_close() -> Iterator[None]:
    """A reader such as `head` may close the pipe early; the verdict, and so the exit code, stands all the same."""
    try:
        yield
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # rich ends the program by itself when its pipe is closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        raise UsageError(f"cannot write to standard output: {error.strerror}") from error


def signer_for(algorithm: Literal["HS256", "ES256", "RS256"], key: Path | None) -> Signer:
    """Who signs the tokens: the key of a file, the local default secret, or a key made for this run."""
    from tenantproof.identity.signing import Signer, from_key_file, generated

    if key is not None:
        return from_key_file(key, algorithm)
    return Signer() if algorithm == "HS256" else generated(algorithm)


def key_of(given: str | None) -> str | None:
    """`--api-key` as it may be given: the name of a variable.  Raises UsageError for a key in clear."""
    if given is not None and not given.startswith("env:"):
        raise UsageError("--api-key: every process sees a key on the command line; put it in a variable, env:NAME")
    return given


def folder_to_write(folder: Path) -> Path:
    """The folder, which need not be there yet.  Raises UsageError where nothing could be kept in it."""
    nearest = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise UsageError(f"{folder}: {nearest} is no folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UsageError(f"{folder}: nothing can be written to {nearest}")
    return folder


def wants_suite(destinations: Sequence[Destination]) -> bool:
    """Whether a pgTAP suite is to be written, which only a run on a seeded database can."""
    from tenantproof.reports.pgtap import PgtapWriter

    return any(destination.writer.name == PgtapWriter.name for destination in destinations)


def threshold(name: str) -> Severity | None:
    """The severity from which on a finding fails the run; None for never."""
    return None if name == "never" else Severity(name)


def console(color: str, *, stderr: bool = False) -> Console:
    """A terminal to print on; NO_COLOR and FORCE_COLOR are rich's to respect."""
    from rich.console import Console

    if color == "never":
        return Console(stderr=stderr, no_color=True, highlight=False, force_terminal=False)
    return Console(stderr=stderr, highlight=False, force_terminal=True if color == "always" else None)


def tell(
    report: Report,
    destinations: Sequence[Destination],
    *,
    code: int,
    fails: Severity | None,
    color: str,
    verbose: bool,
) -> None:
    """Write the report to its files, apart from those that were written while it ran, then to the terminal."""
    from tenantproof.cli.live import LIVE
    from tenantproof.reports.files import write_to
    from tenantproof.reports.terminal import render

    report = replace(report, exit_code=code)
    if report.interrupted and wants_suite(destinations):
        narrate("no pgTAP suite was written: the run was interrupted")
        destinations = [known for known in destinations if not wants_suite([known])]
    for destination in destinations:
        if destination.writer.name == LIVE:
            continue
        with pipe_may_close():
            write_to(report, destination)
    with pipe_may_close():
        render(
            report,
            # A document on standard output is for a program: what is for people then goes to the other stream.
            console(color, stderr=any(destination.is_stdout for destination in destinations)),
            verbose=verbose,
            paths=[destination.path for destination in destinations if not destination.is_stdout],
            threshold=fails or Severity.CRITICAL,
            exit_code=code,
        )
