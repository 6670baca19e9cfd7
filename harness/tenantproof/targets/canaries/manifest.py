"""The manifest of a run: a file that says which rows are its own, on the disk before the database has them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from tenantproof.core.errors import UsageError
from tenantproof.core.model import QName

FOLDER = Path(".tenantproof") / "manifests"
FORMAT = "tenantproof-manifest-v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryRows:
    """A run's own rows of one table, each by its key as PostgreSQL writes an array of texts."""

    schema: str
    table: str
    key: tuple[str, ...]
    keys: tuple[str, ...]

    @property
    def name(self) -> QName:
        return QName(self.schema, self.table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a run put into a database; no rows before it knew which."""

    run: str
    place: str
    """host:port/database, never the user or a secret."""
    marks: tuple[str, ...] = ()
    """Strings that stand in rows of the run and in no others."""
    rows: tuple[CanaryRows, ...] = ()
    changed: Mapping[str, int] = field(default_factory=dict)
    """Tables in which triggers changed rows of others, with how many: what they held before is not known."""

    @property
    def count(self) -> int:
        return sum(len(rows.keys) for rows in self.rows)


def with_rows(
    manifest: Manifest, rows: Sequence[CanaryRows], before: Sequence[frozenset[str]], marks: Iterable[str]
) -> Manifest:
    """The manifest with the rows that the transaction wrote; those that were there before are told apart."""
    made = [
        replace(one, keys=tuple(key for key in one.keys if key not in known))
        for one, known in zip(rows, before, strict=True)
    ]
    return replace(
        manifest,
        marks=tuple(sorted(marks)),
        rows=tuple(one for one in made if one.keys),
        changed={str(one.name): len(known) for one, known in zip(rows, before, strict=True) if known},
    )


def path_of(run: str) -> Path:
    """Where the manifest of a run lies, in the current folder."""
    return FOLDER / f"{run}.json"


def write(path: Path, manifest: Manifest) -> None:
    """Put it on the disk, whole or not at all, and wait until it is there.  Raises UsageError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        with temporary.open("w", encoding="utf-8") as out:
            json.dump({"format": FORMAT, **asdict(manifest)}, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise UsageError(f"{path}: the manifest cannot be written ({error.strerror}); nothing was committed") from None


def read(path: Path) -> Manifest:
    """The manifest in a file.  Raises UsageError for what is none."""
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if found.pop("format") != FORMAT:
            raise ValueError
        rows = tuple(
            CanaryRows(schema=one["schema"], table=one["table"], key=tuple(one["key"]), keys=tuple(one["keys"]))
            for one in found.pop("rows")
        )
        return Manifest(**{**found, "rows": rows, "marks": tuple(found["marks"])})
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{path}: this is no manifest of a run ({FORMAT})") from None


def left_by_others(place: str, folder: Path = FOLDER) -> list[Path]:
    """Manifests of runs in a database that did not come to their end."""
    return [path for path in sorted(folder.glob("*.json")) if read(path).place == place]


def _sync(folder: Path) -> None:
    """So that the new name of the file survives a crash, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
