"""
The embedded target: a PostgreSQL server of our own, with the scenario's migrations, for as long as a run lasts.

The first run for a set of migrations builds a cluster for it; later runs copy that cluster's database.  The server is
shared by all runs that need the same cluster at the same time, and stopped by the last.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tenantproof.core.errors import MigrationError, TargetError
from tenantproof.core.model import Database
from tenantproof.core.ports import SILENT, Handle, Source
from tenantproof.targets.remarks import remarks
from tenantproof.targets.sources import read_migrations, read_sources

if TYPE_CHECKING:
    from tenantproof.targets.server import Server
    from tenantproof.targets.store import Recipe, Store


class EmbeddedTarget:
    """Databases on a server that comes with the extra `embedded`.

    `patches` are SQL files applied after the migrations; `keep` leaves the run's database (and the server) there;
    `cache` is the folder of prepared clusters; `say` narrates.
    """

    def __init__(
        self,
        database: Database,
        *,
        patches: Sequence[Path] = (),
        keep: bool = False,
        cache: Path | None = None,
        say: Callable[[str], None] = SILENT,
    ) -> None:
        self.notes: tuple[str, ...] = ()
        """What a report should say of the SQL behind the last database: what was skipped or taken for granted."""
        self._declared = database
        self._patches = tuple(patches)
        self._keep = keep
        self._cache = cache
        self._say = say

    @contextmanager
    def database(self) -> Iterator[Handle]:
        """A fresh database with migrations and patches applied; nothing is left of it afterwards.

        Raises MissingExtra, MigrationError, and TargetError for files or a cache that cannot be used.
        """
        require_posix()
        sources = self._read()
        patches = read_sources(self._patches)
        store = self._store()
        recipe = self._recipe(sources)
        with ExitStack() as stack:
            try:
                server, name = _place(stack, store, recipe, patches, keep=self._keep)
            except MigrationError:
                for note in self.notes:  # that a file was skipped may be why another one fails
                    self._say(f"note: {note}")
                raise
            if self._keep:
                self._say(f"this database stays: {server.programs.psql} '{server.conninfo(name)}'")
                self._say(f"stop its server with: kill -INT $(head -1 {server.data}/postmaster.pid)")
            yield handle_of(server, name, (*sources, *patches))

    def _read(self) -> tuple[Source, ...]:
        declared = self._declared
        reading = read_migrations(declared.migrations)
        exposed = declared.auto_expose_new_tables
        self.notes = (*reading.notes, *remarks(reading.sources, declared.platform, auto_expose=exposed))
        return reading.sources

    def _recipe(self, sources: tuple[Source, ...]) -> Recipe:
        from tenantproof.targets.shims import read_own
        from tenantproof.targets.store import Recipe

        declared = self._declared
        return Recipe(
            platform=declared.platform,
            auto_expose=declared.auto_expose_new_tables,
            sources=sources,
            own=read_own(declared.shims) if declared.shims is not None else None,
        )

    def _store(self) -> Store:
        # In this order: what the store imports comes with the extra, or does not exist on Windows (flock).
        from tenantproof.targets.programs import find_programs, installed_package

        package = installed_package()
        from tenantproof.targets.cache import cache_root
        from tenantproof.targets.store import Store

        root = cache_root(self._cache)
        return Store(root=root, programs=find_programs(package, root), say=self._say)


def require_posix() -> None:
    """Raise TargetError where the embedded server does not run."""
    if sys.platform == "win32":
        raise TargetError("the embedded server runs on Linux and macOS; on Windows use WSL or a container target")


def _place(
    stack: ExitStack, store: Store, recipe: Recipe, patches: Sequence[Source], *, keep: bool
) -> tuple[Server, str]:
    """A database with the patches applied: on the shared server where they allow it, else on one of its own."""
    from tenantproof.targets import patches as patching
    from tenantproof.targets.rundb import run_database

    # What is to be kept must not be a failed attempt on the shared server.
    if not (keep and patches) and not patching.reach_beyond(patches):
        with ExitStack() as attempt:
            server = attempt.enter_context(store.shared(recipe, linger=keep))
            name = attempt.enter_context(run_database(server, keep=keep))
            if patching.apply_here(server, name, patches):
                stack.push(attempt.pop_all())
                return server, name
    server = stack.enter_context(store.throwaway(recipe, patches, linger=keep))
    return server, stack.enter_context(run_database(server, keep=keep))


def handle_of(server: Server, name: str, sources: tuple[Source, ...]) -> Handle:
    """The database *name* of a running server, as the engine knows it."""
    with server.connect(name) as connection:
        version = connection.info.parameter_status("server_version") or ""
    return Handle(
        conninfo=server.conninfo(name),
        label=f"embedded PostgreSQL {version}",
        server_version=version,
        owned=True,
        sources=sources,
        psql=str(server.programs.psql),
    )
