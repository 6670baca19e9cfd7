"""
Reads what a project says of itself: `supabase/config.toml`, and whose migrations a folder holds.

Standard library only.  What is wrong with a file is a UsageError that names the file, the line and what to do.
Source of the rules: the Supabase CLI's documentation of config.toml (https://supabase.com/docs/guides/cli/config).
"""

from __future__ import annotations

import glob
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tenantproof.core.errors import UsageError
from tenantproof.targets.remarks import grants_tables

ENVIRONMENT = re.compile(r"env\(([^)]*)\)")
TOML_PLACE = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")
STORAGE_POLICY = re.compile(r"policy\b[^;]*?\bon\s+\"?storage\"?\s*\.\s*\"?(?:objects|buckets)\b", re.IGNORECASE)

MODE_UNSET = (
    "{config}: [api] auto_expose_new_tables is not set, so new tables are taken as closed to anon and authenticated"
    " until a migration grants them (Supabase's default since 30 October 2026); tables made before that day keep the"
    " grants they had, so on an older project findings depend on this: check it with auto_expose_new_tables: true too"
)
MODE_SET = (
    "{config}: [api] auto_expose_new_tables = {value}: which tables anon and authenticated reach, and so the findings,"
    " depend on it"
)
NO_GRANTS = (
    "no migration grants anything to anon or authenticated: with auto_expose_new_tables off the API roles reach no"
    " table at all, and there is nothing to find; set it to true if the tables were made before 30 October 2026"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupabaseProject:
    """What `supabase/` says: `migrations` are the entries for `database.migrations`, in order.

    `schemas` are those in scope (the API's, and storage where policies speak of its tables), the first one meant where
    a table is named without a schema; `notes` are sentences for people.
    """

    folder: Path
    migrations: tuple[Path, ...]
    schemas: tuple[str, ...]
    auto_expose_new_tables: bool
    notes: tuple[str, ...]


def supabase_project(folder: Path) -> SupabaseProject:
    """The project in *folder*: `supabase/` itself, or the folder that holds it.

    Raises UsageError where there is none, and for a config.toml that cannot be read.
    """
    home = _home(folder)
    config = _Config(home / "config.toml")
    migrations, notes = _entries(home, config)
    files = tuple(_texts(migrations))
    exposed, mode_notes = _mode(config, files)
    return SupabaseProject(
        folder=home,
        migrations=migrations,
        schemas=_schemas(config, files),
        auto_expose_new_tables=exposed,
        notes=(*notes, *mode_notes),
    )


def _home(folder: Path) -> Path:
    for home in (folder, folder / "supabase"):
        if (home / "config.toml").is_file() or ((home / "migrations").is_dir() and home.name == "supabase"):
            return home
    raise UsageError(
        f"{folder}: no Supabase project: expected supabase/config.toml in it, or config.toml itself\n"
        "  name the folder that `supabase init` made, or use --migrations for a folder of SQL files"
    )


class _Config:
    """config.toml, or the defaults where there is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tables = _parsed(path) if path.is_file() else {}

    def get(self, dotted: str, kind: type, default: object) -> object:
        """The value at a dotted key; UsageError where it is no *kind*."""
        value: object = self._tables
        for key in dotted.split("."):
            if not isinstance(value, Mapping):
                raise self.wrong(key, f"expected a table [{dotted.rpartition('.')[0]}]")
            value = value.get(key)
            if value is None:
                return default
        value = self._substituted(dotted, value)
        if kind is bool and value in ("true", "false"):
            value = value == "true"
        if not isinstance(value, kind):
            raise self.wrong(dotted, f"expected {_WORDS[kind]} for {dotted}, found {value!r}")
        return value

    def texts(self, dotted: str, default: list[str]) -> list[str]:
        """A list of strings."""
        found = cast("list[object]", self.get(dotted, list, default))
        texts = [self._substituted(dotted, item) for item in found]
        if not all(isinstance(text, str) for text in texts):
            raise self.wrong(dotted, f"expected a list of strings for {dotted}, found {texts!r}")
        return cast("list[str]", texts)

    def says(self, dotted: str) -> bool:
        """Whether the key is there."""
        missing = object()
        return self.get(dotted, object, missing) is not missing

    def wrong(self, dotted: str, message: str) -> UsageError:
        """The error at the line where a key stands."""
        key = re.compile(rf"^\s*\"?{re.escape(dotted.rpartition('.')[2])}\"?\s*=", re.MULTILINE)
        text = self.path.read_text(encoding="utf-8-sig")
        found = key.search(text)
        line = text.count("\n", 0, found.end()) + 1 if found else 1
        return UsageError(f"{self.path}:{line}: {message}")

    def _substituted(self, dotted: str, value: object) -> object:
        """`env(NAME)` stands for an environment variable, as in the Supabase CLI."""
        if not isinstance(value, str) or (found := ENVIRONMENT.fullmatch(value.strip())) is None:
            return value
        name = found.group(1).strip()
        if name not in os.environ:
            raise self.wrong(dotted, f"{dotted} is env({name}), but that environment variable is not set")
        return os.environ[name]


_WORDS: Mapping[type, str] = {bool: "true or false", list: "a list", str: "text"}


def _parsed(path: Path) -> Mapping[str, object]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 (byte {error.start + 1}); save the file as UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(_toml_complaint(path, str(error))) from error


def _toml_complaint(path: Path, said: str) -> str:
    found = TOML_PLACE.search(said)
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    line = int(found.group(1)) if found and found.group(1) else max(len(lines), 1)
    shown = f"\n  {lines[line - 1].strip()}" if line <= len(lines) else ""
    return f"{path}:{line}: not TOML: {TOML_PLACE.sub('', said).strip()}{shown}"


def _entries(home: Path, config: _Config) -> tuple[tuple[Path, ...], list[str]]:
    """roles.sql, the migrations, the seeds: the order of `supabase db reset`."""
    notes: list[str] = [] if config.path.is_file() else [f"{home}: no config.toml, so the CLI's defaults hold"]
    found = [path for path in (home / "roles.sql",) if path.is_file()]
    found += _migrations(home, config, notes)
    found += _seeds(home, config, notes)
    return tuple(found), notes


def _migrations(home: Path, config: _Config, notes: list[str]) -> list[Path]:
    folder = home / "migrations"
    if folder.is_dir() and any(folder.glob("*.sql")):
        if config.get("db.migrations.enabled", bool, True) is False:
            notes.append(f"{config.path}: [db.migrations] enabled = false is passed over: the migrations are applied")
        return [folder]
    declared = _globbed(home, config.texts("db.migrations.schema_paths", ["./schemas/*.sql"]))
    if declared:
        notes.append(f"{home}: no migrations, so the declared schemas are applied in their place")
        return declared
    raise UsageError(
        f"{folder}: no migrations there\n"
        "  `supabase db pull` writes those of a running project; or give a dump: --pg-dump FILE"
    )


def _seeds(home: Path, config: _Config, notes: list[str]) -> list[Path]:
    if config.get("db.seed.enabled", bool, True) is False:
        return []
    found: dict[Path, None] = {}
    for pattern in config.texts("db.seed.sql_paths", ["./seed.sql"]):
        matches = _globbed(home, [pattern])
        if not matches and config.says("db.seed.sql_paths") and pattern != "./seed.sql":
            notes.append(f"{config.path}: no file matches {pattern!r} of [db.seed] sql_paths")
        found.update(dict.fromkeys(matches))
    return list(found)


def _globbed(home: Path, patterns: list[str]) -> list[Path]:
    """The files that match, pattern by pattern, by name within each."""
    names = [name for pattern in patterns for name in sorted(glob.glob(pattern, root_dir=home, recursive=True))]
    paths = dict.fromkeys(Path(os.path.normpath(home / name)) for name in names)
    return [path for path in paths if path.is_file()]


def _texts(entries: tuple[Path, ...]) -> Iterator[str]:
    """The text of the migrations, bytes that are not UTF-8 replaced: `sources` complains of these."""
    for folder in (entry for entry in entries if entry.is_dir()):
        for path in sorted(folder.glob("*.sql")):
            if path.is_file():
                yield path.read_text(encoding="utf-8-sig", errors="replace")


def _schemas(config: _Config, texts: tuple[str, ...]) -> tuple[str, ...]:
    named = ["public", *config.texts("api.schemas", ["public"])]
    if any(STORAGE_POLICY.search(text) for text in texts):
        named.append("storage")
    return tuple(dict.fromkeys(name for name in named if name and name != "graphql_public"))


def _mode(config: _Config, texts: tuple[str, ...]) -> tuple[bool, list[str]]:
    said = config.get("api.auto_expose_new_tables", bool, None)
    if said is None:
        notes = [MODE_UNSET.format(config=config.path)]
    else:
        notes = [MODE_SET.format(config=config.path, value=str(said).lower())]
    if said is not True and not any(grants_tables(text) for text in texts):
        notes.append(NO_GRANTS)
    return said is True, notes


def recognise(folder: Path) -> str | None:
    """The tool whose migrations *folder* holds, or None where there is no SQL."""
    from tenantproof.targets.tools import recognise as tool_of

    return tool_of(folder)
