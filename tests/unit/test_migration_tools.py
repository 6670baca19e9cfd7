"""Whose migrations a folder holds, in which order they run, and what is said where that is not plain."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tenantproof.core.errors import TargetError
from tenantproof.targets.projects import recognise
from tenantproof.targets.sources import Reading, read_migrations

TOOLS = Path(__file__).parents[2] / "fixtures" / "migration_tools"


def folder(root: Path, files: dict[str, str]) -> Path:
    """A folder with these files, paths with slashes."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def order(reading: Reading) -> list[str]:
    """The names of the files in the order they run; of migration.sql the folder's."""
    paths = [Path(source.path) for source in reading.sources]
    return [path.parent.name if path.name in ("migration.sql", "up.sql") else path.name for path in paths]


@pytest.mark.parametrize(
    ("home", "tool"),
    [
        ("prisma/prisma/migrations", "prisma"),
        ("prisma/prisma", "prisma"),
        ("drizzle/drizzle", "drizzle"),
        ("drizzle_folders/drizzle", "drizzle"),
        ("flyway/sql", "flyway"),
        ("dbmate/db/migrations", "dbmate"),
        ("goose/migrations", "goose"),
        ("golang_migrate/migrations", "golang-migrate"),
        ("rails/db", "rails"),
        ("plain/sql", "plain"),
    ],
)
def test_the_tool_is_recognised(home: str, tool: str) -> None:
    assert recognise(TOOLS / home) == tool


@pytest.mark.parametrize(
    ("files", "tool"),
    [
        ({"config.toml": "", "migrations/1_a.sql": ""}, "supabase"),
        ({"supabase/config.toml": "", "supabase/migrations/1_a.sql": ""}, "supabase"),
        ({"1_a/up.sql": "", "1_a/down.sql": ""}, "diesel"),
        ({"sqitch.plan": "", "deploy/a.sql": ""}, "sqitch"),
        ({"db.changelog-master.xml": "<x/>"}, "liquibase"),
        ({"a.sql": ""}, "plain"),
        ({"0001_initial.py": ""}, None),
        ({}, None),
    ],
)
def test_the_tool_is_recognised_by_little(tmp_path: Path, files: dict[str, str], tool: str | None) -> None:
    assert recognise(folder(tmp_path, files)) == tool


@pytest.mark.parametrize(
    ("files", "expected", "note"),
    [
        (dict.fromkeys(("1_a.sql", "10_b.sql", "2_c.sql"), ""), ["1_a.sql", "2_c.sql", "10_b.sql"], "the number wins"),
        (dict.fromkeys(("001_a.sql", "010_b.sql", "002_c.sql"), ""), ["001_a.sql", "002_c.sql", "010_b.sql"], ""),
        (dict.fromkeys(("b.sql", "a.sql", "1.sql"), ""), ["1.sql", "a.sql", "b.sql"], ""),
        (dict.fromkeys(("1_a.sql", "1_b.sql"), ""), ["1_a.sql", "1_b.sql"], "the same version"),
        (dict.fromkeys(("1.2-a.sql", "1.10-b.sql"), ""), ["1.2-a.sql", "1.10-b.sql"], "the number wins"),
        ({"a.SQL": "", ".b.sql": "", "c.txt": "", "d/e.sql": ""}, ["a.SQL"], ""),
        (
            {"V1__a.sql": "", "V1.1__b.sql": "", "V2_3__c.sql": "", "V10__d.sql": "", "R__y.sql": "", "R__x.sql": ""},
            ["V1__a.sql", "V1.1__b.sql", "V2_3__c.sql", "V10__d.sql", "R__x.sql", "R__y.sql"],
            "",
        ),
        ({"V1__a.sql": "", "B2__b.sql": "", "V2__c.sql": "", "V3__d.sql": ""}, ["B2__b.sql", "V3__d.sql"], ""),
        ({"sub/V2__b.sql": "", "V1__a.sql": "", "U1__a.sql": ""}, ["V1__a.sql", "V2__b.sql"], ""),
        ({"V1__a.sql": "", "V2__b.java": ""}, ["V1__a.sql"], "written in Java"),
        ({"V1__a.sql": "", "V2_b.sql": ""}, ["V1__a.sql"], "V2_b.sql (not a name of Flyway"),
        ({"1_a.up.sql": "", "1_a.down.sql": "", "x.sql": ""}, ["1_a.up.sql"], "x.sql"),
        ({"2_b/up.sql": "", "10_c/up.sql": "", "10_c/down.sql": ""}, ["2_b", "10_c"], ""),
        ({"1_a.sql": "-- migrate:up\n", "x.sql": ""}, ["1_a.sql"], "dbmate runs files that start with digits"),
        ({"1_a.sql": "-- +goose Up\n", "2_b.go": ""}, ["1_a.sql"], "written in Go"),
        ({"20240101_a/migration.sql": "", "x.sql": ""}, ["20240101_a"], "Prisma runs <folder>/migration.sql only"),
        ({"b/migration.sql": "", "b/snapshot.json": "{}", "a/migration.sql": ""}, ["a", "b"], ""),
    ],
)
def test_order_and_notes(tmp_path: Path, files: dict[str, str], expected: list[str], note: str) -> None:
    reading = read_migrations([folder(tmp_path, files)])
    assert order(reading) == expected
    if note:
        assert note in " ".join(reading.notes)
    else:
        assert reading.notes == ()


def test_the_supabase_cli_sorts_by_name_and_skips(tmp_path: Path) -> None:
    names = ("1_a.sql", "10_b.sql", "2_c.sql", "seed.sql", "sub/3_d.sql", "2_e.sql")
    home = folder(tmp_path / "supabase", {"config.toml": "", **{f"migrations/{name}": "" for name in names}})
    reading = read_migrations([home / "migrations"])
    assert order(reading) == ["10_b.sql", "1_a.sql", "2_c.sql", "2_e.sql"]
    said = " ".join(reading.notes)
    assert "not run: seed.sql" in said
    assert "2_c.sql and 2_e.sql have the same version" in said
    assert "10_b.sql runs before 1_a.sql" in said


def test_the_first_file_of_an_early_supabase_cli_is_skipped(tmp_path: Path) -> None:
    names = ("20210101000000_init.sql", "20220101000000_a.sql")
    home = folder(tmp_path / "supabase", {f"migrations/{name}": "" for name in names})
    reading = read_migrations([home / "migrations"])
    assert order(reading) == ["20220101000000_a.sql"]
    assert "early CLI" in reading.notes[0]


def test_a_supabase_folder_gives_roles_migrations_and_seeds(tmp_path: Path) -> None:
    home = folder(
        tmp_path, {"config.toml": "", "roles.sql": "", "seed.sql": "", "migrations/1_a.sql": "", "schemas/x.sql": ""}
    )
    assert order(read_migrations([home])) == ["roles.sql", "1_a.sql", "seed.sql"]


JOURNAL = {"dialect": "postgresql", "entries": [{"tag": "0000_b"}, {"tag": "0001_a"}]}


def test_drizzles_journal_gives_the_order(tmp_path: Path) -> None:
    files = {"0000_b.sql": "", "0001_a.sql": "", "0002_c.sql": "", "meta/_journal.json": json.dumps(JOURNAL)}
    reading = read_migrations([folder(tmp_path, files)])
    assert order(reading) == ["0000_b.sql", "0001_a.sql"]
    assert "0002_c.sql (not in meta/_journal.json)" in reading.notes[0]


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "this folder is empty"),
        ({"0001_a.py": "", "env.py": ""}, "these migrations are Python"),
        ({"versions/1.py": ""}, "these migrations are Python"),
        ({"x/a.sql": "", "readme": ""}, "did you mean .*x?"),
        ({"sqitch.plan": "", "deploy/a.sql": ""}, "Sqitch, which are not supported\n .*pg_dump"),
        ({"changelog.yaml": ""}, "Liquibase, which are not supported"),
        ({"V1__a.sql": "", "V1.0__b.sql": ""}, "V1.0__b.sql and V1__a.sql have the same version, which Flyway refuses"),
        ({"1_a.up.sql": "", "1_b.up.sql": ""}, "the same version, which golang-migrate refuses"),
        ({"1_a.sql": "-- +goose Up", "01_b.sql": ""}, "the same version, which goose refuses"),
        ({"U1__a.sql": ""}, "only undo scripts"),
        ({"V1__a.sql": "select 1;\n-- ${no}\nselect '\n${schema}';"}, r"V1__a.sql:4: the placeholder \${schema}"),
        ({"1_a.sql": "-- +goose Up\n-- +goose ENVSUB ON\nselect '$X';"}, r"1_a.sql:3: the placeholder \$X"),
        ({"a/migration.sql": "", "migration_lock.toml": '#\nprovider = "mysql"\n'}, "lock.toml:2: .*for 'mysql'"),
        ({"a/migration.sql": "", "20240101_b/x": ""}, "20240101_b: no migration.sql"),
        ({"migration_lock.toml": ""}, "Prisma without migrations"),
        ({"meta/_journal.json": "{"}, "_journal.json:1: not JSON"),
        ({"meta/_journal.json": "[]"}, "_journal.json:1: not a journal"),
        ({"meta/_journal.json": '{"entries": []}'}, "no entries"),
        ({"meta/_journal.json": '{"dialect": "mysql", "entries": []}'}, "for 'mysql', expected 'postgresql'"),
        (
            {"meta/_journal.json": json.dumps(JOURNAL, indent=1), "0000_b.sql": "", "0001_aa.sql": ""},
            "_journal.json:8: the journal names '0001_a'.*\n  did you mean '0001_aa'?",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, files: dict[str, str], says: str) -> None:
    with pytest.raises(TargetError, match=says):
        read_migrations([folder(tmp_path, files)])


def test_a_link_to_nothing_is_not_skipped(tmp_path: Path) -> None:
    (tmp_path / "1_a.sql").write_text("")
    (tmp_path / "2_b.sql").symlink_to("gone.sql")
    with pytest.raises(TargetError, match=r"2_b\.sql: a symbolic link to gone\.sql, which is not there"):
        read_migrations([tmp_path])


def test_a_link_to_a_file_is_the_file(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x.sql").write_text("select 1;")
    (tmp_path / "1_a.sql").symlink_to(tmp_path / "real" / "x.sql")
    assert read_migrations([tmp_path]).sources[0].text == "select 1;"
    with pytest.raises(TargetError, match="applied twice"):
        read_migrations([tmp_path, tmp_path / "real" / "x.sql"])


@pytest.mark.parametrize(
    ("text", "runs"),
    [
        ("-- migrate:up\na;\n\n-- migrate:down\nb;\nc;\n", "-- migrate:up\na;\n\n\n\n\n"),
        ("-- migrate:up transaction:false\na;\n-- migrate:down\nb;", "-- migrate:up transaction:false\na;\n\n"),
        ("x;\n-- +goose Up\na;\n-- +goose Down\nb;\n", "x;\n-- +goose Up\na;\n\n\n"),
        ("-- +goose Down\nb;\n-- +goose Up\na;\n", "\n\n-- +goose Up\na;\n"),
        ("-- +migrate Up\na;\n-- +migrate Down\nb;\n", "-- +migrate Up\na;\n\n\n"),
        ("-- Up Migration\na;\n-- Down Migration\nb;\n", "-- Up Migration\na;\n\n\n"),
        ("a;\n---- create above / drop below ----\nb;\n", "a;\n\n\n"),
        ("a;\n-- Down Migration\n", "a;\n-- Down Migration\n"),
        ("select '-- migrate:down';\n-- migrate:up\n", "select '-- migrate:down';\n-- migrate:up\n"),
    ],
)
def test_only_what_goes_up_runs_and_lines_stay(tmp_path: Path, text: str, runs: str) -> None:
    path = tmp_path / "1_a.sql"
    path.write_text(text)
    assert read_migrations([path]).sources[0].text == runs
    assert runs.count("\n") == text.count("\n")


def test_flyways_own_placeholders_have_values(tmp_path: Path) -> None:
    files = {"V1__a.sql": "create table ${flyway:defaultSchema}.t (); -- ${flyway:filename}"}
    assert read_migrations([folder(tmp_path, files)]).sources[0].text.startswith("create table public.t ()")


@pytest.mark.parametrize(
    ("raw", "text", "note"),
    [
        (b"\xef\xbb\xbfselect '\xc3\xa9';", "select 'é';", ""),
        ("select 'é';".encode("utf-16"), "select 'é';", "UTF-16"),
        ("\ufeffselect 'é';".encode("utf-16-be"), "select 'é';", "UTF-16"),
        ("select 'é';".encode("utf-32"), "select 'é';", "UTF-32"),
        (b"", "", ""),
    ],
)
def test_encodings_that_are_certain(tmp_path: Path, raw: bytes, text: str, note: str) -> None:
    path = tmp_path / "a.sql"
    path.write_bytes(raw)
    reading = read_migrations([path])
    assert reading.sources[0].text == text
    assert bool(reading.notes) is bool(note)
    assert note in " ".join(reading.notes)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"select 1;\nselect '\xe9';", r"a.sql:2: not UTF-8 \(byte 0xe9 at position 19 of the file\)\n.*LATIN1"),
        (b"\xef\xbb\xbfselect '\xe9';", r"a.sql:1: not UTF-8 \(byte 0xe9 at position 12 of the file\)"),
        ("select 1;".encode("utf-16-le"), "a.sql:1: a NUL character"),
        (b"\xff\xfeabc", "although its byte order mark says so"),
        (b"PGDMP\x01", "custom format, expected SQL\n  turn it into SQL: pg_restore -f schema.sql a.sql"),
        (b"\x1f\x8b\x08", "a compressed file"),
    ],
)
def test_bytes_that_are_no_text(tmp_path: Path, raw: bytes, says: str) -> None:
    path = tmp_path / "a.sql"
    path.write_bytes(raw)
    with pytest.raises(TargetError, match=says):
        read_migrations([path])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    with pytest.raises(TargetError, match="cannot be read"):
        read_migrations([closed])
