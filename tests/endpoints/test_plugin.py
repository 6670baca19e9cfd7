"""Endpoints of a scenario are tests of the pytest plugin."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.endpoints.conftest import SCENARIO, answering, say
from tests.endpoints.test_strange_servers import who

from tenantproof.engine.ways import Standing


def test_each_endpoint_is_a_test(standing: Standing, tmp_path: Path) -> None:
    marks = standing.plan.manifest.canaries
    text = SCENARIO.read_text().partition("endpoints_app:")[0]
    text = text.replace("migrations: migrations", f"migrations: {SCENARIO.parent / 'migrations'}")
    text += 'endpoints:\n  - {name: own, url: "{base}/own"}\n  - {name: others, url: "{base}/others"}\n'
    (tmp_path / "app.tenancy.yaml").write_text(text)
    (tmp_path / "pytest.ini").write_text("[pytest]\ntenantproof_scenarios = *.tenancy.yaml\n")

    def answer(handler: object) -> None:
        mine = who(handler)  # type: ignore[arg-type]
        shown = mine if handler.path == "/own" else "acme"  # type: ignore[attr-defined]
        say(handler, 200, marks.get(shown, "nothing").encode())  # type: ignore[arg-type]

    arguments = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tenantproof-attempts=0", "-rA"]
    with answering(answer) as base:
        surroundings = {**os.environ, "TENANTPROOF_ENDPOINT_BASE": base}
        done = subprocess.run(
            [*arguments, "-k", "own or others"],
            cwd=tmp_path,
            env=surroundings,
            capture_output=True,
            text=True,
            check=False,
        )
    assert "PASSED app.tenancy.yaml::endpoints::own" in done.stdout
    assert "FAILED app.tenancy.yaml::endpoints::others" in done.stdout
    assert "ENDPOINT-CACHE" in done.stdout  # it says so although the database no longer holds the row
