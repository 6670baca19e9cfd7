"""
The reports of one pytest session: each scenario is checked once, by the worker that asks first; the others read.

They share a folder; a lock beside each report makes the others wait.  The folder goes away with the session.
"""

from __future__ import annotations

import hashlib
import io
import shlex
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from tenantproof.core.errors import TenantproofError, UsageError
from tenantproof.core.report import Report
from tenantproof.reports.json_v1 import JsonV1Writer
from tenantproof.reports.json_v1_reader import read_report
from tenantproof.reports.matrix import Matrix, build_matrix
from tenantproof.reports.pgtap import PgtapWriter
from tenantproof.reports.registry import Writer
from tenantproof.targets.locks import exclusive
from tenantproof.testing.baselines import baseline_for
from tenantproof.testing.keys import RESULTS
from tenantproof.testing.settings import Settings, settings_of


class CannotCheck(Exception):
    """The check of a scenario ended with an error; the text is for the person who reads the failure."""


class Results:
    """Reports by scenario file.  `dsn` is the suite's own database, where there is one."""

    def __init__(self, folder: Path, settings: Settings, *, owned: bool) -> None:
        self.folder = folder
        self.settings = settings
        self.dsn: str | None = None
        self.told: set[str] = set()
        """Fingerprints and errors that this process has shown: a second failure only points to the first."""
        self._owned = owned
        self._reports: dict[Path, Report] = {}
        self._matrices: dict[Path, Matrix] = {}

    def report(self, path: Path) -> Report:
        """The finished report of a scenario.  Raises CannotCheck."""
        if path not in self._reports:
            self._reports[path] = self._shared(path)
        return self._reports[path]

    def matrix(self, path: Path) -> Matrix:
        """The report's matrix as people read it.  Raises CannotCheck."""
        if path not in self._matrices:
            self._matrices[path] = build_matrix(self.report(path))
        return self._matrices[path]

    def finished(self) -> list[Report]:
        """The reports that any worker has made, by name of the scenario."""
        found = (read_report(file.read_text("utf-8")) for file in sorted(self.folder.glob("*.json")))
        return sorted(found, key=lambda report: report.scenario_path)

    def suite(self, report: Report) -> str:
        """The pgTAP suite of a finished report, where one was asked for."""
        return self._stem(Path(report.scenario_path)).with_suffix(".sql").read_text("utf-8")

    def close(self) -> None:
        """Remove the folder, in the process that made it."""
        if self._owned:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _shared(self, path: Path) -> Report:
        stem = self._stem(path)
        done, failed = stem.with_suffix(".json"), stem.with_suffix(".error")
        with exclusive(stem.with_suffix(".lock")):
            if not done.exists() and not failed.exists():
                self._check(path, done, failed)
        if failed.exists():
            raise CannotCheck(failed.read_text("utf-8"))
        return read_report(done.read_text("utf-8"))

    def _stem(self, path: Path) -> Path:
        return self.folder / hashlib.sha256(str(path).encode()).hexdigest()[:16]

    def _check(self, path: Path, done: Path, failed: Path) -> None:
        from tenantproof.api import DEFAULT_ATTEMPTS, check  # the engine: of no use while tests are collected
        from tenantproof.targets.copied import CopiedTarget

        settings = self.settings
        try:
            if self.dsn is not None and settings.writes is not None:
                raise UsageError(
                    f"tenantproof_writes = {settings.writes}: this is for a tenantproof_target that is somebody's; the "
                    "database of tenantproof_dsn is copied, and the copy is written to"
                )
            report = check(
                path,
                seed=settings.seed,
                attempts=DEFAULT_ATTEMPTS if settings.attempts is None else settings.attempts,
                baseline=baseline_for(path, settings.baselines),
                history=settings.history,
                suite=settings.wants_suite,
                via=settings.via,
                writes=settings.writes,
                target=settings.target if self.dsn is None else CopiedTarget(self.dsn),
            )
        except TenantproofError as error:
            failed.write_text(str(error), "utf-8")
            return
        if self.dsn is not None:  # which no verb reaches: it is gone with the session
            report = replace(report, again=shlex.join(["pytest", str(path)]))
        if settings.wants_suite:
            _write(report, PgtapWriter(), done.with_suffix(".sql"))
        _write(report, JsonV1Writer(), done)


def _write(report: Report, writer: Writer, path: Path) -> None:
    document = io.StringIO()
    writer.write(report, document)
    path.write_text(document.getvalue(), "utf-8")


def results_of(config: pytest.Config) -> Results:
    """The session's results: shared between the workers of xdist."""
    if RESULTS not in config.stash:
        given = getattr(config, "workerinput", {}).get("tenantproof_results")
        folder = Path(given or tempfile.mkdtemp(prefix="tenantproof-pytest-"))
        config.stash[RESULTS] = Results(folder, settings_of(config), owned=given is None)
    return config.stash[RESULTS]
