"""`check` end to end, as a user runs it."""

from __future__ import annotations

import datetime
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest
from tests.integration.conftest import Run, command

from tenantproof.scenario import load_scenario
from tenantproof.targets.embedded import EmbeddedTarget

LEAK = "create policy notes_open on public.notes for select to authenticated using (true);"


@pytest.fixture
def leak(tmp_path: Path) -> Path:
    path = tmp_path / "leak.sql"
    path.write_text(LEAK)
    return path


def report_of(path: Path) -> dict[str, object]:
    document: dict[str, object] = json.loads(path.read_text())
    schema = json.loads((files("tenantproof.reports") / "json-v1.schema.json").read_text())
    jsonschema.validate(document, schema)
    return document


def test_an_isolated_database_exits_0_and_says_what_was_not_tested(tenantproof: Run, small_app: Path) -> None:
    done = tenantproof("check", small_app, "--attempts", 300, "--report", "json=r.json", "--report", "html=r.html")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 leaked" in done.stdout
    assert "world pairs" in done.stdout
    assert "seeding" in done.stderr
    document = report_of(Path(str(small_app)).parents[1] / "r.json")
    assert document["findings"] == []
    assert "<script" in (small_app.parents[1] / "r.html").read_text()


def test_the_same_seed_gives_the_same_report_but_for_times(tenantproof: Run, small_app: Path, leak: Path) -> None:
    folder = small_app.parents[1]
    for name in ("one", "two"):
        tenantproof("check", small_app, "--attempts", 100, "--patch", leak, "-q", "--report", f"json={name}.json")

    one, two = (report_of(folder / f"{name}.json") for name in ("one", "two"))
    one.pop("times")
    two.pop("times")
    assert one == two


@pytest.mark.thorough
def test_another_seed_gives_the_same_fingerprints(tenantproof: Run, small_app: Path, leak: Path) -> None:
    folder = small_app.parents[1]
    found = []
    for seed in (1, 2):
        tenantproof(
            "check",
            small_app,
            "--attempts",
            200,
            "--patch",
            leak,
            "-q",
            "--seed",
            seed,
            "--report",
            f"json={seed}.json",
        )
        findings = report_of(folder / f"{seed}.json")["findings"]
        assert isinstance(findings, list)
        found.append([finding["fingerprint"] for finding in findings])
    assert found[0] == found[1]
    assert len(found[0]) == 1


def test_a_leak_exits_1_names_the_policy_and_can_be_replayed(tenantproof: Run, small_app: Path, leak: Path) -> None:
    done = tenantproof("check", small_app, "--attempts", 20, "--patch", leak, "-q", "--report", "json=r.json")

    assert done.returncode == 1, done.stdout + done.stderr
    findings = report_of(small_app.parents[1] / "r.json")["findings"]
    assert isinstance(findings, list)
    (finding,) = findings
    assert (finding["object"], finding["command"], finding["policy"]) == ("public.notes", "select", "notes_open")
    assert finding["file"].endswith("leak.sql")
    assert finding["line"] == 1

    again = tenantproof("replay", finding["fingerprint"], small_app, "--attempts", 20, "--patch", leak)
    assert again.returncode == 1, again.stdout + again.stderr
    assert "LEAK" in again.stdout
    assert "STILL LEAKS" in again.stdout

    fixed = tenantproof("replay", finding["fingerprint"], small_app, "--attempts", 20)
    assert fixed.returncode == 0, fixed.stdout + fixed.stderr
    assert "FIXED" in fixed.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("--fail-on", "never"), 0), (("--exit-zero",), 0), (("--fail-on", "critical"), 1), (("--fail-on", "low"), 1)],
)
def test_the_gate(tenantproof: Run, small_app: Path, leak: Path, arguments: tuple[str, ...], code: int) -> None:
    assert tenantproof("check", small_app, "--attempts", 0, "--patch", leak, "-q", *arguments).returncode == code


def test_an_accepted_finding_passes_until_its_day(tenantproof: Run, small_app: Path, leak: Path) -> None:
    text = small_app.read_text()
    entry = "accept:\n  - {channel: READ, object: public.notes, reason: known, until: %s}\n"

    small_app.write_text(text + entry % (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=30)))
    assert tenantproof("check", small_app, "--attempts", 0, "--patch", leak, "-q").returncode == 0

    small_app.write_text(text + entry % "2020-01-01")
    assert tenantproof("check", small_app, "--attempts", 0, "--patch", leak, "-q").returncode == 1


def test_a_view_that_leaks_by_itself_is_told_beside_another_leak_of_its_table(
    tenantproof: Run, small_app: Path, tmp_path: Path
) -> None:
    both = tmp_path / "both.sql"
    both.write_text(
        "create function public.all_notes() returns setof public.notes language sql stable security definer"
        " set search_path = '' as 'select * from public.notes';"
        "create view public.every_note with (security_invoker = true) as"
        " select a.* from public.all_notes() a left join public.notes n on n.id = a.id;"
        "grant select on public.every_note to authenticated;"
        "create policy notes_plant on public.notes for insert to authenticated with check (true);"
    )

    tenantproof("check", small_app, "--patch", both, "-q", "--attempts", 0, "--report", "json=r.json")

    findings = report_of(small_app.parents[1] / "r.json")["findings"]
    assert isinstance(findings, list)
    assert {(f["object"], f["command"]) for f in findings} == {
        ("public.every_note", "select"),
        ("public.notes", "insert"),
    }


def test_a_view_that_cannot_be_written_is_shown_as_denied(tenantproof: Run, small_app: Path, tmp_path: Path) -> None:
    """Whatever is promised of the table below it: a reader of ✓ would believe that members write through the view."""
    view = tmp_path / "view.sql"
    view.write_text(
        "create view public.my_notes with (security_invoker = true) as select * from public.notes;"
        "grant select on public.my_notes to authenticated;"
    )
    small_app.write_text(small_app.read_text() + "  my_notes: {select: tenant, write: none}\n")

    done = tenantproof("check", small_app, "--patch", view, "-q", "-v", "--attempts", 0, "--report", "json=r.json")

    assert done.returncode == 0, done.stdout
    row = next(line for line in done.stdout.splitlines() if "public.my_notes" in line)
    assert "✓ · · ·" in row
    assert "✓ ✓" not in row
    cells = report_of(small_app.parents[1] / "r.json")["cells"]
    assert isinstance(cells, list)
    shown = {(cell["entitled"], cell["observed"]) for cell in cells if cell["verdict"] == "isolated"}
    assert not {(True, "denied"), (True, "no row reached")} & shown


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_tokens_can_be_signed_with_asymmetric_keys(tenantproof: Run, small_app: Path, algorithm: str) -> None:
    done = tenantproof("check", small_app, "--attempts", 0, "-q", "--signing-algorithm", algorithm)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_signing_key_that_is_not_there_exits_2(tenantproof: Run, small_app: Path) -> None:
    done = tenantproof("check", small_app, "-q", "--signing-key", "nowhere.pem")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "nowhere.pem" in done.stderr


def test_over_blocking_is_found(tenantproof: Run, small_app: Path, tmp_path: Path) -> None:
    strict = tmp_path / "strict.sql"
    strict.write_text("drop policy notes_select on public.notes;")

    done = tenantproof("check", small_app, "--attempts", 0, "--patch", strict, "-q")

    assert done.returncode == 1
    assert "BLOCKED" in done.stdout


def test_a_policy_that_fails_is_neither_isolated_nor_a_leak(tenantproof: Run, small_app: Path, tmp_path: Path) -> None:
    recursive = tmp_path / "recursive.sql"
    recursive.write_text(
        "alter policy notes_select on public.notes using (exists (select 1 from public.notes n where n.id = notes.id));"
    )

    done = tenantproof("check", small_app, "--attempts", 0, "--patch", recursive, "-q")

    assert done.returncode == 4, done.stdout
    assert "recurses" in done.stdout


def test_a_table_nobody_decided_on_exits_4(tenantproof: Run, small_app: Path, tmp_path: Path) -> None:
    added = tmp_path / "added.sql"
    added.write_text(
        "create table public.mystery (id int primary key, what text); grant select on public.mystery to authenticated;"
    )

    done = tenantproof("check", small_app, "--attempts", 0, "--patch", added, "-q")

    assert done.returncode == 4, done.stdout
    assert "does not say whose" in done.stdout


BAD = {
    "unknown key": ("roles:", "rolez:", "did you mean 'roles'"),
    "duplicate key": ("name: Small app", "name: Small app\nname: Twice", "line 2 and again at line 3"),
    "one tenant": ("[acme, globex]", "[acme]", "two or more tenants"),
    "table that does not exist": ("  notes: {tenant", "  notez: {tenant", "did you mean"),
    "column that does not exist": ("owner: author_id", "owner: autor_id", "author_id"),
    "role that is not declared": ("outsider: none", "viewer: none", "viewer"),
    "membership table that does not exist": ("table: team_members", "table: team_member", "team_members"),
    "no migrations": ("migrations: migrations", "migrations: nowhere", "nowhere"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_wrong_scenario_exits_2_with_the_place_and_the_nearest_name(
    tenantproof: Run, small_app: Path, case: str
) -> None:
    old, new, said = BAD[case]
    small_app.write_text(small_app.read_text().replace(old, new, 1))

    done = tenantproof("check", small_app, "-q")

    assert done.returncode == 2, done.stdout + done.stderr
    assert "app.tenancy.yaml:" in done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_migration_that_fails_names_file_line_and_statement(tenantproof: Run, small_app: Path) -> None:
    (small_app.parent / "migrations" / "0002_bad.sql").write_text("select 1;\n\nselect nonsense from nowhere;\n")

    done = tenantproof("check", small_app, "-q")

    assert done.returncode == 3, done.stdout + done.stderr
    assert "0002_bad.sql:3" in done.stderr
    assert "select nonsense from nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_patch_that_is_not_there_exits_2(tenantproof: Run, small_app: Path) -> None:
    done = tenantproof("check", small_app, "--patch", "nowhere.sql")
    assert done.returncode == 2
    assert "nowhere.sql" in done.stderr


def test_a_table_that_cannot_be_seeded_is_named_with_the_sqlstate(
    tenantproof: Run, small_app: Path, tmp_path: Path
) -> None:
    impossible = tmp_path / "impossible.sql"
    impossible.write_text("alter table public.notes add column n int not null check (n > 5 and n < 5);")

    done = tenantproof("check", small_app, "--attempts", 0, "--patch", impossible, "-q", "--strict")

    assert done.returncode in (1, 4), done.stdout + done.stderr
    assert "23514" in done.stdout


def test_a_persona_whose_session_cannot_be_set_up_is_a_clear_error(tenantproof: Run, small_app: Path) -> None:
    migration = small_app.parent / "migrations" / "0002_pre.sql"
    migration.write_text(
        "create function public.pre() returns void language plpgsql as $$ begin raise 'closed today'; end $$;"
    )
    small_app.write_text(small_app.read_text() + "session: {pre_request: public.pre}\n")

    done = tenantproof("check", small_app, "-q")

    assert done.returncode == 3, done.stdout + done.stderr
    assert "closed today" in done.stderr
    assert "public.pre" in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_in_scope_exits_5(tenantproof: Run, small_app: Path) -> None:
    (small_app.parent / "migrations" / "0002_schema.sql").write_text("create schema empty;")
    text = small_app.read_text().replace("migrations: migrations}", "migrations: migrations, schemas: [empty]}")
    text = text.replace("table: team_members", "table: public.team_members")
    small_app.write_text(text[: text.index("tables:")])

    done = tenantproof("check", small_app, "--attempts", 0, "-q")

    assert done.returncode == 5, done.stdout + done.stderr


@pytest.fixture
def cache() -> Iterator[Path]:
    """A cache of one's own, where the server's OS user can go too (pytest's folders are closed to others)."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_ctrl_c_exits_130_and_leaves_no_server_and_no_database(small_app: Path, cache: Path) -> None:
    environment = {**os.environ, "TENANTPROOF_CACHE": str(cache)}
    running = subprocess.Popen(
        command("check", small_app), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert running.stderr is not None
    for line in running.stderr:
        if "personas before" in line:
            running.send_signal(signal.SIGINT)
            break
    _, said = running.communicate(timeout=60)

    assert running.returncode == 130, said
    assert list(cache.rglob("postmaster.pid")) == []


def test_two_runs_at_once_do_not_meet(small_app: Path) -> None:
    runs = [
        subprocess.Popen(
            command("check", small_app, "--attempts", 10, "-q"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for run in runs:
        out, err = run.communicate(timeout=120)
        assert run.returncode == 0, out + err


def test_a_reader_that_closes_the_pipe_does_not_change_the_exit_code(small_app: Path, leak: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        command("check", small_app, "--attempts", 0, "-q", "--patch", leak),
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 1, done.stderr
    assert b"Traceback" not in done.stderr


def test_a_server_that_is_not_postgresql_is_a_clear_error(tenantproof: Run, small_app: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def answer() -> None:
            client, _ = server.accept()
            client.recv(100)
            client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            client.close()

        threading.Thread(target=answer, daemon=True).start()
        dsn = f"postgresql://user:s3cret@127.0.0.1:{port}/db"
        done = tenantproof("check", small_app, "-q", "--target", "env:STAGING", STAGING=dsn)

    assert done.returncode == 3, done.stdout + done.stderr
    assert f"127.0.0.1:{port}" in done.stderr
    assert "s3cret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_target_that_a_service_logs_in_to_is_refused(tenantproof: Run, small_app: Path) -> None:
    unset = tenantproof("check", small_app, "-q", "--target", "env:NOWHERE_DSN")
    assert unset.returncode == 2
    assert "NOWHERE_DSN" in unset.stderr

    with EmbeddedTarget(load_scenario(small_app).database).database() as handle:
        done = tenantproof("check", small_app, "-q", "--target", handle.conninfo)
    assert done.returncode == 3
    assert "'supabase_admin' is the platform's superuser, which nobody else should use" in done.stderr
