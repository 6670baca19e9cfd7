"""
Stand-ins for extensions that the embedded server lacks: SQL-only, found by PostgreSQL 18's extension_control_path.

They offer the surface that migrations and policies name, and never touch the network.  What SQL cannot express
raises feature_not_supported when called, not when installed.

A project may bring stand-ins of its own (`database.shims`): a folder of NAME.control and NAME--VERSION.sql, installed
next to ours for its clusters alone; of two with the same name its own is taken.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from tenantproof.core.errors import TargetError, did_you_mean

CONTROL = ".control"

_ROOT = files("tenantproof.targets") / "shims" / "extension"

NAMES = frozenset(entry.name.removesuffix(".control") for entry in _ROOT.iterdir() if entry.name.endswith(".control"))


@cache
def fixed_schemas() -> Mapping[str, str]:
    """Extension -> the only schema that its control file allows, where there is one."""
    texts = {name: (_ROOT / f"{name}{CONTROL}").read_text(encoding="utf-8") for name in NAMES}
    return {name: schema for name, text in texts.items() if (schema := _setting(text, "schema")) is not None}


@cache
def fingerprint() -> str:
    """A hash over names and contents."""
    digest = hashlib.sha256()
    for entry in sorted(_ROOT.iterdir(), key=lambda entry: entry.name):
        digest.update(entry.name.encode() + b"\0" + entry.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """The stand-ins of a project: file names and contents."""

    contents: tuple[tuple[str, bytes], ...]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name.removesuffix(CONTROL) for name, _ in self.contents if name.endswith(CONTROL))

    def fingerprint(self) -> str:
        """A hash over names and contents."""
        digest = hashlib.sha256()
        for name, content in self.contents:
            digest.update(name.encode() + b"\0" + content + b"\0")
        return digest.hexdigest()[:16]


def read_own(folder: Path) -> Own:
    """The stand-ins in a folder, or in `extension` below it.

    Raises TargetError for a folder without any, for one without the script that its control file names, and for one
    that needs a library.
    """
    below = folder / "extension"
    home = below if below.is_dir() else folder
    try:
        found = sorted(path for path in home.iterdir() if path.suffix in (CONTROL, ".sql") and path.is_file())
        contents = {path.name: path.read_bytes() for path in found}
    except OSError as error:
        raise TargetError(f"{home}: the folder of shims cannot be read: {error.strerror}") from error
    controls = [name for name in contents if name.endswith(CONTROL)]
    if not controls:
        raise TargetError(f"{home}: no stand-ins there: expected NAME.control and NAME--VERSION.sql")
    for name in controls:
        _check(home / name, contents)
    return Own(contents=tuple(contents.items()))


def _check(control: Path, contents: Mapping[str, bytes]) -> None:
    text = contents[control.name].decode("utf-8", errors="replace")
    if (library := _setting(text, "module_pathname")) is not None:
        raise TargetError(
            f"{control}: needs the library {library}, which the embedded server does not have\n"
            "  a stand-in is SQL only; take module_pathname out and write its functions in SQL or PL/pgSQL"
        )
    version = _setting(text, "default_version")
    if version is None:
        raise TargetError(f"{control}: no default_version: expected a line such as default_version = '1.0'")
    script = f"{control.stem}--{version}.sql"
    if script not in contents:
        near = did_you_mean(script, [name for name in contents if name.endswith(".sql")])
        raise TargetError(f"{control}: default_version is '{version}', but there is no {script}\n  {near}")


def _setting(text: str, key: str) -> str | None:
    found = re.search(rf"^\s*{key}\s*=\s*'?([^'\n#]*)'?", text, re.MULTILINE)
    return found.group(1).strip() if found else None


def published(root: Path, own: Own | None = None) -> Path:
    """A folder for extension_control_path, below *root*, that the server's OS user can read."""
    key = fingerprint() if own is None else f"{fingerprint()}-{own.fingerprint()}"
    folder = root / "extensions" / key
    if not folder.exists():
        partial = folder.with_name(f"{folder.name}.{os.getpid()}")
        shutil.rmtree(partial, ignore_errors=True)
        (partial / "extension").mkdir(parents=True)
        for name, content in contents(own).items():
            (partial / "extension" / name).write_bytes(content)
        _open_to_all(partial)
        _move(partial, folder)
    return folder


def extension_of(file: str) -> str:
    """The extension that a file of stand-ins belongs to."""
    return re.split(r"--|\.control", file)[0]


def contents(own: Own | None) -> dict[str, bytes]:
    """The files of all stand-ins by name: ours, and those of a project in their place."""
    ours = {entry.name: entry.read_bytes() for entry in _ROOT.iterdir()}
    if own is None:
        return ours
    kept = {name: content for name, content in ours.items() if extension_of(name) not in own.names}
    return {**kept, **dict(own.contents)}


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _move(partial: Path, folder: Path) -> None:
    try:
        partial.rename(folder)
    except OSError:  # another process was faster; its folder holds the same
        shutil.rmtree(partial)
