"""Keys that the expression of a tenant implies: read from its text, nothing asks a database."""

from __future__ import annotations

import pytest

from tenantproof.core.catalog import Catalog, Column, Relation, RelationKind
from tenantproof.core.model import Locator, QName, Tenancy
from tenantproof.seeding.branches import branches
from tenantproof.seeding.expressions import parse
from tenantproof.seeding.softkeys import keys_of


def relation(name: str, *columns: str) -> Relation:
    made = tuple(
        Column(name=column, position=n, type="uuid", base_type="pg_catalog.uuid", category="U", not_null=True)
        for n, column in enumerate(columns, 1)
    )
    return Relation(
        name=QName("public", name), kind=RelationKind.TABLE, owner="o", rls=True, force_rls=False, columns=made
    )


ITEM = relation("item", "id", "invoice_id", "Rechnung")
INVOICE = relation("invoice", "id", "org_id")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(select t0.org_id from public.invoice t0 where t0.id = invoice_id)", ("invoice_id", "id")),
        ("(SELECT org_id FROM invoice AS i WHERE item.invoice_id = i.id)", ("invoice_id", "id")),
        ('(select i.org_id from "invoice" i where i.id::text = (item."Rechnung")::text)', ("Rechnung", "id")),
        ("(select org_id from invoice where id = invoice_id)", ("invoice_id", "id")),
        ("(select org_id from invoice i join other o on o.x = i.id where i.id = item.id)", ("id", "id")),
        ("split_part(invoice_id, ':', 2)", None),
        ("(select org_id from missing m where m.id = invoice_id)", None),
        ("(select org_id from invoice i where i.id = i.org_id)", None),
    ],
)
def test_what_a_sub_select_says_of_a_column(text: str, expected: tuple[str, str] | None) -> None:
    catalog = catalog_of(ITEM, INVOICE)
    found = keys_of(ITEM, Tenancy(tenant=Locator(sql=text)), catalog)
    assert [(key.columns, key.references, key.ref_columns) for key in found] == (
        [((expected[0],), INVOICE.name, (expected[1],))] if expected else []
    )


def catalog_of(*relations: Relation) -> Catalog:
    return Catalog(server_version=180000, relations={found.name: found for found in relations})


def test_each_arm_of_a_case_is_a_way() -> None:
    """Also where the arms are operators that only the database understands."""
    node = parse("CASE kind WHEN 'image' THEN (content ? 'url') ELSE (content ? 'text') END")
    assert node is not None
    ways = [[(atom.node.text, atom.holds) for atom in way] for way in branches(node)]
    assert ways == [
        [("(kind) = ('image')", True), ("(content ? 'url')", True)],
        [("(kind) = ('image')", False), ("(content ? 'text')", True)],
    ]
