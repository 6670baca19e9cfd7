"""
Databases with only the first files of a list of migrations, on one throw-away server.

Each prefix that is asked for is built from the nearest one before it and kept as a template database, so that going
back and forth costs the files in between and a copy.  Roles belong to the whole cluster: once a file changed them, the
templates of earlier prefixes no longer tell the truth, and going back before it takes another server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tenantproof.core.model import Database
from tenantproof.core.ports import SILENT, Handle, Source
from tenantproof.targets.embedded import EmbeddedTarget, handle_of, require_posix

if TYPE_CHECKING:
    from tenantproof.targets.prefix_server import PrefixServer


class PrefixTarget(EmbeddedTarget):
    """A context manager that gives databases with the first files of *sources* applied.

    *database* says which platform they are dressed as; its own migrations are not looked at.  `cache` is the folder
    of prepared clusters; `say` narrates.
    """

    def __init__(
        self,
        database: Database,
        sources: Sequence[Source],
        *,
        cache: Path | None = None,
        say: Callable[[str], None] = SILENT,
    ) -> None:
        super().__init__(database, cache=cache, say=say)
        self._sources = tuple(sources)
        self._stack = ExitStack()
        self._servers: list[PrefixServer] = []
        self._changers: set[int] = set()
        """Numbers of the files that are known to change the cluster."""

    def __enter__(self) -> PrefixTarget:
        self._stack.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @contextmanager
    def prefix(self, count: int) -> Iterator[Handle]:
        """A fresh database with the first *count* files applied; nothing is left of it afterwards.

        Raises MissingExtra, MigrationError, and TargetError for a cache that cannot be used.
        """
        require_posix()
        from tenantproof.targets.rundb import run_database

        server = self._server(count)
        self._changers |= server.build(count)
        with run_database(server.server, keep=False) as name:
            yield handle_of(server.server, name, self._sources[:count])

    def _server(self, count: int) -> PrefixServer:
        """The server that got furthest without a change of the cluster that *count* must not see."""
        level = max((number for number in self._changers if number <= count), default=0)
        fitting = [server for server in self._servers if server.level <= level and server.reaches(count)]
        if not fitting:
            fitting = [self._new_server()]
            self._servers += fitting
        return max(fitting, key=lambda server: server.level)

    def _new_server(self) -> PrefixServer:
        store, recipe = self._store(), self._recipe(())
        from tenantproof.targets.prefix_server import PrefixServer  # what it imports comes with the extra

        server = self._stack.enter_context(store.throwaway(recipe, (), linger=False))
        return PrefixServer(server=server, platform=recipe.platform, sources=self._sources)
