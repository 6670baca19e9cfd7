"""What triggers, rules and foreign keys may do beside a statement: told from the catalog, and seen to happen."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from tenantproof.catalog.introspection import introspect
from tenantproof.core.catalog import Catalog
from tenantproof.core.model import Command, Database, Platform, QName
from tenantproof.engine.firing import hidden_writers
from tenantproof.targets.embedded import EmbeddedTarget

SCHEMA = """
CREATE TABLE log (said text);

CREATE FUNCTION passes() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO log VALUES ('passed'); NEW.body := 'y'; RETURN NEW; END $$;
CREATE FUNCTION passes_old() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO log VALUES ('passed'); RETURN OLD; END $$;
CREATE FUNCTION swallows() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO log VALUES ('swallowed'); RETURN NULL; END $$;
CREATE FUNCTION sometimes() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO log VALUES ('s'); IF OLD.id > 0 THEN RETURN /* nothing */ NULL; END IF; RETURN NEW; END $$;
CREATE FUNCTION loses_it() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO log VALUES ('lost'); SELECT NULL, NULL INTO NEW; NEW := NULL; RETURN NEW; END $$;
CREATE FUNCTION turns() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO log VALUES ('turned'); RETURN NEW; END $$;

CREATE TABLE quiet (id int PRIMARY KEY, body text);
CREATE TABLE stamped (id int PRIMARY KEY, body text);
CREATE TRIGGER t BEFORE UPDATE ON stamped FOR EACH ROW EXECUTE FUNCTION passes();
CREATE TABLE logged (id int PRIMARY KEY, body text);
CREATE TRIGGER t AFTER UPDATE OR DELETE ON logged FOR EACH ROW EXECUTE FUNCTION swallows();
CREATE TABLE kept (id int PRIMARY KEY, body text);
CREATE TRIGGER t BEFORE DELETE ON kept FOR EACH ROW EXECUTE FUNCTION passes_old();
CREATE TABLE off (id int PRIMARY KEY, body text);
CREATE TRIGGER t BEFORE UPDATE OR DELETE ON off FOR EACH ROW EXECUTE FUNCTION swallows();
ALTER TABLE off DISABLE TRIGGER t;

CREATE TABLE swallowing (id int PRIMARY KEY, body text);
CREATE TRIGGER t BEFORE UPDATE ON swallowing FOR EACH ROW EXECUTE FUNCTION swallows();
CREATE TABLE moody (id int PRIMARY KEY, body text);
CREATE TRIGGER t BEFORE UPDATE ON moody FOR EACH ROW EXECUTE FUNCTION sometimes();
CREATE TABLE losing (id int PRIMARY KEY, body text);
CREATE TRIGGER t BEFORE UPDATE ON losing FOR EACH ROW EXECUTE FUNCTION loses_it();
CREATE TABLE turning (id int PRIMARY KEY, body text);
CREATE TRIGGER t BEFORE DELETE ON turning FOR EACH ROW EXECUTE FUNCTION turns();
CREATE TABLE announced (id int PRIMARY KEY, body text);
CREATE TRIGGER t AFTER UPDATE ON announced FOR EACH STATEMENT EXECUTE FUNCTION swallows();
CREATE TABLE second (id int PRIMARY KEY, body text);
CREATE TRIGGER a BEFORE UPDATE ON second FOR EACH ROW EXECUTE FUNCTION passes();
CREATE TRIGGER b BEFORE UPDATE ON second FOR EACH ROW EXECUTE FUNCTION swallows();

CREATE TABLE split (id int, body text) PARTITION BY LIST (body);
CREATE TABLE split_x PARTITION OF split FOR VALUES IN ('x');
CREATE TABLE split_y PARTITION OF split FOR VALUES IN ('y');
CREATE TRIGGER t BEFORE INSERT ON split_y FOR EACH ROW EXECUTE FUNCTION swallows();
CREATE TABLE viewed (id int PRIMARY KEY, body text);
CREATE VIEW seen AS SELECT * FROM viewed;
CREATE TRIGGER t INSTEAD OF UPDATE ON seen FOR EACH ROW EXECUTE FUNCTION swallows();

CREATE FUNCTION quotes() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO log VALUES ('q'); "old" := NULL; RETURN OLD; END $$;
CREATE FUNCTION comments() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO log VALUES ('c'); OLD /* it */ := NULL; RETURN OLD; END $$;
CREATE FUNCTION shadows() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO log VALUES ('s'); DECLARE old log; BEGIN RETURN old; END; END $$;
CREATE FUNCTION aliases() RETURNS trigger LANGUAGE plpgsql AS
  $$ DECLARE x ALIAS FOR old; BEGIN INSERT INTO log VALUES ('a'); x := NULL; RETURN OLD; END $$;
CREATE TABLE called (id int PRIMARY KEY, body text);
CREATE PROCEDURE empties(INOUT what called) LANGUAGE plpgsql AS $$ BEGIN what := NULL; END $$;
CREATE FUNCTION calls() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO log VALUES ('p'); CALL empties(OLD); RETURN OLD; END $$;
CREATE TABLE quoted (id int PRIMARY KEY, body text);
CREATE TABLE commented (id int PRIMARY KEY, body text);
CREATE TABLE shadowed (id int PRIMARY KEY, body text);
CREATE TABLE aliased (id int PRIMARY KEY, body text);
CREATE TRIGGER t BEFORE DELETE ON quoted FOR EACH ROW EXECUTE FUNCTION quotes();
CREATE TRIGGER t BEFORE DELETE ON commented FOR EACH ROW EXECUTE FUNCTION comments();
CREATE TRIGGER t BEFORE DELETE ON shadowed FOR EACH ROW EXECUTE FUNCTION shadows();
CREATE TRIGGER t BEFORE DELETE ON aliased FOR EACH ROW EXECUTE FUNCTION aliases();
CREATE TRIGGER t BEFORE DELETE ON called FOR EACH ROW EXECUTE FUNCTION calls();

CREATE TABLE parent (id int PRIMARY KEY, body text);
CREATE TABLE child (id int PRIMARY KEY, body text, up int REFERENCES parent ON DELETE CASCADE);
CREATE TABLE ruled (id int PRIMARY KEY, body text);
CREATE RULE r AS ON DELETE TO ruled DO ALSO INSERT INTO log VALUES ('ruled');
"""

COUNTS = {
    "quiet": (),
    "stamped": (),
    "logged": (),
    "kept": (),
    "off": (),
    "swallowing": ("update",),
    "moody": ("update",),
    "losing": ("update",),
    "turning": ("delete",),
    "announced": ("update",),
    "second": ("update",),
    "split": ("update",),
    "viewed": ("update",),
    "quoted": ("delete",),
    "commented": ("delete",),
    "shadowed": ("delete",),
    "aliased": ("delete",),
    "called": ("delete",),
    "ruled": ("delete",),
}
"""Relation -> the commands of which a row count of 0 may hide something."""

FIRES = {
    "quiet": False,
    "stamped": False,
    "child": False,
    "logged": True,
    "kept": True,
    "off": True,
    "turning": True,
    "split": True,
    "split_x": False,
    "parent": True,
    "ruled": True,
}


@pytest.fixture(scope="module")
def conninfo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A database of this worker's own; workers share the server."""
    migrations = tmp_path_factory.mktemp("firing")
    (migrations / "01.sql").write_text(SCHEMA)
    database = Database(platform=Platform.POSTGRES, migrations=(migrations,))
    with EmbeddedTarget(database).database() as handle:
        yield handle.conninfo


@pytest.fixture(scope="module")
def catalog(conninfo: str) -> Catalog:
    with psycopg.connect(conninfo) as connection:
        return introspect(connection)


@pytest.mark.parametrize("table", COUNTS)
def test_says_where_a_row_count_of_0_may_hide_something(catalog: Catalog, table: str) -> None:
    hidden = {str(command) for name, command in hidden_writers(catalog) if name == QName("public", table)}
    assert hidden == set(COUNTS[table])


@pytest.mark.parametrize("table", COUNTS)
@pytest.mark.parametrize("command", [Command.UPDATE, Command.DELETE])
@pytest.mark.parametrize("where", ["true", "false"])
def test_what_is_not_told_is_never_seen_to_happen(
    conninfo: str, catalog: Catalog, table: str, command: Command, where: str
) -> None:
    through = "seen" if table == "viewed" and command is Command.UPDATE else table
    verb = "UPDATE {} SET body = 'y' WHERE {}" if command is Command.UPDATE else "DELETE FROM {} WHERE {}"
    statement = sql.SQL(verb).format(sql.Identifier(through), sql.Literal(where == "true"))
    with psycopg.connect(conninfo) as connection:
        connection.execute(sql.SQL("INSERT INTO {} (id, body) VALUES (1, 'x')").format(sql.Identifier(table)))
        count = connection.execute(statement).rowcount
        happened = bool(connection.execute("SELECT FROM log").fetchall())
        connection.rollback()
    if count == 0 and happened:
        assert (QName("public", table), command) in hidden_writers(catalog)


@pytest.mark.parametrize("table", FIRES)
def test_says_where_more_than_rows_go_by_a_delete(catalog: Catalog, table: str) -> None:
    assert catalog.relations[QName("public", table)].fires_on_delete is FIRES[table]
