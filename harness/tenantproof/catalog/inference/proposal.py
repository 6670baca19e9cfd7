"""What `propose` answers, as frozen values."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from tenantproof.core.model import Membership, QName, Session, Tenancy


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the migrations themselves left in the database, beside the catalog."""

    filled: frozenset[QName] = frozenset()
    """Tables with rows."""
    lookups: Mapping[QName, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """Small tables with rows: column -> its values, in the order of the key; the columns are of text or numbers."""


class Kind(enum.StrEnum):
    """What was decided of a relation."""

    TENANTS = "tenants"
    MEMBERS = "members"
    TENANT = "tenant"
    OWNER = "owner"
    SHARED = "shared"
    PRIVATE = "private"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One relation: whose its rows are, and why."""

    name: QName
    kind: Kind
    tenancy: Tenancy
    why: str
    """A reason for people, one line."""
    remark: str = ""
    """What somebody who reads the scenario should look at; empty where nothing is doubtful."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Rows of a relation that a policy opens to people of other tenants, by what the rows themselves say."""

    name: QName
    """The relation: `table`, or a view that shows it."""
    table: QName
    policy: str
    where: str
    """The condition, as SQL over the row; empty for all rows of a directory of users."""
    columns: frozenset[str]
    anon: bool
    """Whether people without a token read them too."""
    signed: bool
    directory: bool = False
    """Whether the table has one row for each user and no tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A membership that may be meant."""

    membership: Membership
    tenants: QName
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A scenario's content, as far as the database tells it.

    `doubt` says why there is no membership although one is needed; `candidates` are then what may be meant.
    `role_doubt` says why no role of the database is known that the application's queries run as.
    """

    tenants: QName | None
    tenant_key: str | None
    memberships: tuple[Membership, ...]
    roles: tuple[str, ...]
    session: Session | None
    """None where the platform's own is right."""
    claims: Mapping[str, object]
    decisions: tuple[Decision, ...]
    by_owner: bool = False
    """Whether there are no tenants but users: every user is a tenant of one's own."""
    doubt: str = ""
    candidates: tuple[Candidate, ...] = ()
    role_doubt: str = ""
    lookalikes: tuple[QName, ...] = ()
    """Further tables in which policies look the caller up, which may be memberships too."""
    why: Mapping[str, str] = field(default_factory=dict)
    """Reasons for `membership`, `roles`, `claims`, `session`, one line each."""
    open_to_newcomers: bool = False
    """Whether everybody who signed in may make a tenant, by a policy that asks for no tenant of theirs."""
    openings: tuple[Opening, ...] = ()
    """What the draft declares under `expect`, for people to confirm."""
    notes: tuple[str, ...] = ()
