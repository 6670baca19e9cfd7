"""The error for a folder without SQL: says what is there instead, and what to name."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tenantproof.core.errors import TargetError
from tenantproof.targets.tools.layout import entries, shown
from tenantproof.targets.tools.unsupported import DUMP

CODE = {".py": "Python (Alembic, Django)", ".ts": "TypeScript", ".js": "JavaScript", ".rb": "Ruby", ".php": "PHP"}
LOOKED_AT = 200


def found(folder: Path) -> TargetError:
    """What to raise for *folder*."""
    there = entries(folder)
    if not there:
        return TargetError(f"{shown(folder)}: this folder is empty: expected *.sql files in it")
    language = _language([*there, *(path for below in there if below.is_dir() for path in entries(below))])
    if language:
        return TargetError(f"{shown(folder)}: these migrations are {language}, not SQL, and cannot be run here\n{DUMP}")
    names = ", ".join(path.name + ("/" if path.is_dir() else "") for path in there[:5])
    near = next((path for path in there if path.is_dir() and any(path.glob("*.sql"))), None)
    hint = f"\n  did you mean {shown(near)}?" if near is not None else ""
    return TargetError(
        f"{shown(folder)}: this folder holds no *.sql file and no tool's migrations (it holds {names}){hint}"
    )


def _language(paths: list[Path]) -> str:
    suffixes = Counter(path.suffix for path in paths[:LOOKED_AT] if path.suffix in CODE)
    return CODE[suffixes.most_common(1)[0][0]] if suffixes else ""
