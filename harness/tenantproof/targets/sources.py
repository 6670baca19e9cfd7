"""Reads SQL files: which, in which order, and under which name they are spoken of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from tenantproof.core.errors import TargetError
from tenantproof.core.ports import Source


def read_sources(paths: Iterable[Path]) -> tuple[Source, ...]:
    """The files at *paths* in order; a folder stands for its *.sql files sorted by name, not those below it.

    Raises TargetError for a path that is missing, a folder without SQL files, or bytes that are not UTF-8.
    """
    return tuple(_read(path) for given in paths for path in _files(given))


def _files(given: Path) -> Iterator[Path]:
    if not given.exists():
        raise TargetError(f"{shown(given)}: no such file or folder")
    if not given.is_dir():
        yield given
        return
    found = sorted(path for path in given.iterdir() if path.suffix == ".sql" and path.is_file())
    if not found:
        raise TargetError(f"{shown(given)}: this folder holds no *.sql file (folders below it are not looked into)")
    yield from found


def _read(path: Path) -> Source:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TargetError(f"{shown(path)}: cannot be read: {error.strerror}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        bad = raw[error.start]
        raise TargetError(f"{shown(path)}:{line}: not UTF-8 (byte 0x{bad:02x}); save the file as UTF-8") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise TargetError(f"{shown(path)}:{line}: a NUL character, which SQL text cannot hold (is the file UTF-16?)")
    return Source(path=shown(path), text=text)


def shown(path: Path) -> str:
    """*path* as the user would write it: relative where it is below the current folder."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
