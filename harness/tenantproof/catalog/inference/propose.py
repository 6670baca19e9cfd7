"""`propose`: from a catalog, and nothing else that anybody has said, to the content of a scenario."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from tenantproof.catalog.inference import callers as calling
from tenantproof.catalog.inference.callers import Callers, find_callers
from tenantproof.catalog.inference.ground import Ground
from tenantproof.catalog.inference.keys import PLATFORM_SCHEMAS, Key, carriers
from tenantproof.catalog.inference.lexicon import TENANT_WORDS, is_pointer, stems
from tenantproof.catalog.inference.memberships import Found, memberships, others, search_of
from tenantproof.catalog.inference.openings import Readers, find_openings
from tenantproof.catalog.inference.people import People, find_people
from tenantproof.catalog.inference.privileges import Privileges
from tenantproof.catalog.inference.proposal import Candidate, Decision, Evidence, Kind, Opening, Proposal
from tenantproof.catalog.inference.reading import Facts, read_policies
from tenantproof.catalog.inference.tables import decide, flag_remark
from tenantproof.catalog.inference.tokens import Token, tokenize
from tenantproof.catalog.inference.views import decide_view
from tenantproof.core.catalog import Catalog, Relation, RelationKind
from tenantproof.core.model import Command, Membership, Platform, QName, Session

VIEWS = frozenset({RelationKind.VIEW, RelationKind.MATVIEW})

_MOST_TENANT_COLUMNS = 0.3
"""From which share of the tables on a column's name is the usual one of the tenant."""


def propose(
    catalog: Catalog, evidence: Evidence, *, platform: Platform, schemas: Sequence[str], tenants: QName | None = None
) -> Proposal:
    """What a scenario of this database would say, with a reason for each part.

    *schemas* are those in scope; *tenants* is the tenants' table where somebody has named it.  Whatever is not
    certain comes back undecided: a relation as a decision of that kind, the membership as a `doubt`.  Raises nothing.
    """
    facts = read_policies(catalog)
    callers = find_callers(catalog, facts)
    people = find_people(catalog, facts, callers.users)
    search = search_of(catalog, facts, people, evidence)
    found = memberships(search)
    if tenants is not None:
        found = tuple(f for f in found if f.tenants == tenants) or found
    certain = found[0] if len(found) == 1 else None
    table, key = _tenants_asked_for(catalog, facts, callers)
    if certain is not None:
        table, key = certain.tenants, certain.key
    session, role_doubt = calling.session_of(catalog, platform, callers, schemas)
    claims = calling.claims_of(callers, facts)
    if platform is Platform.POSTGRES and session is not None:
        session = calling.with_claims(session, claims)
        claims = {}
    ground = _ground(
        catalog, facts, people, evidence, certain, (table, key), callers, _held(catalog, platform, session)
    )
    doubt = _doubt(ground, found, callers, schemas)
    decisions = _decisions(ground, schemas) if not doubt else ()
    openings = find_openings(ground, decisions, _readers(catalog, platform, session))
    decisions = _without_flags(ground, decisions, openings)
    roles, why_roles = _roles(certain, callers, facts)
    return Proposal(
        tenants=table,
        tenant_key=key,
        memberships=ground.memberships,
        lookalikes=others(search, certain) if certain is not None else (),
        roles=roles,
        session=session,
        claims=claims,
        decisions=decisions,
        by_owner=not doubt and certain is None and not callers.tenant,
        doubt=doubt,
        candidates=tuple(map(_candidate, found)) if doubt else (),
        role_doubt=role_doubt,
        openings=openings,
        open_to_newcomers=not doubt and _open_to_newcomers(ground),
        why={"membership": certain.why if certain is not None else "", "roles": why_roles},
        notes=tuple(_notes(catalog, callers, certain)),
    )


def _tenants_asked_for(catalog: Catalog, facts: Facts, callers: Callers) -> tuple[QName | None, str | None]:
    """The table whose key policies compare with the tenant of a claim or setting, where no membership tells it."""
    compared = {key for key, principals in facts.equal.items() if principals & set(callers.tenant)}
    for name, column in sorted(compared):
        if catalog.relations[name].primary_key == (column,) and catalog.relations[name].is_table:
            return name, column
    targets = Counter(
        (key.references, key.ref_columns[0])
        for name, column in compared
        for key in catalog.relations[name].foreign_keys
        if key.columns == (column,) and key.references is not None
    )
    return targets.most_common(1)[0][0] if targets else (None, None)


def _held(catalog: Catalog, platform: Platform, session: Session | None) -> frozenset[str]:
    """The privileges that personas have."""
    names = ["authenticated", "anon"]
    if platform is Platform.POSTGRES and session is not None:
        names = [role for role in (session.role, session.anon_role) if role]
    return frozenset({"public"}).union(*(catalog.privileges_of(name) for name in names))


def _readers(catalog: Catalog, platform: Platform, session: Session | None) -> Readers:
    """Who reads as a stranger: with a token, and without one."""
    signed, anon = "authenticated", "anon"
    if platform is Platform.POSTGRES and session is not None:
        signed, anon = session.role, session.anon_role or session.role
    return Readers(anon=catalog.privileges_of(anon), signed=catalog.privileges_of(signed))


def _without_flags(ground: Ground, decisions: Sequence[Decision], openings: Sequence[Opening]) -> tuple[Decision, ...]:
    """The decisions, without remarks on rows that the draft declares to be open."""
    declared = {opening.name for opening in openings}
    return tuple(
        replace(d, remark="")
        if d.name in declared and d.remark == flag_remark(ground, ground.catalog.relations[d.name])
        else d
        for d in decisions
    )


def _ground(
    catalog: Catalog,
    facts: Facts,
    people: People,
    evidence: Evidence,
    certain: Found | None,
    tenants: tuple[QName | None, str | None],
    callers: Callers,
    held: frozenset[str],
) -> Ground:
    table, key = tenants
    membership = tuple(_in_force(catalog, facts, m) for m in _membership(certain))
    origins: set[Key] = {(table, key)} if table is not None and key is not None else set()
    origins |= {(m.table, m.tenant) for m in membership}
    principals = frozenset(callers.tenant)
    if table is None and not membership:
        origins |= {k for k, said in facts.equal.items() if said & principals}
    columns = carriers(catalog, origins)
    return Ground(
        catalog=catalog,
        facts=facts,
        people=people,
        evidence=evidence,
        privileges=Privileges(catalog=catalog, held=held),
        tenants=table,
        tenant_key=key,
        tenant_type=_type_of(catalog, origins),
        memberships=membership,
        tenant_columns=columns,
        tenant_principals=principals,
        usual=_usual(catalog, columns, membership, table),
        shown=_shown(catalog),
    )


def _membership(found: Found | None) -> tuple[Membership, ...]:
    if found is None:
        return ()
    role = found.roles.column if found.roles is not None else None
    return (Membership(table=found.table, user=found.user, tenant=found.tenant, role=role),)


def _in_force(catalog: Catalog, facts: Facts, membership: Membership) -> Membership:
    """The membership with values that policies ask for: a state such as `active`, an end that is not over."""
    relation = catalog.relations[membership.table]
    taken = {membership.user, membership.tenant, membership.role, *relation.primary_key}
    values = {}
    for column in relation.columns:
        key = (membership.table, column.name)
        said = tuple(facts.literals.get(key, {}))
        if column.name in taken or column.generated:
            continue
        if key in facts.later and column.category == "D":
            values[column.name] = "2099-12-31"
        elif len(said) == 1 and column.category in ("S", "E") and f"'{said[0]}'" not in (column.default or ""):
            values[column.name] = said[0]
    return replace(membership, values=values)


def _type_of(catalog: Catalog, origins: Iterable[Key]) -> str:
    for name, column in sorted(origins):
        if name in catalog.relations:
            return catalog.relations[name].column(column).base_type
    return ""


def _usual(
    catalog: Catalog, columns: Mapping[QName, frozenset[str]], membership: Sequence[Membership], tenants: QName | None
) -> frozenset[str]:
    """Names of the tenant's column: the membership's, and those of a good part of the tables."""
    held = [name for name in columns if name != tenants and name in catalog.relations]
    counted = Counter(column for name in held for column in columns[name] if not is_pointer(column))
    many = {column for column, times in counted.items() if times >= max(2, _MOST_TENANT_COLUMNS * len(held))}
    own = {m.tenant for m in membership}
    # A path's last step may be called `id`: as a name for the tenant's column it says nothing.
    return frozenset((own if own & set(counted) else own | many) or many) - {"id"}


def _shown(catalog: Catalog) -> frozenset[QName]:
    """Tables that views read, or that functions other than triggers select from."""
    found = {base for r in catalog.relations.values() if r.kind in VIEWS for base in r.base_relations}
    by_name: dict[str, list[QName]] = {}
    for name in catalog.relations:
        by_name.setdefault(name.name, []).append(name)
    for function in catalog.functions:
        if function.name.schema in PLATFORM_SCHEMAS or function.returns in ("trigger", "event_trigger"):
            continue
        for token in _read_from(tokenize(function.source)):
            for name in by_name.get(token.parts[-1], ()):
                if len(token.parts) == 1 or token.parts[-2] == name.schema:
                    found.add(name)
    return frozenset(found)


def _read_from(tokens: Sequence[Token]) -> Iterator[Token]:
    """The tables that a text selects from."""
    for place in range(1, len(tokens)):
        before = tokens[place - 1]
        deleted = place > 1 and tokens[place - 2].says("delete")
        if tokens[place].kind == "name" and before.says("from", "join") and not deleted:
            yield tokens[place]


def _roles(certain: Found | None, callers: Callers, facts: Facts) -> tuple[tuple[str, ...], str]:
    if certain is not None and certain.roles is not None:
        return certain.roles.values, certain.roles.why
    spoken = calling.role_words(callers, facts)
    return (spoken, "what policies compare the role's claim with") if spoken else ((), "")


def _candidate(found: Found) -> Candidate:
    return Candidate(membership=_membership(found)[0], tenants=found.tenants or found.table, why=found.why)


def _doubt(ground: Ground, found: Sequence[Found], callers: Callers, schemas: Sequence[str]) -> str:
    """Why nobody knows who belongs to which tenant; empty where it is known, or where there are no tenants."""
    if len(found) > 1:
        return "two tables or more may say who belongs to which tenant"
    if found or callers.tenant:
        return ""
    relations = [r for r in ground.catalog.in_schemas(schemas) if r.is_table and not r.partition_bound]
    owned = sum(1 for relation in relations if _has_owner(ground, relation))
    referred = Counter(
        key.references
        for relation in relations
        for key in relation.foreign_keys
        if key.references is not None
        and key.references != relation.name
        and stems(key.references.name)[-1:]
        and stems(key.references.name)[-1] in TENANT_WORDS
        and not _has_owner(ground, ground.catalog.relations[key.references])
    )
    if referred and max(referred.values()) >= owned:
        name = referred.most_common(1)[0][0]
        return f"{name} looks like the tenants, but no table says which user belongs to which of them"
    if not owned and not any(map(ground.people.asked, ground.facts.equal.values())):
        return "nothing in the database leads to a tenant or a user"
    return ""


def _has_owner(ground: Ground, relation: Relation) -> bool:
    if ground.people.among(relation):
        return True
    keys = ((relation.name, column) for column in relation.column_names)
    return any(ground.people.asked(ground.facts.equal.get(key, ())) for key in keys)


def _open_to_newcomers(ground: Ground) -> bool:
    relation = ground.catalog.relations.get(ground.tenants) if ground.tenants is not None else None
    if relation is None or relation.name.schema in PLATFORM_SCHEMAS or not ground.memberships:
        return False
    if not relation.rls or not ground.privileges.granted(relation, Command.INSERT):
        return False
    policies = ground.privileges.policies(relation, Command.INSERT)
    checks = [policy.check if policy.check is not None else policy.using for policy in policies]
    return any(check is not None and _asks_for_no_tenant(check) for check in checks)


def _asks_for_no_tenant(check: str) -> bool:
    """Whether a check speaks of the caller and of columns of the new row at most: of no table and no helper."""
    tokens = tokenize(check)
    if check.strip("() ").lower() == "false" or any(token.says("from") for token in tokens):
        return False
    called = [t.parts for t, after in itertools.pairwise(tokens) if t.kind == "name" and after.text == "("]
    plain = {("auth", "uid"), ("auth", "role"), ("auth", "jwt")}
    return all(parts in plain or parts[0] == "pg_catalog" or len(parts) == 1 for parts in called)


def _decisions(ground: Ground, schemas: Sequence[str]) -> tuple[Decision, ...]:
    relations = [relation for relation in ground.catalog.in_schemas(schemas) if not relation.partition_bound]
    known = {relation.name for relation in relations}
    for membership in ground.memberships:  # may stand in a schema that is not in scope
        if membership.table not in known and membership.table in ground.catalog.relations:
            relations.append(ground.catalog.relations[membership.table])
    decided = {r.name: decide(ground, r) for r in relations if r.kind not in VIEWS and _is_ours(r)}
    for view in _bases_first([relation for relation in relations if relation.kind in VIEWS]):
        decided[view.name] = decide_view(ground, view, decided)
    return tuple(decided[name] for name in sorted(decided))


def _is_ours(relation: Relation) -> bool:
    """Whether it is a table of the application: of the platform's own, those with policies of the application."""
    return relation.name.schema not in PLATFORM_SCHEMAS or bool(relation.policies)


def _bases_first(views: Sequence[Relation]) -> Iterator[Relation]:
    waiting = {view.name: view for view in views}
    while waiting:
        ready = [v for v in waiting.values() if not any(b in waiting and b != v.name for b in v.base_relations)]
        for view in ready or list(waiting.values()):
            yield waiting.pop(view.name)


def _notes(catalog: Catalog, callers: Callers, certain: Found | None) -> Iterator[str]:
    messages = catalog.relations.get(QName("realtime", "messages"))
    if messages is not None and messages.policies:
        yield (
            "policies on realtime.messages (private channels) are not drafted: docs/scenario.md shows how to declare"
            " the tenant of a topic"
        )
    for principal in callers.tenant:
        if principal.kind == "claim" and principal.path[:1] == ("user_metadata",):
            yield (
                f"policies believe the claim {'.'.join(principal.path)}, which users can change themselves:"
                " check will show what that opens"
            )
    for principal in callers.unknown:
        if principal.kind in ("setting", "header"):
            yield f"policies read the {principal.kind} {'.'.join(principal.path)}; nothing tells what it holds"
    if certain is not None and certain.tenants is None:
        yield f"{certain.table}.{certain.tenant} has no foreign key: the tenants are no table of this database"


def with_tables(proposal: Proposal, decisions: Iterable[Decision]) -> Proposal:
    """The proposal with other decisions."""
    return replace(proposal, decisions=tuple(decisions))


__all__ = ["Kind", "propose", "with_tables"]
