"""The container target on a real Docker engine: the same findings as on the embedded server, and nothing is left."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

import tenantproof
from tenantproof.core.errors import MissingExtra, TargetError, UsageError
from tenantproof.core.model import Database, Platform
from tenantproof.core.report import Report
from tenantproof.targets import container_engine, dress
from tenantproof.targets.container import ContainerTarget

ROOT = Path(__file__).parents[2]
SAAS = ROOT / "scenarios" / "workflow_saas.tenancy.yaml"
SMALL = ROOT / "tests" / "integration" / "small_app" / "app.tenancy.yaml"
PROGRAM = "from tenantproof.cli.main import main; main()"
LEAKS = ROOT / "fixtures" / "workflow_saas" / "leaks"
thorough = pytest.mark.skipif(
    not os.environ.get("TENANTPROOF_THOROUGH"), reason="takes a minute: TENANTPROOF_THOROUGH=1"
)
PLAIN = Database(platform=Platform.POSTGRES, migrations=())


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def verdicts(report: Report) -> set[tuple[str, ...]]:
    return {(cell.object, cell.persona, cell.command, cell.verdict, cell.observed) for cell in report.cells}


def compared(scenario: Path, image: str, patch: Path) -> Report:
    """The report with a planted leak, which is the same in a container as on the embedded server."""
    inside = tenantproof.check(scenario, attempts=0, patches=[patch], target=f"docker:{image}")
    beside = tenantproof.check(scenario, attempts=0, patches=[patch])
    assert {finding.fingerprint for finding in inside.findings} == {finding.fingerprint for finding in beside.findings}
    assert verdicts(inside) == verdicts(beside)
    return inside


def test_the_same_verdicts_as_on_the_embedded_server(image: str, tmp_path: Path) -> None:
    """A small application with a planted leak: each cell, each finding; and nothing stays."""
    patch = tmp_path / "leak.sql"
    patch.write_text("create policy open_notes on public.notes for select to authenticated using (true);")
    report = compared(SMALL, image, patch)

    assert [(finding.channel, finding.object) for finding in report.findings] == [("READ", "public.notes")]
    assert report.target == f"container {image}, PostgreSQL 18.6"
    assert docker("ps", "-aq", "--filter", "label=tenantproof") == ""
    assert docker("network", "ls", "-q", "--filter", "label=tenantproof") == ""


@thorough
def test_an_older_release(image_of_15: str, tmp_path: Path) -> None:
    """PostgreSQL 15: the same verdicts as on 18, and what it lacks of the platform is said."""
    patch = tmp_path / "leak.sql"
    patch.write_text("create policy open_notes on public.notes for select to authenticated using (true);")
    report = compared(SMALL, image_of_15, patch)

    assert [(finding.channel, finding.object) for finding in report.findings] == [("READ", "public.notes")]
    assert report.server_version.startswith("15.")
    assert [note for note in report.notes if "differs from the platform" in note] == [
        f'{image_of_15} differs from the platform: role "pg_create_subscription" does not exist '
        "(grant pg_create_subscription to postgres; …)"
    ]


@thorough
def test_workflow_saas_is_the_same_there(image: str) -> None:
    """Clean, by the command line and with the search; and with a planted leak."""
    arguments = ["check", str(SAAS), "--attempts", "200", "--target", f"docker:{image}"]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False)
    assert "no finding" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0
    assert compared(SAAS, image, next(LEAKS.glob("01-*.sql"))).findings


def test_what_is_laid_over_a_dressed_database(image: str) -> None:
    """A second dress changes nothing and complains of nothing; so it may be put over an image that brings a part."""
    declared = Database(platform=Platform.SUPABASE, migrations=())
    with ContainerTarget(image, declared).database() as handle:
        with psycopg.connect(handle.conninfo, autocommit=True) as connection:
            left = dress.lay_over(connection, Platform.SUPABASE, auto_expose=False)
            (users,) = connection.execute("select count(*) from information_schema.columns where table_name = 'users'")
        with psycopg.connect(handle.conninfo, user="authenticator") as connection:
            assert connection.execute("select session_user").fetchone() == ("authenticator",)
    assert [line for line in left if "already" not in line and "drop database" not in line] == []
    assert users[0] > 20


def test_a_killed_run_is_cleaned_up_by_the_next(image: str) -> None:
    """kill -9: container and network carry the number of a dead process."""
    program = (
        "from tenantproof.targets.container import ContainerTarget\n"
        "from tenantproof.core.model import Database, Platform\n"
        f"with ContainerTarget({image!r}, Database(platform=Platform.POSTGRES, migrations=())).database():\n"
        "    print('up', flush=True); input()\n"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program], text=True, **pipes) as run:  # type: ignore[call-overload]
        assert run.stdout.readline() == "up\n"
        run.kill()
    assert docker("ps", "-q", "--filter", "label=tenantproof") != ""
    with ContainerTarget(image, PLAIN).database() as handle:
        assert len(docker("ps", "-q", "--filter", "label=tenantproof").split()) == 1
        assert "password" not in repr(handle)
    assert docker("ps", "-aq", "--filter", "label=tenantproof") == ""
    assert docker("network", "ls", "-q", "--filter", "label=tenantproof") == ""


def test_an_image_that_cannot_be_had(image: str) -> None:
    started = time.monotonic()
    with pytest.raises(TargetError, match="the image no-such-image:1 cannot be had") as refused:
        tenantproof.check(SAAS, target="docker:no-such-image:1")
    assert "docker pull no-such-image:1" in str(refused.value)
    assert refused.value.exit_code == 3
    assert time.monotonic() - started < 120


def test_an_image_that_is_no_postgres(image: str) -> None:
    command = ["docker", "commit", "-c", 'ENTRYPOINT ["/bin/sh", "-c", "echo no database here; exit 3"]']
    made = docker("create", image)
    subprocess.run([*command, made, "tenantproof-test:none"], capture_output=True, check=True)
    docker("rm", made)
    with pytest.raises(TargetError, match=r"ended before PostgreSQL was ready \(exited: no database here\)"):
        tenantproof.check(SAAS, target="docker:tenantproof-test:none")


# Without an engine


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_engine_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("testcontainers")
    monkeypatch.setenv("DOCKER_HOST", "unix:///no/such/docker.sock")
    with pytest.raises(TargetError, match=r"no Docker engine answers at unix:///no/such/docker\.sock") as refused:
        tenantproof.check(SAAS, target="docker:postgres:17")
    assert refused.value.exit_code == 3
    del refused
    gc.collect()  # the library docker leaves a socket open that could not connect


def test_the_extra_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "docker", None)
    with pytest.raises(MissingExtra, match=r"pip install 'tenantproof\[docker\]'"):
        tenantproof.check(SAAS, target="docker:postgres:17")


def test_what_cannot_be_asked_for() -> None:
    with pytest.raises(UsageError, match="name an image"):
        tenantproof.check(SAAS, target="docker:")
    with pytest.raises(UsageError, match="--keep: a container goes away"):
        tenantproof.check(SAAS, target="docker:postgres:17", keep=True)


def test_whose_containers_are_whose() -> None:
    """Ours while we live; nobody's once the process is gone, or its number is another's."""
    ours = container_engine.own_labels()
    assert ours["tenantproof.pid"] == str(os.getpid())
    assert container_engine._lives(ours)
    assert not container_engine._lives({**ours, "tenantproof.started": "0"})
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    assert not container_engine._lives({**ours, "tenantproof.pid": str(done.pid)})
