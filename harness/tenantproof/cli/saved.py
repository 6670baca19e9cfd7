"""Reports that earlier runs wrote."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tenantproof.core.errors import UsageError

if TYPE_CHECKING:
    from tenantproof.core.report import Report


def load_report(path: Path) -> Report:
    """The report in a file ("-" is standard input).  Raises UsageError, with the path, where it is none."""
    from tenantproof.reports.json_v1_reader import read_report

    try:
        return read_report(_text(path))
    except UsageError as error:
        raise UsageError(f"{path}: {error}; it must be what -r json={path} wrote") from error


def _text(path: Path) -> str:
    try:
        data = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return data.decode("utf-8")
    except OSError as error:
        raise UsageError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError("not a tenantproof report: not UTF-8") from error
