"""One staging server for all tests that leave it as it is."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from tests.staging.cluster import Cluster, cluster

from tenantproof.cli import main

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
def staging(server: Cluster) -> Cluster:
    """Without the dead rows of the runs before, which every later one would read past."""
    with server.admin() as connection:
        connection.execute("vacuum")
    return server


@pytest.fixture
def tenantproof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the program in an empty folder, in this process; what it printed and its exit code."""

    def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        out, err = io.StringIO(), io.StringIO()
        with monkeypatch.context() as here, redirect_stdout(out), redirect_stderr(err):
            here.chdir(tmp_path)
            for name, value in {"COLUMNS": "400", "NO_COLOR": "1", **environment}.items():
                here.setenv(name, value)
            code = main.run([str(argument) for argument in arguments])
        return subprocess.CompletedProcess([str(one) for one in arguments], code, out.getvalue(), err.getvalue())

    return run
