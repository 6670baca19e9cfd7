"""Order, cycles, partitions and paths: the pure parts of seeding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg import sql

from tenantproof.core.catalog import Catalog, Column, Constraint, ConstraintKind, Relation, RelationKind
from tenantproof.core.errors import UsageError
from tenantproof.core.model import Database, Locator, Membership, Platform, QName, Scenario, Tenancy, Tenant
from tenantproof.seeding.inversion import templates_for
from tenantproof.seeding.partitions import slots
from tenantproof.seeding.paths import locate
from tenantproof.seeding.plan import can_hold_dual, make_plan


def public(name: str) -> QName:
    return QName("public", name)


def column(name: str, *, base: str = "uuid", category: str = "U", not_null: bool = True) -> Column:
    return Column(
        name=name, position=1, type=base, base_type=f"pg_catalog.{base}", category=category, not_null=not_null
    )


def key(name: str, to: str, *, nullable: bool = False) -> tuple[Column, Constraint]:
    constraint = Constraint(
        name=f"{name}_fkey",
        kind=ConstraintKind.FOREIGN,
        columns=(name,),
        definition="",
        references=public(to),
        ref_columns=("id",),
    )
    return column(name, not_null=not nullable), constraint


def table(name: str, *keys: tuple[Column, Constraint], primary: tuple[str, ...] = ("id",)) -> Relation:
    first = Constraint(name=f"{name}_pkey", kind=ConstraintKind.PRIMARY, columns=primary, definition="")
    return Relation(
        name=public(name),
        kind=RelationKind.TABLE,
        owner="postgres",
        rls=True,
        force_rls=False,
        columns=(column("id"), *(c for c, _ in keys)),
        constraints=(first, *(k for _, k in keys)),
    )


def catalog(relations: Iterable[Relation]) -> Catalog:
    return Catalog(server_version=180006, relations={relation.name: relation for relation in relations})


def scenario(*memberships: Membership) -> Scenario:
    return Scenario(
        name="x",
        path="x.yaml",
        database=Database(platform=Platform.POSTGRES, migrations=()),
        tenants=(Tenant(name="a"), Tenant(name="b")),
        memberships=memberships,
    )


MEMBERS = Membership(table=public("members"), user="user_id", tenant="org_id")


def test_parents_come_first() -> None:
    known = catalog(
        [
            table("tasks", key("project_id", "projects"), key("parent_id", "tasks", nullable=True)),
            table("projects", key("org_id", "orgs")),
            table("orgs"),
        ]
    )
    plan = make_plan(known, scenario(), {public("orgs"): Tenancy(tenant=Locator(path=("id",)))})
    assert [t.name.name for t in plan.tables] == ["orgs", "projects", "tasks"]
    assert plan.tenants == public("orgs")
    assert not any(t.late for t in plan.tables)


@pytest.mark.parametrize(("platform", "theirs"), [(Platform.SUPABASE, True), (Platform.POSTGRES, False)])
def test_a_table_auth_users_is_supabases_on_supabase_alone(platform: Platform, theirs: bool) -> None:
    users = replace(table("users"), name=QName("auth", "users"))
    of_user, to_users = key("user_id", "users")
    members = table("members", (of_user, replace(to_users, references=users.name)), primary=("user_id",))
    declared = scenario(Membership(table=members.name, user="user_id", tenant="id"))
    plan = make_plan(
        catalog([users, members]), replace(declared, database=Database(platform=platform, migrations=())), {}
    )
    assert [one.name for one in plan.tables] == [users.name, members.name]
    assert (plan.accounts == plan.table(users.name)) is theirs


def test_a_cycle_is_broken_where_a_key_is_nullable_and_says_nothing_of_whose_a_row_is() -> None:
    known = catalog(
        [
            table("orgs", key("first_user", "people", nullable=True)),
            table("people", key("org_id", "orgs", nullable=True)),
        ]
    )
    tenancy = {public("people"): Tenancy(tenant=Locator(path=("org_id",)))}
    plan = make_plan(known, scenario(), tenancy)
    late = {t.name.name: [k.name for k in t.late] for t in plan.tables}
    assert late == {"orgs": ["first_user_fkey"], "people": []}


@given(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=25))
def test_any_graph_of_tables_is_ordered(edges: set[tuple[int, int]]) -> None:
    relations = [
        table(f"t{child}", *(key(f"to_{parent}", f"t{parent}") for c, parent in sorted(edges) if c == child))
        for child in range(7)
    ]
    plan = make_plan(catalog(relations), scenario(), {})
    place = {planned.name: position for position, planned in enumerate(plan.tables)}
    assert len(place) == 7
    for planned in plan.tables:
        for bound in planned.early:
            assert bound.references is not None
            assert place[bound.references] <= place[planned.name]


@pytest.mark.parametrize(("primary", "expected"), [(("org_id", "user_id"), True), (("user_id",), False)])
def test_whether_a_user_can_be_in_two_tenants(primary: tuple[str, ...], expected: bool) -> None:
    members = table("members", key("org_id", "orgs"), key("user_id", "users"), primary=primary)
    assert can_hold_dual(catalog([members, table("orgs"), table("users")]), scenario(MEMBERS)) is expected


def test_paths_become_nested_selects() -> None:
    steps = table("steps", key("task_id", "tasks"))
    known = catalog([steps, table("tasks", key("org_id", "orgs")), table("orgs")])
    text = locate(steps, Locator(path=("task_id", "org_id")), known).as_string(None)
    assert text == (
        '(SELECT "step_2"."org_id" FROM "public"."tasks" AS "step_2" WHERE "step_2"."id" = "steps"."task_id")'
    )
    assert locate(steps, None, known) == sql.SQL("NULL")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (("task", "org_id"), "did you mean 'task_id'"),
        (("task_id", "nothing"), r"public\.steps\.task_id has no foreign key to a table with a column 'nothing'"),
    ],
)
def test_a_path_that_cannot_be_followed_names_the_step(path: tuple[str, ...], message: str) -> None:
    steps = table("steps", key("task_id", "tasks"))
    with pytest.raises(UsageError, match=message):
        locate(steps, Locator(path=path), catalog([steps, table("tasks")]))


def partition(name: str, bound: str) -> Relation:
    return Relation(
        name=public(name),
        kind=RelationKind.TABLE,
        owner="postgres",
        rls=False,
        force_rls=False,
        columns=(),
        parent=public("events"),
        partition_bound=bound,
    )


def test_the_current_partition_comes_first_and_the_default_one_second() -> None:
    parent = Relation(
        name=public("events"),
        kind=RelationKind.PARTITIONED,
        owner="postgres",
        rls=True,
        force_rls=False,
        columns=(column("at", base="timestamptz", category="D"),),
        partition_key="RANGE (at)",
    )
    months = [
        partition(
            f"events_{n:02d}", f"FOR VALUES FROM ('2026-{n:02d}-01 00:00:00+00') TO ('2026-{n + 1:02d}-01 00:00:00+00')"
        )
        for n in range(1, 6)
    ]
    known = catalog([parent, *months, partition("events_rest", "DEFAULT")])
    found = slots(parent, known.relations, datetime(2026, 3, 15, tzinfo=UTC))
    assert [slot.partition.name for slot in found] == [
        "events_03", "events_rest", "events_02", "events_01", "events_04", "events_05"
    ]  # fmt: skip
    assert found[1].value("at", 0) == "2026-06-02 00:00:00+00:00", "after all bounds"
    assert found[0].value("at", 5) == "2026-03-01 00:00:05+00:00"


@pytest.mark.parametrize(
    ("tenancy", "template"),
    [
        (
            Tenancy(
                tenant=Locator(sql="(storage.foldername(name))[1]"), owner=Locator(sql="(storage.foldername(name))[2]")
            ),
            {"name": "{tenant.id}/{owner.id}/{canary}-{n}.txt"},
        ),
        (Tenancy(tenant=Locator(sql="split_part(topic, ':', 2)")), {"topic": "part:{tenant.id}:{n}"}),
        (Tenancy(tenant=Locator(sql="coalesce(a, b)")), {}),
    ],
)
def test_expressions_are_inverted_where_their_shape_is_known(tenancy: Tenancy, template: dict[str, str]) -> None:
    assert templates_for(tenancy) == template
