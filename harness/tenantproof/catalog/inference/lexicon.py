"""
The words by which people name tenants, users, pointers, roles and reference data.

Words never decide where the structure speaks: they break ties, tell a pointer from a key that owns, and order roles.
"""

from __future__ import annotations

import re

from tenantproof.catalog.inference.vocabulary import vocabulary

TENANT_WORDS = vocabulary("""
    account agency association branch brand business chapter church clinic club community company contractor
    cooperative customer department division employer enterprise entity establishment family farm firm franchise
    garage group guild hospital hotel household institution lab league merchant municipality network office org
    organisation organization partner practice publisher restaurant school shop site space store studio team
    tenant university vendor venue workspace
    """)
"""What a tenant is called, in the singular."""

PEOPLE_WORDS = vocabulary("user profile person people staff employee agent member identity login")
"""What a table of users is called, in the singular."""

MEMBERSHIP_WORDS = vocabulary("""
    member membership user staff employee participant collaborator enrollment roster seat people person
    """)
"""Words in the names of tables that say who belongs to whom."""

NOT_MEMBERSHIP = vocabulary("""
    invitation invite request log audit event history favorite favourite like vote follow follower bookmark read
    notification message comment task session token view preference setting assignment assignee activity
    application payment order booking reaction subscription
    """)
"""Words in the names of tables that join users and tenants for another reason."""

POINTER_WORDS = vocabulary("""
    current active default last selected preferred recent previous primary home latest
    """)
"""A column with one of these points to what is open now; it does not say whose the row is."""

OWNER_COLUMNS = ("user_id", "owner_id", "owner", "author_id", "author", "created_by", "creator_id", "profile_id")
"""Columns that name a row's owner, the likeliest first."""

NOT_OWNER_WORDS = vocabulary("""
    assigned assignee approved approver approve reviewer reviewed updated modified deleted archived invited
    inviter viewer shared recipient receiver target blocked done published followed followee following mentioned
    resolved closed completed granted grantee confirmed verified locked changed edited manager supervisor parent
    referrer
    """)
"""Words in columns that name a user who has to do with the row and does not own it."""

SHARED_WORDS = vocabulary("""
    template preset default sample example catalog catalogue library category categorie type kind role
    permission plan feature currency country locale language timezone unit status
    """)
"""Rows of no tenant in tables called so are the platform's own, there for everybody."""

PRIVATE_WORDS = vocabulary("""
    log audit event job queue lock metric telemetry track tracking webhook outbox secret
    """)
"""Rows of no tenant in tables called so are the backend's own."""

FLAG_COLUMNS = vocabulary("""
    is_public public published is_published shared is_shared visible is_visible listed
    """)
"""Columns that open a row to others."""

OPEN_WORDS = vocabulary("""
    public published publish listed unlisted visible open released everyone everybody anyone anybody world global
    """)
"""Words of a state, or of a moment, in which a row is there for people of other tenants."""

INNER_WORDS = vocabulary("""
    private internal member membership staff employee colleague team group org organization organisation tenant
    workspace account company client customer contact contractor partner admin owner manager draft hidden
    confidential secret
    """)
"""Words that speak of people inside a tenant, or of one group of people: what such a flag opens, it opens to them."""

STATE_WORDS = vocabulary("""
    active enabled archived deleted disabled done complete completed finished closed locked current valid verified
    confirmed default paid sent read seen pending processed synced main
    """)
"""Flags that say what became of a row, not who may see it."""

CONTACT_WORDS = vocabulary("""
    email mail phone mobile address street birth birthday birthdate iban ssn tax salary wage stripe customer token
    secret password passport ip
    """)
"""Columns that people do not mean to show to strangers: a table of users with one is no directory for everybody."""

RANKS = (
    ("superadmin", "super_admin", "root", "platform_admin"),
    ("owner", "founder", "principal", "boss", "head", "account_owner", "org_owner", "primary_owner"),
    ("admin", "administrator", "org_admin", "org:admin", "sysadmin", "director"),
    ("manager", "moderator", "maintainer", "lead", "supervisor", "team_lead", "coordinator", "billing"),
    ("editor", "author", "writer", "developer", "accountant", "designer", "contributor", "agent", "analyst"),
    ("member", "org:member", "staff", "employee", "worker", "clerk", "collaborator", "standard"),
    ("user", "basic", "regular", "participant"),
    ("viewer", "reader", "read_only", "readonly", "observer", "auditor", "read-only"),
    ("guest", "external", "visitor", "limited", "anonymous"),
)
"""Usual role names from the strongest to the weakest; names on one line are equally strong."""

UNKNOWN = len(RANKS)
"""The strength of a name that nobody knows."""

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]+|\d+")


def words(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case: of `currentOrgId` and `current_org_id` alike."""
    return tuple(word.lower() for word in _WORD.findall(name))


def singular(word: str) -> str:
    """A word without the plural's ending: companies, boxes, teams; `status` and `address` stay."""
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("ses", "xes", "ches", "shes")) and len(word) > 4:
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


def stems(name: str) -> tuple[str, ...]:
    """The words of a name in the singular."""
    return tuple(singular(word) for word in words(name))


def is_pointer(column: str) -> bool:
    """Whether a column is called as one that points to what is open now."""
    return not POINTER_WORDS.isdisjoint(words(column))


def key_names(table: str) -> frozenset[str]:
    """Names that a column holding the key of a table has: of `organizations`, `organization_id`, `orgId`, `org`."""
    parts = stems(table)
    names = {"".join(parts), parts[-1] if parts else ""}
    if parts and parts[-1] in ("organization", "organisation"):
        names.add("org")
    if parts and parts[-1] in TENANT_WORDS:
        names.add("tenant")
    return frozenset(name for name in names if name)


def names_key_of(column: str, table: str) -> bool:
    """Whether a column is called as one that holds the key of a table."""
    plain = "".join(words(column))
    known = key_names(table)
    return plain in known or any(plain in (f"{name}id", f"{name}uuid", f"{name}key", f"{name}slug") for name in known)


def strength(role: str) -> int:
    """The place of a role's name among the usual ones, 0 the strongest; names nobody knows come last."""
    plain = role.strip().lower()
    return next((place for place, names in enumerate(RANKS) if plain in names), UNKNOWN)
