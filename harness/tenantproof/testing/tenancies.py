"""The seeded databases of one process, by scenario: each is made once and goes away with the stack."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from tenantproof.api import seeded
from tenantproof.targets.copied import CopiedTarget
from tenantproof.testing.settings import Settings
from tenantproof.testing.tenancy import Tenancy


class Tenancies:
    """Opens tenancies.  `dsn` is the suite's own database, where there is one."""

    def __init__(self, stack: ExitStack, *, settings: Settings, dsn: str | None) -> None:
        self._stack = stack
        self._settings = settings
        self._dsn = dsn
        self._open: dict[Path, Tenancy] = {}

    def open(self, path: Path) -> Tenancy:
        """The scenario, seeded.  Raises the errors of tenantproof.core.errors."""
        if path not in self._open:
            target = self._settings.target if self._dsn is None else CopiedTarget(self._dsn)
            handle, plan = self._stack.enter_context(seeded(path, seed=self._settings.seed, target=target))
            self._open[path] = Tenancy(path, plan, handle)
        return self._open[path]
