"""Which settings for single claims a database depends on, told from its texts."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.unit.functions import PLAIN

from tenantproof.core.catalog import Catalog, Column, Function, Policy, Relation, RelationKind
from tenantproof.core.model import QName
from tenantproof.identity.legacy import CLAIMS, LegacyClaims, legacy_claims, retold, stumbles_over_empty_claims

SUB, ROLE = "request.jwt.claim.sub", "request.jwt.claim.role"
ONLY_OLD = f"select nullif(current_setting('{SUB}', true), '')::uuid"
BOTH = f"select coalesce(current_setting('{SUB}', true), current_setting('{CLAIMS}', true)::jsonb ->> 'sub')::uuid"
TODAY = f"select (nullif(current_setting('{CLAIMS}', true), '')::jsonb ->> 'sub')::uuid"


def function(name: str, source: str) -> Function:
    return replace(PLAIN, name=QName(*name.split(".")), returns="text", volatility="s", source=source)


def catalog(*functions: Function, policy: str = "", default: str = "") -> Catalog:
    name = QName("public", "notes")
    policies = (
        Policy(name="p", table=name, command=None, permissive=True, roles=("public",), using=policy, check=None),
    )
    column = Column(
        name="a", position=1, type="text", base_type="pg_catalog.text", category="S", default=default or None
    )
    notes = Relation(
        name=name, kind=RelationKind.TABLE, owner="o", rls=True, force_rls=False, columns=(column,), policies=policies
    )
    return Catalog(server_version=180000, relations={name: notes}, functions=functions)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (catalog(function("auth.uid", ONLY_OLD)), LegacyClaims(told=(SUB,))),
        (catalog(function("auth.uid", BOTH)), LegacyClaims()),
        (catalog(function("auth.uid", TODAY)), LegacyClaims()),
        (catalog(function("auth.uid", TODAY), policy=f"(a = current_setting('{SUB}'::text, true))"), LegacyClaims()),
        (
            catalog(function("auth.uid", ONLY_OLD), function("auth.jwt", TODAY), default=f"current_setting('{ROLE}')"),
            LegacyClaims(told=(ROLE, SUB)),
        ),
        (catalog(policy=f"(a = current_setting('{SUB}'::text, true))"), LegacyClaims(told=(SUB,))),
        (catalog(function("auth.uid", f"{ONLY_OLD} -- or '{CLAIMS}'")), LegacyClaims(told=(SUB,))),
        (
            catalog(function("auth.uid", BOTH), function("public.act", f"select set_config('{SUB}', 'x', true)")),
            LegacyClaims(cleared=(SUB,)),
        ),
        (
            catalog(function("auth.uid", BOTH), function("storage.act", f"select set_config('{SUB}', 'x', true)")),
            LegacyClaims(),
        ),
        (catalog(), LegacyClaims()),
    ],
)
def test_single_claims_are_told_where_nothing_else_is_read(known: Catalog, expected: LegacyClaims) -> None:
    assert legacy_claims(known) == expected


def test_what_a_session_sets() -> None:
    claims = {"sub": "u", "app_metadata": {"a": 1}}
    legacy = LegacyClaims(told=(SUB, ROLE, "request.jwt.claim.app_metadata"), cleared=(SUB, "request.jwt.claim.x"))
    expected = {SUB: "u", ROLE: "", "request.jwt.claim.app_metadata": '{"a":1}', "request.jwt.claim.x": ""}
    assert dict(legacy.settings(claims)) == expected


def test_other_claims_are_told_in_both_forms() -> None:
    """A setting that the scenario declares itself is no claim of the token's."""
    declared = "request.jwt.claim.org"
    before = ((SUB, "a"), (ROLE, ""), (CLAIMS, '{"sub":"a","email":"e"}'), (declared, "acme"), ("search_path", "x"))
    found = list(retold(before, {"sub": "b", "role": "r"}))
    assert [name for name, _ in found] == [name for name, _ in before]
    told = dict(found)
    assert (told[SUB], told[ROLE], told[declared]) == ("b", "", "acme")
    assert json.loads(told[CLAIMS]) == {"sub": "b", "role": "r"}


@pytest.mark.parametrize(
    ("text", "stumbles"),
    [
        (BOTH, True),
        (TODAY, False),
        (ONLY_OLD, False),
        (f"select NULLIF ( pg_catalog.current_setting ( '{CLAIMS}', true), '')", False),
        (f"select coalesce(current_setting('{CLAIMS}'::text, true), '{{}}')::json", True),
        (f"/* current_setting('{CLAIMS}') */ select 1", False),
    ],
)
def test_who_reads_the_json_as_it_is(text: str, stumbles: bool) -> None:
    assert stumbles_over_empty_claims(catalog(function("public.who", text))) is stumbles
