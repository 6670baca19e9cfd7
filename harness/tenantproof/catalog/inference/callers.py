"""How the database learns who is asking: claims and settings that policies read, and the roles they are meant for."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from tenantproof.catalog.inference.keys import PLATFORM_SCHEMAS, Key, above, single_targets
from tenantproof.catalog.inference.lexicon import SHARED_WORDS, TENANT_WORDS, stems, strength, words
from tenantproof.catalog.inference.people import AUTH_USERS
from tenantproof.catalog.inference.principals import USER, Principal
from tenantproof.catalog.inference.reading import Facts
from tenantproof.catalog.inference.vocabulary import vocabulary
from tenantproof.core.catalog import Catalog
from tenantproof.core.model import Platform, QName, Session

STANDARD_CLAIMS = vocabulary("""
    sub iss aud exp iat nbf role aal amr session_id email phone is_anonymous app_metadata.provider
    app_metadata.providers user_metadata.email user_metadata.full_name user_metadata.avatar_url
    """)
"""Claims that every token of Supabase Auth has by itself."""

_ANONYMOUS = vocabulary("anon anonymous webanon public guest visitor unauthenticated")


_USER_NAMES = vocabulary("""
    user uid sub userid person people member profile actor employee agent me login subject
    """)


@dataclass(frozen=True, slots=True, kw_only=True)
class Callers:
    """The claims, settings and headers that policies read, by what they hold of the caller."""

    tenant: tuple[Principal, ...] = ()
    role: tuple[Principal, ...] = ()
    user: tuple[Principal, ...] = ()
    unknown: tuple[Principal, ...] = ()

    @property
    def users(self) -> frozenset[Principal]:
        """All that holds the caller's user id, auth.uid() included."""
        return frozenset({USER, *self.user})


def find_callers(catalog: Catalog, facts: Facts) -> Callers:
    """Every claim, header and setting that policies and functions read, by its meaning: by name, else by structure."""
    compared: dict[Principal, set[Key]] = {principal: set() for principal in facts.said}
    for key, principals in (*facts.equal.items(), *facts.defaults.items()):
        for principal in principals:
            compared.setdefault(principal, set()).add(key)
    named = {
        principal: _by_name(catalog, principal, keys)
        for principal, keys in compared.items()
        if principal.kind != "user" and ".".join(principal.path) not in STANDARD_CLAIMS
    }
    ground = _Compared(catalog, compared, named)
    found: dict[str, list[Principal]] = {"tenant": [], "role": [], "user": [], "unknown": []}
    for principal in sorted(named):
        found[named[principal] or ground.meaning(principal)].append(principal)
    return Callers(**{meaning: tuple(principals) for meaning, principals in found.items()})


def _by_name(catalog: Catalog, principal: Principal, keys: set[Key]) -> str:
    """The meaning that a name tells, or that the platform's users tell; empty where neither does."""
    last = set(stems(principal.path[-1].rpartition(".")[2]))
    called = last if last - _ID_WORDS else set(stems(principal.path[-1]))
    if "role" in called:
        return "role"
    if any((AUTH_USERS, "id") in single_targets(catalog.relations[name], column) for name, column in keys):
        return "user"
    if called & _USER_NAMES:
        return "user"
    if called & TENANT_WORDS and (keys or principal.kind in ("setting", "header") or called & _ID_WORDS):
        return "tenant"
    return ""


_ID_WORDS = frozenset({"id", "uuid", "slug", "tid", "key"})


class _Compared:
    """What a name does not tell: the tables whose keys a claim or setting is compared with."""

    def __init__(
        self, catalog: Catalog, compared: Mapping[Principal, set[Key]], named: Mapping[Principal, str]
    ) -> None:
        self._catalog = catalog
        self._above = above(catalog)
        self._compared = compared
        self._named = named
        self._targets = {principal: set(self._of(keys)) for principal, keys in compared.items() if principal in named}

    def _of(self, keys: Iterable[Key]) -> Iterator[QName]:
        for name, column in keys:
            relation = self._catalog.relations[name]
            if relation.primary_key == (column,):
                yield name
            yield from (table for table, _key in single_targets(relation, column))

    def meaning(self, principal: Principal) -> str:
        """A user's where the table belongs to that of another; the tenant's where tables belong to it; else unknown."""
        keys = {key for key in self._compared[principal] if "role" not in stems(key[1])}
        if not keys and self._compared[principal]:
            return "role"
        targets = {t for t in self._targets[principal] if set(stems(t.name)[-1:]).isdisjoint(SHARED_WORDS)}
        others = {
            table
            for other, tables in self._targets.items()
            if other != principal and self._named[other] != "role"
            for table in tables
        }
        if targets and all(self._above.get(table, frozenset()) & (others - targets) for table in targets):
            return "user"
        if targets and len(keys) > 1:
            return "tenant"
        return "tenant" if len({name for name, _column in keys}) > 1 and not targets else "unknown"


def claims_of(callers: Callers, facts: Facts) -> dict[str, object]:
    """The `claims:` of a scenario: nested mappings of templates."""
    claims: dict[str, object] = {}
    for template, principals in (
        ("{tenant.id}", callers.tenant),
        ("{user.id}", callers.user),
        ("{role}", callers.role),
    ):
        for principal in principals:
            if principal.kind == "claim" and principal.path:
                _put(claims, principal.path, [template] if principal in facts.lists else template)
    return claims


def _put(claims: dict[str, object], path: tuple[str, ...], value: object) -> None:
    here = claims
    for step in path[:-1]:
        below = here.setdefault(step, {})
        if not isinstance(below, dict):
            return
        here = below
    here.setdefault(path[-1], value)


def role_words(callers: Callers, facts: Facts) -> tuple[str, ...]:
    """The constants that policies compare the caller's role claim with, from the strongest to the weakest."""
    found: dict[str, None] = {}
    for principal in callers.role:
        found.update(facts.said.get(principal, {}))
    words_found = tuple(sorted(found, key=strength))
    # Whoever has none of them exists as well, and may less: a test without such a person shows nothing.
    return (*words_found, "member") if len(words_found) == 1 and "member" not in words_found else words_found


def with_claims(session: Session, claims: Mapping[str, object]) -> Session:
    """On plain PostgreSQL claims are a setting as well, as PostgREST sets it."""
    if not claims:
        return session
    told = json.dumps({"sub": "{user.id}", "role": session.role, **claims})
    return replace(session, settings={**session.settings, "request.jwt.claims": told})


def session_of(
    catalog: Catalog, platform: Platform, callers: Callers, schemas: Collection[str]
) -> tuple[Session | None, str]:
    """The `session:` of a scenario (None: the platform's own) and, without a role, the reason why none was found."""
    settings = dict(_templates(callers, "setting"))
    headers = dict(_templates(callers, "header"))
    if platform is Platform.SUPABASE:
        plain = Session(settings=settings, headers=headers)
        return (plain if settings or headers else None), ""
    ranked = _roles_by_use(catalog, schemas)
    if not ranked:
        return Session(role="undecided", anon_role="", settings=settings, headers=headers), _NO_ROLE
    named = [role for role in ranked if not _is_anonymous(role)]
    role = (named or ranked)[0]
    anonymous = next((other for other in ranked if other != role and _is_anonymous(other)), "")
    return (
        Session(login=_login_of(catalog, role), role=role, anon_role=anonymous, settings=settings, headers=headers),
        "",
    )


_NO_ROLE = (
    "no role in the migrations may read or write a table without being a superuser: name the role that the"
    " application's queries run as, and add a file with its CREATE ROLE and GRANT to database.migrations"
)


def _templates(callers: Callers, kind: str) -> Iterator[tuple[str, str]]:
    for template, principals in (
        ("{tenant.id}", callers.tenant),
        ("{user.id}", callers.user),
        ("{role}", callers.role),
    ):
        for principal in principals:
            if principal.kind == kind and principal.path:
                yield principal.path[-1], template


def _is_anonymous(role: str) -> bool:
    plain = "".join(words(role))
    return not _ANONYMOUS.isdisjoint(words(role)) or any(plain.endswith(word) for word in ("anon", "anonymous"))


def _roles_by_use(catalog: Catalog, schemas: Collection[str]) -> list[str]:
    """Roles that policies and grants are meant for and that RLS binds, the most used first."""
    used: Counter[str] = Counter()
    for relation in catalog.in_schemas(schemas):
        used.update({g.grantee for g in relation.grants if g.grantee != relation.owner})
        used.update({role for policy in relation.policies for role in policy.roles for _twice in range(2)})
    bound = {
        name
        for name, role in catalog.roles.items()
        if not (role.superuser or role.bypass_rls or name.startswith("pg_") or name in ("public", "postgres"))
    }
    return sorted((name for name in used if name in bound), key=lambda name: (-used[name], name))


def _login_of(catalog: Catalog, role: str) -> str | None:
    """A role that may log in and become the role."""
    if catalog.roles[role].login:
        return None
    members = [
        name
        for name, other in sorted(catalog.roles.items())
        if role in other.member_of and other.login and not other.superuser and not other.bypass_rls
    ]
    return members[0] if members else None


def application_schemas(catalog: Catalog) -> tuple[str, ...]:
    """Schemas of the application that hold relations, `public` first."""
    found = {
        name.schema
        for name in catalog.relations
        if name.schema not in PLATFORM_SCHEMAS and not name.schema.startswith("pg_")
    }
    return tuple(sorted(found, key=lambda schema: (schema != "public", schema)))


def exposed_schemas(catalog: Catalog, held: Mapping[str, object] | frozenset[str]) -> tuple[str, ...]:
    """Of these, the ones in which the application's roles hold a privilege on a relation; all where they hold none."""
    schemas = application_schemas(catalog)
    roles = frozenset(held)
    reached = tuple(
        schema
        for schema in schemas
        if not catalog.schema_usage.get(schema, frozenset()).isdisjoint(roles)
        and any(g.grantee in roles for relation in catalog.in_schemas([schema]) for g in relation.grants)
    )
    return reached or schemas
