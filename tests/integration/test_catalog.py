"""Introspection and inference against a real server."""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from tenantproof.catalog import infer_tenancy, introspect
from tenantproof.core.catalog import Argument, Catalog, ConstraintKind, Grant, RelationKind
from tenantproof.core.model import (
    Command,
    Database,
    Locator,
    Membership,
    Platform,
    QName,
    Scenario,
    SystemRows,
    Tenancy,
    Tenant,
)
from tenantproof.core.quoting import quoted
from tenantproof.engine.findings import policy_text
from tenantproof.targets.embedded import EmbeddedTarget

SCHEMA = """
CREATE ROLE catalog_owner NOLOGIN;
CREATE ROLE catalog_reader NOLOGIN NOINHERIT;
CREATE ROLE catalog_login LOGIN INHERIT;
GRANT catalog_reader TO catalog_login;
GRANT catalog_owner TO catalog_login WITH INHERIT FALSE;
ALTER ROLE catalog_reader SET statement_timeout = '3s';
CREATE SCHEMA shop AUTHORIZATION catalog_owner;
GRANT USAGE ON SCHEMA shop TO catalog_reader;
CREATE TYPE shop.mood AS ENUM ('sad', 'fine, thanks', 'glad');
CREATE DOMAIN shop.short AS varchar(12) CHECK (VALUE <> '');
CREATE DOMAIN shop.code AS shop.short NOT NULL DEFAULT 'none' CHECK (VALUE ~ '^[a-z]+$');
CREATE TABLE shop.customer (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  code shop.code,
  mood shop.mood DEFAULT 'fine, thanks',
  moods shop.mood[],
  name varchar(40) NOT NULL,
  loud text GENERATED ALWAYS AS (upper(name)) STORED,
  gone int,
  UNIQUE NULLS NOT DISTINCT (name, mood),
  CONSTRAINT named CHECK (name <> '')
);
ALTER TABLE shop.customer DROP COLUMN gone;
ALTER TABLE shop.customer OWNER TO catalog_owner;
COMMENT ON TABLE shop.customer IS 'who buys';
COMMENT ON COLUMN shop.customer.name IS 'as they say it';
CREATE UNIQUE INDEX customer_lower ON shop.customer (lower(name), mood) INCLUDE (code) WHERE mood <> 'sad';
ALTER TABLE shop.customer ENABLE ROW LEVEL SECURITY;
ALTER TABLE shop.customer FORCE ROW LEVEL SECURITY;
CREATE FUNCTION shop.mine(id bigint, "Weird name" text DEFAULT 'x', OUT ok boolean) LANGUAGE sql STABLE
  SECURITY DEFINER LEAKPROOF SET search_path = '' AS 'SELECT true';
REVOKE ALL ON FUNCTION shop.mine(bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shop.mine(bigint, text) TO catalog_reader;
CREATE FUNCTION shop.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE POLICY look ON shop.customer FOR SELECT TO catalog_reader USING (shop.mine(id));
CREATE POLICY guard ON shop.customer AS RESTRICTIVE WITH CHECK (name <> 'root');
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON shop.customer FOR EACH ROW EXECUTE FUNCTION shop.stamp();
ALTER TABLE shop.customer DISABLE TRIGGER stamp;
GRANT SELECT, TRUNCATE ON shop.customer TO catalog_reader;
GRANT UPDATE (name) ON shop.customer TO PUBLIC;
CREATE TABLE shop.sale (
  customer bigint NOT NULL REFERENCES shop.customer ON DELETE CASCADE DEFERRABLE,
  at date NOT NULL,
  PRIMARY KEY (at, customer)
) PARTITION BY RANGE (at);
CREATE TABLE shop.sale_rest PARTITION OF shop.sale DEFAULT;
CREATE TABLE shop.refund (at date, customer bigint, FOREIGN KEY (at, customer) REFERENCES shop.sale ON DELETE SET NULL);
CREATE VIEW shop.buyers WITH (security_invoker = true) AS SELECT c.id, c.name FROM shop.customer c;
CREATE VIEW shop.sums AS SELECT customer, count(*) AS n FROM shop.sale GROUP BY 1;
CREATE TRIGGER redirect INSTEAD OF INSERT ON shop.sums FOR EACH ROW EXECUTE FUNCTION shop.stamp();
CREATE MATERIALIZED VIEW shop.frozen AS SELECT name FROM shop.buyers;
CREATE UNLOGGED TABLE shop.base (id int);
CREATE TABLE shop.derived (extra int) INHERITS (shop.base);
CREATE PUBLICATION catalog_some FOR TABLE shop.customer;
CREATE EXTENSION citext SCHEMA shop;
CREATE TABLE shop.adopted (id int);
ALTER EXTENSION citext ADD TABLE shop.adopted;
"""


def shop(name: str) -> QName:
    return QName("shop", name)


@pytest.fixture(scope="module")
def connection() -> Iterator[psycopg.Connection]:
    """An empty plain database; each test's changes are rolled back."""
    database = Database(platform=Platform.POSTGRES, migrations=())
    with EmbeddedTarget(database).database() as handle, psycopg.connect(handle.conninfo) as opened:
        yield opened
        opened.rollback()


@pytest.fixture(scope="module")
def catalog(connection: psycopg.Connection) -> Catalog:
    with connection.transaction(force_rollback=True):
        connection.execute(SCHEMA)
        return introspect(connection)


def test_system_and_extension_objects_are_left_out(catalog: Catalog) -> None:
    assert {name.schema for name in catalog.relations} == {"shop"}
    assert shop("adopted") not in catalog.relations
    assert {str(function.name) for function in catalog.functions} == {"shop.mine", "shop.stamp"}
    assert catalog.extensions["citext"]
    assert catalog.server_version >= 150000


def test_extension_tables_are_there_where_asked_for(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute(SCHEMA)
        assert shop("adopted") in introspect(connection, extension_schemas=["shop"]).relations


def test_relations_have_their_kind_owner_and_flags(catalog: Catalog) -> None:
    kinds = {name.name: relation.kind for name, relation in catalog.relations.items()}
    assert kinds == {
        "base": RelationKind.TABLE,
        "buyers": RelationKind.VIEW,
        "customer": RelationKind.TABLE,
        "derived": RelationKind.TABLE,
        "frozen": RelationKind.MATVIEW,
        "refund": RelationKind.TABLE,
        "sale": RelationKind.PARTITIONED,
        "sale_rest": RelationKind.TABLE,
        "sums": RelationKind.VIEW,
    }
    customer = catalog.relations[shop("customer")]
    assert (customer.owner, customer.rls, customer.force_rls) == ("catalog_owner", True, True)
    assert customer.comment == "who buys"
    assert customer.replica_identity == "d"


def test_columns_see_through_domains(catalog: Catalog) -> None:
    customer = catalog.relations[shop("customer")]
    assert customer.column_names == ("id", "code", "mood", "moods", "name", "loud")
    code = customer.column("code")
    assert (code.type, code.base_type, code.category) == ("shop.code", "pg_catalog.varchar", "S")
    assert (code.is_domain, code.not_null, code.length) == (True, True, 12)
    assert code.default == "'none'::character varying"
    assert len(code.domain_checks) == 2
    assert "<> ''" in " ".join(code.domain_checks)


def test_columns_have_identity_generation_enums_and_elements(catalog: Catalog) -> None:
    customer = catalog.relations[shop("customer")]
    assert customer.column("id").identity == "a"
    assert customer.column("loud").generated
    assert not customer.column("name").generated
    assert customer.column("mood").enum_values == ("sad", "fine, thanks", "glad")
    assert customer.column("mood").default == "'fine, thanks'::shop.mood"
    assert customer.column("moods").element_type == "shop.mood"
    assert customer.column("moods").category == "A"
    assert customer.column("name").length == 40
    assert customer.column("name").comment == "as they say it"


def test_constraints(catalog: Catalog) -> None:
    customer = catalog.relations[shop("customer")]
    assert customer.primary_key == ("id",)
    assert {c.kind for c in customer.constraints} == {
        ConstraintKind.PRIMARY,
        ConstraintKind.UNIQUE,
        ConstraintKind.CHECK,
    }
    [key] = catalog.relations[shop("sale")].foreign_keys
    assert (key.columns, key.references, key.ref_columns) == (("customer",), shop("customer"), ("id",))
    assert (key.on_delete, key.on_update, key.deferrable) == ("c", "a", True)


def test_partitions_have_their_own_copies_of_constraints(catalog: Catalog) -> None:
    part = catalog.relations[shop("sale_rest")]
    assert part.parent == shop("sale")
    assert part.partition_bound == "DEFAULT"
    assert catalog.relations[shop("sale")].partition_key == "RANGE (at)"
    assert part.primary_key == ("at", "customer")
    assert [key.references for key in part.foreign_keys] == [shop("customer")]


def test_a_key_to_a_partitioned_table_is_one_key(catalog: Catalog) -> None:
    [key] = catalog.relations[shop("refund")].foreign_keys
    assert (key.references, key.columns, key.on_delete) == (shop("sale"), ("at", "customer"), "n")


def test_inheritance_has_a_parent_and_no_bound(catalog: Catalog) -> None:
    derived = catalog.relations[shop("derived")]
    assert (derived.parent, derived.partition_bound) == (shop("base"), "")


def test_indexes(catalog: Catalog) -> None:
    indexes = {index.name: index for index in catalog.relations[shop("customer")].indexes}
    partial = indexes["customer_lower"]
    assert partial.columns == ("", "mood")
    assert partial.unique
    assert not partial.primary
    assert "'sad'" in partial.predicate
    assert "lower" in partial.expressions
    assert indexes["customer_name_mood_key"].nulls_not_distinct
    assert indexes["customer_pkey"].primary


def test_policies_print_names_that_mean_the_same_in_any_session(catalog: Catalog) -> None:
    policies = {policy.name: policy for policy in catalog.relations[shop("customer")].policies}
    look, guard = policies["look"], policies["guard"]
    assert (look.command, look.permissive, look.roles) == (Command.SELECT, True, ("catalog_reader",))
    assert look.using is not None
    assert "shop.mine(id" in look.using
    assert (guard.command, guard.permissive, guard.roles) == (None, False, ("public",))
    assert guard.using is None
    assert guard.check is not None


def test_grants_include_columns_public_and_the_owners_default(catalog: Catalog) -> None:
    grants = catalog.relations[shop("customer")].grants
    assert Grant(grantee="catalog_reader", privilege="TRUNCATE") in grants
    assert Grant(grantee="public", privilege="UPDATE", column="name") in grants
    assert Grant(grantee="catalog_owner", privilege="DELETE") in grants
    refund = catalog.relations[shop("refund")]
    assert {grant.grantee for grant in refund.grants} == {refund.owner}


def test_views(catalog: Catalog) -> None:
    buyers, sums = catalog.relations[shop("buyers")], catalog.relations[shop("sums")]
    assert buyers.options == {"security_invoker": "true"}
    assert "shop.customer" in buyers.definition
    assert buyers.base_relations == (shop("customer"),)
    assert buyers.updatable == frozenset(Command)
    assert sums.updatable == {Command.SELECT, Command.INSERT}
    assert catalog.relations[shop("frozen")].base_relations == (shop("buyers"),)
    assert catalog.relations[shop("frozen")].updatable == {Command.SELECT}


def test_triggers(catalog: Catalog) -> None:
    [stamp] = catalog.relations[shop("customer")].triggers
    assert (stamp.timing, stamp.events, stamp.row, stamp.enabled) == ("BEFORE", ("INSERT", "UPDATE"), True, False)
    assert stamp.function == shop("stamp")
    [redirect] = catalog.relations[shop("sums")].triggers
    assert (redirect.timing, redirect.enabled) == ("INSTEAD OF", True)


def test_functions(catalog: Catalog) -> None:
    mine = next(function for function in catalog.functions if function.name == shop("mine"))
    assert mine.arguments == (
        Argument(name="id", type="bigint"),
        Argument(name="Weird name", type="text", has_default=True),
        Argument(name="ok", type="boolean", mode="o"),
    )
    assert (mine.volatility, mine.security_definer, mine.leakproof) == ("s", True, True)
    assert mine.settings == ('search_path=""',)
    assert mine.executable_by == {mine.owner, "catalog_reader"}
    assert mine.returns == "boolean"
    stamp = next(function for function in catalog.functions if function.name == shop("stamp"))
    assert stamp.executable_by == {stamp.owner, "public"}


def test_roles_schemas_and_publications(catalog: Catalog) -> None:
    login = catalog.roles["catalog_login"]
    assert login.login
    assert login.member_of == {"catalog_reader": True, "catalog_owner": False}
    assert catalog.roles["catalog_reader"].settings == {"statement_timeout": "3s"}
    assert catalog.privileges_of("catalog_login") == {"catalog_login", "catalog_reader", "public"}
    assert catalog.schema_usage["shop"] == {"catalog_owner", "catalog_reader"}
    [some] = [publication for publication in catalog.publications if publication.name == "catalog_some"]
    assert (some.all_tables, some.tables) == (False, (shop("customer"),))


def test_the_pass_leaves_the_session_as_it_was(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL search_path = public, pg_temp")
        introspect(connection)
        assert connection.execute("SHOW search_path").fetchone() == ("public, pg_temp",)


# A short text, since PostgreSQL cuts names at 63 bytes.
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=12)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(schema=names.map("s".__add__), table=names.map("t".__add__), column=names)
@example(schema='We"ird.Schema', table="täble.ü'\\", column='"; DROP "x" %s {}')
def test_any_name_comes_back_as_it_was(connection: psycopg.Connection, schema: str, table: str, column: str) -> None:
    with connection.transaction(force_rollback=True):
        parts = {
            "schema": sql.Identifier(schema),
            "table": sql.Identifier(schema, table),
            "column": sql.Identifier(column),
            "name": sql.Identifier(table),
            "index": sql.Identifier("i" + column),
        }
        for statement in (
            "CREATE SCHEMA {schema}",
            "CREATE TABLE {table} ({column} int PRIMARY KEY)",
            "CREATE POLICY {name} ON {table} USING ({column} > 0)",
            "CREATE INDEX {index} ON {table} ({column})",
        ):
            connection.execute(sql.SQL(statement).format(**parts))
        relation = introspect(connection).relations[QName(schema, table)]
    assert relation.column_names == relation.primary_key == (column,)
    assert [policy.name for policy in relation.policies] == [table]
    assert "i" + column in {index.name for index in relation.indexes}


def test_a_thousand_tables_are_read_in_one_pass(connection: psycopg.Connection) -> None:
    with connection.transaction(force_rollback=True):
        connection.execute(
            """
            DO $$ BEGIN FOR i IN 1..1000 LOOP
              EXECUTE format('CREATE TABLE t%s (id bigint PRIMARY KEY, a text, b jsonb, c date, d uuid)', i);
              EXECUTE format('CREATE POLICY p ON t%s USING (id > 0)', i);
            END LOOP; END $$
            """
        )
        assert len(introspect(connection).relations) == 1000


TENANCY = """
CREATE SCHEMA auth;
CREATE TABLE auth.users (id uuid PRIMARY KEY);
CREATE TABLE organizations (id uuid PRIMARY KEY, name text, created_by uuid NOT NULL REFERENCES auth.users);
CREATE TABLE members (id uuid PRIMARY KEY, organization_id uuid NOT NULL REFERENCES organizations,
  user_id uuid NOT NULL REFERENCES auth.users, invited_by uuid NOT NULL REFERENCES auth.users, role text);
CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES auth.users,
  current_organization_id uuid REFERENCES organizations);
CREATE TABLE workflows (id uuid PRIMARY KEY, organization_id uuid NOT NULL REFERENCES organizations,
  created_by uuid NOT NULL REFERENCES profiles, approved_by uuid NOT NULL REFERENCES profiles,
  UNIQUE (organization_id, id));
CREATE TABLE executions (id uuid PRIMARY KEY, workflow_id uuid NOT NULL REFERENCES workflows,
  retry_of uuid REFERENCES executions);
CREATE TABLE steps (id uuid PRIMARY KEY, execution_id uuid NOT NULL REFERENCES executions);
CREATE TABLE maybe (id uuid PRIMARY KEY, workflow_id uuid REFERENCES workflows);
CREATE TABLE versions (id uuid PRIMARY KEY, org uuid NOT NULL, workflow uuid NOT NULL,
  FOREIGN KEY (org, workflow) REFERENCES workflows (organization_id, id));
CREATE TABLE two_ways (id uuid PRIMARY KEY, a uuid NOT NULL REFERENCES workflows,
  b uuid NOT NULL REFERENCES executions);
CREATE TABLE shares (id uuid PRIMARY KEY, giver uuid NOT NULL REFERENCES organizations,
  taker uuid NOT NULL REFERENCES organizations);
CREATE TABLE share_notes (id uuid PRIMARY KEY, share_id uuid NOT NULL REFERENCES shares);
CREATE TABLE templates (id uuid PRIMARY KEY, organization_id uuid REFERENCES organizations);
CREATE TABLE plans (id int PRIMARY KEY);
CREATE TABLE settings (organization_id uuid PRIMARY KEY REFERENCES organizations);
CREATE TABLE setting_lines (settings_id uuid NOT NULL REFERENCES settings);
CREATE TABLE events (id uuid, at timestamptz, user_id uuid NOT NULL REFERENCES auth.users,
  PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE events_rest PARTITION OF events DEFAULT;
CREATE TABLE loop_a (id uuid PRIMARY KEY);
CREATE TABLE loop_b (id uuid PRIMARY KEY, a uuid NOT NULL REFERENCES loop_a);
ALTER TABLE loop_a ADD b uuid NOT NULL REFERENCES loop_b;
CREATE VIEW dashboard AS SELECT w.id, w.organization_id, w.created_by FROM workflows w
  JOIN organizations o ON o.id = w.organization_id;
CREATE VIEW on_dashboard AS SELECT organization_id FROM dashboard;
CREATE VIEW names AS SELECT id, name FROM organizations;
CREATE VIEW nobody AS SELECT 1 AS organization_id;
CREATE MATERIALIZED VIEW counts AS SELECT organization_id, count(*) FROM workflows GROUP BY 1;
"""


def public(name: str) -> QName:
    return QName("public", name)


def scenario_with(tables: dict[QName, Tenancy]) -> Scenario:
    return Scenario(
        name="inference",
        path="inference.tenancy.yaml",
        database=Database(platform=Platform.POSTGRES, migrations=()),
        tenants=(Tenant(name="acme"), Tenant(name="globex")),
        memberships=(Membership(table=public("members"), user="user_id", tenant="organization_id", role="role"),),
        tables=tables,
    )


@pytest.fixture(scope="module")
def organizations(connection: psycopg.Connection) -> Catalog:
    with connection.transaction(force_rollback=True):
        connection.execute(TENANCY)
        return introspect(connection)


@pytest.fixture(scope="module")
def inferred(organizations: Catalog) -> dict[str, tuple[str, str]]:
    found = infer_tenancy(organizations, scenario_with({public("plans"): Tenancy(shared=True)}))
    return {str(name): (str(t.tenant or ""), str(t.owner or "")) for name, t in found.items()}


@pytest.mark.parametrize(
    ("table", "tenant", "owner"),
    [
        ("organizations", "id", "created_by"),
        ("members", "organization_id", "user_id"),
        ("workflows", "organization_id", "created_by"),
        ("executions", "workflow_id.organization_id", ""),
        ("steps", "execution_id.workflow_id.organization_id", ""),
        ("versions", "org", ""),
        ("templates", "organization_id", ""),
        ("settings", "organization_id", ""),
        ("setting_lines", "settings_id", ""),
        ("profiles", "", "id"),
        ("events", "", "user_id"),
        ("events_rest", "", "user_id"),
        ("dashboard", "organization_id", "created_by"),
        ("on_dashboard", "organization_id", ""),
        ("names", "id", ""),
        ("counts", "organization_id", ""),
    ],
)
def test_what_the_structure_says_for_certain(
    inferred: dict[str, tuple[str, str]], table: str, tenant: str, owner: str
) -> None:
    assert inferred[f"public.{table}"] == (tenant, owner)


@pytest.mark.parametrize("table", ["two_ways", "shares", "share_notes", "maybe", "loop_a", "loop_b", "nobody"])
def test_what_is_not_certain_is_left_out(inferred: dict[str, tuple[str, str]], table: str) -> None:
    assert f"public.{table}" not in inferred


def test_other_schemas_are_left_out_but_for_the_users(inferred: dict[str, tuple[str, str]]) -> None:
    assert {name for name in inferred if not name.startswith("public.")} == {"auth.users"}


def test_declarations_win_and_lead_further(organizations: Catalog) -> None:
    declared = {
        public("two_ways"): Tenancy(tenant=Locator(path=("a", "organization_id"))),
        public("workflows"): Tenancy(private=True),
        public("events"): Tenancy(shared=True),
    }
    found = infer_tenancy(organizations, scenario_with(declared))
    assert {name: found[name] for name in declared} == declared
    assert public("executions") not in found
    assert found[public("events_rest")] == Tenancy(shared=True)


def test_a_declaration_that_only_seeds_is_completed(organizations: Catalog) -> None:
    declared = Tenancy(rows=9, values={"id": "{uuid}"}, system_rows=SystemRows.SHARED)
    found = infer_tenancy(organizations, scenario_with({public("templates"): declared, public("shares"): declared}))
    assert found[public("templates")].tenant == Locator(path=("organization_id",))
    assert found[public("templates")].rows == 9
    assert found[public("shares")] == declared


def test_a_membership_table_that_does_not_exist_infers_nothing(connection: psycopg.Connection) -> None:
    assert infer_tenancy(introspect(connection), scenario_with({})) == {}


POLICIES = (
    'create policy "Members can read" on "Shop Floor"."Order" for select to catalog_reader using (true);',
    'create policy "say ""what"" now; drop" on "Shop Floor"."Order" for all to public using (false);',
    'create policy "user" on "Shop Floor"."Order" as restrictive for insert to "Front Desk", "select"'
    " with check ((id > 0));",
    'create policy plain_1 on "Shop Floor"."Order" for update to public using (true) with check (false);',
)


def test_the_text_of_a_policy_can_be_pasted(connection: psycopg.Connection) -> None:
    """Findings show it: run again it makes the same policy, whatever its name."""
    with connection.transaction(force_rollback=True):
        connection.execute(
            'create role catalog_reader; create role "Front Desk"; create role "select"; create schema "Shop Floor";'
            ' create table "Shop Floor"."Order" (id int)'
        )

        def texts() -> list[str]:
            (relation,) = introspect(connection).relations.values()
            return [re.sub(r"\n *", " ", policy_text(policy)) for policy in relation.policies]

        for policy in POLICIES:
            connection.execute(policy)
        before = texts()
        assert sorted(before) == sorted(POLICIES)
        for name in ("Members can read", 'say "what" now; drop', "user", "plain_1"):
            connection.execute(sql.SQL('drop policy {} on "Shop Floor"."Order"').format(sql.Identifier(name)))
        for text in before:
            connection.execute(text)  # as somebody pastes it
        assert texts() == before


def test_names_are_quoted_as_postgresql_quotes_them(connection: psycopg.Connection) -> None:
    odd = ["", "a", "A", "a b", "1a", "a1", "_a", "a$", "ä", 'a"b', "a.b", "public", "authenticated"]
    keywords = [str(word) for (word,) in connection.execute("select word from pg_get_keywords()").fetchall()]
    names = [*keywords, *odd]
    answers = connection.execute("select quote_ident(name) from unnest(%s::text[]) as name", [names]).fetchall()
    assert [quoted(name) for name in names] == [answer for (answer,) in answers]
