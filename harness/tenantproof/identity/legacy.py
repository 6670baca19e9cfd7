"""
Claims in settings of their own (`request.jwt.claim.sub`), as PostgREST before 9 set them; since then it sets none.

An unknown setting reads as NULL, and as '' for ever once a transaction of the session has set it.  So where a real
request leaves them alone we must, too: `coalesce(current_setting('request.jwt.claim.sub', true), …)::uuid`, which old
projects have, stumbles over ''.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tenantproof.core.catalog import Catalog

CLAIMS = "request.jwt.claims"
_PREFIX = "request.jwt.claim."

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_NAMED = re.compile(r"(?P<sets>set_config\s*\(\s*)?[eE]?'(?P<name>request\.jwt\.claim(?:s|\.\w+))'", re.IGNORECASE)
_READS_CLAIMS = re.compile(r"(nullif\s*\(\s*)?(pg_catalog\.)?current_setting\s*\(\s*[eE]?'request\.jwt\.claims'", re.I)
_SERVICES = frozenset({"storage", "realtime", "extensions", "vault", "net", "cron", "graphql", "graphql_public"})
"""Whose functions set for themselves what they read."""
_WHO = ("uid", "role", "jwt", "email")
"""Functions of the schema auth that say who is asking; the first that reads a claim tells how claims come."""


@dataclass(frozen=True, slots=True)
class LegacyClaims:
    """Settings for single claims, of one database; none where claims come as json alone, as they do today."""

    told: tuple[str, ...] = ()
    """What it reads, and can get from nowhere else: set to the persona's claims."""
    cleared: tuple[str, ...] = ()
    """What its own functions set, so that a later persona must find it empty."""

    def settings(self, claims: Mapping[str, object]) -> Iterator[tuple[str, str]]:
        """What a session sets for somebody with these claims."""
        yield from ((name, "") for name in self.cleared if name not in self.told)
        yield from ((name, _as_text(claims.get(name.removeprefix(_PREFIX)))) for name in self.told)


def legacy_claims(catalog: Catalog) -> LegacyClaims:
    """The settings for single claims that a database depends on."""
    texts = list(_texts(catalog))
    found = [match for text in texts for match in _named(text)]
    singles = {_name(match) for match in found if not match["sets"]} - {CLAIMS}
    cleared = {_name(match) for match in found if match["sets"]} - {CLAIMS}
    told = singles if _only_singles(catalog, texts) else set[str]()
    return LegacyClaims(told=tuple(sorted(told)), cleared=tuple(sorted(cleared)))


def retold(settings: Iterable[tuple[str, str]], claims: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """The settings of somebody whose claims are others now."""
    pairs = dict(settings)
    changed = {CLAIMS: as_json(claims), **dict(retold_singly(pairs.items(), claims))}
    yield from ((name, changed.get(name, value)) for name, value in pairs.items())


def retold_singly(settings: Iterable[tuple[str, str]], claims: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Of these settings those that tell a single claim as the json does, with the claims of now."""
    pairs = dict(settings)
    before = json.loads(pairs.get(CLAIMS) or "{}")
    for name, value in pairs.items():
        claim = name.removeprefix(_PREFIX)
        if is_single_claim(name) and value and value == _as_text(before.get(claim)):
            yield name, _as_text(claims.get(claim))


def is_single_claim(setting: str) -> bool:
    """Whether a setting holds one claim alone."""
    return setting.startswith(_PREFIX)


def stumbles_over_empty_claims(catalog: Catalog) -> bool:
    """Whether something reads the json without nullif: once a request was there, nobody's claims are '' and no json."""
    texts = (_COMMENT.sub(" ", text) for text in _texts(catalog) if CLAIMS in text.lower())
    return any(match[1] is None for text in texts for match in _READS_CLAIMS.finditer(text))


def as_json(value: Mapping[str, object]) -> str:
    """Without blanks, as PostgREST hands it over."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _only_singles(catalog: Catalog, texts: Iterable[str]) -> bool:
    """Whether single claims are read, and the json is not: by whatever says who is asking, else by anything."""
    known = {function.name.name: function.source for function in catalog.functions if function.name.schema == "auth"}
    telling = next((read for name in _WHO if (read := _read(known.get(name, "")))), None)
    read = telling if telling is not None else {name for text in texts for name in _read(text)}
    return bool(read) and CLAIMS not in read


def _read(text: str) -> set[str]:
    return {_name(match) for match in _named(text) if not match["sets"]}


def _named(text: str) -> Iterator[re.Match[str]]:
    if _PREFIX[:-1] in text.lower():
        yield from _NAMED.finditer(_COMMENT.sub(" ", text))


def _name(match: re.Match[str]) -> str:
    return match["name"].lower()


def _texts(catalog: Catalog) -> Iterator[str]:
    """Everything in which somebody may ask for a claim."""
    for function in catalog.functions:
        if function.name.schema not in _SERVICES:
            yield function.source
    for relation in catalog.relations.values():
        yield relation.definition
        yield from (text for policy in relation.policies for text in (policy.using, policy.check) if text)
        yield from (column.default for column in relation.columns if column.default)


def _as_text(value: object) -> str:
    """A claim as PostgREST put it into a setting: words as they are, the rest as json."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
