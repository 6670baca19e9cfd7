"""Confidentiality over scripted answers: what counts as learned, what is noise, and what must never be masked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tenantproof.core.attempt import Observation
from tenantproof.core.program import Answer
from tenantproof.properties.confidentiality import UNSTEADY, differ, interference

WORDS = ("message", "detail", "hint", "column", "constraint")
DENIED = Observation(sqlstate="42501", message="permission denied for table notes")
TAKEN = Observation(
    sqlstate="23505",
    message="duplicate key",
    detail="Key (slug)=(a) already exists.",
    hint="choose another",
    column="slug",
    constraint="notes_slug_key",
)


def rows(*found: tuple[str | None, ...]) -> Observation:
    return Observation(rows=found, count=len(found))


def saying(observation: Observation, word: str, text: str) -> Observation:
    """The same with another text in one of its fields."""
    changed: dict[str, Any] = {word: text}
    return replace(observation, **changed)


def told(first: Answer, second: Answer, *again: Answer) -> bool:
    return interference(first, second, again or (first,)) is not None


cells = st.one_of(st.none(), st.sampled_from(["", "a", "b", "acme", "1"]))
tables = st.integers(0, 3).flatmap(lambda width: st.lists(st.tuples(*[cells] * width), max_size=4))
results = st.builds(
    lambda found, notices: replace(rows(*found), notices=notices),
    tables,
    st.sampled_from([(), ("NOTICE: hello",)]),
)
refusals = st.builds(
    Observation,
    sqlstate=st.sampled_from(["42501", "23505", "P0001", "22012"]),
    **dict.fromkeys(WORDS, st.sampled_from(["", "x", "y"])),
)
observations = st.one_of(results, refusals)
answers = st.lists(observations, min_size=1, max_size=3).map(tuple)


@given(answers, st.integers(1, 3))
def test_the_same_answer_tells_nothing(answer: Answer, times: int) -> None:
    assert not told(answer, answer, *[answer] * times)
    assert not differ(answer, answer)


@given(answers, answers)
def test_it_does_not_matter_which_world_comes_first(one: Answer, two: Answer) -> None:
    assert (interference(one, two, (one,)) is None) == (interference(two, one, (two,)) is None)


@given(tables, st.randoms(use_true_random=False))
def test_the_order_of_rows_tells_nothing(found: list[tuple[str | None, ...]], random: object) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert not told((rows(*found),), (rows(*shuffled),))
    assert not differ((rows(*found),), (rows(*shuffled),))


@given(answers, answers)
def test_a_steady_difference_is_never_masked(one: Answer, two: Answer) -> None:
    assume(len(one) == len(two))
    assert told(one, two, one, one) == differ(one, two)


@given(answers, answers, answers)
def test_what_is_told_also_differs_at_first_sight(one: Answer, two: Answer, again: Answer) -> None:
    """The arena looks closer only where `differ` says so: it may not overlook anything."""
    if told(one, two, again):
        assert differ(one, two)


@given(answers, answers, answers)
def test_asking_once_more_never_tells_more(one: Answer, two: Answer, again: Answer) -> None:
    if told(one, two, one, again):
        assert told(one, two, one)


@given(answers, answers)
def test_the_difference_names_the_first_line_that_tells(one: Answer, two: Answer) -> None:
    found = interference(one, two, (one,))
    if found is not None:
        assert (found.first, found.second) == (one[found.at], two[found.at])
        assert not told(one[: found.at], two[: found.at])


@pytest.mark.parametrize("word", WORDS)
def test_every_field_of_a_refusal_tells(word: str) -> None:
    other = saying(TAKEN, word, "something else")
    assert told((TAKEN,), (other,))
    assert told((other,), (TAKEN,))


@pytest.mark.parametrize(
    "other",
    [
        rows(("a", "1"), ("b", "3")),
        rows(("a", "1")),
        rows(("a", "1"), ("b", "2"), ("b", "2")),
        rows(("a", "1"), ("b", None)),
        rows(("a", "1"), ("b", "")),
        rows(("a",), ("b",)),
        rows(),
        Observation(count=2),
        replace(rows(("a", "1"), ("b", "2")), notices=("NOTICE: 3 rows of others",)),
        DENIED,
    ],
)
def test_content_row_counts_notices_and_refusals_tell(other: Observation) -> None:
    usual = rows(("a", "1"), ("b", "2"))
    assert told((usual,), (other,))
    assert told((other,), (usual,))


def test_a_row_count_without_rows_tells() -> None:
    assert told((Observation(count=1),), (Observation(count=0),))


def test_how_often_a_row_is_there_tells() -> None:
    assert told((rows(("a",), ("a",), ("b",)),), (rows(("a",), ("b",), ("b",)),))


def test_what_is_unsteady_is_masked_column_by_column() -> None:
    first, again = rows(("a", "10:00"), ("b", "10:00")), rows(("a", "10:01"), ("b", "10:01"))
    assert not told((first,), (rows(("a", "10:02"), ("b", "10:02")),), (again,))
    assert told((first,), (rows(("a", "10:02"), ("c", "10:02")),), (again,))


def test_a_column_that_is_unsteady_in_one_of_several_repeats_is_masked() -> None:
    first, same, other = rows(("a", "1")), rows(("a", "1")), rows(("a", "2"))
    assert not told((first,), (rows(("a", "3")),), (same,), (other,))
    assert told((first,), (rows(("b", "3")),), (same,), (other,))


def test_a_column_whose_rows_only_change_places_is_steady() -> None:
    first, again = rows(("a", "1"), ("b", "2")), rows(("b", "2"), ("a", "1"))
    assert told((first,), (rows(("a", "1"), ("b", "3")),), (again,))


@pytest.mark.parametrize("word", WORDS)
def test_an_unsteady_text_is_masked_and_the_others_still_tell(word: str) -> None:
    again, second = saying(TAKEN, word, "noise"), saying(TAKEN, word, "other noise")
    assert not told((TAKEN,), (second,), (again,))
    other = next(name for name in WORDS if name != word)
    assert told((TAKEN,), (saying(second, other, "learned"),), (again,))


def test_unsteady_notices_are_masked_and_rows_still_tell() -> None:
    first, again, second = (replace(rows(("a",)), notices=(f"NOTICE: {n}",)) for n in range(3))
    assert not told((first,), (second,), (again,))
    assert told((first,), (replace(second, rows=(("b",),)),), (again,))


def test_a_row_count_or_outcome_that_is_unsteady_tells_nothing() -> None:
    assert not told((rows(("a",)),), (rows(("c",)),), (rows(("a",), ("b",)),))
    assert not told((rows(("a",)),), (rows(("c",)),), (DENIED,))


@pytest.mark.parametrize("sqlstate", sorted(UNSTEADY))
def test_refusals_by_time_and_load_never_count(sqlstate: str) -> None:
    late = Observation(sqlstate=sqlstate, message="canceling statement")
    assert not told((rows(("a",)),), (late,))
    assert not told((late,), (rows(("a",)),))
    assert not told((late,), (replace(late, message="deadlock detail of others"),))


def test_a_later_line_tells_where_the_first_are_the_same() -> None:
    found = interference((rows(("a",)), rows(("b",))), (rows(("a",)), rows(("c",))), ((rows(("a",)), rows(("b",))),))
    assert found is not None
    assert found.at == 1


def test_a_refusal_in_one_world_only_is_the_line_that_tells() -> None:
    found = interference((rows(("a",)), rows(("b",))), (DENIED,), ((rows(("a",)), rows(("b",))),))
    assert found is not None
    assert found.at == 0
