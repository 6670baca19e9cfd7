"""What a tool's folder gives: files in the order they run, and what a person should know of it."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tenantproof.core.errors import TargetError

NUMBER = re.compile(r"\d+(?:[.-]\d+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """`files` in the order they run, and `notes`: sentences about what was skipped or reordered."""

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A migration tool: `fits` tells its folders by names alone or little more, `layout` reads one.

    `layout` raises TargetError for what the tool itself would refuse.
    """

    name: str
    fits: Callable[[Path], bool]
    layout: Callable[[Path], Layout]


def shown(path: Path) -> str:
    """*path* as the user would write it: relative where it is below the current folder, and printable."""
    try:
        text = str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        text = str(path)
    return text.encode("utf-8", "backslashreplace").decode()


def entries(folder: Path) -> list[Path]:
    """What is in a folder, by name; hidden files and editors' leftovers are not there."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "#")))
    except OSError as error:
        raise TargetError(f"{shown(folder)}: this folder cannot be read: {error.strerror}") from error


def sql_files(folder: Path) -> list[Path]:
    """The *.sql of a folder by name.  Raises TargetError for a symbolic link to nothing."""
    return [path for path in entries(folder) if path.suffix.lower() == ".sql" and is_file(path)]


def is_file(path: Path) -> bool:
    """Whether a path is a file.  Raises TargetError for a symbolic link to nothing: skipped, it would be missed."""
    if path.is_symlink() and not path.exists():
        raise TargetError(
            f"{shown(path)}: a symbolic link to {os.readlink(path)}, which is not there\n  mend the link, or remove it"
        )
    return path.is_file()


def subfolders_with(folder: Path, name: str) -> list[Path]:
    """The folders directly below that hold a file of that name, by name."""
    return [path for path in entries(folder) if path.is_dir() and (path / name).is_file()]


def number(name: str) -> tuple[int, ...]:
    """The number a file name starts with, in its parts; empty where there is none."""
    found = NUMBER.match(name)
    return tuple(int(part) for part in re.split(r"[.-]", found.group())) if found else ()


def by_number(files: Iterable[Path]) -> list[Path]:
    """Files by the number they start with, then by name; those without a number come last."""
    return sorted(files, key=lambda path: (not number(path.name), number(path.name), path.name))


def reordering(folder: Path, files: Sequence[Path]) -> tuple[str, ...]:
    """A note where the order by number is not that by name."""
    names = sorted(files, key=lambda path: path.name)
    for wanted, other in zip(files, names, strict=True):
        if wanted != other:
            return (
                f"{shown(folder)}: the order by number is not the order by name, and the number wins:"
                f" {wanted.name} runs before {other.name}",
            )
    return ()


def refuse_duplicates(folder: Path, tool: str, versions: Sequence[tuple[object, Path]]) -> None:
    """Raise TargetError where two files have the same version, as the tool itself does."""
    repeated = {version for version, count in Counter(version for version, _ in versions).items() if count > 1}
    for version, _ in versions:
        if version in repeated:
            names = " and ".join(path.name for other, path in versions if other == version)
            raise TargetError(
                f"{shown(folder)}: {names} have the same version, which {tool} refuses too\n"
                "  give one of them another number"
            )


def duplicates(folder: Path, versions: Sequence[tuple[object, Path]]) -> tuple[str, ...]:
    """A note where two files have the same version and their names decide."""
    first: dict[object, Path] = {}
    for version, path in versions:
        other = first.setdefault(version, path)
        if other != path:
            return (f"{shown(folder)}: {other.name} and {path.name} have the same version; they run in this order",)
    return ()


def skipped(folder: Path, names: Sequence[str], why: str) -> tuple[str, ...]:
    """A note about files that do not run."""
    if not names:
        return ()
    listed = ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
    return (f"{shown(folder)}: not run: {listed} ({why})",)
