"""Where a leak begins: the search over prefixes, and when two findings are one leak."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantproof.core.errors import UsageError
from tenantproof.core.finding import Finding, Property, Reach, Severity
from tenantproof.core.model import Command
from tenantproof.core.ports import Source
from tenantproof.engine.bisecting.choosing import chosen_range, number_of
from tenantproof.engine.bisecting.likeness import same_leak, same_rows
from tenantproof.engine.bisecting.placing import speaks_of, spot_of
from tenantproof.engine.bisecting.searching import every_episode, last_opening

HISTORIES = st.lists(st.booleans(), min_size=1, max_size=40).map(lambda states: [False, *states, True])
"""Whether a leak is there after 0, 1, 2, … files; at the end it is."""


def truth(states: list[bool]) -> int:
    """The last file after which it is there and before which it is not."""
    return max(n for n in range(1, len(states)) if states[n] and not states[n - 1])


@given(HISTORIES)
def test_halving_finds_the_last_opening_where_files_that_close_it_speak_of_it(states: list[bool]) -> None:
    closing = [n for n in range(1, len(states)) if not states[n]]
    assert last_opening(lambda n: states[n], 1, len(states) - 1, closing) == truth(states)


@given(HISTORIES, st.data())
def test_halving_always_finds_an_opening(states: list[bool], data: st.DataObject) -> None:
    """Whatever the files speak of, the leak is there after the answer and not before it."""
    speaking = data.draw(st.sets(st.integers(1, len(states) - 1)))
    number = last_opening(lambda n: states[n], 1, len(states) - 1, speaking)
    assert states[number]
    assert not states[number - 1]


def test_halving_asks_for_few_of_many() -> None:
    asked: set[int] = set()

    def present(number: int) -> bool:
        asked.add(number)
        return number >= 700

    assert last_opening(present, 1, 1000, ()) == 700
    assert len(asked) <= 11


def test_what_is_there_before_the_range_is_told_as_such() -> None:
    assert last_opening(lambda _: True, 5, 9, ()) == 4


@given(HISTORIES)
def test_episodes_end_with_the_one_that_lasts(states: list[bool]) -> None:
    episodes = every_episode(lambda n: states[n], 1, len(states) - 1)
    assert episodes[-1] == (truth(states), None)
    there = {n for opened, closed in episodes for n in range(opened, closed or len(states))}
    assert there == {n for n, state in enumerate(states) if state}


# One leak in two prefixes


def finding(**changes: object) -> Finding:
    known = Finding(
        property=Property.VISIBILITY,
        channel="READ",
        severity=Severity.CRITICAL,
        reach=Reach.API,
        object="public.notes",
        objects=("public.notes",),
        command=Command.SELECT,
        commands=(Command.SELECT,),
        title="",
        cause="policy notes_select",
        explanation="",
        fix="",
        cwe=639,
        personas=(),
        evidence=(),
        replay="",
    )
    return replace(known, **changes)  # type: ignore[arg-type]


LEAK = finding(policy_text="create policy notes_select on public.notes using (public.mine(org));")

SAME = {
    "more wording": finding(title="another"),
    "more commands": finding(channel="INSERT", command=Command.INSERT, commands=(Command.INSERT, Command.SELECT)),
    "one more policy": finding(cause="policy notes_all and notes_select"),
    "the function behind three tables": finding(
        object="public.mine", objects=("public.a", "public.notes", "public.z"), cause="function public.mine"
    ),
}

OTHER = {
    "another cause": finding(cause="rls-disabled"),
    "another table": finding(object="public.tags", objects=("public.tags",)),
    "another command": finding(command=Command.DELETE, commands=(Command.DELETE,), channel="DELETE"),
    "over-blocking": finding(channel="OVER-BLOCKED", cause="over-blocked"),
    "the search": finding(channel="INTERFERENCE", property=Property.CONFIDENTIALITY, cause="function"),
    "another function": finding(object="public.yours", objects=("public.notes",), cause="function public.yours"),
}


@pytest.mark.parametrize("other", SAME.values(), ids=SAME.keys())
def test_what_is_the_same_leak(other: Finding) -> None:
    assert same_leak(LEAK, other)
    assert same_leak(other, LEAK)


@pytest.mark.parametrize("other", OTHER.values(), ids=OTHER.keys())
def test_what_is_another_leak(other: Finding) -> None:
    assert not same_leak(LEAK, other)
    assert not same_leak(other, LEAK)


def test_the_same_rows_by_another_cause() -> None:
    assert same_rows(LEAK, OTHER["another cause"])
    assert not same_rows(LEAK, OTHER["another table"])


# The statement in the file

PLACES = {
    "the policy": ("select 1;\nalter policy notes_select on notes\n using (true);", 2),
    "a function that the policy calls": (
        "create table x (id int);\n\n-- mine\ncreate or replace function public.mine(o int)\n returns bool",
        4,
    ),
    "row security": ("grant select on tags to anon;\nalter table public.notes disable row level security;", 2),
    "a grant": ("create index on notes (id);\ngrant select on all tables in schema public to notes;", 2),
    "whatever names it": ("select 1;\nselect * from notes;", 2),
    "no comment": ("-- notes\nselect 1;", None),
    "nothing": ("select 1;", None),
    "not a longer name": ("create table notes_archive (id int);", None),
}


@pytest.mark.parametrize(("text", "line"), PLACES.values(), ids=PLACES.keys())
def test_the_statement_that_speaks_of_the_leak(text: str, line: int | None) -> None:
    source = Source(path="1.sql", text=text)
    spot = spot_of(source, LEAK)
    assert (spot.line if spot else None) == line
    assert speaks_of(source, LEAK) == (line is not None)


# Files as people name them

FILES = ("db/a/01_one.sql", "db/a/02_two.sql", "db/b/02_two.sql")


@pytest.mark.parametrize("wanted", ["db/a/01_one.sql", "01_one.sql", "01_one", "./db/a/01_one.sql"])
def test_a_file_by_path_name_or_stem(wanted: str) -> None:
    assert number_of(FILES, wanted, "--first") == 1


def test_a_name_that_several_have_needs_its_path() -> None:
    with pytest.raises(UsageError, match="2 migrations are called so"):
        number_of(FILES, "02_two.sql", "--first")
    assert chosen_range(FILES, "db/a/02_two.sql", "db/b/02_two.sql") == (2, 3)
    assert chosen_range(FILES, None, None) == (1, 3)
