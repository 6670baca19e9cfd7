"""Where the schema comes from: a Supabase project, a folder of migrations, a dump."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from tenantproof.core.errors import NothingToCheck, UsageError
from tenantproof.core.model import Platform

USUAL = ("supabase/migrations", "prisma/migrations", "drizzle", "migrations", "db/migrations")
"""Where migrations usually are; a `supabase/` folder goes first."""

_SPEAKS_SUPABASE = re.compile(
    r"\bauth\s*\.\s*(uid|jwt|role|email|users)\b"
    r"|\b(to|from)\s+(\"?(anon|authenticated|service_role)\"?\s*[,;]|authenticated\b|service_role\b)"
    r"|\bstorage\s*\.\s*(objects|buckets)\b",
    re.IGNORECASE,
)
_MAKES_AUTH = re.compile(r"create\s+schema\s+(if\s+not\s+exists\s+)?\"?auth\"?", re.IGNORECASE)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_DEEPEST = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What to build.

    `schemas` is None where nobody says which are in scope; `exposes` is None where nobody says whether new tables are
    open to the API's roles; `words` is how the user asked for it, `notes` are sentences for people.
    """

    migrations: tuple[Path, ...]
    platform: Platform
    words: str
    schemas: tuple[str, ...] | None = None
    exposes: bool | None = None
    notes: tuple[str, ...] = ()


def of_supabase(folder: Path, words: str) -> Origin:
    """A Supabase project.  Raises UsageError where there is none, or its config.toml is wrong."""
    from tenantproof.targets.projects import supabase_project

    project = supabase_project(folder)
    unset = any("auto_expose_new_tables is not set" in note for note in project.notes)
    return Origin(
        migrations=project.migrations,
        platform=Platform.SUPABASE,
        words=words,
        schemas=project.schemas,
        exposes=None if unset else project.auto_expose_new_tables,
        notes=(*project.notes, *_seeds(project.migrations)),
    )


def _seeds(entries: tuple[Path, ...]) -> Iterator[str]:
    """That seeds are part of the database: what they fill counts as reference data."""
    after = list(itertools.dropwhile(lambda entry: not entry.is_dir(), entries))
    seeds = [entry.as_posix() for entry in after if entry.is_file()]
    if seeds:
        yield (
            f"applied after the migrations: {', '.join(seeds)} ([db.seed] of config.toml); tables filled there"
            " that nobody owns are taken for reference data"
        )


def of_migrations(path: Path, words: str, platform: Platform | None = None) -> Origin:
    """A file or a folder of any tool's migrations.  Raises UsageError where there is none, NothingToCheck for an
    empty folder."""
    if not path.exists():
        raise UsageError(f"{words}: there is no such file or folder")
    files = [path] if path.is_file() else list(_sql_files(path))
    if not files:
        raise NothingToCheck(
            f"{words}: no *.sql file in this folder or below it\n"
            "  name the folder that holds your migrations, or give a dump: tenantproof init --pg-dump FILE"
        )
    return Origin(migrations=(path,), platform=platform or detected(files), words=words)


def origin_of(
    home: Path,
    *,
    supabase: str | PathLike[str] | None,
    migrations: str | PathLike[str] | None,
    pg_dump: str | PathLike[str] | None,
    live: str | None,
    platform: Platform | None,
    say: Callable[[str], None],
) -> Origin:
    """The one origin that is given, or what lies in the working directory; *home* is the scenario's folder.

    The schema of a live database is written to a file in *home*.  Raises UsageError where two are given.
    """
    if sum(given is not None for given in (supabase, migrations, pg_dump, live)) > 1:
        raise UsageError("give one of --supabase, --migrations, --pg-dump and --from, not two")
    if supabase is not None:
        found = of_supabase(Path(supabase), f"--supabase {supabase}")
    elif migrations is not None:
        found = of_migrations(Path(migrations), f"--migrations {migrations}")
    elif pg_dump is not None:
        found = of_migrations(Path(pg_dump), f"--pg-dump {pg_dump}")
    elif live is not None:
        found = of_live(live, home, say)
    else:
        found = discovered(Path.cwd())
    return found if platform is None else replace(found, platform=platform)


def of_live(given: str, home: Path, say: Callable[[str], None]) -> Origin:
    """A live database: its schema goes into a file in *home*.  Raises TargetError where it cannot be read."""
    from tenantproof.drafting.live import dump_schema, platform_of
    from tenantproof.drafting.saving import save
    from tenantproof.targets.reach import readable_dsn

    dsn = readable_dsn(given, "--from")
    platform = platform_of(dsn)
    file = home / "schema.sql"
    save(file, dump_schema(dsn, platform, say))
    words = f"--from {given}" if given.startswith("env:") else "--from a database"
    note = f"the schema stands in {file} now; take it again with init --force after the database changed"
    return Origin(migrations=(file,), platform=platform, words=words, exposes=False, notes=(note,))


def discovered(here: Path) -> Origin:
    """The project in a folder, found where projects have their migrations.  Raises UsageError where nothing is."""
    home = here / "supabase"
    if (home / "config.toml").is_file() or (home / "migrations").is_dir():
        return of_supabase(_as_seen(home), "--supabase")
    for usual in USUAL:
        folder = here / usual
        if folder.is_dir() and next(_sql_files(folder), None) is not None:
            return of_migrations(_as_seen(folder), f"--migrations {usual}")
    raise UsageError(
        "no migrations found here (looked for supabase/, prisma/migrations, drizzle/, migrations/, db/migrations)\n"
        "  say where the schema is:\n"
        "    tenantproof init --supabase [DIR]          a project of the Supabase CLI\n"
        "    tenantproof init --migrations DIR|FILE     SQL migrations of any tool\n"
        "    tenantproof init --pg-dump FILE            the output of pg_dump --schema-only\n"
        "    tenantproof init --from env:DATABASE_URL   a live database; its schema is read, nothing is written"
    )


def _as_seen(path: Path) -> Path:
    """Relative to the working directory where it is below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _sql_files(folder: Path, depth: int = 0) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read: {error.strerror}") from error
    for entry in entries:
        if entry.is_file() and entry.suffix.lower() == ".sql":
            yield entry
        elif entry.is_dir() and depth < _DEEPEST and not entry.name.startswith("."):
            yield from _sql_files(entry, depth + 1)


def detected(files: list[Path]) -> Platform:
    """Supabase where the SQL speaks of what only Supabase has and does not make itself."""
    speaks = makes = False
    for file in files:
        try:
            text = _COMMENT.sub(" ", file.read_bytes().decode("utf-8-sig", "replace"))
        except OSError as error:
            raise UsageError(f"{file}: cannot be read: {error.strerror}") from error
        speaks = speaks or _SPEAKS_SUPABASE.search(text) is not None
        makes = makes or _MAKES_AUTH.search(text) is not None
    return Platform.SUPABASE if speaks and not makes else Platform.POSTGRES
