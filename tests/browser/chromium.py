"""The system's own Chromium for the tests, and axe-core, which npm brings once into a cache folder."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AXE = "axe-core@4.14.1"
CACHE = Path(os.environ.get("TENANTPROOF_TEST_CACHE", Path.home() / ".cache" / "tenantproof-tests"))


class Unavailable(Exception):
    """There is no such program to be had here; the message says why."""


def chromium() -> Path:
    """The program.  Raises Unavailable."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise Unavailable(f"no browser on PATH: none of {', '.join(NAMES)}")
    return Path(found)


def axe_core() -> str:
    """The script that finds violations of accessibility rules.  Raises Unavailable."""
    folder = CACHE / AXE.replace("@", "-")
    folder.mkdir(parents=True, exist_ok=True)
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two workers, one download
        if not script.is_file():
            _install(folder)
    return script.read_text(encoding="utf-8")


def _install(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("no npm to get axe-core with")
    command = [npm, "install", "--prefix", str(folder), "--no-audit", "--no-fund", "--loglevel=error", AXE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable("npm did not bring axe-core within three minutes") from None
    if done.returncode:
        raise Unavailable(f"npm has no axe-core: {' '.join(done.stderr.split()[-20:])}")
