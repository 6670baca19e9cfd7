"""The pgTAP suite as text: one transaction that is rolled back, and nothing in it that a name could break."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit import sample_reports as samples

from tenantproof.core.model import Command, QName
from tenantproof.core.suite import Actor, Look, Planting, Probe, Suite
from tenantproof.reports.pgtap import title_of, write_suite

SUITE = samples.SUITE


def written(suite: Suite) -> str:
    out = io.StringIO()
    write_suite(suite, out)
    return out.getvalue()


def statements(text: str) -> list[str]:
    """The lines that are neither empty nor a comment."""
    return [line for line in text.splitlines() if line and not line.startswith("--")]


def test_all_of_it_is_rolled_back() -> None:
    lines = statements(written(SUITE))
    assert lines[0] == "begin;"
    assert lines[-2:] == ["select * from finish();", "rollback;"]
    assert not re.search(r"(?im)^\s*(commit|create (?!temporary|function pg_temp\.))", written(SUITE))


def test_the_plan_is_the_number_of_tests() -> None:
    text = written(SUITE)
    assert "select plan(3);" in text
    assert len(re.findall(r"(?m)^select (?:is|isnt)\(", text)) == 3


def test_nothing_to_test_is_a_failure() -> None:
    text = written(Suite(scenario="x", tool_version="1", actors=(), plantings=(), probes=()))
    assert "select plan(1);" in text
    assert "select fail(" in text


def test_what_is_not_tested_is_said() -> None:
    assert "-- not tested: public.events: no rows\n" in written(SUITE)


@pytest.mark.parametrize("name", ["x # TODO later", "x # SKIP", "a\\# b", "a\nok 1 - b"])
def test_a_name_is_no_directive(name: str) -> None:
    """TAP reads "# TODO" after a test's name as: it may fail."""
    title = title_of(Probe(object=name, persona="p", command=Command.SELECT, aim="a", kind=Look.PERSONA, look=""))
    assert "\n" not in title
    assert not re.search(r"(?<!\\)(\\\\)*#", title)


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0")) | st.just(samples.HOSTILE_NAME)


@given(TEXTS, TEXTS, TEXTS)
def test_any_text_is_a_literal(name: str, value: str, look: str) -> None:
    """What stands outside of literals is ours alone, whatever names and values hold."""
    actor = Actor(name=name, role=name, login=None, settings=((name, value),))
    probe = Probe(object=name, persona=name, command=Command.SELECT, aim="a", kind=Look.PERSONA, look=look)
    planting = Planting(relation=QName(name or "x", name or "x"), columns=(name or "x",), rows=value)
    suite = Suite(scenario=name, tool_version=name, actors=(actor,), plantings=(planting,), probes=(probe,))
    plain = Suite(
        scenario="n", tool_version="n", actors=(actor_of("n"),), plantings=(planting_of("n"),), probes=(probe_of("n"),)
    )
    assert skeleton(written(suite)) == skeleton(written(plain))


def actor_of(name: str) -> Actor:
    return Actor(name=name, role=name, login=None, settings=((name, name),))


def probe_of(name: str) -> Probe:
    return Probe(object=name, persona=name, command=Command.SELECT, aim="a", kind=Look.PERSONA, look=name)


def planting_of(name: str) -> Planting:
    return Planting(relation=QName(name, name), columns=(name,), rows=name)


def skeleton(text: str) -> str:
    """The SQL after the helpers, without comments, literals and quoted names, as PostgreSQL's lexer sees them."""
    tokens = (
        r"""(?s)--[^\n]*|\$tenantproof\$.*?\$tenantproof\$| ?E'(?:[^'\\]|''|\\.)*'|'(?:[^']|'')*'|"(?:[^"]|"")*\""""
    )
    return re.sub(r"\s+", " ", re.sub(tokens, "_", text))


def test_golden() -> None:
    samples.assert_golden("report.pgtap.sql", written(SUITE))
