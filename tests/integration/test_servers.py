"""The same verdicts on other releases of PostgreSQL as on the embedded one.

Which: the folders of programs in TENANTPROOF_TEST_POSTGRES (as in PATH), which CI sets for 15 to 18; else every release
that Debian's packages have put on this machine.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tenantproof import api
from tenantproof.core.finding import Verdict
from tenantproof.core.model import Platform
from tenantproof.core.report import Report
from tenantproof.targets import dress
from tenantproof.targets.copied import CopiedTarget

ROOT = Path(__file__).parents[2]
SCENARIO = ROOT / "scenarios" / "invoicing_guc.tenancy.yaml"
FIXTURE = ROOT / "fixtures" / "invoicing_guc"
LEAK = FIXTURE / "leaks" / "02-payment-role-only.sql"


def servers() -> list[Path | None]:
    named = os.environ.get("TENANTPROOF_TEST_POSTGRES")
    folders = map(Path, named.split(os.pathsep)) if named else Path("/usr/lib/postgresql").glob("*/bin")
    return [*sorted(folder for folder in folders if named or (folder / "initdb").exists())] or [None]


@pytest.fixture(scope="module", params=servers(), ids=lambda folder: folder.parent.name if folder else "none")
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server of that release with the fixture's database: its DSN without a database."""
    if request.param is None:
        pytest.skip("no other release of PostgreSQL: neither TENANTPROOF_TEST_POSTGRES nor /usr/lib/postgresql/*/bin")
    root = os.geteuid() == 0
    if root and shutil.which("setpriv") is None:
        pytest.skip("setpriv is needed to run PostgreSQL as another user than root")
    as_nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if root else []
    home = Path(tempfile.mkdtemp(prefix="tp-"))  # short enough for a socket
    home.chmod(0o755)
    if root:
        shutil.chown(home, "nobody", "nogroup")

    def run(program: str, *arguments: str) -> None:
        command = [*as_nobody, str(request.param / program), "-D", str(home / "data"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=home)

    run("initdb", "-U", "tenantproof_admin", "--auth=trust", "-E", "UTF8", "--no-sync", "--locale=C")
    options = f"-k {home} -c listen_addresses='' -c fsync=off -c wal_level=logical"
    run("pg_ctl", "-w", "-l", str(home / "log"), "-o", options, "start")
    try:
        dsn = f"host={home} user=tenantproof_admin"
        with psycopg.connect(f"{dsn} dbname=postgres", autocommit=True) as connection:
            dress.put_on(connection, Platform.POSTGRES, auto_expose=False)
        make(dsn, "clean", sorted((FIXTURE / "migrations").glob("*.sql")))
        make(dsn, "leaky", [LEAK], template="clean")
        yield dsn
    finally:
        run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(home, ignore_errors=True)


def make(dsn: str, name: str, files: list[Path], template: str = "template1") -> None:
    with psycopg.connect(f"{dsn} dbname=postgres", autocommit=True) as connection:
        connection.execute(f"create database {name} owner postgres template {template}".encode())
    with psycopg.connect(f"{dsn} dbname={name}", autocommit=True) as connection:
        connection.execute("set session authorization postgres")
        for file in files:
            connection.execute(file.read_bytes())


def verdicts(report: Report) -> dict[tuple[str, str, str], Verdict]:
    return {(cell.object, cell.persona, str(cell.command)): cell.verdict for cell in report.cells}


def test_a_clean_database_is_isolated_there_too(server: str) -> None:
    """Every cell has the verdict that it has on the embedded server, and the search is silent."""
    there = api.check(SCENARIO, attempts=200, target=CopiedTarget(f"{server} dbname=clean"))
    here = api.check(SCENARIO, attempts=0)

    assert there.server_version != here.server_version or "18" in there.server_version
    assert verdicts(there) == verdicts(here)
    assert [finding for finding in there.findings if finding.severity.rank > 1] == []


def test_a_leak_is_the_same_finding_there(server: str) -> None:
    there = api.check(SCENARIO, attempts=0, target=CopiedTarget(f"{server} dbname=leaky"))
    here = api.check(SCENARIO, attempts=0, patches=[LEAK])

    assert {finding.fingerprint for finding in here.findings}
    assert {finding.fingerprint for finding in there.findings} == {finding.fingerprint for finding in here.findings}
    assert verdicts(there) == verdicts(here)
