"""How often seeding somebody's database waits for the server: over a slow line that is what takes the time."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.waiting import Wait

from tenantproof.catalog.at_once import ask, at_once, taken_back, until_refused
from tenantproof.core.ports import Writes
from tenantproof.core.settings import TargetSettings
from tenantproof.engine.run import prepare
from tenantproof.identity.signing import Signer
from tenantproof.scenario import load_scenario
from tenantproof.targets.dsn import DsnTarget
from tenantproof.targets.embedded import EmbeddedTarget

WORKFLOW_SAAS = Path(__file__).parents[2] / "scenarios" / "workflow_saas.tenancy.yaml"
TABLES = 40
MOST_BEFORE, MOST = 12, 25
"""Waits before the run's own connection (the guard, what was there), and on it until all is seeded."""


class Waits:
    """Counts calls of `Connection.wait` in which there was nothing left to do but to wait for an answer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        plain = psycopg.Connection.wait

        def wait(connection: psycopg.Connection[Any], going: Generator[Any, Any, Any], **named: Any) -> Any:
            return plain(connection, self._watched(going), **named)

        monkeypatch.setattr(psycopg.Connection, "wait", wait)

    def _watched(self, going: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        waited, ready = False, None
        try:
            while True:
                wanted = going.send(ready)
                waited |= wanted == Wait.R
                ready = yield wanted
        except StopIteration as end:
            return end.value
        finally:
            self.count += waited


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with EmbeddedTarget(load_scenario(WORKFLOW_SAAS).database).database() as own:
        yield make_conninfo(own.conninfo, user="postgres")


def test_seeding_many_tables_waits_seldom(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scenario, settings = load_scenario(WORKFLOW_SAAS), TargetSettings(dsn=database, shown="env:S")
    waits = Waits(monkeypatch)
    with DsnTarget(settings, scenario, writes=Writes.ROLLBACK).database() as handle:
        before = waits.count
        plan = prepare(handle, scenario, seed=7, signer=Signer())
        count = waits.count - before
    assert len(plan.world.rows) > TABLES
    assert 0 < before <= MOST_BEFORE
    assert 0 < count <= MOST


@pytest.fixture
def line(database: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection with a table of its own and a transaction open."""
    with psycopg.connect(database) as connection:
        connection.execute("CREATE TEMPORARY TABLE taken (n int PRIMARY KEY)")
        yield connection
        connection.rollback()


def numbers(line: psycopg.Connection[Any]) -> list[int]:
    return [n for (n,) in line.execute("SELECT n FROM taken ORDER BY n")]


def put(*values: object) -> sql.Composed:
    return sql.SQL("INSERT INTO taken VALUES ({})").format(sql.SQL("), (").join(map(sql.Literal, values)))


def test_what_comes_before_a_refusal_stays_and_what_comes_after_is_not_tried(
    line: psycopg.Connection[Any], capfd: pytest.CaptureFixture[str]
) -> None:
    accepted, error = until_refused(line, [put(1), put(2, 3), put(4, 2), put(5)], first=[put(0)])
    assert accepted == 2
    assert isinstance(error, psycopg.errors.UniqueViolation)
    assert numbers(line) == [0, 1, 2, 3]
    assert capfd.readouterr().err == ""  # psycopg would warn of what was skipped


def test_a_refusal_of_what_comes_first_is_raised(line: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation):
        until_refused(line, [put(1)], first=[put(0), put(0)])


def test_a_refusal_leaves_nothing_of_what_was_sent_at_once(line: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.UniqueViolation), at_once(line):
        deque(map(line.execute, (put(1), put(1))))
    assert numbers(line) == []


def test_what_is_taken_back_can_be_read_afterwards(line: psycopg.Connection[Any]) -> None:
    with taken_back(line):
        line.execute(put(1))
        answer = line.execute("SELECT n FROM taken")
    assert answer.fetchall() == [(1,)]
    assert numbers(line) == []


def test_without_a_transaction_one_is_opened_and_closed(database: str) -> None:
    with psycopg.connect(database) as connection:
        assert ask(connection, [sql.SQL("SELECT {}").format(1)]) == [[(1,)]]
        assert connection.info.transaction_status == TransactionStatus.IDLE
