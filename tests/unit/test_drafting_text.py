"""Names of any kind come back from the YAML that a draft writes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantproof.drafting import text
from tenantproof.scenario import names
from tenantproof.scenario.parsing import parse

STRANGE = [
    "plain",
    "with space",
    'quo"te',
    "apo'strophe",
    "both\"and'",
    "Ünï cødé",
    "日本",
    "select",
    "null",
    "true",
    "yes",
    "undecided",
    "123",
    "1e3",
    "a: b",
    "# no comment",
    "-",
    "*",
    "&x",
    "{a}",
    "[a]",
    "%",
    "@at",
    "a,b",
    "\N{LINE SEPARATOR}",
]
NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)


def read_back(written: str) -> str:
    """The one value of a flow mapping in a YAML file."""
    node = parse("x", f"key: {{value: {written}}}\n".encode()).root.plain()
    assert isinstance(node, dict)
    value = node["key"]["value"]
    assert isinstance(value, str)
    return value


@pytest.mark.parametrize("name", STRANGE)
def test_strange_names(name: str) -> None:
    assert read_back(text.scalar(name)) == name


@given(NAMES)
def test_any_name(name: str) -> None:
    assert read_back(text.scalar(name)) == name


@given(st.lists(NAMES.filter(text.expressible), min_size=1, max_size=3))
def test_dotted_names_come_apart_again(parts: list[str]) -> None:
    assert names.split(read_back(text.scalar(text.dotted(parts)))) == tuple(parts)


def test_flow() -> None:
    value = {"tenant": {"sql": "(a)[1]"}, "values": {"b c": "{n}"}, "shared": True, "roles": ["a", "b"], "rows": 3}
    document = parse("x", f"key: {text.flow(value)}\n".encode())
    assert document.root.plain() == {"key": value}
