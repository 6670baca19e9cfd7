"""Which policies open rows to strangers on purpose, as far as the condition alone tells it."""

from __future__ import annotations

import pytest

from tenantproof.catalog.inference.ground import Ground
from tenantproof.catalog.inference.openings import Readers, find_openings
from tenantproof.catalog.inference.people import People
from tenantproof.catalog.inference.privileges import Privileges
from tenantproof.catalog.inference.proposal import Decision, Evidence, Kind, Opening
from tenantproof.catalog.inference.reading import Facts
from tenantproof.core.catalog import Catalog, Column, Grant, Policy, Relation, RelationKind
from tenantproof.core.model import Command, Locator, QName, Tenancy

DOCS = QName("public", "docs")
TYPES = {
    "id": "uuid",
    "org_id": "uuid",
    "parent_id": "uuid",
    "status": "text",
    "visibility": "text",
    "is_public": "bool",
    "client_visible": "bool",
    "active": "bool",
    "deleted_at": "timestamptz",
    "published_at": "timestamptz",
}
SIGNED = frozenset({"public", "authenticated"})
ANON = frozenset({"public", "anon"})


def opened(
    using: str,
    *,
    roles: tuple[str, ...] = ("authenticated",),
    restrictive: str = "",
    directory: bool = False,
    columns: tuple[str, ...] = (),
) -> tuple[Opening, ...]:
    """The openings of a table with one policy for SELECT."""
    types = {**TYPES, **dict.fromkeys(columns, "text")}
    found = tuple(
        Column(name=name, position=place, type=kind, base_type=f"pg_catalog.{kind}", category="X")
        for place, (name, kind) in enumerate(types.items(), 1)
    )
    policies = [_policy("p", using, roles, permissive=True)]
    policies += [_policy("fence", restrictive, ("public",), permissive=False)] if restrictive else []
    grants = tuple(Grant(grantee=role, privilege="SELECT") for role in ("anon", "authenticated"))
    relation = Relation(
        name=DOCS,
        kind=RelationKind.TABLE,
        owner="postgres",
        rls=True,
        force_rls=False,
        columns=found,
        policies=tuple(policies),
        grants=grants,
    )
    catalog = Catalog(server_version=180000, relations={DOCS: relation})
    people = People(tables={DOCS: "id"} if directory else {}, columns={})
    ground = Ground(
        catalog=catalog,
        facts=Facts(),
        people=people,
        evidence=Evidence(),
        privileges=Privileges(catalog=catalog, held=SIGNED | ANON),
        tenants=None,
        tenant_key=None,
        tenant_type="",
        memberships=(),
        tenant_columns={} if directory else {DOCS: frozenset({"org_id"})},
        tenant_principals=frozenset(),
        usual=frozenset(),
        shown=frozenset(),
    )
    tenancy = Tenancy(owner=Locator(path=("id",))) if directory else Tenancy(tenant=Locator(path=("org_id",)))
    kind = Kind.OWNER if directory else Kind.TENANT
    decision = Decision(name=DOCS, kind=kind, tenancy=tenancy, why="")
    return find_openings(ground, [decision], Readers(anon=ANON, signed=SIGNED))


def _policy(name: str, using: str, roles: tuple[str, ...], *, permissive: bool) -> Policy:
    return Policy(
        name=name, table=DOCS, command=Command.SELECT, permissive=permissive, roles=roles, using=using, check=None
    )


@pytest.mark.parametrize(
    ("using", "where"),
    [
        ("is_public", "is_public"),
        ("(is_public = true)", "is_public = true"),
        ("(status = 'published'::text)", "status = 'published'"),
        ("((status)::text = 'published'::character varying)", "status = 'published'"),
        ("(status = 'published'::public.doc_status)", "status = 'published'"),
        ("(visibility = ANY (ARRAY['public'::text, 'unlisted'::text]))", "visibility in ('public', 'unlisted')"),
        ("((visibility)::text = ANY ((ARRAY['public'::character varying])::text[]))", "visibility in ('public')"),
        ("((deleted_at IS NULL) AND is_public)", "deleted_at is null and is_public"),
        ("(published_at IS NOT NULL)", "published_at is not null"),
        ("(is_public OR (org_id IN ( SELECT app.my_orgs() AS my_orgs)))", "is_public"),
        ("((deleted_at IS NULL) AND (is_public OR app.mine(org_id)))", "deleted_at is null and is_public"),
        ("(is_public AND (( SELECT auth.uid() AS uid) IS NOT NULL))", "is_public"),
    ],
)
def test_what_rows_say_of_themselves(using: str, where: str) -> None:
    assert [opening.where for opening in opened(using)] == [where]


@pytest.mark.parametrize(
    "using",
    [
        "true",
        "(parent_id IS NULL)",
        "(deleted_at IS NULL)",
        "active",
        "client_visible",
        "(NOT is_public)",
        "(is_public = false)",
        "(status <> 'published'::text)",
        "(status = 'active'::text)",
        "(visibility = 'organization'::text)",
        "(visibility = ANY (ARRAY['public'::text, 'team'::text]))",
        "(org_id = '00000000-0000-0000-0000-000000000000'::uuid)",
        "(( SELECT auth.uid() AS uid) IS NOT NULL)",
        "(auth.role() = 'authenticated'::text)",
        "(is_public AND app.allowed(id))",
        "(is_public AND (EXISTS ( SELECT 1 FROM public.members)))",
        "(published_at <= now())",
        "(status = current_setting('app.status'::text))",
    ],
)
def test_what_may_be_the_leak(using: str) -> None:
    assert opened(using) == ()


def test_a_fence_shows_less() -> None:
    """With a restrictive policy beside it nobody knows which of the open rows are seen."""
    assert opened("is_public", restrictive="(deleted_at IS NULL)") == ()


def test_readers() -> None:
    """People without a token read what the policy lets them."""
    both, signed, tested = (
        opened("is_public", roles=("public",)),
        opened("is_public"),
        opened("(is_public AND (auth.uid() IS NOT NULL))", roles=("public",)),
    )
    assert [(o.anon, o.signed) for o in (*both, *signed, *tested)] == [(True, True), (False, True), (False, True)]


@pytest.mark.parametrize("using", ["true", "(auth.role() = 'authenticated'::text)", "(auth.uid() IS NOT NULL)"])
def test_directories_of_users(using: str) -> None:
    """Whoever signed in may read every user's row; not where it holds an address, and never without signing in."""
    [opening] = opened(using, roles=("public",), directory=True)
    assert (opening.where, opening.anon, opening.signed) == ("", False, True)
    assert opened(using, directory=True, columns=("email",)) == ()


def test_a_long_condition_is_not_read() -> None:
    pairs = " AND ".join(f"(is_public OR (id = '{n}'::uuid))" for n in range(9))
    assert opened(f"({pairs})") == ()
