"""
The scenario file as pydantic models: shapes, descriptions and everything one value can tell by itself.

These models are also the JSON Schema (`schema.py`), so every field has a description.  No tuple fields: draft-07
has no `prefixItems`.  What needs two places of the file to be compared is checked in `build.py`.  Tags of unions
are written «so», which lets `complaints.py` drop them from the paths of errors.
"""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from tenantproof.core.model import LONGEST_ACCEPTANCE

MAY_BE_EMPTY = frozenset({"session", "roles", "claims", "tables", "fill", "expect", "endpoints", "accept"})
"""Sections that may stand there with nothing below them: the same as if they were left out."""

SHAPES: dict[type, str] = {str: "«text»", list: "«list»", dict: "«mapping»"}


def shape(value: object) -> str | None:
    """The tag of an arm chosen by the YAML shape alone."""
    return SHAPES.get(type(value))


def either(expected: str) -> Discriminator:
    """Choose between text, list and mapping; *expected* says in words what is allowed."""
    return Discriminator(shape, custom_error_type="wrong-type", custom_error_message=f"expected {expected}")


def complain(code: str, message: str, hint: str = "") -> PydanticCustomError:
    """An error of ours in pydantic's clothes; braces in the texts are safe."""
    return PydanticCustomError("own", "{message}", {"code": code, "message": message, "hint": hint})


def _not_blank(text: str) -> str:
    if not text.strip():
        raise complain("empty", "expected text, found nothing but spaces")
    return text


def _scalar(value: object) -> object:
    """Numbers and booleans are fine where the database gets text anyway; `build` takes them as written."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _date(text: str) -> str:
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            raise ValueError
        datetime.date.fromisoformat(text)
    except ValueError:
        raise complain("bad-date", "expected a date", "write it as 2027-03-01") from None
    return text


def _until(text: str) -> str:
    day = datetime.date.fromisoformat(_date(text))
    last = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=LONGEST_ACCEPTANCE)
    if day > last:
        raise complain(
            "too-far", "expected a date at most a year away", f"{last} or before: somebody should look at it again"
        )
    return text


def _fingerprint(text: str) -> str:
    if not re.fullmatch("[0-9a-f]{12}", text):
        raise complain("bad-fingerprint", "expected a fingerprint", "12 of the characters 0-9 a-f, in quotes")
    return text


def _url(text: str) -> str:
    if not text.startswith(("{base}", "http://", "https://")):
        raise complain("bad-url", "expected a URL", "start it with {base}, http:// or https://")
    return text


def _callable_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", text):
        raise complain("bad-callable", "not a function's place", "write it as package.module:function")
    return text


def _setting_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w$]*(\.[A-Za-z_][\w$]*)*", text):
        raise complain("bad-name", "not a name of a setting", "custom settings look like app.tenant_id")
    if text.lower() in ("role", "session_authorization"):
        raise complain("bad-name", "a role is not set this way", "use session.role and session.login")
    return text


Text = Annotated[str, Field(min_length=1), AfterValidator(_not_blank)]
Scalar = Annotated[Text, BeforeValidator(_scalar), WithJsonSchema({"type": ["string", "number", "boolean"]})]
TenantName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]


class Strict(BaseModel):
    """Unknown keys and implicit conversions are errors."""

    # Built with the first file that is validated: one schema instead of one for each class.
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class Database(Strict):
    """The database under test."""

    platform: Literal["supabase", "postgres"] = Field(
        description="supabase: the database looks like Supabase (roles, auth, storage). postgres: a plain one."
    )
    migrations: (
        Annotated[
            Annotated[Text, Tag("«text»")] | Annotated[list[Text], Field(min_length=1), Tag("«list»")],
            either("a path or a list of paths"),
        ]
        | None
    ) = Field(
        default=None,
        description="SQL that builds the schema: a file, a folder (plain SQL files, or those of Supabase, Prisma,"
        " Drizzle, Flyway, dbmate, goose, in their tool's order) or a list of them in order; relative to the scenario"
        " file.",
    )
    shims: Text | None = Field(
        default=None,
        description="A folder of stand-ins for extensions that the embedded server lacks: NAME.control and"
        " NAME--VERSION.sql; relative to the scenario file.",
    )
    schemas: list[Text] = Field(
        default=["public"],
        min_length=1,
        description="Schemas in scope. The first one is meant where a table is named without a schema.",
    )
    auto_expose_new_tables: bool = Field(
        default=False,
        description="Supabase only: true grants new tables to anon and authenticated by default (the legacy mode).",
    )


class Session(Strict):
    """Who the database believes is asking."""

    login: Text | None = Field(default=None, description="The role that connects. On supabase: authenticator.")
    role: Text | None = Field(
        default=None,
        description="The role a signed-in persona becomes. On supabase: authenticated; on postgres it is required.",
    )
    anon_role: Text | None = Field(
        default=None,
        description="The role of a persona without a token. On supabase: anon; on postgres: the same as role.",
    )
    settings: dict[Annotated[str, AfterValidator(_setting_name)], Scalar] | None = Field(
        default=None,
        description='What SET LOCAL sets, as templates: {app.tenant_id: "{tenant.id}"}.'
        " Placeholders: {tenant.id} {tenant.name} {user.id} {user.email} {role}.",
    )
    pre_request: Text | None = Field(
        default=None, description="A function that is called first, as PostgREST's db-pre-request."
    )
    headers: dict[Text, Scalar] | None = Field(
        default=None, description="HTTP headers that the database sees in request.headers, as templates."
    )


class Called(Strict):
    """A function of the application's."""

    callable: Annotated[Text, AfterValidator(_callable_name)] = Field(
        description="package.module:function, found beside the scenario file or in the working directory. It gets the"
        " connection (psycopg.Connection, or SQLAlchemy's for the pool sqlalchemy) and the persona: user_id, email,"
        " tenant_id, tenant_name, tenants, role, claims, token."
    )


Snippet = Annotated[
    Annotated[Text, Tag("«text»")] | Annotated[list[Text], Tag("«list»")] | Annotated[Called, Tag("«mapping»")],
    either("a statement, a list of statements or {callable: package.module:function}"),
]

_FILLED = " Placeholders: {tenant.id} {tenant.name} {user.id} {user.email} {role} {claims}."


class Pooled(Strict):
    """What the application itself does on a pooled connection, for `check --via pooled`."""

    checkout: Snippet | None = Field(
        default=None,
        description="Once for each connection taken from the pool, every statement on its own." + _FILLED,
    )
    begin: Snippet | None = Field(
        default=None,
        description="First in each transaction. A statement that names what the user lacks is left out." + _FILLED,
    )
    anonymous: Snippet | None = Field(
        default=None, description="In place of begin for whoever lacks what begin names." + _FILLED
    )
    release: Snippet | None = Field(
        default=None,
        description="Before the connection is given back, after the transaction ended. Left out: nothing." + _FILLED,
    )
    on_error: Snippet | None = Field(
        default=None,
        description="In place of release where a statement failed; [] for nothing. Left out: the same as release."
        + _FILLED,
    )
    pools: list[Literal["pgbouncer-transaction", "pgbouncer-session", "psycopg_pool", "sqlalchemy"]] | None = Field(
        default=None,
        min_length=1,
        description="The pools that the application uses. Left out: all that can be had.",
    )


class Tenant(Strict):
    """A tenant with a given id."""

    name: TenantName = Field(description="The tenant's name in this file and in reports.")
    id: Scalar | None = Field(
        default=None, description="Its id in the database. Left out, the seeder gives it one that is stable for a seed."
    )


class Membership(Strict):
    """A table that says which user belongs to which tenant."""

    table: Text = Field(description="The table, such as organization_members or auth.members.")
    user: Text = Field(description="Its column with the user's id.")
    tenant: Text = Field(description="Its column with the tenant's id.")
    role: Text | None = Field(default=None, description="Its column with the role, one of `roles`.")
    values: dict[Text, Scalar | None] | None = Field(
        default=None,
        description="Values for other columns of the row, as templates; null for NULL."
        " Placeholders: {tenant.id} {tenant.name} {owner.id} (the member) {n} {uuid} {canary}.",
    )


class Expression(Strict):
    """A value found by SQL."""

    sql: Text = Field(description="An SQL expression over the row's columns.")


Locator = Annotated[
    Annotated[Text, Tag("«text»")] | Annotated[Expression, Tag("«mapping»")],
    either("a column, a path along foreign keys (workflow_id.organization_id) or {sql: expression}"),
]


class Table(Strict):
    """Whose the rows of a table are, and how it is seeded."""

    tenant: Locator | None = Field(
        default=None,
        description="How a row's tenant is found: a column, a path along foreign keys"
        " (workflow_id.organization_id), or {sql: expression}.",
    )
    owner: Locator | None = Field(default=None, description="How a row's owner (a user's id) is found; as tenant.")
    shared: bool = Field(
        default=False, description="Reference data: the rows belong to no tenant and all may know them."
    )
    private: bool = Field(default=False, description="Nobody but the service role may reach the rows.")
    system_rows: Literal["shared", "private"] | None = Field(
        default=None, description="What rows are whose tenant is NULL. Left out, they are undecided."
    )
    values: dict[Text, Scalar | None] | None = Field(
        default=None,
        description="Values for the seeder by column, as templates; null for NULL."
        " Placeholders: {tenant.id} {tenant.name} {owner.id} {n} {uuid} {canary}.",
    )
    rows: int = Field(default=3, ge=1, le=100_000, description="Rows to seed for each tenant.")


TableEntry = Annotated[
    Annotated[Literal["undecided"], Tag("«text»")] | Annotated[Table, Tag("«mapping»")],
    either("a mapping, or undecided"),
]


class Fill(Strict):
    """SQL that makes rows which only the application can make; run once for each tenant."""

    sql: Text = Field(
        description="The statement, as a template; placeholders stand inside quotes: '{tenant.id}'."
        " Placeholders: {tenant.id} {tenant.name} {user.id} {user.email} {role} {n} {uuid} {canary}."
    )
    table: Text | None = Field(
        default=None, description="The table that it fills: the seeder makes no rows of its own there."
    )
    role: Text | None = Field(
        default=None,
        alias="as",
        description="The role of the tenant's member who runs it. Left out: somebody whom no policy binds.",
    )


class Where(Strict):
    """The rows for which a predicate holds."""

    where: Text = Field(description="An SQL expression over the row's columns.")


ScopeName = Literal["none", "own", "tenant", "all"]
OneScope = Annotated[
    Annotated[ScopeName, Tag("«text»")] | Annotated[Where, Tag("«mapping»")],
    either("a scope (none, own, tenant, all) or {where: predicate}"),
]
Union = Annotated[list[OneScope], Field(min_length=1)]
Scopes = Annotated[
    Annotated[ScopeName, Tag("«text»")] | Annotated[Where, Tag("«mapping»")] | Annotated[Union, Tag("«list»")],
    either("a scope (none, own, tenant, all), {where: predicate} or a list of these"),
]


def _cell_shape(value: object) -> str | None:
    return "«roles»" if isinstance(value, dict) and "where" not in value else shape(value)


def _entry_shape(value: object) -> str | None:
    return "«commands»" if isinstance(value, dict) and "where" not in value else shape(value)


Cell = Annotated[
    Annotated[ScopeName, Tag("«text»")]
    | Annotated[Where, Tag("«mapping»")]
    | Annotated[Union, Tag("«list»")]
    | Annotated[dict[str, Scopes], Tag("«roles»")],
    Discriminator(
        _cell_shape,
        custom_error_type="wrong-type",
        custom_error_message="expected a scope (none, own, tenant, all), {where: predicate}, a list, or role: scope",
    ),
]


class Commands(Strict):
    """Who may do which command on which rows. An exact command wins over read and write, these win over all."""

    select: Cell | None = Field(default=None, description="Who may SELECT which rows: a scope, or role -> scope.")
    insert: Cell | None = Field(default=None, description="Who may INSERT which rows: a scope, or role -> scope.")
    update: Cell | None = Field(default=None, description="Who may UPDATE which rows: a scope, or role -> scope.")
    delete: Cell | None = Field(default=None, description="Who may DELETE which rows: a scope, or role -> scope.")
    read: Cell | None = Field(default=None, description="The same as select: a scope, or role -> scope.")
    write: Cell | None = Field(default=None, description="insert, update and delete: a scope, or role -> scope.")
    all: Cell | None = Field(default=None, description="All four commands: a scope, or role -> scope.")


Entry = Annotated[
    Annotated[ScopeName, Tag("«text»")]
    | Annotated[Where, Tag("«mapping»")]
    | Annotated[Union, Tag("«list»")]
    | Annotated[Commands, Tag("«commands»")],
    Discriminator(
        _entry_shape,
        custom_error_type="wrong-type",
        custom_error_message="expected command: scope (select insert update delete read write all), or one scope",
    ),
]


class Carried(Strict):
    """The token in a header or in a cookie of this name."""

    header: Text | None = Field(default=None, description="The header that holds the token, and nothing else.")
    cookie: Text | None = Field(default=None, description="The cookie that holds the token.")


class Endpoint(Strict):
    """An HTTP endpoint whose answers must not hold another tenant's canary."""

    name: Text = Field(description="A name for reports.")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = Field(
        default="GET", description="The HTTP method."
    )
    url: Annotated[Text, AfterValidator(_url)] = Field(
        description="The URL, as a template."
        " Placeholders: {base} {tenant.id} {tenant.name} {user.id} {user.email} {role} {row.TABLE.COLUMN}."
    )
    headers: dict[Text, Scalar] | None = Field(default=None, description="Headers, as templates; as url.")
    body: (
        Annotated[
            Annotated[Text, Tag("«text»")]
            | Annotated[dict[str, Any], Tag("«mapping»")]
            | Annotated[list[Any], Tag("«list»")],
            either("text, or a mapping or list that is sent as JSON"),
        ]
        | None
    ) = Field(default=None, description="What is sent, as a template: text, or a mapping or list that is sent as JSON.")
    auth: Annotated[
        Annotated[Literal["bearer", "none"], Tag("«text»")] | Annotated[Carried, Tag("«mapping»")],
        either("bearer, none, {header: NAME} or {cookie: NAME}"),
    ] = Field(
        default="bearer",
        description="How the persona's token is sent: bearer (Authorization: Bearer), {header: NAME}, {cookie: NAME},"
        " or none.",
    )
    expect: Literal["members", "public"] = Field(
        default="members",
        description="members: only members of a tenant may see its rows. public: what a client without a token is"
        " answered is for everybody.",
    )
    cache: bool = Field(
        default=True, description="Whether to ask as one tenant and then as another, for caches that mix them up."
    )
    safe: bool = Field(
        default=False,
        description="Requests change nothing, whatever the method says: so they may be made where the database is not"
        " tenantproof's own.",
    )


class EndpointsApp(Strict):
    """The application behind the endpoints: where it is, or how it is started for a run."""

    base: Text | None = Field(
        default=None, description="What {base} stands for: the application's address, or env:NAME. Not with command."
    )
    command: Text | None = Field(
        default=None,
        description="The command that starts it before the seeded database, run in the scenario's folder, without a"
        " shell. Placeholders: {port} {base}.",
    )
    ready: Text | None = Field(
        default=None,
        description="The URL that answers once it is ready; left out, the port must listen."
        " Placeholders: {port} {base}.",
    )
    env: dict[Text, Scalar] | None = Field(
        default=None,
        description="Its environment, as templates. Placeholders: {port} {base} {database.url} {database.host}"
        " {database.port} {database.name} {database.user} {database.password} {jwt.secret} {jwt.jwks}.",
    )
    login: Text | None = Field(
        default=None,
        description="The role that it connects to the database as. Left out: session.login, else session.role.",
    )


class Acceptance(Strict):
    """A known finding that somebody took responsibility for."""

    channel: Text = Field(description="The finding's channel, such as SEQ-GAP.")
    object: Text = Field(description="The finding's object, such as public.events.")
    fingerprint: Annotated[Text, AfterValidator(_fingerprint)] | None = Field(
        default=None, description="Its fingerprint, where only this one finding is meant."
    )
    reason: Text = Field(description="Why it is acceptable.")
    until: Annotated[Text, AfterValidator(_until)] = Field(
        description="The date from which it counts again, such as 2027-03-01; at most a year away.",
        json_schema_extra={"format": "date"},
    )


class File(Strict):
    """A tenantproof scenario: tenants, how a row's tenant is found, and who may do what."""

    model_config = ConfigDict(title="tenantproof scenario")

    version: Literal[1] = Field(description="The version of this format: 1.")
    name: Text | None = Field(default=None, description="A name for reports. Left out: the file's name.")
    database: Database = Field(description="Which database is tested and how it is built.")
    session: Session | None = Field(
        default=None,
        description="How the application tells the database who is asking; the platform presets it.",
    )
    pooled: Pooled | None = Field(
        default=None,
        description="What the application itself does on a pooled connection, for `check --via pooled`.",
    )
    tenants: list[
        Annotated[
            Annotated[TenantName, Tag("«text»")] | Annotated[Tenant, Tag("«mapping»")],
            either("a name or {name, id}"),
        ]
    ] = Field(min_length=2, description="Two or more tenants: names, or {name, id}.")
    roles: list[Text] | None = Field(
        default=None, description="Roles inside a tenant, from the strongest to the weakest."
    )
    membership: (
        Annotated[
            Annotated[Membership, Tag("«mapping»")]
            | Annotated[list[Membership], Tag("«list»")]
            | Annotated[Literal["undecided"], Tag("«text»")],
            either("{table, user, tenant}, a list of these, or undecided"),
        ]
        | None
    ) = Field(
        default=None,
        description="The table (or list of tables) that says who belongs to which tenant;"
        " undecided: check exits 4 until somebody decides.",
    )
    claims: dict[str, Any] | None = Field(
        default=None,
        description="Claims added to each token, as templates."
        " Placeholders: {tenant.id} {tenant.name} {user.id} {user.email} {role}.",
    )
    tables: dict[Text, TableEntry] | None = Field(
        default=None,
        description="Table -> whose its rows are. Tables left out are inferred from foreign keys;"
        " undecided: check exits 4 until somebody decides.",
    )
    fill: list[Fill] | None = Field(
        default=None, description="SQL that makes rows which only the application can make, run for each tenant."
    )
    expect: dict[Text, Entry] | None = Field(
        default=None, description='Table (or "*" for all) -> command -> scope, or role -> scope.'
    )
    endpoints: list[Endpoint] | None = Field(
        default=None, description="HTTP endpoints whose answers must not hold another tenant's data."
    )
    endpoints_app: EndpointsApp | None = Field(
        default=None, description="The application behind the endpoints: where it is, or how it is started."
    )
    accept: list[Acceptance] | None = Field(default=None, description="Known findings, each with a reason and a date.")
