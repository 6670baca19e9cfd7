"""Talks side by side: each hears its own answers, all of them wait together, and who asks nothing waits for nobody."""

from __future__ import annotations

from collections.abc import Sequence

from tests.services.conftest import FIXTURES, Ground

from tenantproof.core.attempt import Observation
from tenantproof.engine.services.way import in_services
from tenantproof.engine.talks import Talk, hold, side_by_side
from tenantproof.engine.ways import Standing
from tenantproof.engine.wire import Script


def _rounds(talk: Talk[list[str]]) -> tuple[list[list[Script]], list[str]]:
    """What is asked in each round, where every statement is answered by itself; and what comes of it."""
    rounds: list[list[Script]] = []
    said: Sequence[tuple[Observation, ...]] | None = None
    while True:
        try:
            scripts = next(talk) if said is None else talk.send(said)
        except StopIteration as end:
            return rounds, end.value
        rounds.append(list(scripts))
        said = [tuple(Observation(message=statement) for statement in script) for script in scripts]


def _asking(*rounds: Sequence[str]) -> Talk[str]:
    heard: list[str] = []
    for statements in rounds:
        said = yield [(statement,) for statement in statements]
        heard += [one.message for answers in said for one in answers]
    return " ".join(heard)


def test_each_hears_its_own_answers() -> None:
    rounds, results = _rounds(side_by_side([_asking(["a", "b"], ["c"]), _asking(["d"]), _asking()]))

    assert rounds == [[("a",), ("b",), ("d",)], [("c",)]]
    assert results == ["a b c", "d", ""]


def test_asking_nothing_takes_no_round() -> None:
    rounds, results = _rounds(side_by_side([_asking([], ["a"], [], ["b"]), _asking(["c"], ["d"])]))

    assert rounds == [[("a",), ("c",)], [("b",), ("d",)]]
    assert results == ["a b", "c d"]


def test_talks_within_talks_wait_together_too() -> None:
    def both() -> Talk[str]:
        return " ".join((yield from side_by_side([_asking(["a"], ["b"]), _asking(["c"])])))

    rounds, results = _rounds(side_by_side([both(), _asking(["d"], ["e"], ["f"])]))

    assert rounds == [[("a",), ("c",), ("d",)], [("b",), ("e",)], [("f",)]]
    assert results == ["a b c", "d e f"]


def test_a_talk_is_held_with_the_database(storage: Ground) -> None:
    def sum_of(left: int) -> Talk[str | None]:
        ((number,),) = yield [(f"SELECT {left} + 1",)]
        ((doubled,),) = yield [(f"SELECT 2 * {number.rows[0][0]}",)]
        return doubled.rows[0][0]

    with storage.with_design("select 1;") as standing:
        before = standing.wire.counter.round_trips
        assert hold(standing.wire, side_by_side(map(sum_of, (1, 2, 3)))) == ["4", "6", "8"]
        assert standing.wire.counter.round_trips == before + 2


def test_buckets_and_leaks_wait_together(storage: Ground) -> None:
    """Over a slow line each wait costs a round trip: they are as many as the longest talk needs, however many talk."""
    with storage.with_design((FIXTURES / "storage" / "leaky" / "nobody-owns-it.sql").read_text()) as standing:
        assert _waits(standing) <= 6


def test_guessed_topics_wait_together(realtime: Ground) -> None:
    with realtime.with_design((FIXTURES / "realtime" / "leaky" / "column-topic.sql").read_text()) as standing:
        assert _waits(standing) <= 6


def _waits(standing: Standing) -> int:
    before = standing.wire.counter.round_trips
    assert in_services(standing).findings
    return standing.wire.counter.round_trips - before
