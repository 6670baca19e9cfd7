"""The catalogue of channels: each says when it applies and what to try; the properties judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType

from tenantproof.channels.stand import Stand
from tenantproof.core.attempt import Attempt
from tenantproof.core.errors import UsageError, did_you_mean
from tenantproof.core.model import Command

Attempts = Callable[[Stand], Iterator[Attempt]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """One known way to reach what is somebody else's.

    `title` is a sentence with the placeholder {object}; `fix` says what to do; `cwe` numbers the weakness.
    """

    id: str
    command: Command
    title: str
    fix: str
    cwe: int
    attempts: Attempts
    explanation: str


_channels: dict[str, Channel] = {}
CHANNELS = MappingProxyType(_channels)


def channel(id: str, *, command: Command, title: str, fix: str, cwe: int = 639) -> Callable[[Attempts], Attempts]:
    """Enter a function into the catalogue; its docstring is the explanation.  Raises ValueError for a duplicate."""

    def enter(attempts: Attempts) -> Attempts:
        if id in _channels:
            raise ValueError(f"channel {id} is already in the catalogue")
        _channels[id] = Channel(
            id=id,
            command=command,
            title=title,
            fix=fix,
            cwe=cwe,
            attempts=attempts,
            explanation=" ".join((attempts.__doc__ or "").split()),
        )
        return attempts

    return enter


def find(id: str) -> Channel:
    """The channel of that id.  Raises UsageError with the nearest name."""
    try:
        return CHANNELS[id]
    except KeyError:
        raise UsageError(f"no channel '{id}': {did_you_mean(id, CHANNELS)}") from None
