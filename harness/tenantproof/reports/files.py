"""
The edge of the reports: parses FORMAT=PATH and puts documents on the disk.

A file appears whole or not at all: the text goes to a temporary file beside it, which then takes its name.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tenantproof.core.errors import UsageError, did_you_mean
from tenantproof.core.report import Report
from tenantproof.reports.registry import Writer, writers

STDOUT = "-"
_IN_FOLDER = {"pgtap": "tenantproof.test.sql"}
"""Formats that take a folder, such as Supabase's for tests, and the file that they write in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """One `--report FORMAT=PATH`, checked.  `path` is as the user wrote it; "-" is standard output."""

    writer: Writer
    path: str

    @property
    def is_stdout(self) -> bool:
        return self.path == STDOUT


def parse_spec(spec: str) -> Destination:
    """FORMAT=PATH as a destination; for pgtap, PATH may be a folder.

    Raises UsageError for a missing "=", an unknown format (with the nearest one), an empty path, a directory, and a
    place where no file can be made: better now than after the run.
    """
    name, equals, path = spec.partition("=")
    known = writers()
    if not equals:
        raise UsageError(f"--report {spec}: expected FORMAT=PATH, such as {_example(name)} ('-' is stdout)")
    if name not in known:
        raise UsageError(f"--report {spec}: unknown format '{name}': {did_you_mean(name, known)}")
    if not path:
        raise UsageError(f"--report {spec}: the path is empty; write {_example(name)} ('-' is stdout)")
    if name in _IN_FOLDER and path != STDOUT and _is_folder(path):
        path = str(Path(path) / _IN_FOLDER[name])
    destination = Destination(writer=known[name], path=path)
    _refuse_directory(destination)
    _refuse_unwritable(destination)
    return destination


def parse_specs(specs: Iterable[str]) -> tuple[Destination, ...]:
    """Several FORMAT=PATH at once.  Raises UsageError, also where two would write to one place."""
    destinations = tuple(parse_spec(spec) for spec in specs)
    taken: dict[str, str] = {}
    for destination in destinations:
        place = STDOUT if destination.is_stdout else os.path.realpath(destination.path)
        if place in taken:
            raise UsageError(
                f"--report {taken[place]}={destination.path} and --report {destination.writer.name}="
                f"{destination.path} write to one place; give each its own path"
            )
        taken[place] = destination.writer.name
    return destinations


def write_report(report: Report, spec: str, *, stdout: TextIO | None = None) -> Destination:
    """Write a report to FORMAT=PATH; parent folders are made.  Raises UsageError, never leaves half a file."""
    destination = parse_spec(spec)
    write_to(report, destination, stdout=stdout)
    return destination


def write_to(report: Report, destination: Destination, *, stdout: TextIO | None = None) -> None:
    """Write a report to a destination that was parsed before the run.  Raises UsageError."""
    document = io.StringIO()
    destination.writer.write(report, document)
    write_document(document.getvalue(), destination, stdout=stdout)


def write_document(text: str, destination: Destination, *, stdout: TextIO | None = None) -> None:
    """Write a document that somebody else made, whole or not at all.  Raises UsageError."""
    data = text.encode("utf-8")
    if destination.is_stdout:
        _to_stream(data, stdout or sys.stdout)
        return
    _refuse_directory(destination)
    try:
        replace_file(Path(destination.path), data)
    except (OSError, ValueError) as error:
        raise _cannot_write(destination, error) from error


def _to_stream(data: bytes, stream: TextIO) -> None:
    """Documents are UTF-8 whatever the terminal's encoding is."""
    stream.flush()
    binary = getattr(stream, "buffer", None)
    if binary is None:
        stream.write(data.decode("utf-8"))
    else:
        binary.write(data)
    stream.flush()


def replace_file(path: Path, data: bytes) -> None:
    """Put a file in place whole or not at all; one that is there keeps its permissions.  Raises OSError, ValueError."""
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        path.write_bytes(data)  # a pipe or /dev/null must not be replaced by a file
        return
    # A name of our own and a plain open: mkstemp would make the report readable by its owner alone.
    temporary = path.with_name(f".tenantproof-{secrets.token_hex(6)}.tmp")
    try:
        with temporary.open("xb") as out:
            out.write(data)
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let nobody else who asks for this change the file meanwhile; its folder is made.  Raises OSError.

    The lock is the folder's, since the file may be replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems have no locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _is_folder(path: str) -> bool:
    return path.endswith(os.sep) or os.path.isdir(path)


def _refuse_directory(destination: Destination) -> None:
    path = destination.path
    if not destination.is_stdout and _is_folder(path):
        name = f"report{destination.writer.suffix}"
        better = str(Path(path) / name)
        raise UsageError(
            f"--report {destination.writer.name}={path}: is a directory; "
            f"name a file in it, such as {destination.writer.name}={better}"
        )


def _refuse_unwritable(destination: Destination) -> None:
    if destination.is_stdout:
        return
    try:
        path = Path(os.path.realpath(destination.path))
        nearest = next(place for place in (path, *path.parents) if place.exists())
    except (OSError, ValueError) as error:
        raise _cannot_write(destination, error) from None
    if not nearest.is_dir() and nearest != path:
        raise _cannot_write(destination, NotADirectoryError(0, f"{nearest} is no folder"))
    replaced = nearest.is_file()  # by a file that is made beside it; a pipe or a device is written to
    for needed in (nearest, nearest.parent) if replaced else (nearest,):
        if not os.access(needed, os.W_OK):
            raise _cannot_write(destination, PermissionError(0, f"you may not write to {needed}"))


def _cannot_write(destination: Destination, error: Exception) -> UsageError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UsageError(
        f"--report {destination.writer.name}={destination.path}: cannot write the file: {why}; "
        "choose a path that you may write to"
    )


def _example(name: str) -> str:
    known = writers()
    writer = known.get(name) or known["html"]
    return f"{writer.name}=reports/isolation{writer.suffix}"
