"""`fill:` and NULL in `values:`, from the file to the values."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantproof.core.errors import ScenarioError
from tenantproof.core.model import QName, Scenario
from tenantproof.scenario import load_scenario

HEAD = """version: 1
database: {platform: postgres}
session: {role: app}
tenants: [acme, globex]
roles: [owner, viewer]
membership: {table: members, user: user_id, tenant: org_id, role: role, values: {left_at: null, note: "{n}"}}
"""


def load(tmp_path: Path, text: str) -> Scenario:
    path = tmp_path / "x.tenancy.yaml"
    path.write_text(HEAD + text)
    return load_scenario(path)


def test_fill_becomes_values(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        """fill:
  - {table: contracts, sql: "SELECT sign('{tenant.id}', '{uuid}')"}
  - {as: owner, sql: "SELECT 1 -- {user.id} {n} {canary} {role}"}
""",
    ).fills
    assert [(fill.table, fill.role) for fill in found] == [(QName("public", "contracts"), None), (None, "owner")]
    assert found[0].sql == "SELECT sign('{tenant.id}', '{uuid}')"
    assert found[1].place is not None
    assert found[1].place.line == 9


def test_fill_may_be_empty_or_missing(tmp_path: Path) -> None:
    assert load(tmp_path, "fill:\n").fills == ()
    assert load(tmp_path, "").fills == ()


def test_null_is_null(tmp_path: Path) -> None:
    scenario = load(tmp_path, "tables: {notes: {values: {gone_at: null, other: ~, text: 'null', n: 007}}}\n")
    values = scenario.tables[QName("public", "notes")].values
    assert values == {"gone_at": None, "other": None, "text": "null", "n": "007"}
    assert scenario.memberships[0].values == {"left_at": None, "note": "{n}"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fill: [{table: notes}]\n", "sql"),
        ("fill: [{sql: x, as: admin}]\n", "error[unknown-role] nobody has the role 'admin'"),
        ("fill: [{sql: 'SELECT {owner.id}'}]\n", "unknown placeholder '{owner.id}'"),
        ("fill: [{sql: x, table: members}]\n", "'members' holds the memberships"),
        ("fill: [{sql: x, tabel: notes}]\n", "did you mean 'table'? (known: as, sql, table)"),
        ("fill: {sql: x}\n", "fill"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        load(tmp_path, text)
    assert expected in str(raised.value)
    assert "x.tenancy.yaml:7:" in str(raised.value)
