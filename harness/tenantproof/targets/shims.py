"""
Stand-ins for extensions that the embedded server lacks: SQL-only, found by PostgreSQL 18's extension_control_path.

They offer the surface that migrations and policies name, and never touch the network.  What SQL cannot express
raises feature_not_supported when called, not when installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from functools import cache
from importlib.resources import files
from pathlib import Path

_ROOT = files("tenantproof.targets") / "shims" / "extension"

NAMES = frozenset(entry.name.removesuffix(".control") for entry in _ROOT.iterdir() if entry.name.endswith(".control"))


@cache
def fingerprint() -> str:
    """A hash over names and contents."""
    digest = hashlib.sha256()
    for entry in sorted(_ROOT.iterdir(), key=lambda entry: entry.name):
        digest.update(entry.name.encode() + b"\0" + entry.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def published(root: Path) -> Path:
    """A folder for extension_control_path, below *root*, that the server's OS user can read."""
    folder = root / "extensions" / fingerprint()
    if not folder.exists():
        partial = folder.with_name(f"{folder.name}.{os.getpid()}")
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "extension").mkdir(parents=True)
        for entry in _ROOT.iterdir():
            (partial / "extension" / entry.name).write_bytes(entry.read_bytes())
        _open_to_all(partial)
        _move(partial, folder)
    return folder


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _move(partial: Path, folder: Path) -> None:
    try:
        partial.rename(folder)
    except OSError:  # another process was faster; its folder holds the same
        shutil.rmtree(partial)
