"""Parts of statements: typed, quoted, and the plainest where Hypothesis shrinks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import Phase, find, given, seed, settings
from hypothesis import strategies as st
from psycopg import sql

from tenantproof.core.model import Command, QName
from tenantproof.core.program import PLAIN, Line
from tenantproof.core.world import Key
from tenantproof.engine.scripts import has_key_of
from tenantproof.generation.endings import endings
from tenantproof.generation.phrases import (
    Draw,
    cells_of,
    chance,
    comparable,
    condition,
    literal,
    pick,
    some,
    value,
    where,
)
from tenantproof.generation.programs import Profile, programs_about
from tenantproof.generation.vocabulary import Link, Noun, Slot, Values, Verb, Vocabulary, Word, unguessable_in
from tenantproof.generation.writes import Writing, insert, taking, write_in_cte

ID = Word(
    name="id",
    type="uuid",
    category="U",
    not_null=True,
    values=Values(own=("o-1",), known=("k-1",)),
    keyed=True,
)
BODY = Word(name='say "hi"', type="text", category="S", not_null=False, values=Values(own=("it's",), guessable=("g",)))
PLACE = Word(name="place", type="point", category="G", not_null=False, values=Values())
NOTES = Noun(
    name=QName("public", "notes"),
    readable=(ID, BODY, PLACE),
    insertable=(ID, BODY),
    updatable=(BODY,),
    deletable=True,
    key=(ID,),
    links=(),
    uniques=(("id",),),
    drafts=({"id": "o-2", "place": "(1,1)", 'say "hi"': None},),
)
LOG = replace(NOTES, name=QName("public", "log"), insertable=(), updatable=(), deletable=False, drafts=())
COUNT = Verb(name=QName("public", "count_all"), slots=(), many=False)
ALL = Vocabulary(nouns=(NOTES, LOG), verbs=(COUNT,))


def text(part: sql.Composable | None) -> str:
    assert part is not None
    return part.as_string(None)


@given(st.data(), st.lists(st.integers(), min_size=1, max_size=9, unique=True), st.integers(1, 5))
def test_some_are_different_ones_in_their_order_and_at_least_one(
    data: st.DataObject, options: list[int], most: int
) -> None:
    found = some(data.draw, options, most)
    assert 1 <= len(found) <= most
    assert found == [option for option in options if option in found]


@given(st.data(), st.lists(st.integers(), min_size=1))
def test_a_pick_is_one_of_the_options(data: st.DataObject, options: list[int]) -> None:
    assert pick(data.draw, options) in options


def test_choices_shrink_to_the_plainest() -> None:
    assert find(_drawn(lambda draw: pick(draw, ("plain", "odd"))), lambda _: True) == "plain"
    assert find(_drawn(lambda draw: chance(draw, 3)), lambda _: True) is False


@st.composite
def _drawn(draw: Draw, make):
    return make(draw)


@pytest.mark.parametrize(
    ("given_value", "spelled", "expected"),
    [
        (None, "uuid", "NULL::uuid"),
        ("it's", "text", "'it''s'::text"),
        ("1", 'public."Odd Type"', "'1'::public.\"Odd Type\""),
        ("{}", "character varying(3)[]", "'{}'::character varying(3)[]"),
    ],
)
def test_literals_are_typed_and_quoted(given_value: str | None, spelled: str, expected: str) -> None:
    assert text(literal(given_value, spelled)) == expected


@given(st.data())
def test_a_value_is_one_of_the_known_or_on_the_boundary(data: st.DataObject) -> None:
    found = value(data.draw, Values(own=("o",), guessable=("g",), known=("k",)), "B", ("x",))
    assert found in ("o", "g", "k", "x", "false", "true", None)


@given(st.data())
def test_conditions_speak_of_the_columns_given(data: st.DataObject) -> None:
    said = text(condition(data.draw, (ID,), "a"))
    assert '"a"."id"' in said
    assert text(where(data.draw, ())) == ""


def test_what_has_no_order_or_equality_is_not_compared() -> None:
    json, jsonb = (replace(PLACE, type=name, category="U") for name in ("json", "jsonb"))
    assert comparable([ID, BODY, PLACE, json, jsonb]) == [ID, BODY, jsonb]


def test_cells_are_the_drafts_columns_that_may_be_given_in_a_fixed_order() -> None:
    found = [(cell.column, text(cell.expression)) for cell in cells_of(NOTES, NOTES.drafts[0])]
    assert found == [("id", "'o-2'::uuid"), ('say "hi"', "NULL")]


def test_endings_delete_each_row_and_rename_the_parts_of_its_key() -> None:
    by_name = replace(NOTES, key=(BODY,), updatable=(BODY,))
    programs = list(endings(by_name, [("a",), ("b",), ("too", "long")]))
    assert [program.lines[0].shape for program in programs] == ["delete", "update"] * 2
    assert {program.lines[0].writes for program in programs} == {
        (NOTES.name, Command.DELETE),
        (NOTES.name, Command.UPDATE),
    }
    assert list(endings(LOG, [("a",)])) == []


@pytest.mark.parametrize("profile", Profile)
@given(data=st.data())
def test_programs_name_what_they_write_and_read(profile: Profile, data: st.DataObject) -> None:
    for subject in ALL.subjects:
        program = data.draw(programs_about(subject, ALL, profile))
        assert any(line.subject == subject.name for line in program.lines)
        assert program.variation is PLAIN
        for line in program.lines:
            assert (line.writes is not None) == any(word in line.sql for word in ("INSERT", "UPDATE ", "DELETE"))
            assert line.calls == (line.subject == COUNT.name)


@given(data=st.data())
def test_what_may_not_be_written_is_not_written_to(data: st.DataObject) -> None:
    program = data.draw(programs_about(LOG, ALL, Profile.SQL))
    assert LOG.name not in [line.writes[0] for line in program.lines if line.writes]


@given(data=st.data())
def test_over_the_api_one_relation_is_spoken_of_at_a_time(data: st.DataObject) -> None:
    program = data.draw(programs_about(NOTES, ALL, Profile.API))
    for line in program.lines:
        assert len(line.relations) <= 1
        assert not any(word in line.sql for word in (" JOIN ", " OVER ", "MERGE", "WITH ", " FOR ", " UNION "))


@given(data=st.data())
def test_a_program_tells_which_unguessable_ids_it_mentions(data: st.DataObject) -> None:
    vocabulary = replace(ALL, unguessable=unguessable_in(ALL.nouns, ALL.verbs))
    assert vocabulary.unguessable == {"k-1"}
    program = data.draw(programs_about(NOTES, vocabulary, Profile.SQL))
    assert program.known == ({"k-1"} if "k-1" in program.text else frozenset())


@given(data=st.data())
def test_joins_follow_foreign_keys_whose_columns_can_be_read(data: st.DataObject) -> None:
    linked = replace(LOG, links=(Link(columns=("id",), parent=NOTES.name, parent_columns=("id",)),))
    hidden = replace(LOG, links=(Link(columns=("secret",), parent=NOTES.name, parent_columns=("id",)),))
    for noun, joins in ((linked, True), (hidden, False)):
        program = data.draw(programs_about(noun, Vocabulary(nouns=(NOTES, noun), verbs=()), Profile.SQL))
        for line in program.lines:
            assert " JOIN " not in line.sql or (joins and 'ON "a"."id" = "b"."id"' in line.sql)


def slot(name: str, *, has_default: bool = False) -> Slot:
    return Slot(name=name, type="integer", category="N", has_default=has_default, values=Values(), loose=Values())


@given(data=st.data())
def test_arguments_without_a_default_are_always_given(data: st.DataObject) -> None:
    verb = Verb(name=QName("public", "f"), slots=(slot("a"), slot("b", has_default=True)), many=False)
    program = data.draw(programs_about(verb, Vocabulary(nouns=(), verbs=(verb,)), Profile.API))
    for line in program.lines:
        assert '"a" => ' in line.sql


@given(data=st.data())
def test_arguments_without_a_name_are_given_in_their_places(data: st.DataObject) -> None:
    verb = Verb(name=QName("public", "f"), slots=(slot(""), slot("", has_default=True)), many=False)
    program = data.draw(programs_about(verb, Vocabulary(nouns=(), verbs=(verb,)), Profile.API))
    for line in program.lines:
        assert "=>" not in line.sql
        assert line.sql.count("::integer") == 2


@given(data=st.data())
def test_one_argument_without_a_name_puts_all_in_their_places(data: st.DataObject) -> None:
    verb = Verb(name=QName("public", "f"), slots=(slot("a"), slot("", has_default=True)), many=False)
    program = data.draw(programs_about(verb, Vocabulary(nouns=(), verbs=(verb,)), Profile.API))
    for line in program.lines:
        assert "=>" not in line.sql
        assert line.sql.count("::integer") == 2


@given(data=st.data())
def test_many_arguments_are_given_as_one_array_also_where_they_have_a_default(data: st.DataObject) -> None:
    """A call by names is only understood with VARIADIC (PostgreSQL docs: "Functions with Variable Arguments")."""
    many = replace(slot("b", has_default=True), type="integer[]", element="integer", variadic=True)
    verb = Verb(name=QName("public", "f"), slots=(slot("a"), many), many=False)
    program = data.draw(programs_about(verb, Vocabulary(nouns=(), verbs=(verb,)), Profile.API))
    for line in program.lines:
        assert ', VARIADIC "b" => ARRAY[' in line.sql


@given(data=st.data())
def test_what_has_no_equality_is_only_compared_as_text(data: st.DataObject) -> None:
    said = text(condition(data.draw, (PLACE, replace(PLACE, name="json", type="json", category="J"))))
    assert not any(operator in said for operator in (" = ", " IN ", " > ", "DISTINCT"))


def test_what_makes_a_row_ones_own_are_the_links_of_a_row_of_ones_own() -> None:
    org, writer = (replace(ID, name=name) for name in ("org_id", "writer_id"))
    links = tuple(Link(columns=(name,), parent=LOG.name, parent_columns=("id",)) for name in ("org_id", "id"))
    draft = {"id": "o-2", "org_id": "o-3", "writer_id": "o-4"}
    noun = replace(NOTES, updatable=(ID, org, writer, BODY), links=links, drafts=(draft,))
    assert [(cell.column, text(cell.expression)) for cell in taking(noun)] == [("org_id", "'o-3'::uuid")]
    assert taking(replace(noun, drafts=())) == []


def test_a_row_of_defaults_stands_alone() -> None:
    noun = replace(NOTES, insertable=())
    for number in range(200):
        line = _line_of(insert, noun, number)
        assert "DEFAULT VALUES, " not in line.sql


def test_a_write_inside_with_is_the_same_statement() -> None:
    """Its values may hold braces: json documents, arrays."""
    body = replace(BODY, type="jsonb", values=Values(own=('{"a": {}}',)))
    noun = replace(NOTES, readable=(ID, body), insertable=(ID, body), updatable=(body,))
    for number in range(200):
        line = _line_of(write_in_cte, noun, number)
        assert "{{" not in line.sql


def _line_of(writing: Writing, noun: Noun, number: int) -> Line:
    found: list[Line] = []

    @seed(number)
    @settings(max_examples=2, phases=[Phase.generate], database=None)
    @given(_drawn(lambda draw: writing(draw, ALL, noun)))
    def draw(line: Line) -> None:
        found.append(line)

    draw()
    return found[-1]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([], "false"),
        ([("1", "b"), ("2", "d")], """(("id"::text, "x"::text) IN (VALUES ('1', 'b'), ('2', 'd')))"""),
        ([("1", None)], """(ROW("id"::text, "x"::text) IS NOT DISTINCT FROM ROW('1', NULL))"""),
        (
            [(None, None), ("2", "d")],
            """(("id"::text, "x"::text) IN (VALUES ('2', 'd')) """
            """OR ROW("id"::text, "x"::text) IS NOT DISTINCT FROM ROW(NULL, NULL))""",
        ),
    ],
)
def test_a_key_may_hold_nulls_where_all_columns_are_the_key(keys: Sequence[Key], expected: str) -> None:
    assert text(has_key_of(("id", "x"), keys)) == expected


DRAWS = """\
import sys
sys.path.insert(0, {home!r})
import constants
from hypothesis import Phase, given, seed, strategies as st
from tenantproof.engine.interference.drawing import by_seed_alone, drawing

@drawing(300, [Phase.generate])
@seed(1)
@given(st.lists(st.integers(0, 10**9), min_size=5, max_size=5))
def draw(numbers):
    print(numbers)

with by_seed_alone():
    draw()
"""


def test_the_seed_alone_says_what_is_drawn_and_nothing_is_left_behind(tmp_path: Path) -> None:
    """Hypothesis would mix in constants of modules that are not installed, and keep them in the working directory."""
    said = []
    for name, written in (("plain", ""), ("telling", f"NUMBERS = {list(range(123456700, 123456799))}")):
        home = tmp_path / name
        home.mkdir()
        (home / "constants.py").write_text(written)
        command = [sys.executable, "-c", DRAWS.format(home=str(home))]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=True)
        said.append(done.stdout)
        assert [path.name for path in home.iterdir()] == ["constants.py"]

    assert len(said[0].splitlines()) > 100
    assert said[0] == said[1]
