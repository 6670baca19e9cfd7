"""Where tenants and users stand in names of files and topics: `{tenant.id}/{user}/1.pdf`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

USER = "user"
ID = "tenant.id"

_SLOT = re.compile(r"\{([a-z][\w.]*)\}")
_ALONE = r"(?<![A-Za-z0-9]){}(?![A-Za-z0-9])"
"""A value counts where it stands alone: the 1 of tenant 1 is not the 1 of 12."""


@dataclass(frozen=True, slots=True, order=True)
class Pattern:
    """A text with slots `{tenant.id}`, `{tenant.slug}`, `{user}`; other braces are doubled by nobody and stay."""

    text: str

    def filled(self, values: Mapping[str, str]) -> str | None:
        """The text for these values; None where one that it needs is missing."""
        if any(slot not in values for slot in self.slots):
            return None
        return _SLOT.sub(lambda match: values.get(match[1], match[0]), self.text)

    @property
    def slots(self) -> tuple[str, ...]:
        return tuple(slot for slot in _SLOT.findall(self.text) if slot == USER or slot.startswith("tenant."))

    @property
    def tenant_slot(self) -> str | None:
        """The first slot that names the tenant."""
        return next((slot for slot in self.slots if slot != USER), None)

    @property
    def fenced(self) -> bool:
        """Whether the text says whose it is."""
        return bool(self.slots)


def pattern_of(text: str, values: Mapping[str, str]) -> Pattern:
    """The pattern of a text of somebody's: what stands alone in it and is a value of theirs becomes a slot."""
    for slot, value in sorted(values.items(), key=lambda item: (-len(item[1]), item[0])):
        if value:
            text = re.sub(_ALONE.format(re.escape(value)), lambda _match, name=slot: f"{{{name}}}", text)  # type: ignore[misc]
    return Pattern(text)


def literals_in(texts: Iterable[str]) -> Iterator[str]:
    """Plain string literals of SQL expressions, LIKE's trailing % left out; each once."""
    seen = set()
    for text in texts:
        for literal in re.findall(r"'((?:[^']|'')*)'", text):
            plain = literal.replace("''", "'").removesuffix("%")
            if plain and len(plain) < 60 and plain.isprintable() and "{" not in plain and plain not in seen:
                seen.add(plain)
                yield plain
