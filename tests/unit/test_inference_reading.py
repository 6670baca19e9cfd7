"""Policies as tokens and facts: what is compared with what, and who the caller is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.functions import PLAIN

from tenantproof.catalog.inference.lexicon import is_pointer, names_key_of, singular, stems, strength, words
from tenantproof.catalog.inference.principals import USER, Principal
from tenantproof.catalog.inference.privileges import asks_nobody
from tenantproof.catalog.inference.reading import Facts, read_policies
from tenantproof.catalog.inference.roles import listed, ordered
from tenantproof.catalog.inference.tokens import after, bare, before, tokenize
from tenantproof.core.catalog import Argument, Catalog, Column, Function, Policy, Relation, RelationKind
from tenantproof.core.model import Command, QName

DOCS, MEMBERS = QName("public", "docs"), QName("public", "members")
ORG, OWNER = (DOCS, "org_id"), (DOCS, "owner_id")


def column(name: str, place: int, default: str | None = None) -> Column:
    return Column(name=name, position=place, type="uuid", base_type="pg_catalog.uuid", category="U", default=default)


def relation(name: QName, *columns: str, policies: tuple[Policy, ...] = ()) -> Relation:
    found = tuple(column(text, place) for place, text in enumerate(columns, 1))
    return Relation(
        name=name,
        kind=RelationKind.TABLE,
        owner="postgres",
        rls=True,
        force_rls=False,
        columns=found,
        policies=policies,
    )


def function(name: str, source: str, *arguments: str) -> Function:
    return replace(
        PLAIN,
        name=QName("app", name),
        arguments=tuple(Argument(name=argument, type="uuid") for argument in arguments),
        returns="uuid",
        volatility="s",
        security_definer=True,
        executable_by=frozenset(),
        source=source,
    )


def facts(using: str, *functions: Function) -> Facts:
    """What one SELECT policy on docs tells."""
    policy = Policy(
        name="p", table=DOCS, command=Command.SELECT, permissive=True, roles=("public",), using=using, check=None
    )
    relations = (
        relation(DOCS, "id", "org_id", "owner_id", "is_public", policies=(policy,)),
        relation(MEMBERS, "org_id", "user_id", "role"),
    )
    return read_policies(Catalog(server_version=180000, relations={r.name: r for r in relations}, functions=functions))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("a = b", [("a",), ("b",)]),
        ('"Org Id" = x."Y.Z"', [("Org Id",), ("x", "Y.Z")]),
        ("a -- b\n/* c */ = 'd''e'", [("a",)]),
        ("$$ body $$ = x", [("x",)]),
        ("Grüße = public.Ünï", [("grüße",), ("public", "ünï")]),
    ],
)
def test_names_in_tokens(text: str, names: list[tuple[str, ...]]) -> None:
    assert [token.parts for token in tokenize(text) if token.kind == "name"] == names


@pytest.mark.parametrize(
    ("text", "left", "right"),
    [
        ("(a)::text = b", ("a",), ("b",)),
        ("t.a = ANY (ARRAY['x'::text])", ("t", "a"), ()),
        ("x AND a = (b)::uuid", ("a",), ("b",)),
        ("lower(a) = b", (), ("b",)),
    ],
)
def test_operands(text: str, left: tuple[str, ...], right: tuple[str, ...]) -> None:
    tokens = tokenize(text)
    place = next(i for i, token in enumerate(tokens) if token.text == "=")
    assert (bare(before(tokens, place)), bare(after(tokens, place + 1))) == (left, right)


@pytest.mark.parametrize(
    ("using", "key", "principal"),
    [
        ("(owner_id = auth.uid())", OWNER, USER),
        ("(owner_id = ( SELECT auth.uid() AS uid))", OWNER, USER),
        ("(auth.uid() = owner_id)", OWNER, USER),
        (
            "(org_id = (((auth.jwt() -> 'app_metadata'::text) ->> 'org_id'::text))::uuid)",
            ORG,
            Principal("claim", ("app_metadata", "org_id")),
        ),
        (
            "(org_id = ((( SELECT auth.jwt() AS jwt) #>> '{app_metadata,tenant}'::text[]))::uuid)",
            ORG,
            Principal("claim", ("app_metadata", "tenant")),
        ),
        (
            "(org_id = (NULLIF(current_setting('app.tenant_id'::text, true), ''::text))::uuid)",
            ORG,
            Principal("setting", ("app.tenant_id",)),
        ),
        (
            "(org_id = ((current_setting('request.headers'::text, true))::json ->> 'x-org'::text)::uuid)",
            ORG,
            Principal("header", ("x-org",)),
        ),
        ("((owner_id)::text = current_setting('request.jwt.claim.sub'::text, true))", OWNER, USER),
    ],
)
def test_what_a_column_is_compared_with(using: str, key: tuple[QName, str], principal: Principal) -> None:
    assert facts(using).equal[key] == {principal}


def test_a_helper_stands_for_what_it_answers() -> None:
    """`org_id in (select app.my_orgs())` speaks of the membership, and the helper looks the caller up in it."""
    helper = function("my_orgs", "select m.org_id from public.members as m where m.user_id = (select auth.uid())")
    found = facts("(org_id IN ( SELECT app.my_orgs() AS my_orgs))", helper)
    assert (MEMBERS, "org_id") in found.links[ORG]
    assert found.asked == {MEMBERS}
    assert found.equal[MEMBERS, "user_id"] == {USER}


def test_an_argument_is_compared_with_what_the_parameter_is() -> None:
    helper = function(
        "is_member", "select exists (select from members where org_id = org and user_id = auth.uid())", "org"
    )
    assert (MEMBERS, "org_id") in facts("app.is_member(org_id)", helper).links[ORG]


def test_a_claim_by_its_name() -> None:
    helper = function("claim", "select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> k", "k")
    assert facts("((org_id)::text = app.claim('tenant'::text))", helper).equal[ORG] == {Principal("claim", ("tenant",))}


def test_a_variable_of_a_function() -> None:
    helper = function(
        "mine",
        "declare caller uuid := auth.uid(); begin return (select org_id from members where user_id = caller); end",
    )
    assert facts("(org_id = app.mine())", helper).equal[MEMBERS, "user_id"] == {USER}


def test_functions_that_call_themselves_end() -> None:
    helper = function("f", "select app.f() = auth.uid()")
    assert facts("(owner_id = app.f())", helper).equal[OWNER] <= {USER}


def test_rows_of_nobody() -> None:
    assert facts("((org_id IS NULL) OR (owner_id = auth.uid()))").null_open == {ORG}


@pytest.mark.parametrize(
    ("expression", "open_to_all"),
    [
        ("true", True),
        ("is_public", True),
        ("(auth.role() = 'authenticated'::text)", True),
        ("(auth.uid() IS NOT NULL)", True),
        ("(( SELECT auth.uid() AS uid) IS NOT NULL)", True),
        ("(owner_id = auth.uid())", False),
        ("(org_id IN ( SELECT app.my_orgs() AS my_orgs))", False),
        ("(EXISTS ( SELECT 1 FROM public.members m WHERE m.user_id = auth.uid()))", False),
        ("false", False),
    ],
)
def test_whether_a_policy_asks_who_somebody_is(expression: str, open_to_all: bool) -> None:
    assert asks_nobody(expression) is open_to_all


def test_words_of_names() -> None:
    assert words("currentOrgId") == words("current_org_id") == ("current", "org", "id")
    assert stems("companies") == ("company",)
    assert [singular(word) for word in ("boxes", "status", "addresses", "teams")] == [
        "box",
        "status",
        "address",
        "team",
    ]


@pytest.mark.parametrize("name", ["current_organization_id", "defaultTeamId", "last_org_id", "active_workspace"])
def test_pointers(name: str) -> None:
    assert is_pointer(name)


@pytest.mark.parametrize(
    ("column", "table", "named"),
    [
        ("organization_id", "organizations", True),
        ("orgId", "Organization", True),
        ("tenant_id", "companies", True),
        ("partner_organization_id", "organizations", False),
        ("plan_id", "organizations", False),
    ],
)
def test_key_names(column: str, table: str, named: bool) -> None:
    assert names_key_of(column, table) is named


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (("viewer", "admin", "owner"), ("owner", "admin", "viewer")),
        (("owner", "admin", "editor", "commenter", "guest"), ("owner", "admin", "editor", "commenter", "guest")),
        (("guest", "commenter", "owner"), ("owner", "commenter", "guest")),
        (("cook", "waiter"), ("cook", "waiter")),
        (("member", "cook", "owner", "guest"), ("owner", "member", "guest", "cook")),
        (("owner", "anon", "owner"), ("owner",)),
    ],
)
def test_order_of_roles(declared: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert ordered(declared) == expected


def test_strength_of_names_nobody_knows() -> None:
    assert strength("owner") < strength("Admin") < strength("viewer") < strength("waiter")


@pytest.mark.parametrize(
    "definition",
    [
        "CHECK ((role = ANY (ARRAY['a'::text, 'b'::text])))",
        "CHECK (((role)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])))",
        "CHECK (role IN ('a', 'b'))",
    ],
)
def test_values_of_a_check(definition: str) -> None:
    assert listed(definition, "role") == ("a", "b")
