"""The text of a drafted scenario: as short as is right, one line for each table, comments where somebody must look."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tenantproof.catalog.inference.proposal import Candidate, Decision, Kind, Opening, Proposal
from tenantproof.core.model import Database, Locator, Membership, Session, SystemRows
from tenantproof.drafting.expectations import expectations
from tenantproof.drafting.text import WIDTH, comment, dotted, expressible, flow, path, qualified, scalar

MODELINE = "# yaml-language-server: $schema=scenario.schema.json"
TENANTS = ("acme", "globex", "initech")
LARGE = 150
"""From so many relations on two tenants do: a third makes the run half as long again."""

SECTIONS = (
    ((Kind.TENANTS, Kind.MEMBERS), "The tenants, and who belongs to them"),
    ((Kind.TENANT,), "Rows of a tenant: by a column, or along foreign keys"),
    ((Kind.OWNER,), "Rows of one user"),
    ((Kind.SHARED,), "Reference data: all may know it, nobody may write it"),
    ((Kind.PRIVATE,), "Nobody but the backend"),
    ((Kind.UNDECIDED,), "Please decide: {tenant: COLUMN}, {owner: COLUMN}, {shared: true} or {private: true}"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Where the scenario will stand, how the user asked for it, and ids for tenants whose keys have a form."""

    database: Database
    home: Path
    words: str
    ids: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[Opening, str] = field(default_factory=dict)
    """Where the policies of openings stand, as `file:line`."""


def write(proposal: Proposal, where: Written) -> str:
    """The scenario's text."""
    lines = [
        MODELINE,
        *comment(f"Drafted by `tenantproof init {where.words}`.  Read it before you believe it: whose is each row?"),
        "version: 1",
        *_database(where),
        *_session(proposal),
        *_tenants(proposal, where.ids),
        *_roles(proposal),
        *_membership(proposal, where.database.schemas[0]),
        *([f"claims: {flow(proposal.claims)}"] if proposal.claims else []),
        *_tables(proposal, where.database.schemas[0]),
        *expectations(proposal, where.database.schemas, where.places),
    ]
    return "\n".join(lines) + "\n"


def _database(where: Written) -> Iterator[str]:
    database = where.database
    entries = [path(Path(os.path.relpath(entry, where.home)).as_posix()) for entry in database.migrations]
    yield "database:"
    yield f"  platform: {database.platform.value}"
    yield f"  migrations: {entries[0] if len(entries) == 1 else '[' + ', '.join(entries) + ']'}"
    if database.schemas != ("public",):
        yield f"  schemas: {flow(list(database.schemas))}"
    if database.auto_expose_new_tables:
        yield "  auto_expose_new_tables: true"


def _session(proposal: Proposal) -> Iterator[str]:
    session = proposal.session
    if session is None:
        return
    if proposal.role_doubt:
        yield from comment(proposal.role_doubt)
    keys = dict(_session_keys(session, platform_has_roles=session.role == Session().role))
    line = f"session: {flow(keys)}"
    if len(line) <= WIDTH:
        yield line
        return
    yield "session:"
    yield from (f"  {key}: {flow(value)}" for key, value in keys.items())


def _session_keys(session: Session, *, platform_has_roles: bool) -> Iterator[tuple[str, object]]:
    if not platform_has_roles:
        if session.login:
            yield "login", session.login
        yield "role", session.role
        if session.anon_role:
            yield "anon_role", session.anon_role
    if session.settings:
        yield "settings", session.settings
    if session.headers:
        yield "headers", session.headers


def _tenants(proposal: Proposal, ids: Mapping[str, str]) -> Iterator[str]:
    names = TENANTS if len(proposal.decisions) < LARGE else TENANTS[:2]
    if proposal.by_owner:
        yield "# There is no table of tenants: each user is a tenant of their own, and these names are mere labels."
    entries = [{"name": name, "id": ids[name]} if name in ids else name for name in names]
    yield f"tenants: {flow(entries)}"


def _roles(proposal: Proposal) -> Iterator[str]:
    if proposal.roles:
        why = proposal.why.get("roles", "")
        yield _with_remark(f"roles: {flow(list(proposal.roles))}", f"strongest first; {why}" if why else "")


def _membership(proposal: Proposal, first: str) -> Iterator[str]:
    if proposal.doubt:
        yield from comment(f"Please decide: {proposal.doubt}.")
        yield from _candidates(proposal.candidates, first)
        yield "membership: undecided"
    elif len(proposal.memberships) == 1:
        if proposal.lookalikes:
            tables = " and ".join(qualified(name, first) for name in proposal.lookalikes)
            yield from comment(
                f"Policies look the caller up in {tables} too. If whoever stands there and not in"
                f" {qualified(proposal.memberships[0].table, first)} is a member as well, write a list of both."
            )
        yield f"membership: {_members(proposal.memberships[0], first)}"
    elif proposal.memberships:
        yield "membership:"
        yield from (f"  - {_members(membership, first)}" for membership in proposal.memberships)


def _candidates(candidates: Sequence[Candidate], first: str) -> Iterator[str]:
    if not candidates:
        yield "# Write: membership: {table: TABLE, user: COLUMN, tenant: COLUMN}, or with tenants of claims alone:"
        yield '# claims: {app_metadata: {tenant_id: "{tenant.id}"}}'
        return
    yield "# Keep one of these (then run `tenantproof init` again with --tenant-table, or write the tables yourself):"
    for candidate in candidates:
        yield f"#   membership: {_members(candidate.membership, first)}"
        yield from (f"#   {line[2:]}" for line in comment(f"    tenants: {candidate.tenants}; {candidate.why}"))


def _members(membership: Membership, first: str) -> str:
    named: dict[str, object] = {
        "table": qualified(membership.table, first),
        "user": membership.user,
        "tenant": membership.tenant,
    }
    if membership.role is not None:
        named["role"] = membership.role
    if membership.values:
        named["values"] = membership.values
    return flow(named)


def _tables(proposal: Proposal, first: str) -> Iterator[str]:
    if not proposal.decisions:
        return
    yield ""
    yield "tables:"
    for kinds, title in SECTIONS:
        decisions = [decision for decision in proposal.decisions if decision.kind in kinds]
        if decisions:
            yield f"  # {title}"
            for decision in sorted(decisions, key=lambda d: (kinds.index(d.kind), d.name)):
                yield from _table(decision, first)


def _table(decision: Decision, first: str) -> Iterator[str]:
    name = qualified(decision.name, first)
    if not all(map(expressible, _named(decision))):
        yield from comment(
            f"{name}: a name that begins or ends with a blank cannot be written here; it is not checked", "  "
        )
        return
    remark = decision.why if decision.kind is Kind.UNDECIDED else decision.remark
    said = _tenancy(decision)
    line = f"  {scalar(name)}: {flow(said) if said else 'undecided'}"
    if len(together := _with_remark(line, remark)) <= WIDTH:
        yield together
        return
    yield from comment(remark, "  ") if remark else ()
    if len(line) <= WIDTH or not said:
        yield line
    else:
        yield f"  {scalar(name)}:"
        yield from (f"    {key}: {flow(value)}" for key, value in said.items())


def _named(decision: Decision) -> Iterable[str]:
    yield from decision.name
    for locator in (decision.tenancy.tenant, decision.tenancy.owner):
        yield from locator.path if locator is not None else ()


def _with_remark(line: str, remark: str) -> str:
    plain = " ".join("".join(c if c.isprintable() else " " for c in remark).split())
    return f"{line} # {plain}" if plain else line


def _tenancy(decision: Decision) -> dict[str, object]:
    tenancy = decision.tenancy
    """What the scenario says of a relation; nothing where it is undecided."""
    said: dict[str, object] = {}
    if tenancy.shared or tenancy.private:
        said["shared" if tenancy.shared else "private"] = True
    if tenancy.tenant is not None:
        said["tenant"] = _locator(tenancy.tenant)
    if tenancy.owner is not None:
        said["owner"] = _locator(tenancy.owner)
    if tenancy.system_rows is not SystemRows.UNDECIDED:
        said["system_rows"] = tenancy.system_rows.value
    if tenancy.values:
        said["values"] = tenancy.values
    return said


def _locator(locator: Locator) -> object:
    return {"sql": locator.sql} if locator.sql else dotted(locator.path)
