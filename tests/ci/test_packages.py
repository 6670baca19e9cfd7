"""`.ci/packages` installs nothing where it may not, says so, and never stops what comes after it."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / ".ci" / "packages"


def packages(folder: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run it with these programs in front of the system's; none of them touches the system."""
    for name, script in programs.items():
        program = folder / name.replace("_", "-")
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    return subprocess.run(
        [str(PACKAGES)], capture_output=True, text=True, check=False, env={"PATH": f"{folder}:/usr/bin:/bin"}
    )


def test_who_is_not_root_gets_nothing_installed(tmp_path: Path) -> None:
    done = packages(tmp_path, id="echo 1000", apt_get=f"touch {tmp_path}/called")
    assert done.returncode == 0
    assert "nothing is installed; tests that need a missing program are skipped" in done.stdout
    assert not (tmp_path / "called").exists()


def test_a_failure_is_said_and_is_no_failure(tmp_path: Path) -> None:
    """Nothing is there, nothing can be fetched: the last words of apt-get are shown, and it goes on."""
    nothing = {"id": "echo 0", "dpkg_query": "exit 1", "apt_get": "echo 'no route to host'; exit 100"}
    done = packages(tmp_path, **nothing, apt_cache="echo '  Candidate: (none)'")
    assert done.returncode == 0, done.stderr
    assert "apt-get update -qq: failed" in done.stdout
    assert "no route to host" in done.stdout
    assert "there is no pgbouncer here" in done.stdout


def test_the_run_calls_it_first() -> None:
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert lines.index(".ci/packages") < lines.index("make test")
