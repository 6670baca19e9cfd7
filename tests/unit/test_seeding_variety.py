"""What varies among the rows of one tenant, and what must not: pure, from one table's description."""

from __future__ import annotations

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tenantproof.core.catalog import Column, Relation, RelationKind
from tenantproof.core.model import Locator, QName, Tenancy
from tenantproof.seeding.plan import TablePlan
from tenantproof.seeding.store import SeedRow
from tenantproof.seeding.variety import Kind, mixes, options_of, pinned_columns, variants


def column(name: str, category: str = "S", *, not_null: bool = True, default: str | None = None) -> Column:
    return Column(
        name=name,
        position=1,
        type="text",
        base_type="pg_catalog.text",
        category=category,
        not_null=not_null,
        default=default,
    )


def plan(*columns: Column, tenancy: Tenancy | None = None) -> TablePlan:
    relation = Relation(
        name=QName("public", "docs"),
        kind=RelationKind.TABLE,
        owner="postgres",
        rls=True,
        force_rls=False,
        columns=columns,
    )
    return TablePlan(relation=relation, tenancy=tenancy or Tenancy(), early=(), varies=True)


def enum_of(count: int, name: str) -> Column:
    return replace(column(name, "E"), enum_values=tuple(f"v{n}" for n in range(count)))


def test_the_plain_value_comes_first() -> None:
    table = plan()
    assert options_of(column("is_public", "B", default="false"), table) == ("false", "true")
    assert options_of(column("is_active", "B"), table) == ("true", "false")
    assert options_of(column("deleted_at", "D", not_null=False), table) == (None, Kind.FILLED)
    assert options_of(column("seen_at", "D", not_null=False), table) == (Kind.FILLED, None)
    assert options_of(column("amount", "N", default="0"), table) == (Kind.PLAIN, Kind.MADE)
    assert options_of(column("amount", "N"), table) == (Kind.PLAIN, "0")
    assert options_of(column("quantity", "N", default="1"), table) == (Kind.PLAIN, Kind.MADE, "0")


def test_what_gives_rights_does_not_vary() -> None:
    table = plan(column("is_super_admin", "B"), tenancy=Tenancy(tenant=Locator(sql="coalesce(area, realm)")))
    assert mixes(table, frozenset()) == ({},)
    assert {"area", "realm"} <= pinned_columns(table, {}, frozenset())
    assert mixes(replace(plan(column("open", "B")), varies=False), frozenset()) == ({},)


@given(st.lists(st.integers(2, 6), min_size=1, max_size=8))
def test_each_value_of_each_column_comes_up(sizes: list[int]) -> None:
    table = plan(*(enum_of(size, f"c{number}") for number, size in enumerate(sizes)))
    found = mixes(table, frozenset())
    assert len(found) <= 6
    for number, size in enumerate(sizes):
        assert {mix[f"c{number}"] for mix in found} == {f"v{n}" for n in range(size)}
    assert found == mixes(table, frozenset())


def test_two_flags_are_not_always_the_same() -> None:
    found = mixes(plan(column("a", "B"), column("b", "B"), enum_of(4, "state")), frozenset())
    assert {(mix["a"], mix["b"]) for mix in found} == set(itertools.product(("true", "false"), repeat=2))


def test_a_refused_row_is_tried_filled_and_emptied_and_last_of_all_plain() -> None:
    row = SeedRow(
        values={"status": "sent", "sent_at": None, "other": "x"},
        plain={"status": "new", "sent_at": None, "other": "y"},
        filled={"sent_at": "2026-01-01"},
    )
    found = list(variants(row, frozenset({"status", "sent_at"})))
    assert found[0] == {"status": "sent", "sent_at": "2026-01-01"}
    assert found[-1] == row.plain
