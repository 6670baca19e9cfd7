"""YAML 1.2 as text meets it: scalars, marks and what the tree survives."""

from __future__ import annotations

import pytest

from tenantproof.core.errors import ScenarioError
from tenantproof.scenario.names import split
from tenantproof.scenario.parsing import parse
from tenantproof.scenario.positions import Path, dotted, printable, shown
from tenantproof.scenario.scalars import Value, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            (word, word)
            for word in ("yes", "no", "on", "off", "Y", "2027-03-01", "1_000", "0b1", "1:30", ".inf", ".nan")
        ),
        *((word, None) for word in ("", "~", "null", "Null", "NULL")),
        *((word, True) for word in ("true", "True", "TRUE")),
        *((word, False) for word in ("false", "False", "FALSE")),
        ("012", 12),
        ("-7", -7),
        ("0o17", 15),
        ("0xFf", 255),
        ("1.50", 1.5),
        (".5e1", 5.0),
        ("1e999", "1e999"),
        ("9" * 101, "9" * 101),
        (".", "."),
    ],
)
def test_core_schema(text: str, value: Value) -> None:
    """The core schema of YAML 1.2, except for numbers that JSON cannot hold."""
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_positions_survive_line_ends_and_bom(end: str, mark: str) -> None:
    """Lines and columns are the editor's."""
    document = parse("x", (mark + end.join(["a: 1", "b:", "  c: é x", "  d: [1, zwei]"])).encode())
    assert document.root.plain() == {"a": 1, "b": {"c": "é x", "d": [1, "zwei"]}}
    spots = {path: document.value_spot(path) for path in document.walk()}
    assert (spots["b", "c"].line, spots["b", "c"].column, spots["b", "c"].span) == (3, 6, 3)
    assert (spots["b", "d", 1].line, spots["b", "d", 1].column) == (4, 10)
    assert document.key_spot(("b", "d")).column == 3


def test_missing_paths_fall_back_to_what_is_there() -> None:
    """A problem of something that is absent points at what should hold it."""
    document = parse("x", b"a:\n  b: 1\n")
    assert document.key_spot(("a", "nope", "deeper")).line == 1
    assert document.value_spot(("a", "b", "deeper")).line == 2
    assert document.value_spot(("nope",)).line == 1
    assert document.text(("a",)) == ""
    assert document.node(("a", 0)) is None


def test_keys_are_text() -> None:
    """`on`, `1` and `null` are names where names are expected."""
    assert list(parse("x", b"on: 1\n1: 2\nnull: 3\ntrue: 4\n").root.values) == ["on", "1", "null", "true"]


def test_aliases_are_followed() -> None:
    """An alias is the value it names; a later anchor of the same name wins."""
    document = parse("x", b"a: &v {x: 1}\nb: *v\nc: &v 2\nd: *v\n")
    assert document.root.plain() == {"a": {"x": 1}, "b": {"x": 1}, "c": 2, "d": 2}
    assert not document.problems


def test_text_tags_are_text() -> None:
    """`!!str` says that a number is text, which is no surprise."""
    assert parse("x", b"a: !!str 12\nb: ! 12\n").root.plain() == {"a": "12", "b": "12"}


def test_block_scalars() -> None:
    """Long SQL may stand on its own lines."""
    document = parse("x", b"a: |\n  select 1\n  from t\nb: 2\n")
    assert document.root.plain() == {"a": "select 1\nfrom t\n", "b": 2}
    assert document.value_spot(("a",)).span == 1


def test_problems_collect() -> None:
    """Duplicate keys do not hide each other, and the first one counts."""
    document = parse("x", b"a: 1\na: 2\nb: {c: 1, c: 2}\n? [x]\n: 1\n? \n: 2\n")
    assert [problem.code for problem in document.problems] == ["duplicate-key", "duplicate-key", "bad-key", "bad-key"]
    assert document.root.plain() == {"a": 1, "b": {"c": 1}}


def test_fatal_keeps_what_was_found_before() -> None:
    """An early duplicate is reported even where the file cannot be read to its end."""
    with pytest.raises(ScenarioError) as caught:
        parse("x", b"a: 1\na: 2\nb: *nope\n")
    assert [problem.code for problem in caught.value.problems] == ["duplicate-key", "alias"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ("a",)),
        ("a.b.c", ("a", "b", "c")),
        ('"a.b".c', ("a.b", "c")),
        ('a."B ""x"""', ("a", 'B "x"')),
        ("Mixed Case", ("Mixed Case",)),
        *((text, None) for text in ("", ".", "a.", ".a", "a..b", '"a', 'a"b', '""', '"a"b', " a", "a. b")),
    ],
)
def test_names(text: str, parts: tuple[str, ...] | None) -> None:
    """Dotted names with SQL's quotes."""
    assert split(text) == parts


def test_printing() -> None:
    """Nothing from a file moves the terminal."""
    path: Path = ("a", 1, "b\x1b")
    assert printable("a\tb\x1b[0m\u202e") == "a b\ufffd[0m\ufffd"
    assert shown("x" * 99) == "'" + "x" * 57 + "...'"
    assert dotted(path) == "a.1.b\ufffd"
