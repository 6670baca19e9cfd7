"""Schemas that are right and unusual: SQL, plain HTTP and the supabase client agree, and nobody raises an alarm."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from tests.rest.conftest import FIXTURES, standing_on

import tenantproof
from tenantproof.core.report import Report
from tenantproof.engine.rest import run as rest
from tenantproof.engine.rest.bench import RestBench, Stage
from tenantproof.engine.rest.calls import calls_of, computed_of
from tenantproof.engine.rest.keeping import Keeper
from tenantproof.engine.rest.speaking import Tongue
from tenantproof.targets.rest.client import Client
from tenantproof.targets.rest.server import serving

UNUSUAL = FIXTURES / "unusual"


def checked(name: str, *patches: Path) -> Report:
    return tenantproof.check(UNUSUAL / f"{name}.tenancy.yaml", patches=patches, attempts=0, via=["rest"])


def said(report: Report, words: str) -> list[str]:
    return [note for note in report.notes if words in note]


@pytest.mark.parametrize("name", ["shop", "ledger", "names"])
def test_a_correct_schema_is_silent(name: str, postgrest: Path) -> None:
    report = checked(name)

    assert report.findings == ()
    assert tenantproof.exit_code(report, strict=True) == 0
    assert said(report, "less by HTTP") == []
    assert said(report, "more by HTTP") == []
    assert said(report, "0 cells leak over HTTP")
    assert not [gap for gap in report.gaps if "over HTTP" in gap.reason or "client" in gap.object]
    (client,) = said(report, "supabase client")
    made, same, *_ = (int(word) for word in client.replace(":", " ").replace(";", " ").split() if word.isdigit())
    assert made == same > 25


def test_mistakes_in_an_unusual_schema_are_found(postgrest: Path) -> None:
    """Functions that take numbers, and relationships that are computed: no table shows what they do."""
    shop = UNUSUAL / "shop.tenancy.yaml"
    with ExitStack() as stack:
        standing = stack.enter_context(standing_on([UNUSUAL / "shop_leaks.sql"], shop, ["north.clerk"]))
        schemas = rest.exposed(standing.plan.scenario)
        place = stack.enter_context(serving(postgrest, rest.settings_for(standing, schemas)))
        client = stack.enter_context(Client(place.url))
        connection = stack.enter_context(psycopg.connect(standing.handle.conninfo, autocommit=True))
        plan = standing.plan
        stage = Stage(plan, Keeper(connection))
        bench = RestBench(client, Tongue(schemas), plan, plan.identities["north.clerk"], stage)
        found = [*calls_of(bench, schemas), *computed_of(bench, plan.relations)]

    assert {str(one.object) for one in found} == {"public.orders_of", "public.neighbours"}
