"""Patterns of names, and names that look like something they are not."""

from __future__ import annotations

import pytest

from tenantproof.engine.services.names import full_width, odd_names, resembling
from tenantproof.engine.services.patterns import ID, USER, Pattern, literals_in, pattern_of
from tenantproof.engine.services.storage_sql import is_valid_key, listing

ACME, ANNA = "e88156d6-32b0-4275-a91a-ce9c7a03a1a1", "8b6e9287-6eb3-40f7-8144-06042e937293"
VALUES = {ID: ACME, USER: ANNA, "tenant.slug": "acme"}


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        (f"{ACME}/{ANNA}/1.pdf", "{tenant.id}/{user}/1.pdf"),
        (f"org:{ACME}", "org:{tenant.id}"),
        ("sites/acme/index.html", "sites/{tenant.slug}/index.html"),
        ("acmes/1.pdf", "acmes/1.pdf"),
        (f"x{ACME}", f"x{ACME}"),
    ],
)
def test_values_that_stand_alone_become_slots(text: str, pattern: str) -> None:
    """And filling the pattern gives the text again."""
    found = pattern_of(text, VALUES)

    assert found == Pattern(pattern)
    assert found.filled(VALUES) == text


def test_a_number_is_not_the_beginning_of_another() -> None:
    assert pattern_of("org:12", {ID: "1"}) == Pattern("org:12")
    assert pattern_of("org:1:room", {ID: "1"}) == Pattern("org:{tenant.id}:room")


def test_a_pattern_that_lacks_a_value_has_no_text() -> None:
    assert Pattern("{tenant.id}/{user}").filled({ID: ACME}) is None


def test_literals_of_expressions_leave_out_the_wildcard() -> None:
    assert list(literals_in(["a like 'org:%' and b = 'it''s' or c = 'org:'"])) == ["org:", "it's"]


def test_odd_names_differ_from_the_plain_one_and_from_each_other() -> None:
    names = [name for _, name in odd_names("globex/f.txt", "globex", "acme")]
    assert len(names) == len({*names, "globex/f.txt"}) - 1
    assert {"/globex/f.txt", "globex//f.txt", "acme/../globex/f.txt", "GLOBEX/f.txt", "globex/acme/f.txt"} <= {*names}


def test_tenants_can_be_called_like_others_but_not_the_same() -> None:
    values = [value for _, value in resembling("globex")]
    assert "globex" not in values
    assert {"globe", "%", "GLOBEX", "", full_width("globex")} <= {*values}


@pytest.mark.parametrize(
    ("name", "valid"), [("acme/a b(1).pdf", True), ("acme/../x", True), ("%/x", False), ("a\\b", False), ("é", False)]
)
def test_keys_that_storage_takes(name: str, valid: bool) -> None:
    assert is_valid_key(name) is valid


def test_a_listing_takes_wildcards_of_a_name_as_they_are() -> None:
    assert listing("files", "50%_") != listing("files", "50")
    assert r"50\\%\\_%" in listing("files", "50%_")
