"""The plugin asks by further ways in, where it is told to."""

from __future__ import annotations

from pathlib import Path

from tests.plugin.test_plugin import suite

LEAKY = """
pooled:
  begin: ["set local role app_user", "set app.tenant_id = '{tenant.id}'"]
  pools: [psycopg_pool]
"""
SAFE = LEAKY.replace("set app.", "set local app.")
PROVES_NOTHING = LEAKY.replace("set app.tenant_id", "set app.tenant")

FIXTURES = Path(__file__).parents[2] / "fixtures" / "pooled"


def write(path: Path, habit: str) -> None:
    text = (FIXTURES / "app.tenancy.yaml").read_text()
    path.write_text(text.replace("migrations: migrations", f"migrations: {FIXTURES / 'migrations'}") + habit)


def test_pooled_connections_are_a_test_of_their_own(tmp_path: Path) -> None:
    """It fails with the finding, passes without one, and fails where nothing is known."""
    for name, habit in (("leaky", LEAKY), ("safe", SAFE), ("unknown", PROVES_NOTHING)):
        write(tmp_path / f"{name}.tenancy.yaml", habit)
    (tmp_path / "pytest.ini").write_text("[pytest]\ntenantproof_attempts = 0\ntenantproof_via = pooled\n")
    done = suite(tmp_path, "-q", "-k", "ways")

    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILED leaky.tenancy.yaml::ways::pooled" in done.stdout
    assert "POOL-CLAIM" in done.stdout
    assert "FAILED unknown.tenancy.yaml::ways::pooled" in done.stdout
    assert "no positive control" in done.stdout
    assert "2 failed, 1 passed" in done.stdout


def test_a_way_that_nobody_knows(tmp_path: Path) -> None:
    write(tmp_path / "app.tenancy.yaml", "")
    done = suite(tmp_path, "--collect-only", "-q", "--tenantproof-via", "pool")

    assert done.returncode != 0
    assert "tenantproof_via = pool: expected rest or pooled or replica" in done.stdout + done.stderr
