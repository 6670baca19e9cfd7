"""A kind of finding that a further way in tells, for findings and for formats that declare every kind of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tenantproof.core.finding import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of finding.

    `title` may hold {object}; `thing` stands there where no finding is meant.  `severity` is the worst that it usually
    is; `cwe` numbers the weakness.
    """

    id: str
    title: str
    explanation: str
    fix: str
    cwe: int
    severity: Severity
    thing: str = "a table"

    @property
    def general_title(self) -> str:
        """The title where no finding is meant."""
        return self.title.format(object=self.thing)


def by_id(kinds: Iterable[Kind]) -> Mapping[str, Kind]:
    """A catalogue, in the order that was given."""
    return MappingProxyType({kind.id: kind for kind in kinds})
