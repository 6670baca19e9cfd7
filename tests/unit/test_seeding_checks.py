"""CHECK constraints as pg_get_constraintdef prints them, read as hints."""

from __future__ import annotations

import random
import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantproof.seeding.checks import Comparison, Hints, literals_of, read_checks, read_domain_checks
from tenantproof.seeding.patterns import accepts, matching


@pytest.mark.parametrize(
    ("definition", "column", "hints"),
    [
        ("CHECK ((status = ANY (ARRAY['a'::text, 'b, c'::text])))", "status", Hints(choices=("a", "b, c"))),
        (
            "CHECK (((kind)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying])::text[])))",
            "kind",
            Hints(choices=("x", "y")),
        ),
        ("CHECK ((n = ANY (ARRAY[1, 2, 3])))", "n", Hints(choices=("1", "2", "3"))),
        ("CHECK (((a = 1) OR (a = 2)))", "a", Hints(choices=("1", "2"))),
        ("CHECK ((mode = 'it''s'::text))", "mode", Hints(choices=("it's",))),
        ("CHECK (((score >= 0) AND (score <= 10)))", "score", Hints(low=Decimal(0), high=Decimal(10))),
        ("CHECK ((lat > ('-90'::integer)::numeric))", "lat", Hints(low=Decimal(-89))),
        ("CHECK (((price IS NULL) OR (price > 0.5)))", "price", Hints(low=Decimal("0.6"))),
        ("CHECK ((n <> 7)) NOT VALID", "n", Hints(excluded=frozenset({"7"}))),
        ("CHECK ((char_length(name) >= 3))", "name", Hints(min_length=3)),
        ("CHECK ((length(TRIM(BOTH FROM name)) > 0))", "name", Hints(min_length=1)),
        ("CHECK ((length(btrim((name)::text)) <= 20))", "name", Hints(max_length=20)),
        ("CHECK ((slug ~ '^[a-z]+$'::text)) NO INHERIT", "slug", Hints(patterns=("^[a-z]+$",))),
        ("CHECK ((url ~~ 'https://%'::text))", "url", Hints(patterns=("^https://[a-z0-9]{6}$",))),
        ("CHECK ((email = lower(email)))", "email", Hints(lower=True)),
        ("CHECK ((upper(code) = code))", "code", Hints(upper=True)),
        ("CHECK ((jsonb_typeof(\"my data\") = 'array'::text))", "my data", Hints(json_type="array")),
    ],
)
def test_usual_checks(definition: str, column: str, hints: Hints) -> None:
    assert read_checks([definition]).columns == {column: hints}


def test_several_checks_of_one_column_hold_together() -> None:
    rules = read_checks(["CHECK ((char_length(slug) <= 9))", "CHECK (((slug ~ 'a'::text) AND (slug = lower(slug))))"])
    assert rules.of("slug") == Hints(max_length=9, patterns=("a",), lower=True)


@pytest.mark.parametrize(
    ("definition", "comparison"),
    [
        ("CHECK ((ends_at > starts_at))", Comparison(left="starts_at", op="<", right="ends_at")),
        ("CHECK (((b IS NULL) OR (a <= b)))", Comparison(left="a", op="<=", right="b")),
        ("CHECK ((a <> b))", Comparison(left="a", op="<>", right="b")),
    ],
)
def test_comparisons(definition: str, comparison: Comparison) -> None:
    assert read_checks([definition]).comparisons == (comparison,)


@pytest.mark.parametrize(
    "definition",
    [
        "CHECK ((num_nonnulls(a, b) = 1))",
        "CHECK (((a IS NULL) OR (b IS NULL)))",
        "CHECK (((a IS NULL) <> (b IS NULL)))",
    ],
)
def test_alternatives(definition: str) -> None:
    assert read_checks([definition]).alternatives == (("a", "b"),)


def test_domains_speak_of_value() -> None:
    assert read_domain_checks(["CHECK (((VALUE >= 1) AND (VALUE <= 5)))"]) == Hints(low=Decimal(1), high=Decimal(5))


def test_what_is_not_understood_demands_nothing() -> None:
    assert read_checks(["CHECK (((a % 10) = 0))", "CHECK (f(a, 'x; AND (y'::text))"]).columns == {}


def test_literals_are_what_a_repair_tries() -> None:
    found = literals_of("CHECK (((kind = 'it''s'::text) AND (weight > '-5'::integer)) OR (n2 = 10))")
    assert found == ("it's", "-5", "10")


@given(st.text(alphabet="()'\"[]=<>,: abANDOR1%", max_size=60))
def test_any_text_is_read_without_error(text: str) -> None:
    read_checks([f"CHECK ({text})"])


@pytest.mark.parametrize(
    "pattern",
    [
        "^[A-Z]{3}-[0-9]{4}$",
        "^[a-z0-9]+(-[a-z0-9]+)*$",
        r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$",
        r"^\d+\.\d+\.\d+$",
        "^#([0-9a-f]{6}|[0-9a-f]{3})$",
        "^[[:alpha:]][[:alnum:]_]*$",
        "^(GET|POST)$",
        "^[^/]+/[^/]+$",
        r"^https?://",
        r"(?i)^abc$",
    ],
)
def test_patterns_are_met_and_vary(pattern: str) -> None:
    made = {matching(pattern, random.Random(number)) for number in range(20)}
    assert None not in made
    assert all(accepts(pattern, text or "") for text in made)


def test_a_pattern_that_python_cannot_read_gives_nothing() -> None:
    assert matching("[", random.Random(1)) is None
    assert not accepts("[", "a")
    assert re.fullmatch("[a-z]{2}", matching("^[a-z]{2}$", random.Random(1)) or "")
