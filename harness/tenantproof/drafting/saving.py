"""Writes what was drafted, and says plainly where that cannot be done."""

from __future__ import annotations

from pathlib import Path

from tenantproof.core.errors import UsageError


def save(path: Path, text: str) -> None:
    """Write a text file, with the folders above it.  Raises UsageError where the place cannot be written to."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
