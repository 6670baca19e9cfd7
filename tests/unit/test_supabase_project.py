"""What supabase/config.toml says of a project, and what a person reads where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tenantproof.core.errors import UsageError
from tenantproof.targets.projects import supabase_project

AS_THE_CLI_WRITES_IT = """\
project_id = "shop"

[api]
enabled = true
port = 54321
schemas = ["public", "graphql_public"]
extra_search_path = ["public", "extensions"]

[db.seed]
enabled = true
sql_paths = ["./seed.sql"]

[auth.external.github]
secret = "env(SUPABASE_GITHUB_SECRET)"
"""


def project(root: Path, config: str | None = AS_THE_CLI_WRITES_IT, **files: str) -> Path:
    home = root / "supabase"
    (home / "migrations").mkdir(parents=True)
    (home / "migrations" / "20260101000000_a.sql").write_text(files.pop("migration", "create table t (id int);"))
    if config is not None:
        (home / "config.toml").write_text(config)
    for name, text in files.items():
        path = home / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return home


def test_a_project_as_init_makes_it(tmp_path: Path) -> None:
    home = project(tmp_path, **{"seed.sql": "", "roles.sql": ""})
    for given in (tmp_path, home):
        found = supabase_project(given)
        assert found.folder == home
        assert found.migrations == (home / "roles.sql", home / "migrations", home / "seed.sql")
        assert found.schemas == ("public",)
        assert found.auto_expose_new_tables is False
        assert "auto_expose_new_tables is not set" in found.notes[0]
        assert "no migration grants anything" in found.notes[1]


def test_schemas_in_scope(tmp_path: Path) -> None:
    """The API's without GraphQL's, public first, and storage where a policy speaks of it."""
    text = 'create policy "a b" on "storage"."objects" for select using (true);'
    home = project(tmp_path, '[api]\nschemas = ["app", "graphql_public"]\n', migration=text)
    assert supabase_project(home).schemas == ("public", "app", "storage")


@pytest.mark.parametrize(
    ("config", "exposed", "says"),
    [
        ("[api]\nauto_expose_new_tables = true\n", True, "auto_expose_new_tables = true"),
        ("[api]\nauto_expose_new_tables = false\n", False, "auto_expose_new_tables = false"),
        ("", False, "is not set"),
    ],
)
def test_the_mode_of_new_tables(tmp_path: Path, config: str, exposed: bool, says: str) -> None:
    found = supabase_project(project(tmp_path, config, migration="grant select on t to authenticated;"))
    assert found.auto_expose_new_tables is exposed
    assert len(found.notes) == 1
    assert says in found.notes[0]


@pytest.mark.parametrize(
    ("text", "granted"),
    [
        ("grant select on t to anon;", True),
        ("GRANT ALL ON ALL TABLES IN SCHEMA public TO postgres, anon, authenticated;", True),
        ("alter default privileges in schema public grant all on tables to authenticated;", True),
        ("grant usage on schema public to anon;", False),
        ("grant all on schema public to anon;", False),
        ("grant execute on function f() to anon;", False),
        ("-- grant select on t to anon;\n", False),
        ("grant select on t to service_role;", False),
    ],
)
def test_whether_tables_are_granted(tmp_path: Path, text: str, granted: bool) -> None:
    notes = supabase_project(project(tmp_path, migration=text)).notes
    assert any("no migration grants anything" in note for note in notes) is not granted


@pytest.mark.parametrize(
    ("config", "seeds"),
    [
        ("", ["seed.sql"]),
        ("[db.seed]\nenabled = false\n", []),
        ('[db.seed]\nsql_paths = ["./seeds/*.sql", "seed.sql"]\n', ["seeds/1.sql", "seeds/2.sql", "seed.sql"]),
        ('[db.seed]\nsql_paths = ["seed.sql", "./seed.sql"]\n', ["seed.sql"]),
        ('[db.seed]\nenabled = "env(SEED_IT)"\n', []),
    ],
)
def test_seeds(tmp_path: Path, config: str, seeds: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEED_IT", "false")
    home = project(tmp_path, config, **{"seed.sql": "", "seeds/2.sql": "", "seeds/1.sql": ""})
    assert supabase_project(home).migrations[1:] == tuple(home / name for name in seeds)


def test_a_pattern_that_matches_nothing_is_noted(tmp_path: Path) -> None:
    home = project(tmp_path, '[db.seed]\nsql_paths = ["sedes/*.sql"]\n')
    assert "no file matches 'sedes/*.sql'" in supabase_project(home).notes[0]


def test_without_migrations_the_declared_schemas_are_taken(tmp_path: Path) -> None:
    home = project(tmp_path, **{"schemas/b.sql": "", "schemas/a.sql": ""})
    (home / "migrations" / "20260101000000_a.sql").unlink()
    found = supabase_project(home)
    assert found.migrations == (home / "schemas/a.sql", home / "schemas/b.sql")
    assert "declared schemas" in found.notes[0]


def test_without_config_the_defaults_hold(tmp_path: Path) -> None:
    assert "no config.toml" in supabase_project(project(tmp_path, None)).notes[0]


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ('[api]\nschemas = ["public"\n[db]\n', r"config\.toml:3: not TOML: Unclosed array\n  \[db\]"),
        ("[api]\nschemas = nope\n", r"config\.toml:2: not TOML: Invalid value"),
        ("[api\n", r"config\.toml:1: not TOML"),
        ('x = 1\n[api]\nschemas = "public"\n', r"config\.toml:3: expected a list for api\.schemas, found 'public'"),
        ("[api]\nschemas = [1]\n", r"config\.toml:2: expected a list of strings"),
        ('[api]\nauto_expose_new_tables = "yes"\n', r"config\.toml:2: expected true or false"),
        ('[api]\nschemas = ["env(NOT_SET_ANYWHERE)"]\n', r"config\.toml:2: .*env\(NOT_SET_ANYWHERE\).*is not set"),
        ("api = 1\n", r"config\.toml:1: expected a table \[api\]"),
    ],
)
def test_a_config_that_is_wrong(tmp_path: Path, config: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        supabase_project(project(tmp_path, config))


def test_config_that_is_not_utf8(tmp_path: Path) -> None:
    home = project(tmp_path)
    (home / "config.toml").write_bytes(b'x = "\xe9"\n')
    with pytest.raises(UsageError, match=r"not UTF-8 \(byte 6\)"):
        supabase_project(home)


def test_no_project(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no Supabase project: expected supabase/config\.toml"):
        supabase_project(tmp_path)


def test_no_migrations(tmp_path: Path) -> None:
    home = project(tmp_path)
    (home / "migrations" / "20260101000000_a.sql").unlink()
    with pytest.raises(UsageError, match=r"no migrations there\n.*supabase db pull"):
        supabase_project(home)
