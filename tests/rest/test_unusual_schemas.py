"""Schemas that are right and unusual: SQL, plain HTTP and the supabase client agree, and nobody raises an alarm."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.rest.conftest import FIXTURES

import tenantproof
from tenantproof.core.report import Report

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
    report = checked("shop", UNUSUAL / "shop_leaks.sql")

    assert {(finding.channel, finding.object) for finding in report.findings} == {
        ("API-RPC", "public.orders_of"),
        ("API-RPC", "public.neighbours"),
    }
    assert tenantproof.exit_code(report) == 1
