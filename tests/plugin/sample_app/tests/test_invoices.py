"""Tests of the application's own, as its personas."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenantproof.testing import queries


@pytest.mark.persona("acme.owner", "acme.clerk")
def test_members_see_the_invoices_of_their_organization(acting_as, tenancy, persona):
    mine = {row.key[0] for row in tenancy.rows("invoices") if row.tenant == tenancy.tenant_ids["acme"]}
    seen = {str(key) for (key,) in acting_as(persona).rows("select id from invoices")}
    assert mine
    assert seen == mine


def test_nothing_can_be_planted_elsewhere(acting_as, tenancy):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        acting_as("acme.owner").execute(
            "insert into invoices (organization_id, customer, total) values (%s, 'x', 1)",
            [tenancy.tenant_ids["globex"]],
        )


def test_what_a_test_writes_is_gone_afterwards(acting_as):
    first = acting_as("acme.owner")
    first.execute("delete from invoices")
    assert first.rows("select 1 from invoices") == []
    assert acting_as("acme.owner").rows("select 1 from invoices")


def test_invoices_are_isolated(assert_isolated):
    assert_isolated("invoices")


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_no_query_of_acme_shows_anything_of_globex(tenancy, data):
    query = data.draw(queries(tenancy, personas=["acme.owner", "acme.clerk"]))
    of_globex = {row.key[0] for row in tenancy.rows("invoices") if row.tenant == tenancy.tenant_ids["globex"]}
    shown = {str(value) for answer in query.run(tenancy) for row in answer.rows for value in row}
    assert not shown & of_globex
