"""What an attempt writes into the seeded rows: values that are valid, changes that give the row to somebody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tenantproof.channels.columns import constant, harmless
from tenantproof.channels.matrix.update import move_rows, steal_rows
from tenantproof.channels.stand import Stand
from tenantproof.core.catalog import Column, Relation, RelationKind
from tenantproof.core.model import (
    Command,
    Database,
    Locator,
    Member,
    Persona,
    PersonaKind,
    Platform,
    QName,
    Scenario,
    Tenancy,
)
from tenantproof.core.world import Draft, Row
from tenantproof.oracle.entitlement import Oracle

NOTES = QName("public", "notes")
IDS = {"acme": "a", "globex": "g"}
ME = Persona(name="acme.me", kind=PersonaKind.MEMBER, user_id="u", memberships=(Member(tenant="acme", role=None),))


def text(name: str, position: int, **more: str) -> Column:
    return Column(
        name=name,
        position=position,
        type="text",
        base_type="pg_catalog.text",
        category="S",
        not_null=True,
        default=more.get("default"),
    )


def stand(title: str, *writable: str) -> Stand:
    columns = (text("org", 1), text("title", 2, default=title), text("body", 3))
    relation = Relation(name=NOTES, kind=RelationKind.TABLE, owner="o", rls=True, force_rls=False, columns=columns)
    tenancy = Tenancy(tenant=Locator(path=("org",)))
    scenario = Scenario(
        name="s", path="s.yaml", database=Database(platform=Platform.POSTGRES, migrations=()), tenants=()
    )
    return Stand(
        persona=ME,
        relation=relation,
        through=NOTES,
        visible=frozenset(relation.column_names),
        tenancy=tenancy,
        rows=(Row(key=("a",), tenant="a", owner=None), Row(key=("g",), tenant="g", owner=None)),
        drafts=tuple(Draft(relation=NOTES, tenant=t, owner=None, values={"org": t, "body": "b"}) for t in IDS.values()),
        oracle=Oracle(scenario, {NOTES: tenancy}, IDS),
        tenant_ids=IDS,
        privileges=frozenset(("UPDATE", name) for name in writable),
        consulted=False,
        watch=dict.fromkeys(Command, (NOTES,)),
        referring=(),
        plain_columns=("title", "body"),
    )


@pytest.mark.parametrize(
    ("default", "value"),
    [("''::text", ""), ("'it''s'::text", "it's"), ("7", "7"), ("now()", None), ("'a' || b", None)],
)
def test_a_column_that_no_draft_fills_keeps_a_constant_default(default: str, value: str | None) -> None:
    assert constant(stand(default, "title"), "title") == value


def test_a_column_with_a_known_value_is_written_first() -> None:
    assert harmless(stand("''::text", "title", "body"), "UPDATE") == "title"
    assert harmless(stand("now()", "title", "body"), "UPDATE") == "body"


def test_what_does_not_say_whose_a_row_is_moves_none() -> None:
    """With the tenant's column out of reach, nothing is left but to break a composite key."""
    fixed = stand("''::text", "body")
    assert not [*move_rows(fixed), *steal_rows(fixed)]
    free = replace(fixed, privileges=frozenset({("UPDATE", None)}))
    assert [*move_rows(free)]
    assert [*steal_rows(free)]
