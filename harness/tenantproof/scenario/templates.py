"""Placeholders in templates: `{tenant.id}` and the like.  Only what looks like one is one: `{"a": 1}` is text."""

from __future__ import annotations

import re
from collections.abc import Iterator

PERSON = frozenset({"tenant.id", "tenant.name", "user.id", "user.email", "role"})
"""What stands for the persona: in claims, session settings and headers."""

ROW = frozenset({"tenant.id", "tenant.name", "owner.id", "n", "uuid", "canary"})
"""What stands for a seeded row, in `tables.*.values` and `membership.values` (whose owner is the member)."""

FILL = PERSON | {"n", "uuid", "canary"}
"""What stands for the tenant and its member in `fill`."""

SNIPPET = PERSON | {"claims"}
"""What stands in the statements of `pooled`; claims are JSON."""

ENDPOINT = PERSON | {"base"}
"""What stands in the url of an endpoint, its headers and its body; {row.TABLE.COLUMN}, too."""

APP = frozenset({"port", "base"})
"""What stands in the command that starts an application, where every process could read a secret."""

APP_ENVIRONMENT = APP | {
    "database.url",
    "database.host",
    "database.port",
    "database.name",
    "database.user",
    "database.password",
    "jwt.secret",
    "jwt.jwks",
}
"""What stands in its environment."""

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")


def placeholders(text: str) -> tuple[str, ...]:
    """The names between braces, in order."""
    return tuple(_PLACEHOLDER.findall(text))


def strings(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text inside a nested value, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from strings(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from strings(item, (*path, index))
