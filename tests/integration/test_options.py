"""Options that change how a result looks, on every verb that has them; and the tour."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]

ESCAPE = "\x1b["
LEAK = "create policy x on notes for select to authenticated using (true);"


@pytest.fixture
def saved(tenantproof: Run, small_app: Path, tmp_path: Path) -> Path:
    """A run with a finding."""
    (tmp_path / "leak.sql").write_text(LEAK)
    tenantproof(
        "check", small_app, "--attempts", "0", "-q", "--patch", "leak.sql", "-r", f"json={tmp_path / 'run.json'}"
    )
    return tmp_path / "run.json"


@pytest.mark.parametrize(
    "call",
    [
        ("check", "SCENARIO", "--attempts", "0", "-q"),
        ("fuzz", "SCENARIO", "--for", "1s", "-q", "--no-examples"),
        ("bisect", "SCENARIO", "--attempts", "0", "-q", "--linear"),
        ("report", "RUN"),
        ("diff", "RUN", "RUN"),
    ],
    ids=lambda call: call[0],
)
def test_colour_is_as_asked(
    tenantproof: Run, small_app: Path, request: pytest.FixtureRequest, call: tuple[str, ...]
) -> None:
    saved = request.getfixturevalue("saved") if "RUN" in call else None  # it takes a run to make one
    words = [str({"SCENARIO": small_app, "RUN": saved}.get(word, word)) for word in call]
    assert ESCAPE in tenantproof(*words, "--color", "always", NO_COLOR="").stdout
    assert ESCAPE not in tenantproof(*words, "--color", "never", FORCE_COLOR="1").stdout
    assert ESCAPE not in tenantproof(*words, NO_COLOR="").stdout  # no terminal


def test_drift_is_coloured_as_asked(tenantproof: Run, small_app: Path, tmp_path: Path) -> None:
    (tmp_path / "schema.prisma").write_text("model Team {\n  id String @id @db.Uuid\n}\n")
    drift = ("drift", small_app, "--prisma", tmp_path / "schema.prisma", "-q")
    assert ESCAPE in tenantproof(*drift, "--color", "always", NO_COLOR="").stdout
    assert ESCAPE not in tenantproof(*drift).stdout


def test_replay_prints_its_script(tenantproof: Run, small_app: Path, saved: Path) -> None:
    fingerprint = tenantproof("report", saved).stdout.split("tenantproof replay ")[1].split()[0]
    replay = ("replay", fingerprint, small_app, "--attempts", "0", "--patch", "leak.sql")
    done = tenantproof(*replay, "--script")
    assert done.returncode == 1
    assert "rollback;" in done.stdout.lower()


@pytest.mark.parametrize("platform", ["postgres", "supabase"])
def test_init_takes_the_platform_that_is_named(tenantproof: Run, tmp_path: Path, platform: str) -> None:
    (tmp_path / "a.sql").write_text(
        "create table teams (id uuid primary key);\n"
        "create table members (team_id uuid references teams, user_id uuid, primary key (team_id, user_id));\n"
    )
    done = tenantproof("init", "--migrations", "a.sql", "--platform", platform, "-o", "app.tenancy.yaml")
    assert f"platform: {platform}" in (tmp_path / "app.tenancy.yaml").read_text(), done.stderr


def test_a_kept_database_stays_until_its_server_is_stopped(tenantproof: Run, small_app: Path) -> None:
    # A server of its own: others use that of the application as it is.
    (small_app.parent / "migrations" / "0003_kept.sql").write_text("comment on table notes is 'kept';")
    done = tenantproof("check", small_app, "--attempts", "0", "--keep")
    (conninfo,) = re.findall(r"this database stays: \S+ '(.*)'", done.stderr)
    (pid_file,) = re.findall(r"head -1 (\S+)\)", done.stderr)
    try:
        with psycopg.connect(conninfo) as connection:
            (found,) = connection.execute("select count(*) from notes").fetchone() or (0,)
        assert found > 0
    finally:
        os.kill(int(Path(pid_file).read_text().split()[0]), signal.SIGINT)


@pytest.mark.thorough  # `make demo` is the tour; CI runs it, too
def test_the_tour_shows_a_clean_run_and_a_leak(tenantproof: Run, tmp_path: Path) -> None:
    done = tenantproof("demo", "--reports", tmp_path / "out", "--color", "never", "--seed", "7")
    assert done.returncode == 0
    assert "exit 0: no finding" in done.stdout
    assert "LEAKED critical" in done.stdout
    assert "tenantproof init" in done.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["demo-clean.html", "demo-leak.html"]
