"""What a person should know of the SQL that built a database, told from its text alone: the same in every run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tenantproof.core.model import Platform
from tenantproof.core.ports import Source
from tenantproof.targets import dumps

API_GRANT = re.compile(
    r"\bgrant\s+(?:all|select|insert|update|delete)\b(?!\s+(?:privileges\s+)?on\s+(?:schema|function|routine|sequence|type))"
    r"[^;]*?\bto\b[^;]*?\b(?:anon|authenticated|public)\b",
    re.IGNORECASE,
)
COMMENT_LINE = re.compile(r"^\s*--.*$", re.MULTILINE)
ROLE = re.compile(r"create\s+(?:role|user)\s+(\w+)", re.IGNORECASE)

NOTHING_GRANTED = (
    "the migrations grant no table to anon or authenticated, and auto_expose_new_tables is off, so by SQL's privileges"
    " these reach none of them; tables made before 30 October 2026 kept the platform's grants: if yours are older,"
    " set database.auto_expose_new_tables: true, or findings stay hidden"
)
ALL_BY_DEFAULT = (
    "auto_expose_new_tables is on: what anon and authenticated may do where no migration says GRANT or REVOKE is by the"
    " platform's default privileges of before 30 October 2026, and findings on such tables depend on it"
)
BARE = (
    "{path} is a dump without privileges (pg_dump -x): who may do what with its tables is by default privileges and"
    " later files alone, and findings depend on these; dump it again without -x"
)
PARTS = (
    "{path} is a dump of some schemas: triggers on auth.users and policies on storage.objects are not in it, if the"
    " project has any; `pg_dump` of the whole database has them"
)
WHOLE = (
    "{path} is a dump of a whole Supabase database: what it says of the platform's own schemas (auth, storage, …) was"
    " passed over where the platform's dress has it already"
)
ROLES = "{path} is a dump that names roles nobody makes: {roles} (made here without LOGIN)"


def remarks(sources: Sequence[Source], platform: Platform, *, auto_expose: bool) -> tuple[str, ...]:
    """Sentences for the report's notes."""
    return (*_privileges(sources, platform, auto_expose=auto_expose), *_dumps(sources, platform))


def grants_tables(text: str) -> bool:
    """Whether SQL grants a table to one of Supabase's API roles (or to everybody), now or by default privileges."""
    return API_GRANT.search(text) is not None and API_GRANT.search(COMMENT_LINE.sub("", text)) is not None


def _privileges(sources: Sequence[Source], platform: Platform, *, auto_expose: bool) -> Iterator[str]:
    if platform is not Platform.SUPABASE or not sources:
        return
    if auto_expose:
        yield ALL_BY_DEFAULT
    elif not any(grants_tables(source.text) for source in sources):
        yield NOTHING_GRANTED


def _dumps(sources: Sequence[Source], platform: Platform) -> Iterator[str]:
    if not any(dumps.is_dump(source.text) for source in sources):
        return
    made = _roles_of(platform)
    for source in sources:
        if not dumps.is_dump(source.text):
            made |= dumps.roles_made(source.text)
            continue
        missing = dumps.roles_named(source.text) - made - dumps.roles_made(source.text)
        if missing:
            yield ROLES.format(path=source.path, roles=", ".join(sorted(missing)))
        if not dumps.speaks_of_privileges(source.text):
            yield BARE.format(path=source.path)
        if platform is Platform.SUPABASE:
            yield (WHOLE if dumps.speaks_of_the_platform(source.text) else PARTS).format(path=source.path)
        made |= missing | dumps.roles_made(source.text)


def _roles_of(platform: Platform) -> set[str]:
    from tenantproof.targets.dress import OBSERVER, scripts

    made = {name for script in scripts(platform, auto_expose=False) for name in ROLE.findall(script)}
    return made | {OBSERVER[platform]}
