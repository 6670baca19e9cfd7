"""What the pytest options and ini values say: option before ini."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tenantproof.core.finding import Severity
from tenantproof.core.seeds import DEFAULT_SEED

if TYPE_CHECKING:
    from collections.abc import Sequence

INCONCLUSIVE = ("fail", "skip")
NEVER = "never"
WRITES = (NEVER, "rollback", "canary")
GRANULARITY = ("cell", "table")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The plugin's settings of one session; `attempts` None means as many as `check` tries."""

    target: str
    writes: str | None
    """None: nothing is written in a target that is somebody's."""
    seed: int
    attempts: int | None
    fail_on: Severity | None
    """None: no finding fails a test."""
    inconclusive: str
    granularity: str
    reports: tuple[str, ...]
    baselines: tuple[Path, ...]
    history: Path | None
    via: tuple[str, ...] = ()

    @property
    def wants_suite(self) -> bool:
        """Whether a pgTAP suite is to be written, for which the seeded database must be there."""
        return any(spec.startswith("pgtap=") for spec in self.reports)


def settings_of(config: pytest.Config) -> Settings:
    """Read them.  Raises pytest.UsageError that names the ini value, what it was and what it may be."""
    option, ini = config.getoption, config.getini
    attempts = option("--tenantproof-attempts")
    said = str(ini("tenantproof_attempts")).strip()
    if attempts is None and said:
        if not said.isdecimal():
            raise pytest.UsageError(f"tenantproof_attempts = {said}: expected a whole number")
        attempts = int(said)
    seed = option("--tenantproof-seed")
    return Settings(
        target=option("--tenantproof-target") or str(ini("tenantproof_target")),
        writes=option("--tenantproof-writes") or _writes(str(ini("tenantproof_writes")).strip()),
        seed=DEFAULT_SEED if seed is None else seed,
        attempts=attempts,
        fail_on=_fail_on(option("--tenantproof-fail-on") or _one_of(ini, "tenantproof_fail_on", (*Severity, NEVER))),
        inconclusive=_one_of(ini, "tenantproof_inconclusive", INCONCLUSIVE),
        granularity=_one_of(ini, "tenantproof_granularity", GRANULARITY),
        reports=_reports(option("--tenantproof-report")),
        baselines=_baselines(config),
        history=_history(config),
        via=_via(option("--tenantproof-via") or ini("tenantproof_via")),
    )


def _via(names: Sequence[str]) -> tuple[str, ...]:
    from tenantproof.channels.further import VIAS

    for name in names:
        if name not in VIAS:
            raise pytest.UsageError(f"tenantproof_via = {name}: expected {' or '.join(VIAS)}")
    return tuple(dict.fromkeys(names))


def _reports(specs: Sequence[str]) -> tuple[str, ...]:
    """FORMAT=PATH as they were given; better refused now than after all tests."""
    from tenantproof.core.errors import UsageError
    from tenantproof.reports.files import parse_specs

    try:
        parse_specs(specs)
    except UsageError as error:
        raise pytest.UsageError(str(error).replace("--report ", "--tenantproof-report ")) from error
    return tuple(specs)


def _writes(said: str) -> str | None:
    if said and said not in WRITES:
        raise pytest.UsageError(f"tenantproof_writes = {said}: expected {' or '.join(WRITES)}")
    return said or None


def _fail_on(said: str) -> Severity | None:
    return None if said == NEVER else Severity(said)


def _baselines(config: pytest.Config) -> tuple[Path, ...]:
    """Paths of an option are from where pytest was called, those of an ini from the root folder.

    Refused now where one is none: every single test would say the same.
    """
    given = config.getoption("--tenantproof-baseline")
    home = Path(config.invocation_params.dir) if given else config.rootpath
    found = tuple(home / path for path in given or config.getini("tenantproof_baseline"))
    if found:
        from tenantproof.core.errors import UsageError
        from tenantproof.reports.baseline import load_baseline

        try:
            for path in found:
                load_baseline(path)
        except UsageError as error:
            raise pytest.UsageError(f"tenantproof: {error}") from error
    return found


def _history(config: pytest.Config) -> Path | None:
    """As `_baselines`; refused now where none can be kept."""
    given, said = config.getoption("--tenantproof-history"), str(config.getini("tenantproof_history"))
    if given is None and not said:
        return None
    from tenantproof.core.errors import UsageError
    from tenantproof.reports.history import history_file, require_history

    path = os.path.join(config.rootpath, said) if given is None else os.path.join(config.invocation_params.dir, given)
    try:
        require_history(path)
    except UsageError as error:
        raise pytest.UsageError(f"tenantproof: {error}") from error
    return history_file(path)


def _one_of(ini: object, name: str, known: Sequence[str]) -> str:
    assert callable(ini)
    said = str(ini(name)).strip()
    if said not in known:
        raise pytest.UsageError(f"{name} = {said}: expected {' or '.join(known)}")
    return said
