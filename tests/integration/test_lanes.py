"""Several courses over one wire: each from its own ground, found in their order, whatever happens to one of them."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from tenantproof.core.model import Database, Platform
from tenantproof.engine.lanes import LANES, Course, in_lanes
from tenantproof.engine.talks import Talk, hold
from tenantproof.engine.wire import Part, Wire
from tenantproof.targets.embedded import EmbeddedTarget

WHO = ("SELECT current_setting('app.who', true)",)


@pytest.fixture(scope="module")
def conninfo() -> Iterator[str]:
    with EmbeddedTarget(Database(platform=Platform.POSTGRES, migrations=())).database() as handle:
        yield handle.conninfo


@pytest.fixture
def wire(conninfo: str) -> Iterator[Wire]:
    with psycopg.connect(conninfo, autocommit=True) as connection, Wire(connection) as wire:
        wire.prepare(())
        yield wire


def asks(times: int) -> Talk[list[str | None]]:
    """Asks that many times who it is, and leaves the session as somebody else."""
    said = []
    for _ in range(times):
        answers = yield [WHO, ("SET LOCAL app.who = 'nobody'", *WHO)]
        said.append(answers[0][-1].rows[0][0])
    return said


def named(name: str, talk: Talk[list[str | None]]) -> Course[list[str | None]]:
    return Course((f"SET LOCAL app.who = '{name}'",), talk)


def test_each_course_stays_on_its_own_ground_and_they_end_in_their_order(wire: Wire) -> None:
    lengths = [5, 1, 0, 3, 1, 8, 2]
    found = list(in_lanes(wire, (named(str(n), asks(times)) for n, times in enumerate(lengths))))
    assert found == [[str(n)] * times for n, times in enumerate(lengths)]


def test_a_talk_alone_finds_the_same(wire: Wire) -> None:
    wire.restart(("SET LOCAL app.who = 'me'",))
    assert hold(wire, asks(3)) == ["me"] * 3


def test_no_scripts_are_answered_without_the_server(wire: Wire) -> None:
    def silent() -> Talk[int]:
        answers = yield []
        return len(answers)

    statements = wire.counter.statements
    assert list(in_lanes(wire, [Course((), silent())])) == [0]
    assert wire.counter.statements == statements


def test_a_course_begins_when_there_is_a_lane_for_it(wire: Wire) -> None:
    begun = []

    def courses() -> Iterator[Course[list[str | None]]]:
        for n in range(9):
            begun.append(n)
            yield named(str(n), asks(1))

    seen = [(len(found), len(begun)) for found in in_lanes(wire, courses())]
    assert seen == [(1, min(9, LANES + 1 + n)) for n in range(9)]


def test_lanes_share_their_round_trips(wire: Wire) -> None:
    wire.settle()
    before = wire.counter.round_trips
    list(in_lanes(wire, [named(str(n), asks(4)) for n in range(3)]))
    assert wire.counter.round_trips == before + 4


def test_the_course_says_what_a_failed_set_up_means(wire: Wire) -> None:
    def offended() -> Talk[list[str | None]]:
        try:
            yield [WHO]
        except psycopg.errors.UndefinedTable as error:
            raise ValueError("nobody can be that") from error
        return []

    broken = Course(("SELECT * FROM nowhere",), offended())
    with pytest.raises(ValueError, match="nobody can be that"):
        list(in_lanes(wire, [named("a", asks(3)), broken, named("b", asks(3))]))
    wire.restart(("SET LOCAL app.who = 'after'",))
    assert hold(wire, asks(1)) == ["after"]


def test_a_server_that_goes_away_ends_it_all(conninfo: str) -> None:
    def leaves() -> Talk[list[str | None]]:
        yield [("SELECT 1",)]  # libpq drops what nobody has read by the time the server goes: until then "a" is heard
        yield [("SELECT pg_terminate_backend(pg_backend_pid())",)]
        return []

    with psycopg.connect(conninfo, autocommit=True) as connection, Wire(connection) as wire:
        wire.prepare(())
        going = in_lanes(wire, [named("a", asks(1)), Course((), leaves()), named("b", asks(1))])
        assert next(going) == ["a"]
        with pytest.raises(psycopg.OperationalError):
            next(going)
        assert wire.lost


def test_nothing_else_is_sent_while_something_is_to_be_heard(wire: Wire) -> None:
    wire.send(Part(scripts=[WHO]))
    with pytest.raises(AssertionError, match="to be heard first"):
        wire.run([WHO])
    assert wire.hear()[0][0].count == 1


def test_a_stop_leaves_courses_where_they_are(wire: Wire) -> None:
    stops = iter([False, False, False, True])
    assert list(in_lanes(wire, [named(str(n), asks(20)) for n in range(9)], lambda: next(stops, True))) == []
    wire.restart(("SET LOCAL app.who = 'after'",))
    assert hold(wire, asks(1)) == ["after"]


def test_no_more_is_under_way_than_a_bound(wire: Wire) -> None:
    """Answers that nobody has read lie in memory, and libpq takes no more than 2 GB of them."""
    scripts = [WHO] * 60 * 40
    for number in range(3):
        wire.send(Part(set_up=wire.anew((f"SET LOCAL app.who = '{number}'",)), scripts=scripts))
    assert len(wire._under_way) == 12  # what nobody else can see
    heard = [wire.hear() for _ in range(3)]
    assert [{said[0].rows[0][0] for said in answers} for answers in heard] == [{"0"}, {"1"}, {"2"}]
    assert [len(answers) for answers in heard] == [len(scripts)] * 3


def test_scripts_without_end_do_not_choke_the_line(wire: Wire) -> None:
    """More is on its way in both directions than any buffer holds."""
    long = f"SELECT '{'x' * 20_000}'"

    def talks() -> Talk[int]:
        answers = yield [(long,)] * 400
        return sum(len(said[0].rows[0][0] or "") for said in answers)

    assert list(in_lanes(wire, [Course((), talks()) for _ in range(5)])) == [8_000_000] * 5
