"""Filling templates for a persona: `{tenant.id}` and the like in claims, settings and headers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tenantproof.core.errors import UsageError, did_you_mean
from tenantproof.core.model import Persona

NAMES = frozenset({"tenant.id", "tenant.name", "user.id", "user.email", "role"})
"""What a template may name (the scenario's grammar; DESIGN.md, "The scenario file")."""

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")

Facts = Mapping[str, str]


class Lacking(Exception):
    """The persona lacks what the template names: anon has no user, outsider no tenant."""


def facts(persona: Persona, tenants: Mapping[str, str]) -> Facts:
    """What placeholders stand for; what the persona lacks is missing.  The tenant is that of the first membership."""
    found: dict[str, str | None] = {"user.id": persona.user_id, "user.email": persona.email}
    if persona.memberships:
        first = persona.memberships[0]
        found |= {"tenant.id": tenants[first.tenant], "tenant.name": first.tenant, "role": first.role}
    return {name: value for name, value in found.items() if value is not None}


def fill(template: str, known: Facts) -> str:
    """The template with its placeholders replaced.  Raises Lacking, or UsageError for a placeholder nobody knows."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in NAMES:
            raise UsageError(f"unknown placeholder {{{name}}} in '{template}': {did_you_mean(name, NAMES)}")
        if name not in known:
            raise Lacking(name)
        return known[name]

    return _PLACEHOLDER.sub(value, template)


def fill_or_empty(template: str, known: Facts) -> str:
    """As `fill`, with '' for what the persona lacks: what an application's middleware sets for nobody."""
    try:
        return fill(template, known)
    except Lacking:
        return ""


def fill_nested(template: object, known: Facts) -> object:
    """As `fill`, inside mappings and lists; an entry that names what the persona lacks is left out.

    Raises Lacking where the whole template is such an entry.
    """
    if isinstance(template, str):
        return fill(template, known)
    if isinstance(template, Mapping):
        return {key: value for key, item in template.items() for value in _present(item, known)}
    if isinstance(template, list | tuple):
        return [value for item in template for value in _present(item, known)]
    return template


def _present(template: object, known: Facts) -> tuple[object, ...]:
    try:
        return (fill_nested(template, known),)
    except Lacking:
        return ()
