"""
Models to a `Scenario`, with every check that compares two places of the file (or the file with the disk).

The scenario is only to be used where no problem was found on the way.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path as FilePath

from tenantproof.core import model
from tenantproof.core.model import Place, QName
from tenantproof.scenario import endpoints, expectations, migrations, models, pooled, tables, templates
from tenantproof.scenario.ledger import Ledger
from tenantproof.scenario.positions import Path, dotted, shown
from tenantproof.scenario.suggestions import suggest

RESERVED = frozenset({"anon", "outsider", "dual", "*", "where"})
"""Names of built-in personas, and words with a meaning under `expect:`."""

SYSTEM_SCHEMA = re.compile(r"pg_.*|information_schema")
PLACED = frozenset({"database", "session", "tenants", "roles", "membership", "tables", "fill", "expect", "accept"}) | {
    "endpoints",
    "endpoints_app",
}
"""Sections whose places later checks ask for."""


def build(ledger: Ledger, file: models.File, path: FilePath) -> model.Scenario:
    """The scenario; what is wrong with it goes into the ledger."""
    schemas = _schemas(ledger, file)
    roles = _roles(ledger, file)
    namer = tables.Namer(ledger=ledger, schemas=schemas)
    entries = None if file.membership == "undecided" else file.membership
    memberships = tables.memberships(ledger, namer, entries)
    elsewhere = frozenset(membership.table for membership in memberships)
    namer = tables.Namer(ledger=ledger, schemas=schemas, elsewhere=elsewhere)
    keys = namer.all_in_scope(("tables",), file.tables or {})
    declared = tables.tenancies(ledger, keys, file.tables or {})
    expected = namer.all_in_scope(("expect",), (key for key in file.expect or {} if key != "*"))
    session = _session(ledger, file)
    _claims(ledger, file)
    _bound_roles(ledger, file, session)
    return model.Scenario(
        name=file.name or path.name.removesuffix(path.suffix).removesuffix(".tenancy"),
        path=ledger.document.source.path,
        database=_database(ledger, file, path, schemas),
        tenants=_tenants(ledger, file),
        roles=roles,
        memberships=memberships,
        session=session,
        pooled=pooled.build(ledger, file.pooled),
        claims=file.claims or {},
        tables=declared,
        fills=_fills(ledger, file, roles, namer, elsewhere),
        expectations=tuple(_expectations(ledger, file, roles, declared, expected)),
        endpoints=endpoints.endpoints(ledger, namer, file),
        endpoints_app=endpoints.app(ledger, file),
        accepted=_accepted(ledger, file),
        undecided=tuple(_undecided(file)),
        places=_places(
            ledger, {**{("tables", k): n for k, n in keys.items()}, **{("expect", k): n for k, n in expected.items()}}
        ),
    )


def _schemas(ledger: Ledger, file: models.File) -> tuple[str, ...]:
    paths: list[tuple[Path, str]] = [(("database", "schemas", i), name) for i, name in enumerate(file.database.schemas)]
    ledger.unique(paths, "the schema")
    for path, name in paths:
        if SYSTEM_SCHEMA.fullmatch(name):
            ledger.at_value(path, "bad-name", f"{shown(name)} belongs to PostgreSQL itself", "name schemas of your own")
    return tuple(file.database.schemas)


def _database(ledger: Ledger, file: models.File, path: FilePath, schemas: tuple[str, ...]) -> model.Database:
    database = file.database
    if database.auto_expose_new_tables and database.platform != "supabase":
        where = ("database", "auto_expose_new_tables")
        ledger.at_value(where, "contradiction", "only Supabase exposes new tables by itself", "remove the key")
    return model.Database(
        platform=model.Platform(database.platform),
        migrations=migrations.resolve(ledger, path.parent, database.migrations),
        shims=migrations.shims(ledger, path.parent, database.shims),
        schemas=schemas,
        auto_expose_new_tables=database.auto_expose_new_tables,
    )


def _tenants(ledger: Ledger, file: models.File) -> tuple[model.Tenant, ...]:
    tenants, where, ids = [], [], []
    for index, entry in enumerate(file.tenants):
        path: Path = ("tenants", index)
        if isinstance(entry, str):
            tenant = model.Tenant(name=entry)
            where.append((path, entry))
        else:
            tenant = model.Tenant(name=entry.name, id=ledger.document.text((*path, "id")) or None)
            where.append(((*path, "name"), entry.name))
        ids += [((*path, "id"), tenant.id)] if tenant.id else []
        tenants.append(tenant)
    ledger.unique(where, "the tenant")
    ledger.unique(ids, "the tenant id")
    _not_reserved(ledger, where, "tenant")
    return tuple(tenants)


def _roles(ledger: Ledger, file: models.File) -> tuple[str, ...]:
    where: list[tuple[Path, str]] = [(("roles", index), role) for index, role in enumerate(file.roles or ())]
    ledger.unique(where, "the role")
    _not_reserved(ledger, where, "role")
    return tuple(file.roles or ())


def _not_reserved(ledger: Ledger, names: list[tuple[Path, str]], what: str) -> None:
    for path, name in names:
        if name.lower() in RESERVED:
            message = f"{shown(name)} has a meaning of its own and cannot name a {what}"
            ledger.at_value(path, "reserved-name", message, f"reserved: {', '.join(sorted(RESERVED))}")


def _session(ledger: Ledger, file: models.File) -> model.Session:
    declared = file.session or models.Session()
    supabase = file.database.platform == "supabase"
    role = declared.role or ("authenticated" if supabase else "")
    if not role:
        message = "on platform postgres the key 'session.role' is required"
        where: Path = ("session",) if file.session else ("database", "platform")
        ledger.at_key(where, "missing-key", message, "name the role your application's queries run as")
    settings = tables.texts(ledger, ("session", "settings"), declared.settings)
    headers = tables.texts(ledger, ("session", "headers"), declared.headers)
    ledger.templates([(("session", "settings", key), text) for key, text in settings.items()], templates.PERSON)
    ledger.templates([(("session", "headers", key), text) for key, text in headers.items()], templates.PERSON)
    return model.Session(
        login=declared.login or ("authenticator" if supabase else None),
        role=role,
        anon_role=declared.anon_role or ("anon" if supabase else role),
        settings=settings,
        pre_request=declared.pre_request,
        headers=headers,
    )


def _claims(ledger: Ledger, file: models.File) -> None:
    ledger.templates(templates.strings(file.claims or {}, ("claims",)), templates.PERSON)


def _bound_roles(ledger: Ledger, file: models.File, session: model.Session) -> None:
    """Roles that the database never hears of are an error, and so is a role column without roles."""
    if file.membership == "undecided":
        return
    entries = file.membership if isinstance(file.membership, list) else [file.membership] if file.membership else []
    with_role = [index for index, entry in enumerate(entries) if entry.role]
    written = [
        *session.settings.values(),
        *session.headers.values(),
        *(t for _, t in templates.strings(file.claims or {})),
    ]
    told = any("role" in templates.placeholders(text) for text in written)
    if file.roles and not with_role and not told:
        hint = "give membership a `role: column`, or use {role} in claims or session.settings"
        ledger.at_key(
            ("roles",), "unused-roles", "roles are declared, but nothing tells the database a user's role", hint
        )
    if with_role and not file.roles:
        path: Path = ("membership", with_role[0]) if isinstance(file.membership, list) else ("membership",)
        message = f"{dotted((*path, 'role'))} names a column, but no roles are declared"
        ledger.at_value((*path, "role"), "missing-key", message, "list them, strongest first: roles: [owner, member]")


def _undecided(file: models.File) -> Iterator[str]:
    if file.membership == "undecided":
        yield "membership"
    if file.session is not None and file.session.role == "undecided":
        yield "session.role"


def _fills(
    ledger: Ledger, file: models.File, roles: tuple[str, ...], namer: tables.Namer, members: frozenset[QName]
) -> tuple[model.Fill, ...]:
    entries = file.fill or []
    ledger.templates(((("fill", i, "sql"), entry.sql) for i, entry in enumerate(entries)), templates.FILL)
    return tuple(_fill(ledger, ("fill", i), entry, roles, namer, members) for i, entry in enumerate(entries))


def _fill(
    ledger: Ledger,
    path: Path,
    entry: models.Fill,
    roles: tuple[str, ...],
    namer: tables.Namer,
    members: frozenset[QName],
) -> model.Fill:
    table = namer.anywhere((*path, "table"), entry.table) if entry.table is not None else None
    if table in members:
        message = f"{shown(entry.table or '')} holds the memberships, which the scenario's personas have"
        ledger.at_value((*path, "table"), "contradiction", message, "leave it out: membership.values says the rest")
    if entry.role is not None and entry.role not in roles:
        hint = suggest(entry.role, set(roles)) if roles else "declare roles, or leave `as` out"
        ledger.at_value((*path, "as"), "unknown-role", f"nobody has the role {shown(entry.role)}", hint)
    return model.Fill(sql=entry.sql, table=table, role=entry.role, place=ledger.document.key_place(path))


def _expectations(
    ledger: Ledger,
    file: models.File,
    roles: tuple[str, ...],
    declared: dict[QName, model.Tenancy],
    names: dict[str, QName],
) -> Iterator[model.Expectation]:
    flattener = expectations.Flattener(ledger=ledger, roles=roles, tables=declared)
    for key, entry in (file.expect or {}).items():
        if key == "*" or key in names:
            yield from flattener.flatten(names.get(key), ("expect", key), entry)


def _accepted(ledger: Ledger, file: models.File) -> tuple[model.Acceptance, ...]:
    return tuple(
        model.Acceptance(
            channel=entry.channel,
            object=entry.object,
            reason=entry.reason,
            until=entry.until,
            fingerprint=entry.fingerprint,
            place=ledger.document.key_place(("accept", index)),
        )
        for index, entry in enumerate(file.accept or ())
    )


def _places(ledger: Ledger, names: dict[tuple[str, str], QName]) -> dict[str, Place]:
    """Places by the path as written and, for tables, by the qualified name as well."""
    places: dict[str, Place] = {}
    for path in ledger.document.walk():
        if path[0] in PLACED:
            place = ledger.document.place(path)
            places.setdefault(".".join(map(str, path)), place)
            if (name := names.get((str(path[0]), str(path[1])) if len(path) > 1 else ("", ""))) is not None:
                places.setdefault(".".join(map(str, (path[0], name, *path[2:]))), place)
    return places
