"""The pytest plugin before somebody's database."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.plugin.test_plugin import suite
from tests.staging.cluster import SCENARIO, Cluster

from tenantproof.testing.results import CannotCheck, Results
from tenantproof.testing.settings import Settings, settings_of


def test_the_plugin_writes_as_it_is_told(staging: Cluster, tmp_path: Path) -> None:
    (tmp_path / "app.tenancy.yaml").write_text(SCENARIO.read_text().replace(", migrations: migrations", ""))
    (tmp_path / "pytest.ini").write_text("[pytest]\ntenantproof_target = env:STAGING\ntenantproof_attempts = 0\n")
    before = staging.dump()
    written = suite(tmp_path, "-q", "--tenantproof-writes", "rollback", "--tenantproof-report=json=r.json",
                    STAGING=staging.dsn())  # fmt: skip
    assert written.returncode == 0, written.stdout
    assert '"--writes", "rollback"' in " ".join((tmp_path / "r.json").read_text().split())
    assert staging.dump() == before


def test_a_mode_for_a_database_that_is_copied_is_refused(tmp_path: Path) -> None:
    settings = Settings(
        target="embedded", writes="rollback", seed=1, attempts=0, fail_on=None, inconclusive="fail",
        granularity="cell", reports=(), baselines=(), history=None,
    )  # fmt: skip
    results = Results(tmp_path, settings, owned=False)
    results.dsn = "host=nowhere"
    with pytest.raises(CannotCheck, match="tenantproof_writes = rollback: this is for a tenantproof_target"):
        results.report(SCENARIO)


def test_a_mode_that_nobody_knows_is_refused(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    ini = request.config.getini
    monkeypatch.setattr(request.config, "getini", lambda name: "seed" if name == "tenantproof_writes" else ini(name))
    with pytest.raises(pytest.UsageError, match="tenantproof_writes = seed: expected never or rollback or canary"):
        settings_of(request.config)
