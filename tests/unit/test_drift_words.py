"""What drift makes of expressions, bodies and long texts before it compares or shows them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantproof.core.catalog import Function
from tenantproof.core.drift import Difference, Direction, Drift, worst_first
from tenantproof.core.finding import Severity
from tenantproof.core.model import QName
from tenantproof.drift.body import meaning
from tenantproof.drift.names import is_platform_role
from tenantproof.drift.wording import bare, privilege_words
from tenantproof.reports.drift_terminal import excerpts
from tenantproof.targets.live import has_password


def function(source: str, language: str = "plpgsql") -> Function:
    return Function(
        name=QName("public", "f"),
        identity="",
        arguments=(),
        returns="void",
        returns_set=False,
        language=language,
        kind="f",
        volatility="v",
        security_definer=False,
        leakproof=False,
        owner="postgres",
        settings=(),
        executable_by=frozenset(),
        source=source,
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("begin return 1; end", "BEGIN\n  RETURN 1;  -- one\nEND;", True),
        ("select 'A'", "select 'a'", False),
        ('select "A"', 'select "a"', False),
        ("select a b", "select ab", False),
        ("select 1 /* x */ + 1", "select 1 + 1", True),
        ("select $$x  y$$", "select $$x y$$", False),
    ],
)
def test_bodies_are_compared_by_what_they_say(one: str, other: str, same: bool) -> None:
    assert (meaning(function(one)) == meaning(function(other))) is same


def test_bodies_in_other_languages_are_compared_as_they_are() -> None:
    assert meaning(function("return  1", "plpython3u")) != meaning(function("return 1", "plpython3u"))
    assert meaning(function("return 1\r\n", "plpython3u")) == meaning(function("return 1\n", "plpython3u"))


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("((a = b))", "a = b"),
        ("(a) = (b)", "(a) = (b)"),
        ("((x = ')('))", "x = ')('"),
        ("true", "true"),
        (None, ""),
        ("(a\n  and b)", "a and b"),
    ],
)
def test_parentheses_around_the_whole_are_left_out(expression: str | None, shown: str) -> None:
    assert bare(expression) == shown


def test_privileges_name_their_columns() -> None:
    held = [("UPDATE", "b"), ("SELECT", None), ("UPDATE", "a")]
    assert privilege_words(held) == "SELECT, UPDATE (a, b)"


@given(st.text(max_size=900), st.text(max_size=900))
def test_excerpts_are_short_and_differ_where_the_texts_do(ours: str, live: str) -> None:
    here, there = excerpts(ours, live)
    assert max(len(here), len(there)) <= 400
    if ours != live:
        assert (here, there) == (ours, live) or here != there or len(ours) > 240


def test_excerpts_show_what_differs_in_the_middle() -> None:
    common = "x" * 400
    here, there = excerpts(f"{common}one{common}", f"{common}two{common}")
    assert "one" in here
    assert "two" in there
    assert here.startswith("…")
    assert here.endswith("…")


@pytest.mark.parametrize(
    ("name", "platform"),
    [("supabase_admin", True), ("pg_monitor", True), ("anon", False), ("authenticated", False), ("metabase", False)],
)
def test_roles_of_the_platform(name: str, platform: bool) -> None:
    assert is_platform_role(name) is platform


@pytest.mark.parametrize(
    ("dsn", "told"),
    [
        ("postgresql://me:pw@host/db", True),
        ("host=x password=y", True),
        ("postgresql://me@host/db", False),
        ("env:NAME", False),
    ],
)
def test_passwords_in_dsns(dsn: str, told: bool) -> None:
    assert has_password(dsn) is told


def test_the_worst_comes_first_and_the_gate_is_a_threshold() -> None:
    differences = tuple(
        Difference(kind="x", severity=s, direction=Direction.DIFFERENT, object="o", migrations="a", live="b")
        for s in (Severity.LOW, Severity.CRITICAL, Severity.MEDIUM)
    )
    drift = Drift(
        scenario="s", scenario_path="p", server_version="18", against=("x",), differences=worst_first(differences)
    )
    assert [d.severity for d in drift.differences] == [Severity.CRITICAL, Severity.MEDIUM, Severity.LOW]
    assert len(drift.gating(Severity.MEDIUM)) == 2
