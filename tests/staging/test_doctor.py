"""`doctor`: what a run would meet."""

from __future__ import annotations

from pathlib import Path

from tests.staging.cluster import OWNER, SCENARIO, Cluster
from tests.staging.conftest import Run


def test_what_each_mode_would_be_allowed(staging: Cluster, tenantproof: Run, tmp_path: Path) -> None:
    before = staging.dump()
    good = tenantproof("doctor", SCENARIO, "--target", "env:S", S=staging.dsn())
    assert good.returncode == 0, good.stdout + good.stderr
    assert f"login       {OWNER}: superuser no, BYPASSRLS yes, may silence triggers yes" in good.stdout
    assert "may become  app_anon yes, app_user yes" in good.stdout
    assert [line for line in good.stdout.splitlines() if line.startswith("--writes")] == [
        "--writes never: allowed",
        "--writes rollback: allowed",
        "--writes canary: allowed",
    ]
    (tmp_path / "tenantproof.toml").write_text(
        '[targets.live]\ndsn = "${S}"\nenvironment = "production"\nwrites = "canary"\n'
    )
    live = tenantproof("doctor", SCENARIO, "--target", "live", S=staging.dsn())
    assert live.returncode == 3
    assert "--writes never: allowed" in live.stdout
    assert "--writes canary: refused\n  - the configuration says that this is production" in live.stdout
    assert staging.dump() == before


def test_there_is_nothing_to_look_at(tenantproof: Run) -> None:
    done = tenantproof("doctor", SCENARIO, "--target", "embedded")
    assert (done.returncode, "a database that is somebody's" in done.stderr) == (2, True)
