"""The section `pooled` of a scenario: what it means, and what a user hears who wrote it wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantproof.channels.pooled.catalogue import POOLED_CHANNELS
from tenantproof.core.errors import ScenarioError
from tenantproof.core.model import Pooled, PoolKind, Snippet
from tenantproof.scenario import load_scenario

BASE = """\
version: 1
database: {platform: postgres}
session: {role: app}
tenants: [acme, globex]
"""


def loaded(folder: Path, section: str) -> Pooled | None:
    path = folder / "x.tenancy.yaml"
    path.write_text(f"{BASE}{section}\n")
    return load_scenario(path).pooled


def test_what_is_left_out_is_nothing(tmp_path: Path) -> None:
    assert loaded(tmp_path, "") is None
    found = loaded(tmp_path, "pooled: {begin: \"set app.t = '{tenant.id}';\"}")

    assert found is not None
    assert found.begin.statements == ("set app.t = '{tenant.id}'",)
    assert found.pools == ()
    assert found.anonymous is None
    assert found.on_error is None
    assert (found.checkout, found.release) == (Snippet(), Snippet())


def test_an_empty_list_is_something(tmp_path: Path) -> None:
    found = loaded(tmp_path, "pooled: {checkout: [a, b], release: [reset all], on_error: [], pools: [psycopg_pool]}")

    assert found is not None
    assert found.on_error is not None
    assert found.on_error.statements == ()
    assert found.checkout.statements == ("a", "b")
    assert found.pools == (PoolKind.PSYCOPG_POOL,)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("pooled: {begn: x}", "did you mean 'begin'?"),
        ("pooled: {begin: x, pools: [psycopgpool]}", "did you mean 'psycopg_pool'?"),
        ("pooled: {begin: x, pools: []}", "pooled.pools"),
        ("pooled: {begin: x, pools: [sqlalchemy, sqlalchemy]}", "the pool 'sqlalchemy' stands there twice"),
        ("pooled: {release: x}", "nothing here says how the application begins as a user"),
        ("pooled: {checkout: x, anonymous: y}", "`anonymous` comes in place of `begin`, and there is none"),
        ('pooled: {begin: "{tenant.idd}"}', "did you mean 'tenant.id'?"),
        ('pooled: {begin: "{owner.id}"}', "unknown placeholder '{owner.id}'"),
        ("pooled: {begin: 7}", "expected a statement, a list of statements or {callable: package.module:function}"),
        ("pooled: {begin: {callable: app.db}, pools: [sqlalchemy]}", "write it as package.module:function"),
        ('pooled: {begin: {callabel: "a:b"}, pools: [sqlalchemy]}', "did you mean 'callable'?"),
        ('pooled: {begin: {callable: "a:b"}}', "a function needs `pools`"),
        (
            'pooled: {release: {callable: "a:b"}, begin: x, pools: [sqlalchemy, psycopg_pool]}',
            "a function takes SQLAlchemy's Connection or psycopg's, not both",
        ),
        ("pooled:", "pooled"),
    ],
)
def test_mistakes(tmp_path: Path, section: str, said: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        loaded(tmp_path, section)
    assert said in str(raised.value)
    assert raised.value.problems[0].line == 5


def test_every_channel_and_pool_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "pooled.md").read_text(encoding="utf-8")
    table = {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")}

    assert table == {*POOLED_CHANNELS, *PoolKind}
