"""
A throw-away server on which prefixes of a list of migrations stand as template databases.

The prefix at hand is always the database `postgres`, the name that migrations know; the others wait under names of
their own.  Renaming a database keeps what is said of it (settings, grants).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from tenantproof.core.model import Platform
from tenantproof.core.ports import Source
from tenantproof.targets.migrating import migrate
from tenantproof.targets.patches import cluster_state
from tenantproof.targets.rundb import MAINTENANCE, TEMPLATE, create, drop
from tenantproof.targets.server import Server

_GROWING = "prefix_growing"


@dataclass(slots=True, kw_only=True)
class PrefixServer:
    """A server on which prefixes stand.

    `current` is the prefix called `postgres`; `kept` are those that can be copied, `current` among them; `level` is
    the last file here that changed the cluster.
    """

    server: Server
    platform: Platform
    sources: Sequence[Source]
    current: int = 0
    level: int = 0
    kept: set[int] = field(default_factory=lambda: {0})

    def reaches(self, count: int) -> bool:
        """Whether the prefix can be built here."""
        return min(self.kept) <= count

    def build(self, count: int) -> set[int]:
        """Make the prefix the one at hand; returns the files that changed the cluster on the way."""
        start = max(known for known in self.kept if known <= count)
        self._bring(start)
        changers = set()
        if start < count:
            self._branch()
        for number in range(start + 1, count + 1):
            if self._apply(number):
                changers.add(number)
                self._forget_templates()
                self.level = number
                if number < count:
                    self.kept.add(number)
                    self._branch()
        self.kept.add(count)
        return changers

    def _apply(self, number: int) -> bool:
        """Apply one file to the prefix at hand; whether the cluster is another one since."""
        before = self._state()
        migrate(self.server, self.platform, self.sources[number - 1 : number])
        self.current = number
        return self._state() != before

    def _state(self) -> object:
        with self._maintenance() as connection:
            return cluster_state(connection)

    def _bring(self, count: int) -> None:
        """Exchange the prefix at hand for a kept one."""
        if count != self.current:
            with self._maintenance() as connection:
                _rename(connection, TEMPLATE, _name(self.current))
                _rename(connection, _name(count), TEMPLATE)
            self.current = count

    def _branch(self) -> None:
        """Leave the prefix at hand as a template, and go on with a copy of it."""
        with self._maintenance() as connection:
            create(connection, _GROWING)
            _rename(connection, TEMPLATE, _name(self.current))
            _rename(connection, _GROWING, TEMPLATE)

    def _forget_templates(self) -> None:
        with self._maintenance() as connection:
            for count in self.kept:
                drop(connection, _name(count))
        self.kept = set()

    def _maintenance(self) -> psycopg.Connection:
        return self.server.connect(MAINTENANCE)


def _name(count: int) -> str:
    return f"prefix_{count}"


def _rename(connection: psycopg.Connection, old: str, new: str) -> None:
    connection.execute(sql.SQL("alter database {} rename to {}").format(sql.Identifier(old), sql.Identifier(new)))
