"""
What a scenario declares, as frozen values.

The YAML border (`tenantproof.scenario`) turns a file into these; everything below works with these alone.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

EMPTY: Mapping[str, object] = MappingProxyType({})


class QName(NamedTuple):
    """A schema-qualified name, as pg_catalog spells it (never quoted)."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


class Command(enum.StrEnum):
    """The four commands that a row level security policy can speak of."""

    SELECT = "select"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


class Platform(enum.StrEnum):
    SUPABASE = "supabase"
    POSTGRES = "postgres"


class ScopeKind(enum.StrEnum):
    """Who may do a command on which rows, from nothing to everything."""

    NONE = "none"
    OWN = "own"
    TENANT = "tenant"
    ALL = "all"
    WHERE = "where"


@dataclass(frozen=True, slots=True)
class Scope:
    """One scope; `predicate` is an SQL expression over the row, only for kind WHERE."""

    kind: ScopeKind
    predicate: str = ""

    def __str__(self) -> str:
        return f"where {self.predicate}" if self.kind is ScopeKind.WHERE else self.kind.value


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file; line and column count from 1."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Locator:
    """How one value (a tenant or an owner) is found from a row.

    Either `path`, columns to follow along foreign keys, the last of which holds the value
    (`("workflow_id", "organization_id")`), or `sql`, an expression over the row's columns.
    """

    path: tuple[str, ...] = ()
    sql: str = ""

    def __str__(self) -> str:
        return self.sql or ".".join(self.path)


class SystemRows(enum.StrEnum):
    """What rows without a tenant are."""

    SHARED = "shared"
    PRIVATE = "private"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenancy:
    """How the tenant and the owner of a relation's rows are found."""

    tenant: Locator | None = None
    owner: Locator | None = None
    shared: bool = False
    private: bool = False
    undecided: bool = False
    """Whether somebody wrote that nobody knows yet: then nothing is inferred either."""
    system_rows: SystemRows = SystemRows.UNDECIDED
    values: Mapping[str, str | None] = field(default_factory=dict)
    """Column -> template for the seeder, with {tenant.id} {tenant.name} {owner.id} {n} {uuid}; None for NULL."""
    rows: int = 3
    """Rows to seed per tenant."""
    place: Place | None = None

    @property
    def decided(self) -> bool:
        """Whether anything at all is known about whose the rows are."""
        return self.shared or self.private or self.tenant is not None or self.owner is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A table that says which user belongs to which tenant, and with which role."""

    table: QName
    user: str
    tenant: str
    role: str | None = None
    values: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """SQL of the user's that makes rows, run once for each tenant while seeding.

    `sql` is a template (PERSON's placeholders, {uuid}, {n}, {canary}); `table` is what it fills, which the seeder then
    leaves to it; `role` names the tenant's member who runs it, None the observer.
    """

    sql: str
    table: QName | None = None
    role: str | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """An organization.  `id` is None until the scenario or the seeder gives it one."""

    name: str
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One line of `expect:`, flattened: for this table pattern, command and role, these scopes (a union).

    `table` is None for the pattern "*"; `role` is None for a scalar (every persona), "*" for roles not named.
    `breadth` orders commands: 0 exact, 1 read/write, 2 all.
    """

    table: QName | None
    command: Command
    breadth: int
    role: str | None
    scopes: tuple[Scope, ...]
    place: Place | None = None


LONGEST_ACCEPTANCE = 366
"""Days: nobody remembers longer why a leak was acceptable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A known finding that a person took responsibility for, until a date (ISO).

    `channel` and `object` may hold `*`; with a `fingerprint` only that one finding is meant.  Without a `place` it is
    no entry of a scenario, but a baseline's.
    """

    channel: str
    object: str
    reason: str
    until: str
    fingerprint: str | None = None
    place: Place | None = None


class Carrier(enum.StrEnum):
    """How a request to an endpoint carries the persona's token."""

    BEARER = "bearer"
    HEADER = "header"
    COOKIE = "cookie"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An HTTP endpoint whose answers must not hold another tenant's canary.

    `url`, `headers` and `body` are templates; a body that is no text is sent as JSON.  `row_columns` are the
    columns that placeholders {row.TABLE.COLUMN} mean, by the placeholder's name.  `carrier_name` names the header
    or the cookie.
    """

    name: str
    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    row_columns: Mapping[str, tuple[QName, str]] = field(default_factory=dict)
    carrier: Carrier = Carrier.BEARER
    carrier_name: str = ""
    public: bool = False
    """Whether anybody may see what a client without a token is answered."""
    cache: bool = True
    """Whether to ask one after the other what a cache might mix up."""
    safe: bool = False
    """Whether requests change nothing, whatever the method says."""
    place: Place | None = None

    @property
    def reads(self) -> bool:
        """Whether its requests change nothing."""
        return self.safe or self.method in ("GET", "HEAD")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointsApp:
    """Where the application behind the endpoints is: at `base`, or started by `command` for the run.

    `base` is a URL or env:NAME; `env` are templates; `ready` is asked until it answers; `login` is the role that the
    application connects to the database as (None: that of the session).
    """

    base: str | None = None
    command: str | None = None
    ready: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    login: str | None = None
    place: Place | None = None


class PoolKind(enum.StrEnum):
    """What hands one server connection from user to user."""

    PGBOUNCER_TRANSACTION = "pgbouncer-transaction"
    PGBOUNCER_SESSION = "pgbouncer-session"
    PSYCOPG_POOL = "psycopg_pool"
    SQLALCHEMY = "sqlalchemy"

    @property
    def is_pgbouncer(self) -> bool:
        return self in (PoolKind.PGBOUNCER_TRANSACTION, PoolKind.PGBOUNCER_SESSION)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """What the application does at one moment: templates of statements, or `package.module:function`."""

    statements: tuple[str, ...] = ()
    callable: str | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """The application's own habit on pooled connections.

    `checkout` comes once when a connection is taken, `begin` first in each transaction (`anonymous` in its place for
    who lacks what it names), `release` before the connection is given back, `on_error` in its place after a failure
    (None: the same).  No `pools` are all of them.
    """

    checkout: Snippet = Snippet()
    begin: Snippet = Snippet()
    anonymous: Snippet | None = None
    release: Snippet = Snippet()
    on_error: Snippet | None = None
    pools: tuple[PoolKind, ...] = ()
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """How the application tells the database who is asking.

    `login` is the role that connects (authenticator on Supabase); `role` is what it becomes for a signed-in
    persona; `anon_role` for one without a token; `settings` are templates for SET LOCAL; `pre_request` a
    function called first, as PostgREST's db-pre-request.
    """

    login: str | None = None
    role: str = "authenticated"
    anon_role: str = "anon"
    settings: Mapping[str, str] = field(default_factory=dict)
    pre_request: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Which database to build: platform, migrations (files and tools' folders) in order, schemas in scope.

    `shims` is a folder of stand-ins for extensions of the project's own.
    """

    platform: Platform
    migrations: tuple[Path, ...]
    schemas: tuple[str, ...] = ("public",)
    auto_expose_new_tables: bool = False
    shims: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything the user declared, checked as far as the file alone allows."""

    name: str
    path: str
    database: Database
    tenants: tuple[Tenant, ...]
    roles: tuple[str, ...] = ()
    """From strongest to weakest."""
    memberships: tuple[Membership, ...] = ()
    session: Session = field(default_factory=Session)
    pooled: Pooled | None = None
    claims: Mapping[str, object] = field(default_factory=dict)
    tables: Mapping[QName, Tenancy] = field(default_factory=dict)
    fills: tuple[Fill, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    endpoints_app: EndpointsApp | None = None
    accepted: tuple[Acceptance, ...] = ()
    undecided: tuple[str, ...] = ()
    """Dotted paths of what must be decided before anything can be checked: `membership`, `session.role`."""
    places: Mapping[str, Place] = field(default_factory=dict)
    """Dotted path in the file ("tables.workflows") -> where it stands, for later messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """That a persona belongs to a tenant, and as what (None where the scenario has no roles)."""

    tenant: str
    role: str | None


class PersonaKind(enum.StrEnum):
    ANON = "anon"
    OUTSIDER = "outsider"
    DUAL = "dual"
    MEMBER = "member"


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """A user as the database sees it: memberships and, once minted, claims.

    `user_id` is a deterministic uuid (None for anon).  `memberships` name tenants, not ids.
    """

    name: str
    kind: PersonaKind
    user_id: str | None = None
    email: str | None = None
    memberships: tuple[Member, ...] = ()

    def roles_in(self, tenant: str) -> tuple[str, ...]:
        """The roles this persona has in a tenant (empty where it is no member)."""
        return tuple(member.role or "" for member in self.memberships if member.tenant == tenant)

    @property
    def tenants(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(member.tenant for member in self.memberships))
