"""Hints: what is allowed in a scenario and hardly meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantproof.core.model import QName
from tenantproof.scenario import load_scenario
from tenantproof.scenario.hints import Known, hints_of

HEAD = """version: 1
database: {platform: postgres}
session: {role: app}
tenants: [acme, globex]
roles: [owner, member]
membership: {table: members, user: user_id, tenant: org_id, role: role}
"""


def hints(tmp_path: Path, body: str, known: Known | None = None) -> list[tuple[str, int]]:
    path = tmp_path / "x.tenancy.yaml"
    path.write_text(HEAD + body)
    found = hints_of(load_scenario(path), known)
    assert all(problem.level == "warning" and ": warning[" in problem.render() for problem in found)
    return [(problem.code, problem.line) for problem in found]


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ("docs: {select: tenant, write: {owner: tenant}}", []),
        ("docs: {select: tenant, read: all}", ["never-speaks"]),
        ("docs: {select: {owner: all}, read: tenant}", []),
        ("docs: {all: {owner: all, member: own, anon: none, outsider: none, '*': tenant}}", ["never-speaks"]),
        ("docs: {read: tenant, write: tenant, all: none}", ["never-speaks"]),
        ("docs: {select: own, update: tenant}", ["written-unread"]),
        ("docs: {select: own, insert: tenant}", []),
        ("docs: {select: {owner: tenant, member: none}, delete: {owner: tenant, member: own}}", ["written-unread"]),
        ("docs: {select: {where: open}, update: tenant}", []),
        ("docs: {select: {anon: none, '*': tenant}, update: tenant}", []),
    ],
)
def test_lines_of_expect(tmp_path: Path, line: str, codes: list[str]) -> None:
    """A line that never speaks, and a write that nobody could read; who owns nothing writes nothing by `own`."""
    assert [code for code, _line in hints(tmp_path, f"expect:\n  {line}\n")] == codes


def test_the_place_is_that_of_the_line(tmp_path: Path) -> None:
    body = "expect:\n  docs:\n    select: tenant\n    read: all\n"
    assert hints(tmp_path, body) == [("never-speaks", 10)]


def test_tables_that_nobody_speaks_of(tmp_path: Path) -> None:
    """Neither the scenario nor the structure tells whose the rows are."""
    docs, notes, tags = (QName("public", name) for name in ("docs", "notes", "tags"))
    known = Known(relations=frozenset({docs, notes, tags}), decided=frozenset({tags}))
    assert hints(tmp_path, "tables: {docs: {tenant: org_id}}\n", known) == [("unmentioned-table", 7)]
    assert hints(tmp_path, "tables: {docs: {tenant: org_id}, notes: undecided}\n", known) == []


def test_roles_that_nobody_has(tmp_path: Path) -> None:
    """A role that the column may not hold, and a value of the column that `roles` does not name."""
    assert hints(tmp_path, "", Known(role_values={0: ("owner", "viewer")})) == [
        ("missing-role", 5),
        ("impossible-role", 5),
    ]
    assert hints(tmp_path, "", Known(role_values={0: ("member", "owner")})) == []
