"""
What a user can vary about their own request: headers, their own user_metadata, a weaker or unusual token.

None of it entitles them to more, so what they perceive must not depend on foreign data under any of it.  Headers and
metadata are only tried where a policy, function, view or default of the database reads them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial

from tenantproof.core.catalog import Catalog
from tenantproof.core.model import Persona, Platform
from tenantproof.core.program import Variation
from tenantproof.engine.plan import Plan
from tenantproof.engine.replay import timeless
from tenantproof.identity.claims import Claims, merge
from tenantproof.identity.legacy import CLAIMS, retold_singly
from tenantproof.properties.border import Border

_KEY = re.compile(r"->>?\s*'([\w.-]+)'|#>>?\s*'\{([\w.,-]+)\}'|request\.header\.([\w-]+)")
_CHOSEN_BY_NOBODY = ("sub", "iss", "aud", "exp", "iat", "role", "session_id", "email", "phone")
_STANDARD = frozenset({*_CHOSEN_BY_NOBODY, "app_metadata", "user_metadata"})
"""Claims that stand beside the metadata and cannot be chosen."""
_MOST = 40


def variations(plan: Plan, border: Border) -> tuple[Variation, ...]:
    """All variations of the request of the border's persona, in a fixed order."""
    if plan.scenario.database.platform is not Platform.SUPABASE:
        return tuple(_empty_settings(plan))
    texts = tuple(_texts(plan.catalog))
    found = [*_headers(plan, border, texts)]
    if border.persona.user_id is not None:
        found += [*_metadata(plan, border, texts), *_tokens(plan, border.persona)]
    return tuple(found)[:_MOST]


def _texts(catalog: Catalog) -> Iterator[str]:
    """Everything in the database that may read a setting."""
    for relation in catalog.relations.values():
        yield from (text for policy in relation.policies for text in (policy.using, policy.check) if text)
        yield relation.definition
        yield from (column.default for column in relation.columns if column.default)
    yield from (function.source for function in catalog.functions if function.name.schema not in ("auth", "storage"))


def _keys(texts: Iterable[str], mark: str) -> list[str]:
    """The json keys that are read in texts which mention *mark*."""
    keys: dict[str, None] = {}
    for text in texts:
        if mark in text:
            for groups in _KEY.findall(text):
                keys.update((part, None) for group in groups if group for part in group.split(","))
    return [key for key in keys if key not in _STANDARD]


def _header_names(catalog: Catalog, texts: Sequence[str]) -> list[str]:
    """Headers that are read, directly or as the argument of a function that reads headers."""
    helpers = {function.name.name for function in catalog.functions if "request.header" in function.source}
    calls = re.compile(rf"\b({'|'.join(map(re.escape, sorted(helpers)))})\s*\(\s*'([\w-]+)'") if helpers else None
    named = [name for text in texts for _, name in (calls.findall(text) if calls else ())]
    return list(dict.fromkeys([*_keys(texts, "request.header"), *named]))


def _promises(plan: Plan, border: Border) -> list[str]:
    """Values that would make somebody more than they are."""
    ids = [value for value in plan.manifest.tenant_ids.values() if value not in border.own_tenants]
    names = [name for name in plan.manifest.tenant_ids if name not in border.persona.tenants]
    people = [who.user_id for who in plan.manifest.personas if who.user_id and who is not border.persona]
    return [*ids[:2], *names[:1], *people[:1], *plan.scenario.roles[:1], "true", "service_role", "admin"]


def _headers(plan: Plan, border: Border, texts: Sequence[str]) -> Iterator[Variation]:
    settings = dict(timeless(plan.identities[border.persona.name]).settings)
    headers = json.loads(settings.get("request.headers", "{}"))
    for name in _header_names(plan.catalog, texts):
        for value in _promises(plan, border):
            changed = json.dumps({**headers, name.lower(): value})
            single = ((f"request.header.{name.lower()}", value),) if name.isidentifier() else ()
            yield Variation(
                words=f"with the request header {name}: {value}", settings=(("request.headers", changed), *single)
            )


def _metadata(plan: Plan, border: Border, texts: Iterable[str]) -> Iterator[Variation]:
    """user_metadata is the user's own to write (Supabase docs: "User Management", updateUser)."""
    for key in _keys(texts, "user_meta"):
        for value in _promises(plan, border):
            claims = merge(_claims(plan, border.persona), {"user_metadata": {key: value}})
            yield _with_claims(plan, border.persona, f"with user_metadata.{key} = {value}", claims)


def _tokens(plan: Plan, persona: Persona) -> Iterator[Variation]:
    claims, having = _claims(plan, persona), partial(_with_claims, plan, persona)
    yield having("signed in anonymously", merge(claims, {"is_anonymous": True}))
    yield having("with a second factor (aal2)", merge(claims, {"aal": "aal2"}))
    yield having("without app_metadata", _without(claims, "app_metadata"))
    yield having("without an e-mail address", _without(claims, "email"))
    yield having("without a session id", _without(claims, "session_id"))
    metadata, declared = claims.get("app_metadata"), plan.scenario.claims.get("app_metadata")
    if isinstance(metadata, Mapping) and isinstance(declared, Mapping):
        for key in declared:
            lacking = {**claims, "app_metadata": _without(metadata, key)}
            yield having(f"with app_metadata.{key} missing", lacking)
            yield having(f"with app_metadata.{key} empty", merge(claims, {"app_metadata": {key: ""}}))
            yield having(f"with app_metadata.{key} of another type", merge(claims, {"app_metadata": {key: [1]}}))


def _claims(plan: Plan, persona: Persona) -> Claims:
    settings = dict(timeless(plan.identities[persona.name]).settings)
    claims: dict[str, object] = json.loads(settings[CLAIMS])
    return claims


def _without(claims: Claims, key: str) -> Claims:
    return {name: value for name, value in claims.items() if name != key}


def _with_claims(plan: Plan, persona: Persona, words: str, claims: Claims) -> Variation:
    singly = retold_singly(plan.identities[persona.name].settings, claims)
    return Variation(words=words, settings=((CLAIMS, json.dumps(claims)), *singly))


def _empty_settings(plan: Plan) -> Iterator[Variation]:
    for name in plan.scenario.session.settings:
        yield Variation(words=f"with the setting {name} empty", settings=((name, ""),))
