"""A server that dies in the middle, rows that stay, and secrets that must be nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.staging.cluster import SCENARIO, Cluster, cluster
from tests.staging.conftest import Run

from tenantproof.api import check, exit_code
from tenantproof.core.events import CellChecked, Event
from tenantproof.core.seeds import child_seed
from tenantproof.engine.wire import Wire
from tenantproof.identity.signing import LOCAL_SECRET

LEAK = "create policy notes_everybody on public.notes for select to app_user using (true)"


def dying_at(monkeypatch: pytest.MonkeyPatch, made: Cluster, flush: int) -> None:
    """The server is stopped without a word when the run sends to it for that time."""
    send, sent = Wire._flush, [0]

    def counted(wire: Wire) -> None:
        sent[0] += 1
        if sent[0] == flush:
            made.stop("immediate")
        send(wire)

    monkeypatch.setattr(Wire, "_flush", counted)


@pytest.mark.parametrize(
    ("leaks", "flush", "code"),
    [(False, 20, 3), (True, 400, 1)],
    ids=["in the matrix", "in the search, after a leak"],
)
def test_a_server_that_dies_leaves_a_report(
    tenantproof: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leaks: bool, flush: int, code: int
) -> None:
    with cluster() as made:
        if leaks:
            with made.admin() as connection:
                connection.execute(LEAK)
        dying_at(monkeypatch, made, flush)
        done = tenantproof(
            "check", SCENARIO, "-t", "env:S", "--writes", "rollback", "-r", "json=run.json", S=made.dsn()
        )
    assert done.returncode == code, done.stdout + done.stderr
    report = json.loads((tmp_path / "run.json").read_text())
    assert report["interrupted"] is True
    assert "the database went away in the middle of the run" in report["trouble"]
    assert "nobody could look whether anything stayed behind" in report["trouble"]
    assert any(gap["reason"].startswith("interrupted") for gap in report["gaps"])
    assert bool(report["findings"]) is leaks
    assert "the database went away" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_row_that_stays_is_trouble(staging: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if a trigger had written by another connection: a committed row with a mark of the run, and one without."""
    monkeypatch.setenv("S", staging.dsn())
    canary = f"canary-acme-{child_seed(7, 'canary', 'acme'):016x}"[:20]

    with staging.admin() as connection:

        def meddle(event: Event) -> None:
            if isinstance(event, CellChecked) and not told:
                told.append(event)
                connection.execute("insert into orgs (name) values (%s)", (f"about {canary}",))
                connection.execute("insert into people (email) values ('late@real.example')")

        told: list[Event] = []
        try:
            report = check(SCENARIO, target="env:S", writes="rollback", attempts=0, seed=7, listen=meddle)
        finally:
            connection.execute("delete from orgs where name like 'about %'")
            connection.execute("delete from people where email like 'late%'")
    assert report.trouble == "the run left something behind: 1 row in public.orgs"
    assert "meanwhile, by others: rows of public.people were changed" in report.notes
    assert not any("nothing stayed" in note for note in report.notes)
    assert exit_code(report) == 3


def test_secrets_are_nowhere(staging: Cluster, tenantproof: Run, tmp_path: Path) -> None:
    """Neither the password nor the key nor a token is in any output or file of runs that leaked or failed."""
    formats = ("html", "json", "ndjson", "junit", "sarif", "markdown", "github")
    reports = [f"--report={name}=out.{name}" for name in formats]
    said = []
    with staging.admin() as connection:
        connection.execute(LEAK)
        try:
            for writes in ("rollback", "canary"):
                done = tenantproof(
                    "check", SCENARIO, "-t", "env:S", "--writes", writes, "--attempts", 0, "-v", *reports,
                    S=staging.dsn(),
                )  # fmt: skip
                assert done.returncode == 1, done.stderr
                said += [done.stdout, done.stderr]
        finally:
            connection.execute("drop policy notes_everybody on public.notes")
    wrong = tenantproof("check", SCENARIO, "-t", "env:S", S=staging.dsn(user="nobody"))
    texts = {path: path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()}
    assert len(texts) >= len(formats)
    for secret in (staging.password, LOCAL_SECRET.decode(), "eyJhbGciOi"):
        assert not [path for path, text in texts.items() if secret in text], secret
        assert not any(secret in text for text in (*said, wrong.stdout, wrong.stderr)), secret
