"""`--first` and `--last`: a migration as a person names it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tenantproof.core.errors import UsageError, did_you_mean


def number_of(files: Sequence[str], wanted: str, option: str) -> int:
    """The number, from 1, of the file that is called so: by its path, its name, or its name without `.sql`.

    Raises UsageError where none is, or several are.
    """
    for spelled in (lambda path: path, lambda path: Path(path).name, lambda path: Path(path).stem):
        matching = [number for number, path in enumerate(files, start=1) if spelled(path) == str(Path(wanted))]
        if len(matching) == 1:
            return matching[0]
        if matching:
            raise UsageError(f"{option} {wanted}: {len(matching)} migrations are called so; give the path")
    hint = did_you_mean(Path(wanted).name, [Path(path).name for path in files])
    raise UsageError(f"{option} {wanted}: no migration of this scenario; {hint}")


def chosen_range(files: Sequence[str], first: str | None, last: str | None) -> tuple[int, int]:
    """The numbers of the first and the last file to look at.  Raises UsageError, also for a range the wrong way."""
    low = number_of(files, first, "--first") if first is not None else 1
    high = number_of(files, last, "--last") if last is not None else len(files)
    if low > high:
        raise UsageError(f"--first {first} comes after --last {last}: nothing lies between")
    return low, high
