"""The services as a part of `check`: by the command line, in a suite, and in a database that is somebody's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from tests.services.conftest import FIXTURES

import tenantproof
from tenantproof.cli.main import run
from tenantproof.core.ports import Handle, Writes
from tenantproof.engine.psql import shows_leak
from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget

STORAGE = FIXTURES / "storage" / "storage.tenancy.yaml"
REALTIME = FIXTURES / "realtime" / "realtime.tenancy.yaml"
LEAK = FIXTURES / "storage" / "leaky" / "any-segment.sql"


def test_the_command_line_tells_what_the_matrix_cannot(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A name with both folders in it: exit 1, the policy's place, a replay that shows it, and no token anywhere."""
    report = tmp_path / "report.json"
    patched = [str(STORAGE), "--patch", str(LEAK)]

    assert run(["check", *patched, "--attempts", "0", "--report", f"json={report}"]) == 1

    written, printed = report.read_text(encoding="utf-8"), capsys.readouterr()
    (finding,) = json.loads(written)["findings"]
    assert finding["channel"] == "STORAGE-NAME"
    assert finding["file"].endswith("any-segment.sql")
    assert "STORAGE-NAME" in printed.out
    assert "eyJ" not in written + printed.out + printed.err

    run(["replay", finding["fingerprint"], *patched, "--attempts", "0"])

    assert shows_leak(capsys.readouterr().out)


class _Somebodys:
    """A database in which nothing may be committed."""

    notes: Sequence[str] = ()

    def __init__(self, scenario: Path, leak: Path) -> None:
        self._database = load_scenario(scenario).database
        self._leak = leak
        self.rows: list[int] = []

    @contextmanager
    def database(self) -> Iterator[Handle]:
        with EmbeddedTarget(self._database, patches=[self._leak]).database() as handle:
            self.rows.append(self._count(handle))
            yield replace(handle, owned=False, writes=Writes.ROLLBACK)
            self.rows.append(self._count(handle))

    def _count(self, handle: Handle) -> int:
        with psycopg.connect(handle.conninfo) as connection:
            query = "SELECT (SELECT count(*) FROM storage.objects) + (SELECT count(*) FROM realtime.messages)"
            answer = connection.execute(query).fetchone()
        assert answer is not None
        return int(answer[0])


@pytest.mark.parametrize(
    ("scenario", "leak", "channel"),
    [
        (STORAGE, LEAK, "STORAGE-NAME"),
        (REALTIME, FIXTURES / "realtime" / "leaky" / "trigger-tells-everybody.sql", "REALTIME-BROADCAST"),
    ],
    ids=["storage", "realtime"],
)
def test_in_one_transaction_that_is_rolled_back_the_same_is_told(scenario: Path, leak: Path, channel: str) -> None:
    """In a database that is somebody's: the finding is there, and no row is."""
    target = _Somebodys(scenario, leak)

    report = tenantproof.check(scenario, target=target, attempts=0)

    assert [finding.channel for finding in report.findings] == [channel]
    assert target.rows == [0, 0]


def test_plain_postgres_has_no_services() -> None:
    scenario = FIXTURES.parent / "scenarios" / "invoicing_guc.tenancy.yaml"
    assert "services" not in tenantproof.check(scenario, attempts=0).timing.phases
