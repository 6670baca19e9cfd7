"""
Prepared clusters on disk, and who uses them.

`golden/KEY` is a dressed cluster without migrations, `clusters/KEY` one with them: `pristine/data` is never started
once it is there, `data` is the copy that runs share.  Roles belong to a cluster, not to a database, so each set of
migrations gets a cluster of its own.

Locks of a cluster (files in locks/, named by its key): `.control` is held alone while building, starting and stopping;
`.users` is held together by all who use the server, so who can take it alone is the last.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tenantproof.core.errors import TargetError
from tenantproof.core.model import Platform
from tenantproof.core.ports import Source
from tenantproof.targets import dress, keeper, shims
from tenantproof.targets.cache import copy_tree, make_folder, remove_tree
from tenantproof.targets.locks import Lock, exclusive, exclusive_if_free
from tenantproof.targets.migrating import migrate
from tenantproof.targets.programs import Programs
from tenantproof.targets.rundb import drop_leftovers
from tenantproof.targets.server import Server

KEPT_CLUSTERS = 8
KEPT_GOLDEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """All that decides what a cluster holds."""

    platform: Platform
    auto_expose: bool
    sources: tuple[Source, ...]
    own: shims.Own | None = None

    def golden_key(self, release: str) -> str:
        dressed = dress.fingerprint(self.platform, self.auto_expose, release)
        # The dress installs extensions, and a project's own stand-in may be one of them.
        return dressed if self.own is None else f"{dressed}-{self.own.fingerprint()}"

    def key(self, release: str) -> str:
        """A hash over the dress and over names and contents of the migrations."""
        digest = hashlib.sha256(self.golden_key(release).encode())
        for source in self.sources:
            digest.update(f"\0{Path(source.path).name}\0{source.text}".encode())
        return digest.hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The cache folder with all clusters in it."""

    root: Path
    programs: Programs
    say: Callable[[str], None]

    @contextmanager
    def shared(self, recipe: Recipe, *, linger: bool) -> Iterator[Server]:
        """The running server of a recipe, built and started if need be; stopped by its last user.

        With *linger* it stays until the cluster is pruned.
        """
        key = recipe.key(self.programs.release)
        users = Lock(self._lock(key, "users"))
        alive = Lock(self._lock(key, "alive"))
        try:
            alive.share()
            server = self._enter(key, recipe, users)
            try:
                with _telling_why(server):
                    yield server
            finally:
                self._leave(key, server, users, linger=linger)
        finally:
            users.close()
            alive.close()

    @contextmanager
    def throwaway(self, recipe: Recipe, patches: Iterable[Source], *, linger: bool) -> Iterator[Server]:
        """A private server of a recipe, with *patches* applied as migrations are.

        Nothing is left of it (with *linger*, until the cache is pruned).
        """
        self._prune_throwaway()
        key = recipe.key(self.programs.release)
        server = self._server(self.root / "build" / f"run-{uuid.uuid4().hex[:12]}", recipe.platform, recipe.own)
        lock = Lock(self._lock(server.home.name, "alive"))
        try:
            lock.share()
            make_folder(server.home)
            with exclusive(self._lock(key, "control"), waiting=self._waiting):
                self._ensure_built(key, recipe)
                copy_tree(self._home(key) / "pristine" / "data", server.data)
            try:
                self._start(server, lock_stem=server.home.name)
                migrate(server, recipe.platform, patches)
                with _telling_why(server):
                    yield server
            finally:
                if linger:
                    (server.data / keeper.KEPT).touch()
                else:
                    server.stop()
        finally:
            if not linger:
                self._forget(server.home)
            lock.close()

    def _enter(self, key: str, recipe: Recipe, users: Lock) -> Server:
        with exclusive(self._lock(key, "control"), waiting=self._waiting):
            alone = users.try_take()
            self._ensure_built(key, recipe)
            server = self._server(self._home(key), recipe.platform, recipe.own)
            os.utime(server.home)
            if not server.is_running():
                self._start_shared(server, key)
            if alone:
                drop_leftovers(server)
            users.share()
            return server

    def _leave(self, key: str, server: Server, users: Lock, *, linger: bool) -> None:
        with exclusive(self._lock(key, "control")):
            if linger:
                (server.data / keeper.KEPT).touch()
            users.release()
            if users.try_take() and not (server.data / keeper.KEPT).exists():
                server.stop()

    def _start_shared(self, server: Server, key: str) -> None:
        if not server.data.exists():
            self._copy_pristine(server)
        try:
            self._start(server, lock_stem=key)
        except TargetError:
            # Durability is off: after a power cut the copy may be beyond repair, but the original was never started.
            server.stop()
            remove_tree(server.data)
            self._copy_pristine(server)
            self._start(server, lock_stem=key)

    def _start(self, server: Server, *, lock_stem: str) -> None:
        (server.data / keeper.KEPT).unlink(missing_ok=True)
        server.start()
        keeper.watch(server, alive=self._lock(lock_stem, "alive"), control=self._lock(lock_stem, "control"))

    def _copy_pristine(self, server: Server) -> None:
        partial = server.home / "partial"
        remove_tree(partial)
        copy_tree(server.home / "pristine" / "data", partial)
        partial.rename(server.data)

    def _ensure_built(self, key: str, recipe: Recipe) -> None:
        """Build the cluster of *recipe*; the caller holds its control lock."""
        if self._home(key).exists():
            return
        self.say("preparing the database (once for these migrations)")
        with self._building(key, recipe.platform) as home:
            pristine = self._server(home / "pristine", recipe.platform, recipe.own)
            make_folder(pristine.home)
            self._copy_golden(recipe, pristine.data)
            with _started(pristine):
                migrate(pristine, recipe.platform, recipe.sources)
            home.rename(self._home(key))
        self._prune(self.root / "clusters", KEPT_CLUSTERS, keep=key)

    def _copy_golden(self, recipe: Recipe, target: Path) -> None:
        key = recipe.golden_key(self.programs.release)
        golden = self.root / "golden" / key
        with exclusive(self._lock(key, "control"), waiting=self._waiting):
            if not golden.exists():
                self._build_golden(key, recipe)
            os.utime(golden)
            copy_tree(golden / "data", target)

    def _build_golden(self, key: str, recipe: Recipe) -> None:
        with self._building(key, recipe.platform) as home:
            server = self._server(home, recipe.platform, recipe.own)
            server.initialize()
            with _started(server), server.connect("postgres") as connection:
                dress.put_on(connection, recipe.platform, auto_expose=recipe.auto_expose)
            home.rename(self.root / "golden" / key)
        self._prune(self.root / "golden", KEPT_GOLDEN, keep=key)

    @contextmanager
    def _building(self, key: str, platform: Platform) -> Iterator[Path]:
        """An empty folder that is gone afterwards, unless it was renamed."""
        home = self.root / "build" / key
        self._discard(home, platform)
        make_folder(home)
        try:
            yield home
        finally:
            self._discard(home, platform)

    def _discard(self, home: Path, platform: Platform) -> None:
        for server in (self._server(home, platform), self._server(home / "pristine", platform)):
            server.stop()
        remove_tree(home)

    def _prune(self, folder: Path, kept: int, *, keep: str) -> None:
        """Remove all but the newest clusters, never one in use."""
        found = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
        for home in found[kept:]:
            if home.name != keep:
                self._remove_unused(home)
        self._prune_throwaway()

    def _prune_throwaway(self) -> None:
        """Remove what a killed process left half built; what is being built is locked, and what was kept still runs."""
        for home in (self.root / "build").glob("*"):
            if not self._is_kept(home):
                self._remove_unused(home)

    def _is_kept(self, home: Path) -> bool:
        server = self._server(home, Platform.SUPABASE)
        return (server.data / keeper.KEPT).exists() and server.is_running()

    def _remove_unused(self, home: Path) -> None:
        with (
            exclusive_if_free(self._lock(home.name, "control")) as idle,
            exclusive_if_free(self._lock(home.name, "alive")) as unused,
        ):
            if idle and unused:
                self._discard(home, Platform.SUPABASE)
                self._forget(home)

    def _forget(self, home: Path) -> None:
        """Remove a stopped throw-away cluster with its locks: no other cluster will ever have its name."""
        remove_tree(home)
        for what in ("alive", "control"):
            if home.name.startswith("run-"):
                self._lock(home.name, what).unlink(missing_ok=True)

    def _server(self, home: Path, platform: Platform, own: shims.Own | None = None) -> Server:
        return Server(
            programs=self.programs,
            home=home,
            superuser=dress.OBSERVER[platform],
            extensions=shims.published(self.root, own),
        )

    def _home(self, key: str) -> Path:
        return self.root / "clusters" / key

    def _lock(self, key: str, what: str) -> Path:
        return self.root / "locks" / f"{key}.{what}"

    def _waiting(self) -> None:
        self.say("waiting for another run that prepares the same database")


@contextmanager
def _started(server: Server) -> Iterator[None]:
    try:
        server.start()
        yield
    finally:
        server.stop()


@contextmanager
def _telling_why(server: Server) -> Iterator[None]:
    """Add to an error of a lost connection what the server's log says of its end."""
    try:
        yield
    except psycopg.OperationalError as error:
        if why := server.why_it_went():
            error.add_note(f"the log of the embedded server says:\n{why}")
        raise
