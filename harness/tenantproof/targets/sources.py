"""Reads SQL files: which, in which order, and under which name they are spoken of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tenantproof.core.errors import TargetError
from tenantproof.core.ports import Source
from tenantproof.targets.tools import lay_out
from tenantproof.targets.tools.layout import Layout, shown
from tenantproof.targets.tools.markers import only_up
from tenantproof.targets.tools.placeholders import fill_in

__all__ = ["Reading", "read_migrations", "read_sources", "shown"]

BINARY = {
    b"PGDMP": "a dump in pg_dump's custom format, expected SQL\n  turn it into SQL: pg_restore -f schema.sql",
    b"\x1f\x8b": "a compressed file, expected SQL\n  unpack it first: gunzip",
    b"PK\x03\x04": "a zip archive, expected SQL\n  unpack it first: unzip",
}
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
UTF_32 = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The files in the order they run, and `notes`: what was skipped, reordered or converted on the way."""

    sources: tuple[Source, ...]
    notes: tuple[str, ...] = ()


def read_sources(paths: Iterable[Path]) -> tuple[Source, ...]:
    """The files at *paths* in order, as `read_migrations` reads them, without its notes."""
    return read_migrations(paths).sources


def read_migrations(paths: Iterable[Path]) -> Reading:
    """The files at *paths* in order; a folder stands for the files that its migration tool runs, in the tool's order.

    Texts are what runs: what goes down is blank, every line at its place.  Raises TargetError for a path that is
    missing, a folder without migrations, what its tool refuses, and bytes that are no text.
    """
    layouts = [_layout(given) for given in paths]
    files = [file for layout in layouts for file in layout.files]
    _refuse_repeated(files)
    notes = [note for layout in layouts for note in layout.notes]
    return Reading(sources=tuple(_read(file, notes) for file in files), notes=tuple(notes))


def _layout(given: Path) -> Layout:
    if given.is_dir():
        return lay_out(given)
    if not given.exists():
        raise TargetError(f"{shown(given)}: no such file or folder")
    return Layout(files=(given,))


def _refuse_repeated(files: Iterable[Path]) -> None:
    seen: set[Path] = set()
    for file in files:
        real = file.resolve()
        if real in seen:
            raise TargetError(
                f"{shown(file)}: this file is applied twice\n"
                "  database.migrations names it once more by itself, by another name, or with its folder"
            )
        seen.add(real)


def _read(path: Path, notes: list[str]) -> Source:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TargetError(f"{shown(path)}: cannot be read: {error.strerror}") from error
    text = _text(path, raw, notes)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise TargetError(f"{shown(path)}:{line}: a NUL character, which SQL text cannot hold (is the file UTF-16?)")
    return Source(path=shown(path), text=fill_in(path, only_up(text)))


def _text(path: Path, raw: bytes, notes: list[str]) -> str:
    """The text of a file: UTF-8, or what a byte order mark says beyond doubt."""
    for start, what in BINARY.items():
        if raw.startswith(start):
            raise TargetError(f"{shown(path)}: {what} {path.name}")
    encoding = "utf-8-sig"
    if raw.startswith((*UTF_32, *UTF_16)):
        encoding = "utf-32" if raw.startswith(UTF_32) else "utf-16"
        notes.append(f"{shown(path)}: read as {encoding.upper()}, as its byte order mark says; tools expect UTF-8")
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise _not_text(path, raw, error) from error


def _not_text(path: Path, raw: bytes, error: UnicodeDecodeError) -> TargetError:
    if error.encoding not in ("utf-8", "utf-8-sig"):
        return TargetError(f"{shown(path)}: not {error.encoding}, although its byte order mark says so")
    # The codec takes a byte order mark off first and counts from there.
    start = error.start + (3 if raw.startswith(b"\xef\xbb\xbf") else 0)
    line = raw.count(b"\n", 0, start) + 1
    return TargetError(
        f"{shown(path)}:{line}: not UTF-8 (byte 0x{raw[start]:02x} at position {start + 1} of the file)\n"
        f"  save it as UTF-8; if it is Latin-1: iconv -f LATIN1 -t UTF-8 {path.name}"
    )
